package queue

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/internal/sqlite"
	"patwatch/leak"
)

func openHere(t *testing.T) *Queue {
	t.Helper()
	q, err := Open(t.Context(), filepath.Join(t.TempDir(), "queue.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// TestFull: a full disk refuses pushes whole, loses none, and is over when there
// is room.
func TestFull(t *testing.T) {
	q := openHere(t)
	limit := func(pages int) {
		t.Helper()
		err := q.db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	var err error
	stored, batch := 0, []leak.Push{}
	for n := 0; err == nil && n < 1000; n++ {
		batch = batch[:0]
		for i := range 10 {
			batch = append(batch, leak.Push{ID: fmt.Sprintf("%d-%d", n, i), Repository: "o/r", Ref: strings.Repeat("x", 100)})
		}
		var added int
		added, err = q.Publish(t.Context(), batch)
		stored += added
	}
	if !errors.Is(err, sqlite.ErrFull) {
		t.Fatalf("after %d pushes: %v", stored, err)
	}
	check := func() {
		t.Helper()
		if s, err := q.Stats(t.Context()); err != nil || s.Lanes[Fast].Pushes != stored {
			t.Fatalf("%+v, want %d, %v", s, stored, err)
		}
	}
	check()
	limit(10_000)
	if added, err := q.Publish(t.Context(), batch); err != nil || added != len(batch) {
		t.Fatal(added, err)
	}
	stored += len(batch)
	check()
}

// TestLocked: a write waits for another process, and then goes through.
func TestLocked(t *testing.T) {
	q := openHere(t)
	other, err := Open(t.Context(), q.db.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	done := make(chan error, 1)
	err = other.db.Write(t.Context(), func(*sql.Tx) error {
		go func() {
			_, err := q.Publish(t.Context(), []leak.Push{{ID: "1", Repository: "o/r"}})
			done <- err
		}()
		_, err := q.Stats(t.Context()) // reading does not wait
		return err
	})
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
}

// TestOnlyWholeItems: what fails in the middle of settling changes nothing.
func TestOnlyWholeItems(t *testing.T) {
	q := openHere(t)
	if _, err := q.Publish(t.Context(), []leak.Push{{ID: "1", Repository: "o/r"}}); err != nil {
		t.Fatal(err)
	}
	items, err := q.Claim(t.Context(), "w", []Lane{Fast}, 1, time.Minute)
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	failed := errors.New("failed")
	err = q.settle(t.Context(), "done", items[0], func(s *settling) (time.Time, error) {
		return time.Time{}, errors.Join(s.each(q.remove), failed)
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := q.Done(t.Context(), items[0]); err != nil {
		t.Error(err)
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		attempt int
		random  float64
		want    time.Duration
	}{
		{1, 0, time.Second}, {1, 0.5, 1500 * time.Millisecond}, {2, 0, 2 * time.Second}, {5, 0, 16 * time.Second},
		{11, 0, 1024 * time.Second}, {12, 0, 30 * time.Minute}, {60, 0, 30 * time.Minute}, {1000, 0.5, 45 * time.Minute},
	} {
		q := Queue{Options: Options{Rand: func() float64 { return c.random }}.filled()}
		if got := q.backoff(c.attempt); got != c.want {
			t.Errorf("attempt %d: %v, want %v", c.attempt, got, c.want)
		}
	}
}

func TestLineKey(t *testing.T) {
	same := lineKey(leak.Push{Repository: "A/b"})
	for p, want := range map[leak.Push]bool{
		{Repository: "a/B"}:                           true,
		{Repository: "a/c"}:                           false,
		{Repository: "A/b", RepositoryID: 1}:          false,
		{Repository: lineKey(leak.Push{Ref: "none"})}: false,
	} {
		if (lineKey(p) == same) != want {
			t.Errorf("%+v: %q", p, lineKey(p))
		}
	}
	if lineKey(leak.Push{Repository: "1"}) == lineKey(leak.Push{RepositoryID: 1}) {
		t.Error("a name is taken for a number")
	}
}

func FuzzNewRow(f *testing.F) {
	f.Add("id", "o/r", "refs/heads/main", "update", int64(0))
	f.Add("", "\xff", strings.Repeat("x", 20_000), "public", int64(1<<62))
	f.Fuzz(func(t *testing.T, id, repository, ref, kind string, at int64) {
		r := newRow(leak.Push{ID: id, Repository: repository, Ref: ref, Kind: leak.PushKind(kind), PushedAt: time.Unix(at, 0)}, time.Unix(0, 0))
		if r.push.ID == "" || len(r.push.ID) > maxID || r.body == "" || len(r.body) > maxBody {
			t.Fatalf("id of %d bytes, body of %d", len(r.push.ID), len(r.body))
		}
		if readable := id != "" && repository != "" && len(id) <= maxID && len(repository)+len(ref)+len(kind) < 1000; readable && r.dead != "" {
			t.Fatalf("cannot be handed out: %s", r.dead)
		}
	})
}
