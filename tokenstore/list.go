package tokenstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"patwatch/leak"
)

// Query selects tokens. Empty fields select all.
type Query struct {
	Owner        string // mail address, letter case aside
	Organization string // letter case aside
	State        leak.TokenState
	Limit        int // at most; 0: all
}

// List calls f with the tokens that q selects, in the order of their
// authorization ids. Tokens whose time is over are listed as expired.
func (s *Store) List(ctx context.Context, q Query, f func(leak.Token) error) error {
	now := s.now()
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT "+columns+" "+source+
			" AND (? = '' OR lower(t.owner_mail) = lower(?)) AND (? = '' OR lower(t.organization) = lower(?)) ORDER BY t.authorization_id, t.pepper",
			q.Owner, q.Owner, q.Organization, q.Organization)
		if err != nil {
			return err
		}
		defer rows.Close()
		for n := 0; rows.Next() && (q.Limit == 0 || n < q.Limit); {
			t, err := scanToken(rows)
			if err != nil {
				return err
			}
			t.State = t.StateAt(now)
			if q.State != "" && t.State != q.State {
				continue
			}
			n++
			if err := f(t); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("listing tokens: %w", err)
	}
	return nil
}

// Stats is what the store has.
type Stats struct {
	Tokens        int64     `json:"tokens"`
	Active        int64     `json:"active"`
	Revoked       int64     `json:"revoked"`
	Expired       int64     `json:"expired"`
	Owners        int64     `json:"owners"`
	Organizations int64     `json:"organizations"`
	Generation    int64     `json:"generation"` // of the snapshot
	HighWater     time.Time `json:"high_water"`
}

// Stats counts. It reads every token.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	err := s.db.Read(ctx, func(tx *sql.Tx) (err error) {
		if st.Generation, err = generation(tx); err != nil {
			return err
		}
		now := s.now().Unix()
		const revoked = "(t.revoked OR coalesce(r.at >= t.valid_from, 0))"
		const over = "(t.valid_to <> 0 AND t.valid_to <= ?)"
		return tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(`+revoked+`), 0), coalesce(sum(NOT `+revoked+` AND `+over+`), 0),
			count(DISTINCT t.owner_id), count(DISTINCT t.organization) `+source, now).
			Scan(&st.Tokens, &st.Revoked, &st.Expired, &st.Owners, &st.Organizations)
	})
	if err == nil {
		st.Active = st.Tokens - st.Revoked - st.Expired
		st.HighWater, err = s.HighWater(ctx)
	}
	if err != nil {
		return st, fmt.Errorf("counting tokens: %w", err)
	}
	return st, nil
}

// Check reads the whole file and returns what is wrong with it. It is slow on a
// large one.
func (s *Store) Check(ctx context.Context) error { return s.db.Check(ctx) }
