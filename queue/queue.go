// Package queue holds the pushes that wait to be read: at least once, in order,
// over restarts and crashes.
//
// A push is in the queue when [Queue.Publish] returns nil, and leaves it with
// [Queue.Done], [Queue.Drop] or into the dead letters. In between a worker
// claims it for a while; one that crashes or takes too long loses it to another.
// So a push may be read twice, and what is done with it must bear that.
//
// Order. Each repository has a line in each lane. One item of a line is out at
// a time, items leave a line in the order of their first pushes, and of one ref
// no push is handed out before an earlier one. Lines take turns: a repository
// with many pushes waits as long between two of them as every other.
//
// Lanes. What takes long goes through the slow lane, so that it holds up
// nothing: whole repositories from the start, others when a worker says so with
// [Queue.Slow]. The lines of a repository in the two lanes do not wait for each
// other.
//
// The database is one SQLite file. Several programs may use it at once: a
// service, and commands that list, retry or drop beside it.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"patwatch/internal/sqlite"
	"patwatch/leak"
)

// Lane is one of the ways through the queue.
type Lane string

// The lanes.
const (
	Fast Lane = "fast"
	Slow Lane = "slow"
)

// ErrLost is the error for an item whose lease ran out and that somebody else
// claimed since, or that was dropped. Nothing was changed: the other one's
// outcome counts.
var ErrLost = errors.New("the item is no longer yours")

// Options are the queue's settings. The zero value of each stands for the
// default.
type Options struct {
	Now  func() time.Time // the clock; time.Now
	Rand func() float64   // in [0, 1), spreads retries; a random number
	// MaxAttempts is how often a push is handed out; after that it is a dead
	// letter. 20.
	MaxAttempts int
	// MinBackoff and MaxBackoff bound the wait before a push is handed out again,
	// which doubles with each attempt. 2 s and 1 h.
	MinBackoff, MaxBackoff time.Duration
	// Remember is how long the id of a push is known, so that hearing of it again
	// changes nothing. 48 h.
	Remember time.Duration
	// MaxChain is how many pushes become one item. 32.
	MaxChain int
}

func (o Options) filled() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	setDefault(&o.MaxAttempts, 20)
	setDefault(&o.MinBackoff, 2*time.Second)
	setDefault(&o.MaxBackoff, time.Hour)
	setDefault(&o.Remember, 48*time.Hour)
	setDefault(&o.MaxChain, 32)
	return o
}

func setDefault[T int | time.Duration](v *T, to T) {
	if *v <= 0 {
		*v = to
	}
}

// horizon is the longest wait that can be asked for. What is due later than
// that must have been written before the clock was set back, and is due now.
const horizon = 24 * time.Hour

// Queue is an open queue. It is safe for concurrent use.
type Queue struct {
	Options
	db *sqlite.DB
	statements

	mu      sync.Mutex
	changed chan struct{} // closed when something may have become claimable
}

// Open opens the queue in a file, and makes it when there is none. One of an
// older version is brought up to date; one of a newer version, or one that is
// damaged, is refused and left as it is.
func Open(ctx context.Context, path string, o Options) (*Queue, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Name: "queue", Migrations: migrations()})
	if err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	q := &Queue{Options: o.filled(), db: db, changed: make(chan struct{})}
	if err := q.prepare(ctx, db); err != nil {
		return nil, fmt.Errorf("opening the queue: %w", errors.Join(err, db.Close()))
	}
	return q, nil
}

// Close closes the file. Items that are out can be claimed again when their
// leases have run out; to have that at once, [Queue.Release] them before.
func (q *Queue) Close() error { return q.db.Close() }

// Check reads the whole file and returns what is wrong with it, or nil.
func (q *Queue) Check(ctx context.Context) error { return q.db.Check(ctx) }

// write runs f in a transaction that is synced to disk when write returns nil.
// f may run more than once. It runs under a context that does not end: ending
// one in the middle would undo what others wrote in the same transaction.
func (q *Queue) write(ctx context.Context, what string, f func(ctx context.Context, tx *sql.Tx) error) error {
	err := q.db.Write(ctx, func(tx *sql.Tx) error { return f(context.WithoutCancel(ctx), tx) })
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	q.wake()
	return nil
}

// wake ends all waits.
func (q *Queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *Queue) awake() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changed
}

// Publish puts pushes into the queue, in their order, and returns how many were
// added: a push whose id is known is not, see [Options.Remember]. When it
// returns nil they are synced to disk. When it returns an error none is in the
// queue, or, after a failed commit, all may be: publishing again does no harm.
//
// A push that cannot be handed out, as one without a repository, is put among
// the dead letters: it is neither lost nor in the way of others.
func (q *Queue) Publish(ctx context.Context, pushes []leak.Push) (added int, err error) {
	if len(pushes) == 0 {
		return 0, nil
	}
	rows := make([]row, len(pushes))
	now := q.Now()
	for i, p := range pushes {
		rows[i] = newRow(p, now)
	}
	err = q.write(ctx, "publishing pushes", func(ctx context.Context, tx *sql.Tx) error {
		added = 0
		for i := range rows {
			fresh, err := q.publish(ctx, tx, &rows[i])
			if err != nil {
				return fmt.Errorf("push %.100q: %w", rows[i].push.ID, err)
			}
			if fresh {
				added++
			}
		}
		return q.forgetIDs(ctx, tx, now, 2*len(rows))
	})
	if err != nil {
		return 0, err
	}
	return added, nil
}

func (q *Queue) publish(ctx context.Context, tx *sql.Tx, r *row) (fresh bool, err error) {
	n, err := affected(tx.StmtContext(ctx, q.remember).ExecContext(ctx, r.push.ID, nanos(r.added), nanos(r.added.Add(-q.Remember))))
	if err != nil || n == 0 {
		return false, err
	}
	if r.dead != "" {
		_, err = tx.StmtContext(ctx, q.insert).ExecContext(ctx, nil, r.push.ID, r.lane, r.push.Repository, nanos(r.added), nanos(r.added), r.dead, r.body)
		return true, err
	}
	line, err := q.lineOf(ctx, tx, r.lane, lineKey(r.push))
	if err != nil {
		return false, err
	}
	_, err = tx.StmtContext(ctx, q.insert).ExecContext(ctx, line, r.push.ID, r.lane, r.push.Repository, nanos(r.added), 0, "", r.body)
	return true, err
}

// lineOf returns the line of a repository in a lane. A new one goes to the end.
func (q *Queue) lineOf(ctx context.Context, tx *sql.Tx, lane Lane, key string) (id int64, err error) {
	err = tx.StmtContext(ctx, q.findLine).QueryRowContext(ctx, lane, key).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.StmtContext(ctx, q.addLine).QueryRowContext(ctx, lane, key).Scan(&id)
	}
	return id, err
}

// forgetIDs deletes the oldest ids, at most n, that need not be known any more.
func (q *Queue) forgetIDs(ctx context.Context, tx *sql.Tx, now time.Time, n int) error {
	_, err := tx.StmtContext(ctx, q.forget).ExecContext(ctx, nanos(now.Add(-q.Remember)), n)
	return err
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// nanos is how times are stored; moment is its inverse.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
