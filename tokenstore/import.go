package tokenstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"patwatch/leak"
)

// Format is how an export is written.
type Format string

// The formats of an import.
const (
	NDJSON Format = "ndjson" // one JSON object a line
	CSV    Format = "csv"    // the first line names the columns, as the fields of JSON
)

// ImportOptions say what an import is.
type ImportOptions struct {
	Format Format
	// Snapshot: the file is everything. It counts from the moment it is whole, in
	// place of what was there; until then, and if it fails, the old one does. Not
	// set: it is added to what is there, and replaces the records of the digests
	// that it has.
	Snapshot bool
	// Shrink allows a snapshot with less than half of the tokens that are there.
	Shrink bool
	// AsOf is when the export was taken: the store has heard of every token that
	// was made before. Zero: the newest valid_from in it. An import with rejects
	// says nothing of the kind: the mark stays where it was.
	AsOf time.Time
	// DryRun: everything is read and checked, nothing is stored.
	DryRun bool
	// Rejects gets a line of JSON for each record that is not imported: {"line",
	// "reason"}, and nothing of the record. nil: they are only counted.
	Rejects io.Writer
	// Progress is called now and then. nil: not.
	Progress func(ImportReport)
}

// ImportReport is what an import did, or has done so far.
type ImportReport struct {
	Accepted  int64     `json:"accepted"`
	Rejected  int64     `json:"rejected"`
	Bytes     int64     `json:"bytes"`
	Resumed   int64     `json:"resumed"` // lines of an earlier, interrupted import that were not read again
	HighWater time.Time `json:"high_water"`
}

// What stops an import as a whole.
var (
	ErrEmptySnapshot = errors.New("the snapshot has no token that can be imported: the old one stays")
	ErrShrunk        = errors.New("the snapshot has less than half of the tokens that are there: the old one stays; if that is right, allow it to shrink")
	ErrOvertaken     = errors.New("another import of this file, or another snapshot, took over: import again")
)

// batchSize is how many records are committed at once. Each batch writes every
// page of the indexes that it touches, so that few large ones are cheaper.
const batchSize = 50_000

// Import reads an export. Records that are wrong are rejected one by one; an
// error means that the import stopped, and what was committed before it stays
// (of a snapshot: beside what counts). Importing a file again changes nothing,
// and if it can be sought and was not imported to its end, it goes on where it
// stopped.
func (s *Store) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	im := &importer{s: s, o: o}
	if err := im.run(ctx, r); err != nil {
		return im.report, fmt.Errorf("importing tokens: %w", err)
	}
	return im.report, nil
}

// An importer is one call of Import.
type importer struct {
	s          *Store
	o          ImportOptions
	report     ImportReport
	file       string // "" when it cannot be told from others
	generation int64
	newest     int64
	offset     int64 // bytes that are committed
	line       int64
	insert     *sql.Stmt
}

func (im *importer) run(ctx context.Context, r io.Reader) (err error) {
	if im.o.Format != NDJSON && im.o.Format != CSV {
		return fmt.Errorf("unknown format %q: ndjson or csv", im.o.Format)
	}
	if im.file, err = im.identify(r); err != nil {
		return err
	}
	if !im.o.DryRun {
		if err := im.begin(ctx); err != nil {
			return err
		}
	}
	in, err := newLines(r, im.o.Format, im.offset, im.line)
	if err != nil {
		return err
	}
	err = im.batches(ctx, in)
	if im.o.DryRun {
		return err
	}
	if err = errors.Join(err, im.insert.Close()); err != nil {
		return err
	}
	return im.finish(ctx)
}

// identify returns what tells the file from others: all of its bytes, and how it
// is imported.
func (im *importer) identify(r io.Reader) (string, error) {
	f, ok := r.(io.ReadSeeker)
	if !ok {
		return "", nil
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return "", nil // a pipe
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, size, im.o.Format, im.o.Snapshot)
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	_, err = f.Seek(0, io.SeekStart)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// begin finds the generation to import into, and where an earlier import of the
// same file stopped.
func (im *importer) begin(ctx context.Context) error {
	err := im.s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := checkPeppers(tx, im.s.keys); err != nil {
			return err
		}
		if err := notePeppers(tx, im.s.keys); err != nil {
			return err
		}
		current, err := generation(tx)
		if err != nil {
			return err
		}
		im.generation = current
		if im.o.Snapshot {
			im.generation = 0
		}
		if err := im.resume(tx, current); err != nil || im.generation > 0 {
			return err
		}
		// Rows of snapshots that were never finished are dropped with the old one.
		if _, err := tx.Exec("DELETE FROM imports WHERE generation > ?", current); err != nil {
			return err
		}
		return tx.QueryRow("SELECT max(?, coalesce((SELECT max(generation) FROM tokens), 0)) + 1", current).Scan(&im.generation)
	})
	if err != nil {
		return err
	}
	im.insert, err = im.s.db.Prepare(ctx, insertStatement(rowsAtOnce))
	return err
}

