package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"patwatch/leak"
)

// caseColumns are what scanCase reads.
const caseColumns = `cases.id, cases.correlation, cases.state, cases.resolution, cases.assignee, cases.hold, cases.opened_at, cases.updated_at, cases.sightings, cases.token`

type scanner interface{ Scan(dest ...any) error }

// scanCase reads a case without its sightings and acts.
func scanCase(s scanner) (*kase, error) {
	var k kase
	var opened, updated int64
	var token string
	if err := s.Scan(&k.row, &k.Correlation, &k.State, &k.Resolution, &k.Assignee, &k.Hold, &opened, &updated, &k.count, &token); err != nil {
		return nil, err
	}
	k.ID, k.OpenedAt, k.UpdatedAt = caseID(k.row), moment(opened), moment(updated)
	if err := json.Unmarshal([]byte(token), &k.Token); err != nil {
		return nil, fmt.Errorf("the token of case %s: %w", k.ID, err)
	}
	return &k, nil
}

// Case returns a case with all its sightings and acts, oldest first. The error
// is [ErrNotFound] when there is none with this id.
func (l *Ledger) Case(ctx context.Context, id string) (leak.Case, error) {
	row, err := caseRow(id)
	if err != nil {
		return leak.Case{}, err
	}
	k, err := wholeCase(ctx, l.db.Reader(), row)
	if err != nil {
		return leak.Case{}, fmt.Errorf("reading case %s: %w", id, err)
	}
	return k.Case, nil
}

func wholeCase(ctx context.Context, q queryer, row int64) (*kase, error) {
	k, err := bareCase(ctx, q, row)
	if err != nil {
		return nil, err
	}
	if k.Sightings, err = sightingsOf(ctx, q, row); err != nil {
		return nil, err
	}
	k.Acts, err = actsOf(ctx, q, row)
	return k, err
}

// bareCase reads a case without its sightings and acts.
func bareCase(ctx context.Context, q queryer, row int64) (*kase, error) {
	k, err := scanCase(q.QueryRowContext(ctx, `SELECT `+caseColumns+` FROM cases WHERE id = ?`, row))
	if none(err) {
		return nil, ErrNotFound
	}
	return k, err
}

// sightingsOf returns the sightings of a case, oldest first.
func sightingsOf(ctx context.Context, q queryer, row int64) ([]leak.Sighting, error) {
	return collect(ctx, q, func(rows *sql.Rows) (leak.Sighting, error) {
		var body, repository, path string
		if err := rows.Scan(&repository, &path, &body); err != nil {
			return leak.Sighting{}, err
		}
		return decodeSighting(repository, path, body)
	}, `SELECT repository, path, body FROM sightings WHERE case_id = ? ORDER BY id`, row)
}

func decodeSighting(repository, path, body string) (leak.Sighting, error) {
	var s leak.Sighting
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		return s, fmt.Errorf("a stored sighting: %w", err)
	}
	s.Place.Repository, s.Place.Path = repository, path
	return s, nil
}

const actColumns = `acts.key, acts.case_id, acts.kind, acts.state, acts.due, acts.at, acts.attempts, acts.reason, acts.message_id, acts.sightings`

func scanAct(s scanner) (leak.Act, int64, error) {
	var a leak.Act
	var row, due, at int64
	err := s.Scan(&a.Key, &row, &a.Kind, &a.State, &due, &at, &a.Attempts, &a.Reason, &a.MessageID, &a.Sightings)
	a.Case, a.Due, a.At = caseID(row), moment(due), moment(at)
	return a, row, err
}

// actsOf returns the acts of a case, oldest first.
func actsOf(ctx context.Context, q queryer, row int64) ([]leak.Act, error) {
	return collect(ctx, q, func(rows *sql.Rows) (leak.Act, error) {
		a, _, err := scanAct(rows)
		return a, err
	}, `SELECT `+actColumns+` FROM acts WHERE case_id = ? ORDER BY id`, row)
}

// collect returns the rows of a query.
func collect[T any](ctx context.Context, q queryer, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
