package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
)

// What is wrong with a file, or with the disk it is on. Nothing is lost by any
// of them: what was committed stays committed.
var (
	ErrNewer   = errors.New("a newer version of the program made it; use that version")
	ErrForeign = errors.New("it is another database; check the path")
	ErrDamaged = errors.New("it is damaged or no database; restore it from a back-up")
	ErrLocked  = errors.New("another process holds it; try again when that one is done")
	ErrFull    = errors.New("the disk is full")
)

// classified adds one of the errors above to an error of the engine.
func classified(err error) error {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return err
	}
	var class error
	switch coded.Code() & 0xff { // primary result codes, sqlite.org/rescode.html
	case 5, 6:
		class = ErrLocked
	case 11, 26:
		class = ErrDamaged
	case 13:
		class = ErrFull
	}
	if class == nil || errors.Is(err, class) {
		return err
	}
	return fmt.Errorf("%w: %w", class, err)
}

// A querier is a connection, a pool of them or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// appID is what says in the file's header which database it is.
func appID(name string) int32 { return int32(crc32.ChecksumIEEE([]byte("patwatch " + name))) }

// identify refuses a file that is not of this name or too new. A file without
// tables may become of any name.
func (db *DB) identify(ctx context.Context, q querier, name string) error {
	var version, tables int
	var app int32
	err := q.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version),
		(SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`).Scan(&version, &app, &tables)
	switch {
	case err != nil:
		return err
	case app == 0 && version == 0 && tables == 0:
		return nil
	case app != appID(name):
		return fmt.Errorf("as %s: %w", name, ErrForeign)
	case version > db.version:
		return fmt.Errorf("version %d: %w", version, ErrNewer)
	}
	return nil
}

// migrate brings the file up to date, one version after the other.
func (db *DB) migrate(ctx context.Context, o Options) error {
	for {
		var version int
		if err := db.writer.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version >= db.version {
			return nil
		}
		if err := db.step(ctx, version, o); err != nil {
			return fmt.Errorf("migration to version %d: %w", version+1, err)
		}
	}
}

// step runs one migration, unless another process just did.
func (db *DB) step(ctx context.Context, from int, o Options) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil || version != from {
		return err
	}
	if err := db.identify(ctx, tx, o.Name); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, o.Migrations[from]); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", from+1, appID(o.Name))); err != nil {
		return err
	}
	return tx.Commit()
}