// resume reads how far an earlier import of the file came. It counts only if no
// snapshot came in between.
func (im *importer) resume(tx *sql.Tx, current int64) error {
	var gen, offset, line, newest int64
	var done ImportReport
	err := tx.QueryRow("SELECT generation, offset, line, accepted, rejected, newest FROM imports WHERE file = ?", im.file).
		Scan(&gen, &offset, &line, &done.Accepted, &done.Rejected, &newest)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if im.o.Snapshot == (gen > current) && gen >= current {
		done.Resumed, done.Bytes = line, offset
		im.generation, im.offset, im.line, im.newest, im.report = gen, offset, line, newest, done
		return nil
	}
	_, err = tx.Exec("DELETE FROM imports WHERE file = ?", im.file)
	return err
}

// A batch is what is committed at once.
type batch struct {
	tokens   []leak.Token
	rejected int64
	offset   int64
	line     int64
}

// batches reads the file on one goroutine and stores it on another.
func (im *importer) batches(ctx context.Context, in *lines) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parsed := make(chan *batch)
	var failed error
	go func() {
		defer close(parsed)
		failed = im.parse(ctx, in, parsed)
	}()
	for b := range parsed {
		if err := im.commit(ctx, b); err != nil {
			cancel(err)
			for range parsed { // until the reader has seen it
			}
			return err
		}
		im.report.Bytes = b.offset
		if im.o.Progress != nil {
			im.o.Progress(im.report)
		}
	}
	return failed
}

// parse sends the batches of a file.
func (im *importer) parse(ctx context.Context, in *lines, out chan<- *batch) error {
	b := &batch{}
	for {
		rec, err := in.next()
		if errors.Is(err, io.EOF) {
			return send(ctx, out, b, in)
		}
		var wrong *lineError
		if err != nil && !errors.As(err, &wrong) {
			return err
		}
		var t leak.Token
		if wrong == nil {
			if t, err = rec.token(im.s.keys); err != nil {
				wrong = &lineError{err}
			}
		}
		if wrong == nil {
			b.tokens = append(b.tokens, t)
		} else if err := im.reject(b, in.line, wrong); err != nil {
			return err
		}
		if len(b.tokens)+int(b.rejected) == batchSize {
			if err := send(ctx, out, b, in); err != nil {
				return err
			}
			b = &batch{}
		}
	}
}

