// Package sqlite opens the databases that the program embeds: one file each,
// in write-ahead mode, synced to disk on every commit, brought up to date by
// migrations. What is written by several goroutines at once is committed
// together, so that the cost of a sync is shared.
//
// Several processes may have one file open; their writes wait for each other.
// A file is copied with VACUUM INTO, never by itself: what was written last may
// still stand in the file beside it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	engine "modernc.org/sqlite"
)

// Options say what a file holds.
type Options struct {
	// Name says what the database is: "ledger". It is put into the file, so that
	// one that was made with another name is refused; it must never change.
	Name string
	// Migrations bring the file up to date: the n-th, which may hold several
	// statements, leads from version n to n+1, in a transaction of its own. Those
	// that were released must never change.
	Migrations []string
	// Wait is how long a write waits for another process; 0: 10 s.
	Wait time.Duration
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path    string
	version int
	writer  *sql.DB // one connection
	reader  *sql.DB
	waiting chan *job
	closing chan struct{}
	once    sync.Once
	done    sync.WaitGroup
}

const (
	readers     = 8 // connections that read at once
	defaultWait = 10 * time.Second
	checkedSize = 16 << 20 // bytes; a file up to this size is checked when it is opened
	cacheSize   = 32 << 20 // bytes of pages that the writer keeps
	maxLog      = 64 << 20 // bytes of the write-ahead log that are kept once it was emptied
)

// Open opens the database in a file, which is made, with mode 0600, when there
// is none. An older one is brought up to date. One that is newer, damaged or not
// of this name is refused and left as it is ([ErrNewer], [ErrDamaged],
// [ErrForeign]); a small file is read whole to know, a larger one is not, see
// [DB.Check]. After a crash the next Open finds everything that was committed.
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	db, err := open(path, o)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	if err := db.prepare(ctx, o); err != nil {
		return nil, fmt.Errorf("database %s: %w", path, errors.Join(classified(err), db.shut()))
	}
	db.done.Go(db.write)
	return db, nil
}

func open(path string, o Options) (*DB, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	// Neither changes what is promised. The first keeps locks when someone else in
	// this process reads and closes the file, the second saves half of a commit;
	// where a platform has no such thing nothing happens.
	_, _ = engine.OFDLocking(true)
	_, _ = engine.Fdatasync(true)
	wait := o.Wait
	if wait <= 0 {
		wait = defaultWait
	}
	db := &DB{path: path, version: len(o.Migrations), waiting: make(chan *job), closing: make(chan struct{})}
	var err error
	// What undoes one of several writes in a transaction is kept in memory, not in
	// a temporary file.
	pragmas := []string{"synchronous(FULL)", "foreign_keys(1)", "temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", cacheSize>>10), fmt.Sprintf("journal_size_limit(%d)", maxLog)}
	if db.writer, err = sql.Open("sqlite", source(path, wait, pragmas...)+"&_txlock=immediate"); err != nil {
		return nil, err
	}
	db.writer.SetMaxOpenConns(1)
	if db.reader, err = sql.Open("sqlite", source(path, wait, "query_only(1)")); err != nil {
		return nil, errors.Join(err, db.writer.Close())
	}
	db.reader.SetMaxOpenConns(readers)
	db.reader.SetMaxIdleConns(readers)
	return db, nil
}

// create makes the file, for nobody else to read, unless it is there. It does
// not open one that is: closing it would drop the locks of this process.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return errors.Unwrap(err) // the path is said already
	}
	return f.Close()
}

// source is the data source name of a file. busy_timeout comes first: the
// others may have to wait.
func source(path string, wait time.Duration, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if filepath.VolumeName(path) != "" {
		path = "/" + path // file:/C:/…
	}
	name := "file:" + strings.ReplaceAll(url.PathEscape(path), "%2F", "/")
	name += fmt.Sprintf("?_pragma=busy_timeout(%d)", wait.Milliseconds())
	for _, p := range pragmas {
		name += "&_pragma=" + p
	}
	return name
}

// prepare checks the engine and the file, turns write-ahead mode on, which the
// file keeps, and brings the file up to date.
func (db *DB) prepare(ctx context.Context, o Options) error {
	var version, mode string
	if err := db.writer.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return err
	}
	if !sound(version) {
		return fmt.Errorf("SQLite %s may lose data in write-ahead mode", version)
	}
	if err := db.identify(ctx, db.writer, o.Name); err != nil {
		return err
	}
	if info, err := os.Stat(db.path); err == nil && info.Size() <= checkedSize {
		if err := db.check(ctx); err != nil {
			return err
		}
	}
	if err := db.writer.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("its file system has no write-ahead mode (journal mode %q): use a local disk", mode)
	}
	return db.migrate(ctx, o)
}

// sound reports whether a version of SQLite is free of the write-ahead reset
// bug (fixed in 3.51.3) and of the rollback bug of 3.53.3.
func sound(version string) bool {
	n := 0
	for _, part := range strings.Split(version, ".") {
		v, err := strconv.Atoi(part)
		if err != nil {
			return false
		}
		n = n*1000 + v
	}
	return n >= 3_051_003 && n != 3_053_003
}

// Path returns the file.
func (db *DB) Path() string { return db.path }

// Reader returns connections that only read. A statement sees what was
// committed when it began; for several that see the same, use [DB.Read].
func (db *DB) Reader() *sql.DB { return db.reader }

// Read runs f in a transaction that only reads: all of its statements see the
// database as it was when the first one began. It neither waits for writes nor
// holds them up, but a long one lets the write-ahead log grow.
func (db *DB) Read(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := db.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("database %s: %w", db.path, classified(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing to lose
	return classified(f(tx))
}

// Check reads the whole file and returns what is wrong with it, or nil. It is
// slow on a large one.
func (db *DB) Check(ctx context.Context) error {
	if err := db.check(ctx); err != nil {
		return fmt.Errorf("database %s: %w", db.path, classified(err))
	}
	return nil
}

func (db *DB) check(ctx context.Context) error {
	var answer string
	if err := db.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("%w (%s)", ErrDamaged, answer)
	}
	return nil
}

// Close waits for what is being written and closes the file. Writes that come
// later are refused with [ErrClosed].
func (db *DB) Close() error {
	db.once.Do(func() { close(db.closing) })
	db.done.Wait()
	if err := db.shut(); err != nil {
		return fmt.Errorf("database %s: %w", db.path, err)
	}
	return nil
}

func (db *DB) shut() error { return errors.Join(db.reader.Close(), db.writer.Close()) }
