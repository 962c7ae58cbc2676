package tokenstore

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/internal/sqlite"
	"patwatch/leak"
)

// childFile makes this test binary an import that is killed.
const (
	childFile    = "PATWATCH_TOKENSTORE_TEST_FILE"
	snapshotSize = 1000
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		fmt.Println("error", importForEver(context.Background(), path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func childKeys() *leak.Keyring {
	k, _ := leak.NewKeyring(leak.Pepper{Version: 1, Key: leak.NewSecret(bytes.Repeat([]byte{1}, 32))})
	return k
}

// importForEver imports two snapshots in turn, of other tokens each, and revokes
// beside it. It prints what the store said was done.
func importForEver(ctx context.Context, path string) error {
	s, err := Open(ctx, path, childKeys())
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			id := fmt.Sprintf("gone-%d-%d", os.Getpid(), n)
			if _, err := s.Revoke(ctx, id, time.Now()); err != nil {
				failed <- err
				return
			}
			fmt.Println("revoked", id)
		}
	}()
	for turn := 0; ; turn++ {
		text := linesOf(turn%2*snapshotSize, (turn%2+1)*snapshotSize)
		if _, err := s.Import(ctx, strings.NewReader(text), ImportOptions{Format: NDJSON, Snapshot: true}); err != nil {
			return err
		}
		fmt.Println("imported", turn%2)
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

// TestKilled kills an import again and again: one whole snapshot counts at any
// time, and no revocation is lost.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	importText(t, open(t, path, childKeys()), linesOf(0, snapshotSize), ImportOptions{})
	revoked := 0
	for range 20 {
		ids := killedImport(t, path)
		revoked += len(ids)
		s, err := Open(t.Context(), path, childKeys())
		if err != nil {
			t.Fatal(err)
		}
		first, second := 0, 0
		for n := 0; n < snapshotSize; n += 10 {
			if _, ok := lookup(t, s, n); ok {
				first++
			}
			if _, ok := lookup(t, s, n+snapshotSize); ok {
				second++
			}
		}
		if first+second != snapshotSize/10 || first*second != 0 {
			t.Fatalf("%d tokens of one snapshot and %d of the other", first, second)
		}
		for _, id := range ids {
			var there bool
			if err := s.db.Reader().QueryRow("SELECT EXISTS (SELECT 1 FROM revocations WHERE authorization_id = ?)", id).Scan(&there); err != nil || !there {
				t.Fatalf("the revocation of %s is gone (%v)", id, err)
			}
		}
		if err := errors.Join(s.db.Check(t.Context()), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if revoked < 100 {
		t.Errorf("only %d revocations in 20 rounds", revoked)
	}
}

// killedImport runs a child until it has revoked something and a random while
// longer, and returns what it revoked.
func killedImport(t *testing.T, path string) (ids []string) {
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
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, id, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "error":
			t.Error(lines.Text())
		case "revoked":
			ids = append(ids, id)
		}
		if len(ids) == 10 {
			time.AfterFunc(rand.N(100*time.Millisecond), func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait() // it was killed
	return ids
}

// TestFull: an import that finds the disk full stops, what was there counts, and
// with room again the same import goes through.
func TestFull(t *testing.T) {
	s := newStore(t)
	importText(t, s, linesOf(0, 100), ImportOptions{})
	limit := func(pages int) {
		t.Helper()
		err := s.db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(60)
	text := linesOf(50, 3000)
	for _, snapshot := range []bool{true, false} {
		_, err := s.Import(t.Context(), strings.NewReader(text), ImportOptions{Format: NDJSON, Snapshot: snapshot})
		if !errors.Is(err, sqlite.ErrFull) {
			t.Fatalf("snapshot %v: %v", snapshot, err)
		}
		if _, ok := lookup(t, s, 0); !ok {
			t.Fatal("what was there is gone")
		}
	}
	limit(100_000)
	importText(t, s, text, ImportOptions{Snapshot: true})
	if _, ok := lookup(t, s, 2999); !ok {
		t.Error("with room again the import does not count")
	}
}

// TestBeside: a command imports beside a service, which sees it at once.
func TestBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	service, command := open(t, path, keys(t, 1)), open(t, path, keys(t, 1, 2))
	importText(t, service, lineOf(1), ImportOptions{})
	if _, ok := lookup(t, service, 1); !ok {
		t.Error("before: not known")
	}
	importText(t, command, lineOf(2), ImportOptions{})
	// The service cannot find a token of a pepper that it does not have: that is
	// no answer.
	found, err := service.Lookup(t.Context(), service.keys.All(sum(2)))
	if !errors.Is(err, ErrPepper) || found != nil {
		t.Errorf("%v, %v", found, err)
	}
	if _, err := service.Import(t.Context(), strings.NewReader(lineOf(3)), ImportOptions{Format: NDJSON}); !errors.Is(err, ErrPepper) {
		t.Errorf("an import with old peppers: %v", err)
	}
}

// TestRejectsHoldTheMark: a store that could not read a record has not heard of
// every token.
func TestRejectsHoldTheMark(t *testing.T) {
	s := newStore(t)
	later := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	importText(t, s, lineOf(1)+"junk\n", ImportOptions{AsOf: later})
	if at, err := s.HighWater(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
	importText(t, s, lineOf(1), ImportOptions{AsOf: later})
	if at, err := s.HighWater(t.Context()); err != nil || !at.Equal(later) {
		t.Errorf("%v, %v", at, err)
	}
}

func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no store", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path, keys(t, 1)); !errors.Is(err, sqlite.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}