func send(ctx context.Context, out chan<- *batch, b *batch, in *lines) error {
	b.offset, b.line = in.offset, in.line
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reject writes down why a line is not imported.
func (im *importer) reject(b *batch, line int64, why error) error {
	b.rejected++
	if im.o.Rejects == nil {
		return nil
	}
	text, err := json.Marshal(struct {
		Line   int64  `json:"line"`
		Reason string `json:"reason"`
	}{line, why.Error()})
	if err == nil {
		_, err = im.o.Rejects.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("writing the rejects: %w", err)
	}
	return nil
}

// commit stores a batch, and how far the import is, in one transaction.
func (im *importer) commit(ctx context.Context, b *batch) error {
	sorted := make([]*leak.Token, len(b.tokens)) // pages of the index are touched one after the other
	for i := range b.tokens {
		sorted[i] = &b.tokens[i]
	}
	slices.SortStableFunc(sorted, func(x, y *leak.Token) int { return bytes.Compare(x.Digest.Sum[:], y.Digest.Sum[:]) })
	done, newest := im.report, im.newest
	for i := range b.tokens {
		newest = max(newest, seconds(b.tokens[i].ValidFrom))
	}
	done.Accepted += int64(len(b.tokens))
	done.Rejected += b.rejected
	if !im.o.DryRun {
		err := im.s.db.Write(ctx, func(tx *sql.Tx) error {
			if err := im.claim(tx, b, done, newest); err != nil {
				return err
			}
			return im.store(tx, sorted)
		})
		if err != nil {
			return err
		}
	}
	im.report, im.newest, im.offset, im.line = done, newest, b.offset, b.line
	return nil
}

// claim notes how far the import is, unless another one came in between.
func (im *importer) claim(tx *sql.Tx, b *batch, done ImportReport, newest int64) error {
	key := im.key()
	var at sql.NullInt64
	if err := tx.QueryRow("SELECT max(offset) FROM imports WHERE file = ?", key).Scan(&at); err != nil {
		return err
	}
	current, err := generation(tx)
	if err != nil {
		return err
	}
	if at.Int64 != im.offset && at.Int64 != b.offset || im.generation < current {
		return ErrOvertaken
	}
	_, err = tx.Exec("INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?, ?, ?)", key, im.generation, b.offset, b.line, done.Accepted, done.Rejected, newest)
	return err
}

// key names the import. One of a pipe cannot be gone on with.
func (im *importer) key() string {
	if im.file != "" {
		return im.file
	}
	return fmt.Sprintf("stream into %d", im.generation)
}

const rowsAtOnce = 32 // of one statement

func insertStatement(rows int) string {
	return `INSERT INTO tokens (generation, digest, pepper, authorization_id, owner_id, owner_name, owner_mail, organization,
		display_name, scopes, valid_from, valid_to, revoked) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)` + strings.Repeat(",(?,?,?,?,?,?,?,?,?,?,?,?,?)", rows-1) + `
		ON CONFLICT (generation, digest) DO UPDATE SET pepper = excluded.pepper, authorization_id = excluded.authorization_id,
		owner_id = excluded.owner_id, owner_name = excluded.owner_name, owner_mail = excluded.owner_mail,
		organization = excluded.organization, display_name = excluded.display_name, scopes = excluded.scopes,
		valid_from = excluded.valid_from, valid_to = excluded.valid_to, revoked = excluded.revoked`
}

func (im *importer) store(tx *sql.Tx, tokens []*leak.Token) error {
	insert := tx.Stmt(im.insert)
	args := make([]any, 0, rowsAtOnce*13)
	for len(tokens) > 0 {
		n := min(len(tokens), rowsAtOnce)
		args = args[:0]
		for _, t := range tokens[:n] {
			args = append(args, im.generation, t.Digest.Sum[:], t.Digest.Version, t.AuthorizationID, t.ID, t.Name, t.Mail, t.Organization,
				t.DisplayName, t.Scopes, seconds(t.ValidFrom), seconds(t.ValidTo), t.State == leak.TokenRevoked)
		}
		var err error
		if n == rowsAtOnce {
			_, err = insert.Exec(args...)
		} else {
			_, err = tx.Exec(insertStatement(n), args...)
		}
		if err != nil {
			return err
		}
		tokens = tokens[n:]
	}
	return nil
}

// finish makes the import count, and drops what it replaced.
func (im *importer) finish(ctx context.Context) error {
	err := im.s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := im.swap(tx); err != nil {
			return err
		}
		if im.report.Rejected == 0 { // else there are tokens that the store has not heard of
			mark := seconds(im.o.AsOf)
			if mark == 0 {
				mark = min(im.newest, im.s.now().Unix())
			}
			if err := raiseHighWater(tx, mark); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM imports WHERE file = ?", im.key())
		return err
	})
	if err != nil {
		return err
	}
	if im.report.HighWater, err = im.s.HighWater(ctx); err != nil {
		return err
	}
	return im.s.sweep(ctx)
}

// swap lets a snapshot count.
func (im *importer) swap(tx *sql.Tx) error {
	if !im.o.Snapshot {
		return nil
	}
	if im.report.Accepted == 0 {
		return ErrEmptySnapshot
	}
	current, err := generation(tx)
	if err != nil {
		return err
	}
	if im.generation <= current {
		return ErrOvertaken
	}
	var before, after int64
	err = tx.QueryRow("SELECT (SELECT count(*) FROM tokens WHERE generation = ?), (SELECT count(*) FROM tokens WHERE generation = ?)",
		current, im.generation).Scan(&before, &after)
	if err != nil {
		return err
	}
	if after < before/2 && !im.o.Shrink {
		return ErrShrunk
	}
	return set(tx, "generation", fmt.Sprint(im.generation))
}

// sweep drops the tokens of generations that do not count any more, some at a
// time so that others can write in between. A crash leaves the rest for the next
// import.
func (s *Store) sweep(ctx context.Context) error {
	for {
		var dropped int64
		err := s.db.Write(ctx, func(tx *sql.Tx) error {
			current, err := generation(tx)
			if err != nil {
				return err
			}
			result, err := tx.Exec("DELETE FROM tokens WHERE rowid IN (SELECT rowid FROM tokens WHERE generation < ? LIMIT ?)", current, batchSize)
			if err != nil {
				return err
			}
			dropped, err = result.RowsAffected()
			return err
		})
		if err != nil || dropped == 0 {
			return err
		}
	}
}
