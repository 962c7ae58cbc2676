// Package ledger is the durable record: cases, their sightings, the audit
// events with the Merkle tree over them, the acts that are due, sightings of
// tokens that are not known yet, and what was not read.
//
// Everything that belongs together is written in one transaction, which is
// synced to disk before the call returns nil; nothing is done in the world
// before it is on record here. There is one case for each authorization id, one
// sighting for each token, repository, blob, path and line, and one act for
// each key, so a report may be recorded any number of times.
//
// An act goes through [Ledger.Claim] (it is mine for a while), [Ledger.Begin]
// (I am about to do it) and [Ledger.Finish] (what came of it). A crash at any
// point leaves it claimable again, with the attempts that were begun.
//
// The database is one SQLite file. Several programs may use it at once: a
// service, and commands that read or review beside it.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"patwatch/auditlog"
	"patwatch/internal/sqlite"
	"patwatch/leak"
)

// What callers decide on.
var (
	ErrNotFound  = errors.New("there is none on record")
	ErrNotDue    = errors.New("the act is not due")
	ErrNoSigner  = errors.New("there is no key to sign a checkpoint with")
	ErrBadCursor = errors.New("not a page of this list")
)

// Options are what a ledger is joined to.
type Options struct {
	// Plan returns what is to be done about a case in which fresh sightings were
	// just recorded, or, with none, an act had an outcome. It is called inside of the transaction: it must be pure and
	// quick. c has all its sightings, the fresh ones too, and the acts it had.
	// Acts whose keys are on record already are left as they are. nil: nothing is
	// ever due.
	Plan func(c leak.Case, fresh []leak.Sighting, now time.Time) []leak.Act
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Signer signs checkpoints; nil: none are made, those on record are used.
	Signer *auditlog.Signer
	// Verifier checks checkpoints, for who has only the public key; nil: that of
	// Signer.
	Verifier *auditlog.Verifier
}

// Ledger is an open ledger. It is safe for concurrent use.
type Ledger struct {
	db       *sqlite.DB
	write    func(context.Context, func(*sql.Tx) error) error // db.Write, but in tests
	plan     func(leak.Case, []leak.Sighting, time.Time) []leak.Act
	now      func() time.Time
	signer   *auditlog.Signer
	verifier *auditlog.Verifier
	wake     chan struct{}
	hot      map[string]*sql.Stmt // by query; never changed after Open
}

// Open opens the ledger in a file, and makes it when there is none. One of an
// older version is brought up to date; one of a newer version, or one that is
// not whole, is refused and left as it is.
func Open(ctx context.Context, path string, o Options) (*Ledger, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Verifier == nil && o.Signer != nil {
		var err error
		if o.Verifier, err = o.Signer.Verifier(); err != nil {
			return nil, fmt.Errorf("opening the ledger: %w", err)
		}
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Name: "ledger", Migrations: migrations()})
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	l := &Ledger{
		db: db, write: db.Write, plan: o.Plan, now: o.Now, signer: o.Signer, verifier: o.Verifier,
		wake: make(chan struct{}, 1), hot: map[string]*sql.Stmt{},
	}
	for _, query := range hot {
		if l.hot[query], err = db.Prepare(ctx, query); err != nil {
			return nil, errors.Join(fmt.Errorf("preparing the ledger: %w", err), db.Close())
		}
	}
	return l, nil
}

// Close closes the file. What was recorded is on disk already.
func (l *Ledger) Close() error { return l.db.Close() }

// Wake returns a channel that gets a value after acts were added or changed by
// this program. Several changes may come as one. For those of other programs look
// at [Ledger.NextDue] now and then.
func (l *Ledger) Wake() <-chan struct{} { return l.wake }

// resolution is that of the events' times.
const resolution = 100 * time.Nanosecond

// change runs f in a transaction that is synced to disk when change returns nil.
// Others share the transaction, so f's context is not cancelled: an interrupted
// statement would undo their part too.
func (l *Ledger) change(ctx context.Context, f func(context.Context, *change) error) error {
	act := false
	whole := context.WithoutCancel(ctx)
	err := l.write(ctx, func(tx *sql.Tx) error {
		c := &change{tx: tx, hot: l.hot, now: l.now().UTC().Truncate(resolution), activity: auditlog.NewUUID(), size: -1}
		err := f(whole, c)
		act = c.act
		return err
	})
	if err == nil && act {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return err
}

// Log records events that others made, in their order: who looked at the log,
// what policy was changed. It fails as a whole: who cannot be recorded must not
// do it.
func (l *Ledger) Log(ctx context.Context, events ...auditlog.Event) error {
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		for _, e := range events {
			if _, err := c.append(ctx, e, ""); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording audit events: %w", err)
	}
	return nil
}

// Stats is how much there is of everything.
type Stats struct {
	OpenCases, ResolvedCases int
	Sightings                int
	Events                   int64
	Acts                     map[leak.ActState]int
	OldestDue                time.Time // of the acts that are due and not claimed; zero: none
	Parked                   int
	Incomplete               int
}

// Stats counts.
func (l *Ledger) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Acts: map[leak.ActState]int{}}
	var oldest sql.NullInt64
	err := l.db.Reader().QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM cases WHERE state = 'open'), (SELECT count(*) FROM cases WHERE state <> 'open'),
		(SELECT count(*) FROM sightings), (SELECT coalesce(max(idx) + 1, 0) FROM events),
		(SELECT min(due) FROM acts WHERE state = 'due' AND lease = 0),
		(SELECT count(*) FROM parked), (SELECT count(*) FROM incompletes)`).
		Scan(&s.OpenCases, &s.ResolvedCases, &s.Sightings, &s.Events, &oldest, &s.Parked, &s.Incomplete)
	s.OldestDue = moment(oldest.Int64)
	if err == nil {
		_, err = collect(ctx, l.db.Reader(), func(rows *sql.Rows) (n int, err error) {
			var state leak.ActState
			err = rows.Scan(&state, &n)
			s.Acts[state] = n
			return n, err
		}, `SELECT state, count(*) FROM acts GROUP BY state`)
	}
	if err != nil {
		return s, fmt.Errorf("counting the ledger: %w", err)
	}
	return s, nil
}
