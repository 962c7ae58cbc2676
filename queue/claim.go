package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"patwatch/leak"
)

const (
	lookAhead     = 64 // waiting pushes of a line that are searched for a chain
	chainAttempts = 3  // after that many, pushes are handed out alone: one of a chain may spoil it
)

// Claim hands out up to limit items, each of another repository, from lanes in
// the order they are given, until the lease ends; an item that is not settled by
// then can be claimed again. It returns at once, with none if there are none:
// see [Queue.Wait]. Workers may call it at the same time; no item is out twice.
//
// A push that was handed out [Options.MaxAttempts] times and never settled, as
// one that ends the worker's process, becomes a dead letter instead.
func (q *Queue) Claim(ctx context.Context, worker string, lanes []Lane, limit int, lease time.Duration) ([]Item, error) {
	if limit <= 0 || lease <= 0 || lease > horizon {
		return nil, fmt.Errorf("claiming %d items for %v: a positive number and a lease of up to %v are needed", limit, lease, horizon)
	}
	if ready, err := q.ready(ctx, lanes); err != nil || !ready {
		return nil, err // most claims find nothing: they cost no write
	}
	var items []Item
	err := q.db.Write(ctx, func(tx *sql.Tx) (err error) {
		c := claim{q: q, tx: tx, ctx: context.WithoutCancel(ctx), worker: worker, now: q.Now(), lease: lease}
		items = nil
		for _, lane := range lanes {
			if items, err = c.lane(items, lane, limit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claiming pushes: %w", err)
	}
	return items, nil
}

// A claim is one call of Claim, in its transaction.
type claim struct {
	q      *Queue
	tx     *sql.Tx
	ctx    context.Context
	worker string
	now    time.Time
	lease  time.Duration
}

// lane adds items of a lane until there are limit.
func (c *claim) lane(items []Item, lane Lane, limit int) ([]Item, error) {
	if _, err := c.tx.StmtContext(c.ctx, c.q.promote).ExecContext(c.ctx, lane, nanos(c.now), nanos(c.now.Add(horizon))); err != nil {
		return nil, err
	}
	for len(items) < limit {
		lines, err := numbers(c.ctx, c.tx.StmtContext(c.ctx, c.q.next), lane, limit-len(items))
		if err != nil || len(lines) == 0 {
			return items, err
		}
		for _, line := range lines {
			item, err := c.line(lane, line)
			if err != nil {
				return nil, err
			}
			if item != nil {
				items = append(items, *item)
			}
		}
	}
	return items, nil
}

// line claims the first item of a line, or nil when all that waited there are
// dead letters now.
func (c *claim) line(lane Lane, line int64) (*Item, error) {
	for {
		waiting, err := c.waiting(line)
		if err != nil {
			return nil, err
		}
		if len(waiting) == 0 {
			_, err := c.tx.StmtContext(c.ctx, c.q.statements.drop).ExecContext(c.ctx, line)
			return nil, err
		}
		first := waiting[0]
		if first.attempts < c.q.MaxAttempts {
			return c.lend(lane, line, chain(waiting, c.q.MaxChain))
		}
		reason := fmt.Sprintf("handed out %d times and never settled", first.attempts)
		if first.reason != "" {
			reason += "; before: " + first.reason
		}
		if _, err := c.tx.StmtContext(c.ctx, c.q.bury).ExecContext(c.ctx, first.seq, nanos(c.now), reason); err != nil {
			return nil, err
		}
	}
}

// A waiter is a push in a line.
type waiter struct {
	seq      int64
	attempts int
	reason   string
	added    int64
	push     leak.Push
}

func (c *claim) waiting(line int64) ([]waiter, error) {
	rows, err := c.tx.StmtContext(c.ctx, c.q.statements.waiting).QueryContext(c.ctx, line, lookAhead)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var out []waiter
	for rows.Next() {
		var w waiter
		var body sql.RawBytes
		if err := rows.Scan(&w.seq, &w.attempts, &w.reason, &w.added, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &w.push); err != nil {
			return nil, fmt.Errorf("push number %d: %w", w.seq, err)
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

// chain returns the first of the waiting and those of its ref that join it.
func chain(waiting []waiter, limit int) []waiter {
	out := waiting[:1:1]
	if out[0].attempts >= chainAttempts {
		return out
	}
	for i := 1; i < len(waiting) && len(out) < limit; i++ {
		w := waiting[i]
		if w.push.Ref != out[0].push.Ref {
			continue
		}
		if w.attempts >= chainAttempts || !joins(&out[len(out)-1].push, &w.push) {
			break
		}
		out = append(out, w)
	}
	return out
}

// lend hands out an item.
func (c *claim) lend(lane Lane, line int64, chain []waiter) (*Item, error) {
	item := &Item{
		Lane: lane, Added: moment(chain[0].added), Reason: chain[0].reason, Until: c.now.Add(c.lease),
		line: line, claim: 1 + rand.Int64N(1<<62), // never the same, so that an old holder is told
	}
	for _, w := range chain {
		item.Pushes = append(item.Pushes, w.push)
		item.seqs = append(item.seqs, w.seq)
		item.Attempt = max(item.Attempt, w.attempts+1)
		if _, err := c.tx.StmtContext(c.ctx, c.q.take).ExecContext(c.ctx, w.seq, item.claim); err != nil {
			return nil, err
		}
	}
	_, err := c.tx.StmtContext(c.ctx, c.q.statements.lend).ExecContext(c.ctx, line, nanos(item.Until), item.claim, c.worker)
	return item, err
}

// ready reports whether something in the lanes can be claimed now.
func (q *Queue) ready(ctx context.Context, lanes []Lane) (bool, error) {
	now := q.Now()
	for _, lane := range lanes {
		at, err := q.soonest(ctx, lane, now)
		if err != nil || !at.IsZero() && !at.After(now) {
			return err == nil, err
		}
	}
	return false, nil
}

// soonest returns when something in a lane can be claimed, or zero when nothing
// ever can.
func (q *Queue) soonest(ctx context.Context, lane Lane, now time.Time) (time.Time, error) {
	var first, last sql.NullInt64
	err := q.db.Reader().QueryRowContext(ctx, `SELECT (SELECT min(ready) FROM lines WHERE lane = ?1), (SELECT max(ready) FROM lines WHERE lane = ?1)`, lane).Scan(&first, &last)
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for what is due: %w", err)
	}
	switch {
	case !first.Valid:
		return time.Time{}, nil
	case first.Int64 == 0 || last.Int64 > nanos(now.Add(horizon)):
		return now, nil
	}
	return moment(first.Int64), nil
}

// lookAgain is how long Wait relies on what it knows: other programs may have
// changed the queue, or somebody the clock.
const lookAgain = time.Second

// Wait returns nil when something in the lanes may be claimable: at once, or
// when it was published or given back here, or became due. What another program
// does is noticed within a second. When ctx ends it returns its error.
//
// Several that wait are all woken; one that then finds nothing waits again.
func (q *Queue) Wait(ctx context.Context, lanes []Lane) error {
	for {
		awake := q.awake() // before looking, so that nothing is missed in between
		wait := lookAgain
		now := q.Now()
		for _, lane := range lanes {
			at, err := q.soonest(ctx, lane, now)
			if err != nil {
				return err
			}
			if !at.IsZero() {
				wait = min(wait, at.Sub(now))
			}
		}
		if wait <= 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-awake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
	}
}

// numbers reads one column.
func numbers(ctx context.Context, stmt *sql.Stmt, args ...any) ([]int64, error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, n)
	}
	return out, rows.Err()
}
