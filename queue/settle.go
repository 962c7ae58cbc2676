package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Done takes an item out of the queue: everything its pushes brought was read
// and is on record. When it returns an error the item will, or may, be handed
// out again. After [ErrLost] somebody else has it.
func (q *Queue) Done(ctx context.Context, item Item) error {
	return q.settle(ctx, "done", item, func(s *settling) (time.Time, error) {
		return time.Time{}, s.each(q.remove)
	})
}

// Release gives an item back as if it had not been claimed: the attempt does not
// count. It is claimable again at a time, the zero one meaning at once. It is
// for a worker that stops, or that is told by a host to come back later.
func (q *Queue) Release(ctx context.Context, item Item, at time.Time) error {
	return q.settle(ctx, "release", item, func(s *settling) (time.Time, error) {
		return s.bounded(at), s.each(q.fail, 1, "")
	})
}

// Retry gives an item back after a failure. It is claimable again at a time, at
// most a day from now; the zero time means after a wait that doubles with each
// attempt. Until then the pushes behind it wait too. After the last attempt its
// pushes become dead letters, with the reason.
func (q *Queue) Retry(ctx context.Context, item Item, at time.Time, reason string) error {
	if item.Attempt >= q.MaxAttempts {
		return q.Dead(ctx, item, fmt.Sprintf("%s (attempt %d, the last)", reason, item.Attempt))
	}
	if at.IsZero() {
		at = q.Now().Add(q.backoff(item.Attempt))
	}
	return q.settle(ctx, "retry", item, func(s *settling) (time.Time, error) {
		return s.bounded(at), s.each(q.fail, 0, clipReason(reason))
	})
}

// backoff is how long to wait after the n-th attempt: between half and all of
// what doubles each time.
func (q *Queue) backoff(n int) time.Duration {
	wait := q.MaxBackoff
	if n < 30 {
		wait = min(wait, q.MinBackoff<<(n-1))
	}
	return wait/2 + time.Duration(q.Rand()*float64(wait/2))
}

// Slow moves an item to the slow lane, where its attempts count from the start.
// The pushes behind it need not wait for it any more. It is claimable there at
// once, or, if it was in the slow lane already, after a wait as of
// [Queue.Retry].
func (q *Queue) Slow(ctx context.Context, item Item, reason string) error {
	if item.Lane == Slow {
		return q.Retry(ctx, item, time.Time{}, reason)
	}
	return q.settle(ctx, "slow", item, func(s *settling) (time.Time, error) {
		line, err := q.lineOf(s.ctx, s.tx, Slow, lineKey(item.Pushes[0]))
		if err == nil {
			err = s.each(q.fail, 0, clipReason(reason))
		}
		if err == nil {
			err = s.each(q.move, line, Slow)
		}
		return time.Time{}, err
	})
}

// Dead puts the pushes of an item among the dead letters, with the reason, until
// somebody retries or drops them.
func (q *Queue) Dead(ctx context.Context, item Item, reason string) error {
	return q.settle(ctx, "dead", item, func(s *settling) (time.Time, error) {
		return time.Time{}, s.each(q.bury, nanos(s.now), clipReason(reason))
	})
}

// Extend makes the lease of an item end later: that long from now. A worker that
// needs long calls it now and then.
func (q *Queue) Extend(ctx context.Context, item *Item, lease time.Duration) error {
	until := q.Now().Add(min(lease, horizon))
	err := q.db.Write(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.StmtContext(ctx, q.extend).ExecContext(context.WithoutCancel(ctx), item.line, item.claim, nanos(until)))
		if err == nil && n == 0 {
			err = ErrLost
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("extending the lease of push %.100q: %w", item.Pushes[0].ID, err)
	}
	item.Until = until
	return nil
}

// A settling is the transaction that ends a claim.
type settling struct {
	ctx  context.Context
	tx   *sql.Tx
	item *Item
	now  time.Time
}

// each runs a statement for each push of the item, whose number is its first
// parameter.
func (s *settling) each(stmt *sql.Stmt, args ...any) error {
	for _, seq := range s.item.seqs {
		if _, err := s.tx.StmtContext(s.ctx, stmt).ExecContext(s.ctx, append([]any{seq}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

// bounded is a time at which something becomes claimable, at most the horizon
// away.
func (s *settling) bounded(at time.Time) time.Time {
	if last := s.now.Add(horizon); at.After(last) {
		return last
	}
	return at
}

// settle ends a claim if it still holds: f does what is to be done with the
// pushes, and says when the line may be claimed again. The line goes to the end
// of its lane, so that others have their turn.
func (q *Queue) settle(ctx context.Context, what string, item Item, f func(*settling) (time.Time, error)) error {
	if len(item.seqs) == 0 {
		return fmt.Errorf("%s: %w", what, ErrLost)
	}
	what = fmt.Sprintf("%s: push %.100q", what, item.Pushes[0].ID)
	return q.write(ctx, what, func(ctx context.Context, tx *sql.Tx) error {
		var mine bool
		if err := tx.StmtContext(ctx, q.mine).QueryRowContext(ctx, item.line, item.claim).Scan(&mine); err != nil {
			return err
		}
		if !mine {
			return ErrLost
		}
		ready, err := f(&settling{ctx, tx, &item, q.Now()})
		if err != nil {
			return err
		}
		return q.free(ctx, tx, item.line, ready)
	})
}

// free lets a line be claimed again, or removes it when nothing waits there.
func (q *Queue) free(ctx context.Context, tx *sql.Tx, line int64, ready time.Time) error {
	var rest bool
	if err := tx.StmtContext(ctx, q.rest).QueryRowContext(ctx, line).Scan(&rest); err != nil {
		return err
	}
	var err error
	if rest {
		_, err = tx.StmtContext(ctx, q.leave).ExecContext(ctx, line, nanos(ready))
	} else {
		_, err = tx.StmtContext(ctx, q.drop).ExecContext(ctx, line)
	}
	return err
}

// clipReason bounds a reason: it may quote a server.
func clipReason(s string) string {
	if len(s) > 4*maxID {
		s = s[:4*maxID] + "…"
	}
	return s
}
