package tokenstore

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"patwatch/leak"
)

// migrations make the database.
//
// Every token belongs to a generation; one of them counts. A snapshot is
// imported into the next one, which counts from the moment it is whole.
// What was revoked here is kept apart, so that no import takes it back.
func migrations() []string {
	return []string{`
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', '1');
CREATE TABLE tokens (
	generation       INTEGER NOT NULL,
	digest           BLOB NOT NULL,
	pepper           INTEGER NOT NULL,
	authorization_id TEXT NOT NULL,
	owner_id         TEXT NOT NULL,
	owner_name       TEXT NOT NULL,
	owner_mail       TEXT NOT NULL,
	organization     TEXT NOT NULL,
	display_name     TEXT NOT NULL,
	scopes           TEXT NOT NULL,
	valid_from       INTEGER NOT NULL, -- seconds since 1970; 0: not known
	valid_to         INTEGER NOT NULL, -- 0: for ever
	revoked          INTEGER NOT NULL
);
CREATE UNIQUE INDEX tokens_by_digest ON tokens (generation, digest);
CREATE INDEX tokens_by_authorization ON tokens (authorization_id);
CREATE TABLE revocations (
	authorization_id TEXT PRIMARY KEY,
	at               INTEGER NOT NULL -- seconds since 1970
) WITHOUT ROWID;
CREATE TABLE imports (
	file       TEXT PRIMARY KEY, -- what tells the file from others
	generation INTEGER NOT NULL,
	offset     INTEGER NOT NULL, -- bytes that are imported
	line       INTEGER NOT NULL, -- lines that these are
	accepted   INTEGER NOT NULL,
	rejected   INTEGER NOT NULL,
	newest     INTEGER NOT NULL  -- the newest valid_from among them
) WITHOUT ROWID;`}
}

// get reads a value of meta; "" when there is none.
func get(tx *sql.Tx, key string) (value string, err error) {
	err = tx.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return value, err
}

func set(tx *sql.Tx, key, value string) error {
	_, err := tx.Exec("INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", key, value)
	return err
}

// generation is the one that counts.
func generation(tx *sql.Tx) (int64, error) {
	value, err := get(tx, "generation")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(value, 10, 64)
}

// ErrPepper is the error of a store whose digests were made with peppers that
// are not those of the file: no token would be recognised.
var ErrPepper = errors.New("its digests were made with another pepper: put the pepper file that belongs to it in place and start again, or import all tokens into a new store")

// pepperChecks is what each pepper makes of a fixed text, by its key in meta.
func pepperChecks(keys *leak.Keyring) map[string]string {
	ring := map[string]string{}
	for _, d := range keys.All(sha256.Sum256([]byte("patwatch pepper check"))) {
		ring[fmt.Sprint("pepper ", d.Version)] = d.String()
	}
	return ring
}

// checkPeppers refuses peppers of the store that make something else than before
// or that the ring does not have.
func checkPeppers(tx *sql.Tx, keys *leak.Keyring) error {
	ring := pepperChecks(keys)
	rows, err := tx.Query("SELECT key, value FROM meta WHERE key BETWEEN 'pepper ' AND 'pepper~'")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		if ring[key] != value {
			return ErrPepper
		}
	}
	return rows.Err()
}

// notePeppers makes the store one of these peppers: digests are made with them
// from now on. Another program that does not have them all can no longer look
// up.
func notePeppers(tx *sql.Tx, keys *leak.Keyring) error {
	for key, value := range pepperChecks(keys) {
		if err := set(tx, key, value); err != nil {
			return err
		}
	}
	return nil
}
