package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var options = Options{Name: "things", Migrations: []string{
	`CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT`,
	`CREATE TABLE parts (id INTEGER PRIMARY KEY, thing INTEGER NOT NULL REFERENCES things(id)) STRICT; CREATE INDEX parts_thing ON parts(thing)`,
}}

func openAt(t *testing.T, path string, o Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func insert(ctx context.Context, db *DB, name string) error {
	return db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO things (name) VALUES (?)", name)
		return err
	})
}

func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.Reader().QueryRow("SELECT count(*) FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpen(t *testing.T) {
	for _, name := range []string{"a.db", "with space.db", "100%#?&ä.db"} {
		if runtime.GOOS == "windows" && strings.Contains(name, "?") {
			continue
		}
		path := filepath.Join(t.TempDir(), name)
		db := openAt(t, path, options)
		if db.Path() != path {
			t.Errorf("the path is %q", db.Path())
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatalf("the file is not where it was asked for: %v", err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
		if err := errors.Join(insert(t.Context(), db, "one"), db.Check(t.Context()), db.Close(), db.Close()); err != nil {
			t.Error(err)
		}
		if err := insert(t.Context(), db, "two"); !errors.Is(err, ErrClosed) {
			t.Errorf("a write after Close: %v", err)
		}
		if n := count(t, openAt(t, path, options)); n != 1 {
			t.Errorf("%s: %d rows after it was opened again", name, n)
		}
	}
}

func TestPragmas(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000", "query_only": "0"} {
		var got string
		if err := db.writer.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v", pragma, got, err)
		}
	}
	if _, err := db.Reader().Exec("INSERT INTO things (name) VALUES ('a')"); err == nil {
		t.Error("a reader can write")
	}
	err := db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO parts (thing) VALUES (99)")
		return err
	})
	if err == nil {
		t.Error("a part of no thing was stored")
	}
}

func TestSound(t *testing.T) {
	for version, want := range map[string]bool{"3.51.2": false, "3.51.3": true, "3.53.3": false, "3.53.4": true, "3.54.1": true, "": false, "x.y.z": false} {
		if sound(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
}

func TestRefusals(t *testing.T) {
	newer := Options{Name: options.Name, Migrations: slices.Concat(options.Migrations, []string{"CREATE TABLE c (x)"})}
	cases := []struct {
		name  string
		spoil func(t *testing.T, path string)
		want  error
	}{
		{"newer", func(t *testing.T, path string) {
			if err := openAt(t, path, newer).Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrNewer},
		{"of another name", func(t *testing.T, path string) {
			if err := openAt(t, path, Options{Name: "stuff", Migrations: options.Migrations}).Close(); err != nil {
				t.Fatal(err)
			}
		}, ErrForeign},
		{"of another program", func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.Exec("CREATE TABLE things (id)")
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}, ErrForeign},
		{"text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
		{"overwritten", func(t *testing.T, path string) { damage(t, path, 4096+100, 4096*3) }, ErrDamaged},
		{"cut", func(t *testing.T, path string) {
			filled(t, path)
			if err := os.Truncate(path, 4096*3); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			c.spoil(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := Open(t.Context(), path, options)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if db != nil {
				_ = db.Close()
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
}

// filled makes a database of some pages.
func filled(t *testing.T, path string) {
	t.Helper()
	db := openAt(t, path, options)
	for i := range 50 {
		if err := insert(t.Context(), db, fmt.Sprint(strings.Repeat("n", 1000), i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func damage(t *testing.T, path string, from, n int64) {
	t.Helper()
	filled(t, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(strings.Repeat("x", int(n))), from)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestMigrations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	first := Options{Name: options.Name, Migrations: options.Migrations[:1]}
	db := openAt(t, path, first)
	if err := errors.Join(insert(t.Context(), db, "old"), db.Close()); err != nil {
		t.Fatal(err)
	}
	broken := Options{Name: options.Name, Migrations: []string{first.Migrations[0], "CREATE TABLE half (x); CREATE TABLE things (x)"}}
	if _, err := Open(t.Context(), path, broken); err == nil || !strings.Contains(err.Error(), "migration to version 2") {
		t.Errorf("a migration that fails: %v", err)
	}
	db = openAt(t, path, options)
	var half int
	if err := db.Reader().QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").Scan(&half); err != nil || half != 0 {
		t.Errorf("half of a migration was kept (%d, %v)", half, err)
	}
	if count(t, db) != 1 {
		t.Error("a migration lost a row")
	}
}

// TestMigratedUnderneath: a command of a newer program must not make a running
// service write what it does not understand.
func TestMigratedUnderneath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old := openAt(t, path, Options{Name: options.Name, Migrations: options.Migrations[:1]})
	openAt(t, path, options)
	if err := insert(t.Context(), old, "a"); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestOpenTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			db, err := Open(t.Context(), path, options)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(insert(t.Context(), db, fmt.Sprint(i)), db.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := count(t, openAt(t, path, options)); n != 8 {
		t.Errorf("%d rows", n)
	}
}

func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	quick := options
	quick.Wait = 20 * time.Millisecond
	holder, db := openAt(t, path, options), openAt(t, path, quick)
	err := holder.Write(t.Context(), func(*sql.Tx) error {
		if err := insert(t.Context(), db, "a"); !errors.Is(err, ErrLocked) {
			t.Errorf("got %v", err)
		}
		if count(t, db) != 0 {
			t.Error("it was stored")
		}
		return nil
	})
	if err := errors.Join(err, insert(t.Context(), db, "a")); err != nil || count(t, db) != 1 {
		t.Errorf("after the lock was released: %v", err)
	}
}

func TestMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "a.db")
	if _, err := Open(t.Context(), path, options); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}
