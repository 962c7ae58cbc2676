package queue

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Gap is a span of time of which a source may not have given all pushes. It can
// be filled from elsewhere.
type Gap struct {
	ID     int64     `json:"id"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Source string    `json:"source"`
	Reason string    `json:"reason"`
}

// AddGap puts a gap on record, synced to disk when it returns nil. One that
// touches or overlaps others of the same source and reason becomes one with
// them, so adding it twice changes nothing.
func (q *Queue) AddGap(ctx context.Context, g Gap) error {
	if g.To.Before(g.From) {
		g.From, g.To = g.To, g.From // the clock was set back
	}
	g.Source, g.Reason = clip(g.Source), clipReason(g.Reason)
	return q.write(ctx, "recording a gap", func(ctx context.Context, tx *sql.Tx) error {
		const touching = ` FROM gaps WHERE source = ?1 AND reason = ?2 AND since <= ?4 AND until >= ?3`
		var from, to int64
		err := tx.QueryRowContext(ctx, `SELECT min(?3, coalesce(min(since), ?3)), max(?4, coalesce(max(until), ?4))`+touching,
			g.Source, g.Reason, nanos(g.From), nanos(g.To)).Scan(&from, &to)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE`+touching, g.Source, g.Reason, nanos(g.From), nanos(g.To)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO gaps (source, reason, since, until) VALUES (?, ?, ?, ?)`, g.Source, g.Reason, from, to)
		return err
	})
}

// Gaps returns the gaps that were not filled, the oldest first, at most 10,000.
func (q *Queue) Gaps(ctx context.Context) ([]Gap, error) {
	rows, err := q.db.Reader().QueryContext(ctx, `SELECT id, since, until, source, reason FROM gaps ORDER BY since, id LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("listing gaps: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	var out []Gap
	for rows.Next() {
		var g Gap
		var from, to int64
		if err := rows.Scan(&g.ID, &from, &to, &g.Source, &g.Reason); err != nil {
			return nil, fmt.Errorf("listing gaps: %w", err)
		}
		g.From, g.To = moment(from), moment(to)
		out = append(out, g)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing gaps: %w", err)
	}
	return out, nil
}

// FillGap takes a gap off the record: its pushes were published. One that grew
// since it was listed has another ID and stays.
func (q *Queue) FillGap(ctx context.Context, id int64) error {
	return q.write(ctx, "filling a gap", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM gaps WHERE id = ?`, id)
		return err
	})
}
