// Package tokenstore knows which digests are live tokens, and whose.
//
// It holds digests and records, never a token. What it answers is what was
// imported ([Store.Import]) and what was revoked since ([Store.Revoke]). An
// error is never an answer: who gets one does not know whether the token is
// known, and asks again.
//
// The database is one SQLite file, which can be made again from the issuer's
// export. Several programs may use it at once: a service that looks up, and
// commands that import beside it.
package tokenstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"patwatch/internal/sqlite"
	"patwatch/leak"
)

// Store is an open store. It is safe for concurrent use.
type Store struct {
	db   *sqlite.DB
	keys *leak.Keyring
	now  func() time.Time
}

// ErrNotFound is the error of an authorization that the store does not know.
var ErrNotFound = errors.New("the store knows no such authorization")

// Open opens the store in a file, and makes it when there is none. Its digests
// must have been made with peppers of keys; else it is refused ([ErrPepper]),
// as are files that [sqlite.Open] refuses, and left as it is.
func Open(ctx context.Context, path string, keys *leak.Keyring) (*Store, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Name: "tokens", Migrations: migrations()})
	if err != nil {
		return nil, fmt.Errorf("opening the token store: %w", err)
	}
	if err := db.Write(ctx, func(tx *sql.Tx) error { return checkPeppers(tx, keys) }); err != nil {
		return nil, fmt.Errorf("opening the token store %s: %w", path, errors.Join(err, db.Close()))
	}
	return &Store{db: db, keys: keys, now: time.Now}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

const (
	lookupBatch = 128 // digests of one statement
	columns     = `t.digest, t.pepper, t.authorization_id, t.owner_id, t.owner_name, t.owner_mail, t.organization,
		t.display_name, t.scopes, t.valid_from, t.valid_to, t.revoked OR coalesce(r.at >= t.valid_from, 0)`
	source = `FROM tokens t LEFT JOIN revocations r ON r.authorization_id = t.authorization_id
		WHERE t.generation = (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation')`
)

// Lookup returns the tokens that the store knows among the digests; those that
// it does not know are missing. When tokens were imported with a pepper that this
// Store does not have, the error is [ErrPepper]. Active tokens whose time is over are returned as
// active: see [leak.Token.StateAt].
func (s *Store) Lookup(ctx context.Context, digests []leak.Digest) (map[leak.Digest]leak.Token, error) {
	found, asked := map[leak.Digest]leak.Token{}, len(digests)
	err := s.db.Read(ctx, func(tx *sql.Tx) error {
		// Tokens of a pepper that came since are there but could not be found.
		if err := checkPeppers(tx, s.keys); err != nil {
			return err
		}
		for len(digests) > 0 {
			batch := digests[:min(len(digests), lookupBatch)]
			digests = digests[len(batch):]
			args := make([]any, len(batch))
			for i := range batch {
				args[i] = batch[i].Sum[:]
			}
			query := "SELECT " + columns + " " + source + " AND t.digest IN (?" + strings.Repeat(",?", len(args)-1) + ")"
			if err := each(ctx, tx, func(t leak.Token) { found[t.Digest] = t }, query, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking up %d digests: %w", asked, err)
	}
	return found, nil
}

// each calls f with every token of a query.
func each(ctx context.Context, tx *sql.Tx, f func(leak.Token), query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return err
		}
		f(t)
	}
	return rows.Err()
}

func scanToken(rows *sql.Rows) (t leak.Token, err error) {
	var sum []byte
	var from, to int64
	var revoked bool
	err = rows.Scan(&sum, &t.Digest.Version, &t.AuthorizationID, &t.ID, &t.Name, &t.Mail, &t.Organization, &t.DisplayName, &t.Scopes,
		&from, &to, &revoked)
	if err != nil {
		return t, err
	}
	if copy(t.Digest.Sum[:], sum) != len(t.Digest.Sum) {
		return t, fmt.Errorf("authorization %s: its digest has %d bytes: %w", t.AuthorizationID, len(sum), sqlite.ErrDamaged)
	}
	t.ValidFrom, t.ValidTo, t.State = moment(from), moment(to), leak.TokenActive
	if revoked {
		t.State = leak.TokenRevoked
	}
	return t, nil
}

// moment is the time that seconds stand for; 0 is the zero time.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// Get returns the token of an authorization: of several, which a change of
// pepper or a regeneration leaves, the newest. The error is [ErrNotFound] when
// there is none.
func (s *Store) Get(ctx context.Context, authorizationID string) (t leak.Token, err error) {
	found := false
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, func(x leak.Token) { t, found = x, true },
			"SELECT "+columns+" "+source+" AND t.authorization_id = ? ORDER BY t.valid_from, t.pepper", authorizationID)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	if err != nil {
		return t, fmt.Errorf("authorization %q: %w", authorizationID, err)
	}
	return t, nil
}

// Revoke notes that a token is revoked, and reports whether the store knows it.
// When it returns nil this is on disk. It holds whatever is imported later, but
// for a token that became valid after that time: the authorization was given
// again. Revoking twice changes nothing.
func (s *Store) Revoke(ctx context.Context, authorizationID string, at time.Time) (known bool, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM tokens WHERE authorization_id = ?)", authorizationID).Scan(&known); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO revocations VALUES (?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)", authorizationID, seconds(at))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("revoking authorization %q: %w", authorizationID, err)
	}
	return known, nil
}

const highWater = "high_water"

// HighWater returns the time up to which the store has heard of every token:
// one that was made before and is not known is not the issuer's. It is the zero
// time until something was imported.
func (s *Store) HighWater(ctx context.Context) (t time.Time, err error) {
	err = s.db.Read(ctx, func(tx *sql.Tx) error {
		value, err := get(tx, highWater)
		if err != nil || value == "" {
			return err
		}
		n, err := strconv.ParseInt(value, 10, 64)
		t = moment(n)
		return err
	})
	if err != nil {
		return t, fmt.Errorf("the high-water mark: %w", err)
	}
	return t, nil
}

// raiseHighWater moves the mark, never back.
func raiseHighWater(tx *sql.Tx, at int64) error {
	value, err := get(tx, highWater)
	if err != nil {
		return err
	}
	if old, _ := strconv.ParseInt(value, 10, 64); at <= old {
		return nil
	}
	return set(tx, highWater, strconv.FormatInt(at, 10))
}

// Keys returns the peppers that the store's digests are made with.
func (s *Store) Keys() *leak.Keyring { return s.keys }
