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
	hot      map[string]*sql.Stmt
	now      time.Time
	activity string
	size     int64 // events in the log; -1: not read yet
	act      bool  // an act may have become due
}

// What every report runs; prepared once, since half of the cost is parsing.
const (
	readSize      = `SELECT coalesce(max(idx) + 1, 0) FROM events`
	readHash      = `SELECT hashes FROM events WHERE idx = ?`
	addEvent      = `INSERT INTO events(idx, hashes, body) VALUES (?, ?, ?)`
	addSearch     = `INSERT INTO search(rowid, text) VALUES (?, ?)`
	readOpenCase  = `SELECT ` + caseColumns + ` FROM cases WHERE authorization_id = ?`
	addCase       = `INSERT INTO cases(authorization_id, correlation, state, opened_at, updated_at, token) VALUES (?, ?, ?, ?, ?, ?)`
	updateCase    = `UPDATE cases SET token = ?, sightings = ?, updated_at = ? WHERE id = ?`
	knowsSighting = `SELECT 1 FROM sightings WHERE case_id = ? AND key = ?`
	addSighting   = `INSERT INTO sightings(case_id, key, event, repository, path, body) VALUES (?, ?, ?, ?, ?, ?)`
	addPlanned    = `INSERT INTO acts(key, case_id, kind, state, due, reason, sightings) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING`
	addParked     = `INSERT INTO parked(key, since, due, repository, path, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO NOTHING`
)

var hot = []string{readSize, readHash, addEvent, addSearch, readOpenCase, addCase, updateCase, knowsSighting, addSighting, addPlanned, addParked}

// exec runs a statement of the transaction.
func (c *change) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if st := c.hot[query]; st != nil {
		return c.tx.StmtContext(ctx, st).ExecContext(ctx, args...)
	}
	return c.tx.ExecContext(ctx, query, args...)
}

// row reads one row in the transaction.
func (c *change) row(ctx context.Context, query string, args ...any) *sql.Row {
	if st := c.hot[query]; st != nil {
		return c.tx.StmtContext(ctx, st).QueryRowContext(ctx, args...)
	}
	return c.tx.QueryRowContext(ctx, query, args...)
}

// append stamps an event, stores it as the next leaf and returns its index.
// guid is "" for a new one.
func (c *change) append(ctx context.Context, e auditlog.Event, guid string) (int64, error) {
	if c.size < 0 {
		if err := c.row(ctx, readSize).Scan(&c.size); err != nil {
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
	if err := auditlog.Append(leaf{ctx, c, string(body)}, index, body); err != nil {
		return 0, err
	}
	if _, err := c.exec(ctx, addSearch, index, searchText(&e)); err != nil {
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

// leaf is where the hashes of an event lie: in its own row of the table.
type leaf struct {
	ctx  context.Context
	c    *change
	body string
}

// ReadHashes implements [auditlog.Hashes].
func (l leaf) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	return readHashes(indexes, func(leaf int64) *sql.Row { return l.c.row(l.ctx, readHash, leaf) })
}

// WriteHashes implements [auditlog.Hashes]: it stores the event with them.
func (l leaf) WriteHashes(index int64, hashes []tlog.Hash) error {
	_, err := l.c.exec(l.ctx, addEvent, index, joinHashes(hashes), l.body)
	return err
}

// readHashes picks hashes out of the rows of their events.
func readHashes(indexes []int64, row func(leaf int64) *sql.Row) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		leaf, place := auditlog.Locate(index)
		var b []byte
		if err := row(leaf).Scan(&b); err != nil {
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
