package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"patwatch/auditlog"
)

// change is one transaction that writes. All its events share a time and an
// activity.
type change struct {
	tx       *sql.Tx
	now      time.Time
	activity string
	size     int64 // events in the log; -1: not read yet
	act      bool  // an act may have become due
}

// append stamps an event, stores it as the next leaf and returns its index.
// guid is "" for a new one.
func (c *change) append(ctx context.Context, e auditlog.Event, guid string) (int64, error) {
	if c.size < 0 {
		if err := c.tx.QueryRowContext(ctx, `SELECT coalesce(max(idx) + 1, 0) FROM events`).Scan(&c.size); err != nil {
			return 0, fmt.Errorf("reading the size of the log: %w", err)
		}
	}
	if guid == "" {
		guid = auditlog.NewUUID()
	}
	e.Stamp(c.now, guid, c.activity)
	body, err := e.Canonical()
	if err != nil {
		return 0, err
	}
	index := c.size
	if err := auditlog.Append(row{ctx, c.tx, string(body)}, index, body); err != nil {
		return 0, err
	}
	if _, err := c.tx.ExecContext(ctx, `INSERT INTO search(rowid, text) VALUES (?, ?)`, index, searchText(&e)); err != nil {
		return 0, fmt.Errorf("making event %d searchable: %w", index, err)
	}
	c.size++
	return index, nil
}

// searchText is the words by which an event is found.
func searchText(e *auditlog.Event) string {
	words := []string{e.ActionID, e.ActorUPN, e.ActorDisplayName, e.ScopeDisplayName}
	for _, v := range e.Data {
		if s, ok := v.(string); ok && !slices.Contains(words, s) {
			words = append(words, s)
		}
	}
	return strings.Join(words, "\n")
}

// queryer is a transaction or a connection that reads.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// row is where the hashes of an event lie: in its own row of the table.
type row struct {
	ctx  context.Context
	tx   *sql.Tx
	body string
}

// ReadHashes implements [auditlog.Hashes].
func (r row) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	return readHashes(r.ctx, r.tx, indexes)
}

// WriteHashes implements [auditlog.Hashes]: it stores the event with them.
func (r row) WriteHashes(leaf int64, hashes []tlog.Hash) error {
	_, err := r.tx.ExecContext(r.ctx, `INSERT INTO events(idx, hashes, body) VALUES (?, ?, ?)`, leaf, joinHashes(hashes), r.body)
	return err
}

func readHashes(ctx context.Context, q queryer, indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		leaf, place := auditlog.Locate(index)
		var b []byte
		if err := q.QueryRowContext(ctx, `SELECT hashes FROM events WHERE idx = ?`, leaf).Scan(&b); err != nil {
			return nil, fmt.Errorf("reading the hashes of event %d: %w", leaf, err)
		}
		if len(b) < (place+1)*tlog.HashSize {
			return nil, fmt.Errorf("event %d has %d bytes of hashes, too few: the log was altered", leaf, len(b))
		}
		out[i] = tlog.Hash(b[place*tlog.HashSize:])
	}
	return out, nil
}

func joinHashes(hashes []tlog.Hash) []byte {
	var b []byte
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// splitHashes is the reverse of joinHashes; what is left over is a hash that is
// wrong.
func splitHashes(b []byte) []tlog.Hash {
	var out []tlog.Hash
	for some := range slices.Chunk(b, tlog.HashSize) {
		var h tlog.Hash
		copy(h[:], some)
		out = append(out, h)
	}
	return out
}

// nanos is a time as the database has it.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the reverse of nanos.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// none reports whether an error is that of a row which is not there.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }
