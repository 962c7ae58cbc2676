package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
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

// park keeps a sighting until it is unparked; one that is parked already stays
// as it is.
func (c *change) park(ctx context.Context, s leak.Sighting) error {
	s = cleanSighting(s)
	body, err := encode(s)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, addParked,
		sightingKey(s.Digest.String(), s.Place), nanos(c.now), nanos(c.now), s.Place.Repository, s.Place.Path, body)
	return err
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
