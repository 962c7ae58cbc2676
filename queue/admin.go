package queue

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"patwatch/leak"
)

// State says where a push in the queue is.
type State string

// The states of an [Entry].
const (
	Waiting    State = "waiting" // in its line
	Claimed    State = "claimed" // a worker has it
	DeadLetter State = "dead"    // until somebody retries or drops it
)

// Entry is one push in the queue, for people.
type Entry struct {
	Number   int64     `json:"number"` // grows in the order of publishing
	State    State     `json:"state"`
	Lane     Lane      `json:"lane"`
	Attempts int       `json:"attempts"` // times it was handed out
	Reason   string    `json:"reason,omitempty"`
	Added    time.Time `json:"added"`
	Due      time.Time `json:"due,omitzero"`     // not handed out before; of a claimed one, when its lease ends
	Worker   string    `json:"worker,omitempty"` // who claimed it
	Dead     time.Time `json:"dead,omitzero"`    // since when
	Push     leak.Push `json:"push"`
}

// Query says which pushes to list. The zero value lists all.
type Query struct {
	State      State  // "": any
	Repository string // "owner/name"; "": any
	After      int64  // only entries with a greater number
	Limit      int    // 0: 1,000
}

const entryColumns = `p.seq, CASE WHEN p.line IS NULL THEN 'dead' WHEN l.claim <> 0 AND l.claim = p.claim AND l.ready > 0 THEN 'claimed' ELSE 'waiting' END AS state,
	p.lane, p.attempts, p.reason, p.added, coalesce(l.ready, 0), coalesce(l.worker, ''), p.dead, p.body`

// List returns pushes in the order of their numbers. For the next page, ask for
// those after the last number.
func (q *Queue) List(ctx context.Context, query Query) ([]Entry, error) {
	setDefault(&query.Limit, 1000)
	rows, err := q.db.Reader().QueryContext(ctx, `SELECT * FROM (SELECT `+entryColumns+` FROM pushes p LEFT JOIN lines l ON l.id = p.line
		WHERE p.seq > ?1 AND (?2 = '' OR p.repository = ?2 COLLATE NOCASE) AND (?3 <> 'dead' OR p.line IS NULL))
		WHERE ?3 IN ('', state) ORDER BY seq LIMIT ?4`, query.After, query.Repository, query.State, query.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing the queue: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var out []Entry
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, fmt.Errorf("listing the queue: %w", err)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing the queue: %w", err)
	}
	return out, nil
}

func scanEntry(rows *sql.Rows) (e Entry, err error) {
	var added, due, dead int64
	var body sql.RawBytes
	if err := rows.Scan(&e.Number, &e.State, &e.Lane, &e.Attempts, &e.Reason, &added, &due, &e.Worker, &dead, &body); err != nil {
		return e, err
	}
	e.Added, e.Due, e.Dead = moment(added), moment(due), moment(dead)
	if e.State != Claimed {
		e.Worker = ""
	}
	return e, json.Unmarshal(body, &e.Push)
}

// RetryDead puts dead letters back into their lines, with all attempts before
// them, at the places that they had: those of the ids, or all when there are
// none. It returns how many.
func (q *Queue) RetryDead(ctx context.Context, ids ...string) (n int, err error) {
	err = q.write(ctx, "retrying dead letters", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		return each(ctx, tx, `line IS NULL`, ids, func(seq int64, lane Lane, push leak.Push) error {
			line, err := q.lineOf(ctx, tx, lane, lineKey(push))
			if err != nil {
				return err
			}
			n++
			_, err = tx.StmtContext(ctx, q.move).ExecContext(ctx, seq, line, lane)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Drop deletes pushes, waiting or dead, so that nobody reads them; with no ids,
// all dead letters. One that a worker has is deleted too, but being read. It
// returns how many.
func (q *Queue) Drop(ctx context.Context, ids ...string) (n int, err error) {
	which := `TRUE`
	if len(ids) == 0 {
		which = `line IS NULL`
	}
	err = q.write(ctx, "dropping pushes", func(ctx context.Context, tx *sql.Tx) error {
		n = 0
		return each(ctx, tx, which, ids, func(seq int64, _ Lane, _ leak.Push) error {
			n++
			_, err := tx.StmtContext(ctx, q.remove).ExecContext(ctx, seq)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// each calls f for the pushes of the ids, or for all when there are none, that a
// condition selects.
func each(ctx context.Context, tx *sql.Tx, condition string, ids []string, f func(seq int64, lane Lane, push leak.Push) error) error {
	which, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	const page = 500
	for after := int64(0); ; {
		found, err := some(ctx, tx, `SELECT seq, lane, body FROM pushes WHERE seq > ?1 AND `+condition+`
			AND (?2 = 0 OR id IN (SELECT value FROM json_each(?3))) ORDER BY seq LIMIT ?4`, after, len(ids), string(which), page)
		if err != nil {
			return err
		}
		for _, e := range found {
			if err := f(e.Number, e.Lane, e.Push); err != nil {
				return err
			}
			after = e.Number
		}
		if len(found) < page {
			return nil
		}
	}
}

func some(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []Entry, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Entry
		var body []byte
		if err := rows.Scan(&e.Number, &e.Lane, &body); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(body, &e.Push); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Stats is how much there is in the queue.
type Stats struct {
	Lanes map[Lane]LaneStats
	Dead  int
	Gaps  int
}

// LaneStats is how much there is in a lane.
type LaneStats struct {
	Pushes int       // waiting and claimed
	Out    int       // items that workers have
	Oldest time.Time // when the oldest of the pushes was published; zero: there is none
}

// Stats counts. All numbers are of one moment.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Lanes: map[Lane]LaneStats{}}
	err := q.db.Read(ctx, func(tx *sql.Tx) error {
		for _, lane := range []Lane{Fast, Slow} {
			var l LaneStats
			var oldest int64
			err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(min(added), 0),
				(SELECT count(*) FROM lines WHERE lane = ?1 AND claim <> 0 AND ready > ?2)
				FROM pushes WHERE lane = ?1 AND dead = 0`, lane, nanos(q.Now())).Scan(&l.Pushes, &oldest, &l.Out)
			if err != nil {
				return err
			}
			l.Oldest = moment(oldest)
			s.Lanes[lane] = l
		}
		return tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM pushes WHERE line IS NULL), (SELECT count(*) FROM gaps)`).Scan(&s.Dead, &s.Gaps)
	})
	if err != nil {
		return Stats{}, fmt.Errorf("counting the queue: %w", err)
	}
	return s, nil
}
