package auditlog

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Format is how entries are written to a file.
type Format string

// The formats of an export. In the two with JSON an entry is the event's
// canonical bytes with its "index" put in front, so that the bytes which were
// hashed can be had from it.
const (
	JSON   Format = "json"   // one array
	NDJSON Format = "ndjson" // one object a line
	CSV    Format = "csv"    // see [Writer]
)

// columns are those of a CSV file, in their order.
var columns = []string{
	"index", "id", "correlationId", "activityId", "actorCUID", "actorUserId", "actorClientId", "actorUPN",
	"actorDisplayName", "actorImageUrl", "authenticationMechanism", "timestamp", "scopeType", "scopeDisplayName", "scopeId",
	"projectId", "projectName", "ipAddress", "userAgent", "actionId", "data", "details", "area", "category", "categoryDisplayName",
}

// cells returns pointers to the event's fields in the order of the columns,
// without those of index, timestamp and data, which are nil.
func (e *Event) cells() []*string {
	return []*string{
		nil, &e.ID, &e.CorrelationID, &e.ActivityID, &e.ActorCUID, &e.ActorUserID, &e.ActorClientID, &e.ActorUPN,
		&e.ActorDisplayName, (*string)(&e.ActorImageURL), &e.AuthenticationMechanism, nil, &e.ScopeType, &e.ScopeDisplayName, &e.ScopeID,
		&e.ProjectID, &e.ProjectName, (*string)(&e.IPAddress), &e.UserAgent, &e.ActionID, nil, &e.Details, &e.Area, &e.Category, &e.CategoryDisplayName,
	}
}

const (
	columnIndex = 0
	columnTime  = 11
	columnData  = 20
)

// Writer writes entries to a file as they come. An entry whose body retention
// deleted is passed over.
//
// In CSV the data of an event is a cell of JSON. A cell that a spreadsheet could
// take for a formula (it begins with = + - @ tab or carriage return), and one
// that begins with an apostrophe, get an apostrophe in front; [Read] takes it
// away. Line ends inside of a cell become a line feed.
type Writer struct {
	out    *bufio.Writer
	csv    *csv.Writer // nil for the others
	format Format
	count  int
}

// NewWriter returns a writer of a format to w. Nothing is written before the
// first [Writer.Write] or [Writer.Close].
func NewWriter(w io.Writer, f Format) (*Writer, error) {
	out := &Writer{out: bufio.NewWriter(w), format: f}
	switch f {
	case JSON, NDJSON:
	case CSV:
		out.csv = csv.NewWriter(out.out)
	default:
		return nil, fmt.Errorf("an export is json, ndjson or csv, not %q", string(f))
	}
	return out, nil
}

// Write adds an entry.
func (w *Writer) Write(e Entry) error {
	if e.Body == nil {
		return nil
	}
	var err error
	if w.csv != nil {
		err = w.row(e)
	} else {
		err = w.object(e)
	}
	if err != nil {
		return fmt.Errorf("writing event %d: %w", e.Index, err)
	}
	w.count++
	return nil
}

func (w *Writer) object(e Entry) error {
	if !bytes.HasPrefix(e.Body, []byte(`{"`)) {
		return errors.New("its stored form is not an event")
	}
	before, after := "", "\n"
	if w.format == JSON {
		before, after = ",\n", ""
		if w.count == 0 {
			before = "[\n"
		}
	}
	_, err := fmt.Fprintf(w.out, "%s{\"index\":%d,%s%s", before, e.Index, e.Body[1:], after)
	return err
}

func (w *Writer) row(entry Entry) error {
	e, err := entry.Event()
	if err != nil {
		return err
	}
	data, err := json.Marshal(e.Data)
	if err != nil {
		return err
	}
	if w.count == 0 {
		if err := w.csv.Write(columns); err != nil {
			return err
		}
	}
	row := make([]string, len(columns))
	for i, cell := range e.cells() {
		if cell != nil {
			row[i] = guard(*cell)
		}
	}
	stamp, _ := e.Timestamp.MarshalText()
	row[columnIndex], row[columnTime], row[columnData] = strconv.FormatInt(entry.Index, 10), string(stamp), string(data)
	return w.csv.Write(row)
}

// Close ends the file and writes what is buffered. It does not close what is
// below.
func (w *Writer) Close() error {
	switch {
	case w.format == JSON && w.count == 0:
		w.out.WriteString("[]\n")
	case w.format == JSON:
		w.out.WriteString("\n]\n")
	case w.format == CSV:
		if w.count == 0 {
			if err := w.csv.Write(columns); err != nil {
				return err
			}
		}
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return err
		}
	}
	return w.out.Flush()
}

// guard makes a cell harmless to a spreadsheet.
func guard(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r\n'", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

// Read calls each with every entry of a file that [Writer] wrote. It holds one
// entry at a time. A body that comes from CSV is made anew from its cells.
func Read(r io.Reader, f Format, each func(Entry) error) error {
	switch f {
	case JSON, NDJSON:
		return readObjects(r, f, each)
	case CSV:
		return readRows(r, each)
	}
	return fmt.Errorf("an export is json, ndjson or csv, not %q", string(f))
}

// readObjects relies on an entry being one line in both formats.
func readObjects(r io.Reader, f Format, each func(Entry) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent+64)
	for n := 1; lines.Scan(); n++ {
		line := lines.Bytes()
		if f == JSON {
			line = bytes.TrimSuffix(line, []byte{','})
		}
		if len(line) == 0 || f == JSON && (string(line) == "[" || string(line) == "]" || string(line) == "[]") {
			continue
		}
		e, err := parseObject(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading exported events: %w", err)
	}
	return nil
}

// parseObject takes the index off an entry; what is left is the stored form.
func parseObject(line []byte) (Entry, error) {
	bad := errors.New(`an exported event is an object that begins with its "index"`)
	rest, ok := bytes.CutPrefix(line, []byte(`{"index":`))
	number, body, found := bytes.Cut(rest, []byte{','})
	n, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || !found || err != nil || n < 0 || len(body) > maxEvent || !bytes.HasPrefix(body, []byte{'"'}) {
		return Entry{}, bad
	}
	e := Entry{n, append([]byte{'{'}, body...)}
	if _, err := e.Event(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

func readRows(r io.Reader, each func(Entry) error) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = len(columns)
	head, err := rows.Read()
	if err != nil || strings.Join(head, ",") != strings.Join(columns, ",") {
		return errors.New("exported events in CSV begin with a line of their columns")
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading exported events: %w", err)
		}
		line, _ := rows.FieldPos(0)
		e, err := parseRow(row)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

func parseRow(row []string) (Entry, error) {
	var e Event
	for i, cell := range e.cells() {
		if cell != nil {
			*cell = strings.TrimPrefix(row[i], "'")
		}
	}
	index, err := strconv.ParseInt(row[columnIndex], 10, 64)
	if err != nil || index < 0 {
		return Entry{}, errors.New("an event's index is not a number")
	}
	if err := e.Timestamp.UnmarshalText([]byte(row[columnTime])); err != nil {
		return Entry{}, err
	}
	d := json.NewDecoder(strings.NewReader(row[columnData]))
	d.UseNumber()
	if err := d.Decode(&e.Data); err != nil {
		return Entry{}, errors.New("an event's data is not a JSON object")
	}
	body, err := e.Canonical()
	return Entry{index, body}, err
}
