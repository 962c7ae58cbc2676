package auditlog

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goldenEntries are the events of the golden file.
func goldenEntries(t testing.TB) []Entry {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "events.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var out []Entry
	for line := range bytes.Lines(b) {
		out = append(out, Entry{int64(len(out)), bytes.TrimSpace(line)})
	}
	return out
}

func export(t testing.TB, f Format, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip: every format gives back the very bytes that were hashed.
func TestRoundTrip(t *testing.T) {
	for _, f := range []Format{JSON, NDJSON, CSV} {
		for _, entries := range [][]Entry{nil, goldenEntries(t)[:1], goldenEntries(t)} {
			file := export(t, f, entries)
			var got []Entry
			if err := Read(bytes.NewReader(file), f, func(e Entry) error { got = append(got, e); return nil }); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			if len(got) != len(entries) {
				t.Fatalf("%s: %d entries, want %d", f, len(got), len(entries))
			}
			for i := range got {
				if got[i].Index != entries[i].Index || !bytes.Equal(got[i].Body, entries[i].Body) {
					t.Errorf("%s:\n got %s\nwant %s", f, got[i].Body, entries[i].Body)
				}
			}
		}
	}
}

// TestSpreadsheet: no cell that people wrote begins as a formula does.
func TestSpreadsheet(t *testing.T) {
	var entries []Entry
	for i, evil := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "'=1", "\t=1", "plain"} {
		e := AccessLog(evil, Actor{UserID: serviceID, UPN: evil, DisplayName: evil, UserAgent: evil, Mechanism: evil, IPAddress: evil})
		e.Details = evil
		e.Stamp(at, serviceID, serviceID)
		b, err := e.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, Entry{int64(i), b})
	}
	file := export(t, CSV, entries)
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(rows) != len(entries)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("a cell begins with %q", cell[:1])
			}
		}
	}
	i := 0
	err = Read(bytes.NewReader(file), CSV, func(e Entry) error {
		if !bytes.Equal(e.Body, entries[i].Body) {
			t.Errorf("\n got %s\nwant %s", e.Body, entries[i].Body)
		}
		i++
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestColumns(t *testing.T) {
	var e Event
	cells := e.cells()
	if len(cells) != len(columns) || columns[columnIndex] != "index" || columns[columnTime] != "timestamp" || columns[columnData] != "data" {
		t.Fatal("the columns and the cells of an event differ")
	}
	for i, c := range cells {
		if (c == nil) != (i == columnIndex || i == columnTime || i == columnData) {
			t.Errorf("column %s", columns[i])
		}
	}
}

func TestWriterSkipsDeleted(t *testing.T) {
	entries := goldenEntries(t)[:3]
	entries[0].Body = nil
	for _, f := range []Format{JSON, NDJSON, CSV} {
		n := 0
		if err := Read(bytes.NewReader(export(t, f, entries)), f, func(Entry) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("%s: %d entries, %v", f, n, err)
		}
	}
}

var errDisk = errors.New("disk full")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errDisk }

func TestWriterFails(t *testing.T) {
	for _, f := range []Format{JSON, NDJSON, CSV} {
		w, err := NewWriter(broken{}, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range goldenEntries(t) {
			err = errors.Join(err, w.Write(e))
		}
		if err = errors.Join(err, w.Close()); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", f, err)
		}
		w, _ = NewWriter(&bytes.Buffer{}, f)
		if err := w.Write(Entry{Body: []byte("x")}); err == nil {
			t.Errorf("%s: x is written as an event", f)
		}
	}
	if _, err := NewWriter(&bytes.Buffer{}, "xml"); err == nil {
		t.Error("xml is a format")
	}
	if err := Read(strings.NewReader(""), "xml", nil); err == nil {
		t.Error("xml is a format")
	}
}

func TestReadRefuses(t *testing.T) {
	line := string(export(t, NDJSON, goldenEntries(t)[:1]))
	row := string(export(t, CSV, goldenEntries(t)[:1]))
	cases := []struct {
		format Format
		text   string
	}{
		{NDJSON, "x\n"}, {NDJSON, `{"index":-1,"id":""}`}, {NDJSON, `{"index":1}`}, {NDJSON, `{"index":1,"id":3}`},
		{NDJSON, strings.Repeat("x", maxEvent+100)}, {JSON, "[\n" + line + "x\n]"},
		{CSV, ""}, {CSV, "a,b\n"}, {CSV, strings.Replace(row, "\n0,", "\nx,", 1)}, {CSV, strings.Replace(row, ",2026-", ",X-", 1)},
		{CSV, strings.Replace(row, `"{""`, `"[""`, 1)}, {CSV, row + "1,2\n"},
	}
	for _, c := range cases {
		if err := Read(strings.NewReader(c.text), c.format, func(Entry) error { return nil }); err == nil {
			t.Errorf("%s: %.60q is read", c.format, c.text)
		}
	}
	for _, f := range []Format{JSON, NDJSON, CSV} {
		file := export(t, f, goldenEntries(t))
		if err := Read(bytes.NewReader(file), f, func(Entry) error { return errDisk }); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// FuzzRead: no file makes the reader fail in another way than by an error, and
// what is read can be written and read again.
func FuzzRead(f *testing.F) {
	for _, format := range []Format{JSON, NDJSON, CSV} {
		f.Add(string(format), export(f, format, goldenEntries(f)[:2]))
	}
	f.Fuzz(func(t *testing.T, format string, file []byte) {
		var entries []Entry
		err := Read(bytes.NewReader(file), Format(format), func(e Entry) error { entries = append(entries, e); return nil })
		if err != nil {
			return
		}
		again := 0
		if err := Read(bytes.NewReader(export(t, NDJSON, entries)), NDJSON, func(Entry) error { again++; return nil }); err != nil || again != len(entries) {
			t.Fatalf("%d entries of %d, %v", again, len(entries), err)
		}
	})
}

// BenchmarkAppend measures an event from its making to its hashes.
func BenchmarkAppend(b *testing.B) {
	c, s := aCase(), aSighting()
	m := &memory{}
	for b.Loop() {
		e := Discovery(c, s)
		e.Stamp(at, NewUUID(), serviceID)
		body, err := e.Canonical()
		if err != nil {
			b.Fatal(err)
		}
		m.add(b, body)
		m.leaves[len(m.leaves)-1].Body = nil
	}
}
