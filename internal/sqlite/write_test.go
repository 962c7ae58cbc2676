package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestWriteTogether(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	refused := errors.New("no")
	// The first job holds the writer until the others wait: they become one group.
	began, release := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		err := db.Write(t.Context(), func(*sql.Tx) error { close(began); <-release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-began
	results := make([]error, 30)
	for i := range results {
		wait.Go(func() {
			results[i] = db.Write(t.Context(), func(tx *sql.Tx) error {
				if _, err := tx.Exec("INSERT INTO things (name) VALUES (?)", strconv.Itoa(i)); err != nil {
					return err
				}
				if i%3 == 0 {
					return refused
				}
				return nil
			})
		})
	}
	close(release)
	wait.Wait()
	for i, err := range results {
		if want := i%3 == 0; errors.Is(err, refused) != want || err != nil && !want {
			t.Errorf("job %d: %v", i, err)
		}
	}
	if n := count(t, db); n != 20 {
		t.Errorf("%d rows; those of refused jobs must not be there", n)
	}
}

// TestWriteBroken runs jobs in one group of which one makes the engine roll
// back everything: the others must be stored all the same.
func TestWriteBroken(t *testing.T) {
	breakers := map[string]func(tx *sql.Tx) error{
		"rolled back": func(tx *sql.Tx) error { _, err := tx.Exec("ROLLBACK"); return err },
		"rolled back and reported": func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT OR ROLLBACK INTO things (id, name) VALUES (1, 'a'), (1, 'b')")
			return err
		},
	}
	for name, f := range breakers {
		t.Run(name, func(t *testing.T) {
			db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
			add := func(name string) *job {
				return &job{ctx: t.Context(), f: func(tx *sql.Tx) error {
					_, err := tx.Exec("INSERT INTO things (name) VALUES (?)", name)
					return err
				}}
			}
			jobs := []*job{add("before"), {ctx: t.Context(), f: f}, add("after")}
			db.commit(slices.Clone(jobs))
			if jobs[0].err != nil || jobs[1].err == nil || jobs[2].err != nil {
				t.Errorf("%v, %v, %v", jobs[0].err, jobs[1].err, jobs[2].err)
			}
			if n := count(t, db); n != 2 {
				t.Errorf("%d rows", n)
			}
			if err := insert(t.Context(), db, "later"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWritePanic(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	func() {
		defer func() {
			if got := recover(); got != "oh" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = db.Write(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec("INSERT INTO things (name) VALUES ('a')"); err != nil {
				return err
			}
			panic("oh")
		})
	}()
	if err := insert(t.Context(), db, "b"); err != nil || count(t, db) != 1 {
		t.Errorf("after a panic: %v, %d rows", err, count(t, db))
	}
}

func TestWriteCancelled(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(t.Context(), func(*sql.Tx) error {
		cancel()
		return insert(ctx, db, "a") // it waits for this one: only the context can end that
	})
	if !errors.Is(err, context.Canceled) || count(t, db) != 0 {
		t.Errorf("got %v, %d rows", err, count(t, db))
	}
	if err := db.Write(ctx, func(*sql.Tx) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := db.Read(ctx, func(*sql.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestFull: a full disk is said so, loses nothing, and is over when there is
// room again.
func TestFull(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	limit := func(pages int) {
		t.Helper()
		if _, err := db.writer.Exec("PRAGMA max_page_count = " + strconv.Itoa(pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(20)
	stored := 0
	var err error
	for ; err == nil && stored < 1000; stored++ {
		err = insert(t.Context(), db, fmt.Sprintf("%01000d", stored))
	}
	stored-- // the one that was refused
	if !errors.Is(err, ErrFull) || errors.Is(err, ErrUnclear) || count(t, db) != stored {
		t.Fatalf("%d of %d rows, %v", count(t, db), stored, err)
	}
	limit(1000)
	if err := insert(t.Context(), db, "more"); err != nil || count(t, db) != stored+1 {
		t.Errorf("with room again: %d rows, %v", count(t, db), err)
	}
}

func TestRead(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	err := db.Read(t.Context(), func(tx *sql.Tx) error {
		var before, after int
		err := tx.QueryRow("SELECT count(*) FROM things").Scan(&before)
		err = errors.Join(err, insert(t.Context(), db, "a"), tx.QueryRow("SELECT count(*) FROM things").Scan(&after))
		if before != 0 || after != 0 {
			t.Errorf("%d, then %d rows in one Read", before, after)
		}
		return err
	})
	if err != nil || count(t, db) != 1 {
		t.Error(err)
	}
	refused := errors.New("no")
	if err := db.Read(t.Context(), func(*sql.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
}

func TestPrepare(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "a.db"), options)
	stmt, err := db.Prepare(t.Context(), "INSERT INTO things (name) VALUES (?)")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		err := db.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.Stmt(stmt).Exec(strconv.Itoa(i)); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d rows", n)
	}
}

// childFile makes this test binary a writer that is killed.
const childFile = "PATWATCH_SQLITE_TEST_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		appendForEver(path)
	}
	os.Exit(m.Run())
}

// appendForEver writes from several goroutines and prints each name once it is
// stored.
func appendForEver(path string) {
	db, err := Open(context.Background(), path, options)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d-%d", os.Getpid(), g, i)
				if err := insert(context.Background(), db, name); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println("stored", name)
			}
		}()
	}
	select {}
}

// TestKilled kills a writer again and again: what it said was stored is there.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	stored := 0
	for range 20 {
		names := killedWriter(t, path)
		db := openAt(t, path, options)
		for _, name := range names {
			var there bool
			if err := db.Reader().QueryRow("SELECT EXISTS (SELECT 1 FROM things WHERE name = ?)", name).Scan(&there); err != nil || !there {
				t.Fatalf("%s was stored and is gone (%v)", name, err)
			}
		}
		stored += len(names)
		if err := errors.Join(db.Check(t.Context()), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if stored < 20 {
		t.Errorf("only %d writes in 20 rounds", stored)
	}
}

// killedWriter runs a child until it has written something and a random while
// longer, and returns what it said was stored.
func killedWriter(t *testing.T, path string) []string {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var names []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var word, name string
		if n, _ := fmt.Sscan(lines.Text(), &word, &name); n == 2 && word == "stored" {
			names = append(names, name)
		} else if word == "error" {
			t.Error(lines.Text())
		}
		if len(names) == 1 {
			time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait() // it was killed
	return names
}
