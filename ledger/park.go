package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"patwatch/leak"
)

// ParkedSighting is a sighting of a token that the store of tokens did not know.
type ParkedSighting struct {
	ID       int64
	Sighting leak.Sighting
	Since    time.Time // when it was parked
}

// maxParked is how many sightings of one repository are parked at once: tokens
// that look right can be made up without end.
const maxParked = 10_000

// parkAll keeps the sightings until they are unparked; those that are parked
// already stay as they are. What goes beyond the cap is on record as incomplete.
func (c *change) parkAll(ctx context.Context, push leak.Push, seen []leak.Sighting) error {
	if len(seen) == 0 {
		return nil
	}
	var there int
	err := c.row(ctx, `SELECT count(*) FROM (SELECT 1 FROM parked WHERE repository = ? LIMIT ?)`, seen[0].Place.Repository, maxParked).Scan(&there)
	if err != nil {
		return err
	}
	dropped := 0
	for _, s := range seen {
		added, err := c.park(ctx, cleanSighting(s), there < maxParked)
		switch {
		case errors.Is(err, errFull):
			dropped++
		case err != nil:
			return err
		case added:
			there++
		}
	}
	if dropped == 0 {
		return nil
	}
	return c.incomplete(ctx, push, leak.Incomplete{Reason: "limited", Detail: fmt.Sprintf("%d unknown tokens of the repository wait to be looked up again; %d more were not kept.", maxParked, dropped)})
}

func (c *change) park(ctx context.Context, s leak.Sighting, room bool) (added bool, err error) {
	key := sightingKey(s.Digest.String(), s.Place)
	if !room {
		var one int
		if err := c.row(ctx, `SELECT 1 FROM parked WHERE key = ?`, key).Scan(&one); none(err) {
			return false, errFull
		}
		return false, err
	}
	body, err := encode(s)
	if err != nil {
		return false, err
	}
	res, err := c.exec(ctx, addParked, key, nanos(c.now), nanos(c.now), s.Place.Repository, s.Place.Path, body)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Parked returns sightings that are to be looked up again at now, at most limit,
// those first that have waited longest.
func (l *Ledger) Parked(ctx context.Context, now time.Time, limit int) ([]ParkedSighting, error) {
	out, err := collect(ctx, l.db.Reader(), func(rows *sql.Rows) (ParkedSighting, error) {
		var p ParkedSighting
		var since int64
		var repository, path, body string
		if err := rows.Scan(&p.ID, &since, &repository, &path, &body); err != nil {
			return p, err
		}
		p.Since = moment(since)
		var err error
		p.Sighting, err = decodeSighting(repository, path, body)
		return p, err
	}, `SELECT id, since, repository, path, body FROM parked WHERE due <= ? ORDER BY due, id LIMIT ?`, nanos(now), limit)
	if err != nil {
		return nil, fmt.Errorf("reading parked sightings: %w", err)
	}
	return out, nil
}

// Unpark forgets parked sightings; those that are gone already do not matter.
func (l *Ledger) Unpark(ctx context.Context, ids []int64) error {
	if err := l.forEach(ctx, ids, `DELETE FROM parked WHERE id = ?1`, nil); err != nil {
		return fmt.Errorf("forgetting parked sightings: %w", err)
	}
	return nil
}

// Postpone keeps [Ledger.Parked] from returning sightings until a time.
func (l *Ledger) Postpone(ctx context.Context, ids []int64, until time.Time) error {
	if err := l.forEach(ctx, ids, `UPDATE parked SET due = ?2 WHERE id = ?1`, nanos(until)); err != nil {
		return fmt.Errorf("postponing parked sightings: %w", err)
	}
	return nil
}

// forEach runs a statement for each id, in one transaction.
func (l *Ledger) forEach(ctx context.Context, ids []int64, query string, value any) error {
	return l.change(ctx, func(ctx context.Context, c *change) error {
		for _, id := range ids {
			args := []any{id}
			if value != nil {
				args = append(args, value)
			}
			if _, err := c.exec(ctx, query, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// IncompleteScan is what of a push was not read.
type IncompleteScan struct {
	ID   int64     `json:"id"`
	Push leak.Push `json:"push"`
	leak.Incomplete
	At time.Time `json:"at"`
}

// Incompletes returns incomplete scans, newest first, at most limit (0: 100),
// those with an id below before (0: all).
func (l *Ledger) Incompletes(ctx context.Context, before int64, limit int) ([]IncompleteScan, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	out, err := collect(ctx, l.db.Reader(), func(rows *sql.Rows) (IncompleteScan, error) {
		var s IncompleteScan
		var at int64
		var push []byte
		if err := rows.Scan(&s.ID, &at, &s.Reason, &s.Detail, &push); err != nil {
			return s, err
		}
		s.At = moment(at)
		return s, json.Unmarshal(push, &s.Push)
	}, `SELECT id, at, reason, detail, push FROM incompletes WHERE id < ? ORDER BY id DESC LIMIT ?`, before, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("reading incomplete scans: %w", err)
	}
	return out, nil
}
