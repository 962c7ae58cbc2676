package ledger

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
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/internal/sqlite"
	"patwatch/leak"
)

// TestMain lets the test binary be the child that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("PATWATCH_LEDGER_CHILD"); path != "" {
		if err := child(path, os.Getenv("PATWATCH_LEDGER_ROUND")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child records, parks and acts from several goroutines until it is killed. It
// prints a line for each thing that was acknowledged.
func child(path, round string) error {
	ctx := context.Background()
	signer, err := auditlog.OpenSigner(filepath.Join(filepath.Dir(path), "audit.key"), "audit.example")
	if err != nil {
		return err
	}
	l, err := Open(ctx, path, Options{Plan: plan, Signer: signer})
	if err != nil {
		return err
	}
	if _, err := l.Abandon(ctx); err != nil {
		return err
	}
	failed := make(chan error)
	for g := range 4 {
		go func() { failed <- recordAll(ctx, l, round, g) }()
	}
	go func() { failed <- actAll(ctx, l) }()
	return <-failed
}

func recordAll(ctx context.Context, l *Ledger, round string, g int) error {
	for i := 0; ; i++ {
		n := rand.IntN(500)
		id := fmt.Sprintf("%s.%d.%d", round, g, i)
		r := aReport(n, rand.IntN(3)+1)
		r.Push.ID = id
		s := aSighting(1000+n, i)
		s.Push.ID = id
		r.Parked = []leak.Sighting{s}
		r.Incomplete = []leak.Incomplete{{Reason: "gone", Detail: id}}
		if err := l.Record(ctx, r); err != nil {
			return err
		}
		fmt.Printf("report %d %d %d %s\n", n, r.Findings[0].Sightings[0].Place.Line, i, id)
		if i%50 == 49 {
			note, err := l.Checkpoint(ctx)
			if err != nil {
				return err
			}
			fmt.Printf("checkpoint %q\n", note)
		}
	}
}

func actAll(ctx context.Context, l *Ledger) error {
	for {
		<-l.Wake()
		jobs, err := l.Claim(ctx, time.Now(), time.Minute, 10)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if err := l.Begin(ctx, []string{j.Act.Key}, "<"+j.Act.Key+"@x>"); err != nil {
				return err
			}
			fmt.Printf("begun %s\n", j.Act.Key)
			if err := l.Finish(ctx, j.Act.Key, leak.Outcome{State: leak.ActDone, Repeat: j.Act.Attempts > 0}); err != nil {
				return err
			}
			fmt.Printf("done %s\n", j.Act.Key)
		}
	}
}

// TestKill kills a program that writes, 25 times: nothing that was acknowledged
// is lost, all promises hold, the log verifies.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	said := map[string]bool{}
	for round := range 25 {
		lines := runUntilKilled(t, path, round, 5+r.IntN(80), time.Duration(r.IntN(20_000))*time.Microsecond)
		for _, line := range lines {
			said[line] = true
		}
		if round%5 == 4 {
			checkSaid(t, path, said)
		}
	}
	if len(said) < 25*5 {
		t.Errorf("only %d things were acknowledged", len(said))
	}
}

// runUntilKilled runs the child until it has printed so many lines, and a moment
// longer, and returns the whole lines that it printed.
func runUntilKilled(t *testing.T, path string, round, many int, longer time.Duration) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "PATWATCH_LEDGER_CHILD="+path, fmt.Sprint("PATWATCH_LEDGER_ROUND=", round))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	words := bufio.NewReader(out)
	for {
		line, err := words.ReadString('\n')
		if err != nil { // the last line may be torn
			break
		}
		lines = append(lines, strings.TrimSpace(line))
		if len(lines) == many {
			time.AfterFunc(longer, func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() == 1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return lines
}

// checkSaid opens the ledger and looks for everything that was acknowledged.
func checkSaid(t *testing.T, path string, said map[string]bool) {
	t.Helper()
	b := openAt(t, path)
	b.clock.now = time.Now()
	rows := func(query string, args ...any) int {
		t.Helper()
		var n int
		if err := b.db.Reader().QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var notes []string
	for line := range said {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "report":
			var n, at, i int
			var id string
			if _, err := fmt.Sscan(rest, &n, &at, &i, &id); err != nil {
				t.Fatal(line, err)
			}
			if rows(`SELECT count(*) FROM sightings WHERE key = ?`, sightingKey(aToken(n).AuthorizationID, aSighting(n, at).Place)) != 1 ||
				rows(`SELECT count(*) FROM parked WHERE key = ?`, sightingKey(aDigest(1000+n).String(), aSighting(n, i).Place)) != 1 ||
				rows(`SELECT count(*) FROM incompletes WHERE detail = ?`, id) != 1 {
				t.Errorf("lost: %s", line)
			}
		case "begun":
			if rows(`SELECT count(*) FROM acts WHERE key = ? AND attempts > 0 AND message_id <> ''`, rest) != 1 {
				t.Errorf("lost: %s", line)
			}
		case "done":
			if rows(`SELECT count(*) FROM acts WHERE key = ? AND state = 'done'`, rest) != 1 {
				t.Errorf("lost: %s", line)
			}
		case "checkpoint":
			var note string
			if _, err := fmt.Sscanf(rest, "%q", &note); err != nil {
				t.Fatal(line, err)
			}
			notes = append(notes, note)
		}
	}
	v, err := b.Verify(t.Context(), notes...)
	if err != nil || !v.Intact() {
		t.Errorf("%v, %v", v.Problems, err)
	}
	b.sound(t)
}

var errInjected = errors.New("injected")

// fault makes the n-th write fail, stored or not.
type fault struct {
	n      int
	stored bool
}

// inject puts a fault into a ledger and returns a func that says whether it
// came to pass.
func (b *bench) inject(f fault) func() bool {
	write := b.write
	left := f.n
	b.write = func(ctx context.Context, job func(*sql.Tx) error) error {
		left--
		switch {
		case left != 0:
			return write(ctx, job)
		case f.stored:
			return errors.Join(errInjected, write(ctx, job))
		}
		return errors.Join(errInjected, write(ctx, func(tx *sql.Tx) error {
			return errors.Join(errInjected, job(tx)) // after all of it was done
		}))
	}
	return func() bool { return left <= 0 }
}

// life takes a leak through all that can happen to it, as a program does that
// tries again when something fails. It returns how often the owner was told and
// the token revoked.
func (b *bench) life(t *testing.T) map[leak.ActKind]int {
	t.Helper()
	again := func(f func() error) {
		t.Helper()
		for range 3 {
			if err := f(); err == nil {
				return
			} else if !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
		}
		t.Fatal("failed three times")
	}
	r := aReport(1, 4)
	r.Parked = []leak.Sighting{aSighting(9, 1)}
	r.Incomplete = []leak.Incomplete{{Reason: "gone", Detail: "It is gone."}}
	again(func() error { return b.Record(t.Context(), r) })
	again(func() error { return b.Unpark(t.Context(), []int64{1}) })
	world := map[leak.ActKind]int{}
	for range 4 {
		b.clock.add(time.Hour)
		var jobs []leak.Job
		again(func() (err error) {
			jobs, err = b.Claim(t.Context(), b.clock.Now(), time.Minute, 10)
			return err
		})
		for _, j := range jobs {
			if err := b.Begin(t.Context(), []string{j.Act.Key}, "<"+string(j.Act.Kind)+">"); err != nil {
				continue // the next who claims it does it
			}
			world[j.Act.Kind]++
			again(func() error {
				return b.Finish(t.Context(), j.Act.Key, leak.Outcome{State: leak.ActDone, Repeat: j.Act.Attempts > 0})
			})
		}
	}
	again(func() error { return b.Resolve(t.Context(), "PW-000001", leak.ResolvedRevoked, "dana", "") })
	again(func() error { _, err := b.Checkpoint(t.Context()); return err })
	return world
}

// TestFaults makes each write of a leak's life fail, once without and once with
// being stored: the record comes out the same.
func TestFaults(t *testing.T) {
	outcome := func(b *bench) string {
		c := b.get(t, "PW-000001")
		s, err := b.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events := b.events(t)
		slices.Sort(events)
		out := fmt.Sprint(c.State, c.Resolution, c.Token.State, len(c.Sightings), s, events)
		for _, a := range c.Acts {
			out += fmt.Sprint(" ", a.Key, a.State, a.MessageID)
		}
		return out
	}
	plain := open(t)
	plain.life(t)
	want := outcome(plain)
	for n := 1; ; n++ {
		hit := false
		for _, stored := range []bool{false, true} {
			b := open(t)
			happened := b.inject(fault{n, stored})
			world := b.life(t)
			hit = happened()
			if got := outcome(b); got != want {
				t.Errorf("write %d, stored %t:\n got %s\nwant %s", n, stored, got, want)
			}
			if world[leak.Notify] != 1 || world[leak.Revoke] != 1 {
				t.Errorf("write %d, stored %t: %v", n, stored, world)
			}
			b.sound(t)
		}
		if !hit {
			if n < 10 {
				t.Errorf("only %d writes were made to fail", n-1)
			}
			return
		}
	}
}

// TestCancelled: who gives up waiting leaves nothing behind that others would
// not have; one that was given up before it began is not recorded.
func TestCancelled(t *testing.T) {
	b := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Record(ctx, aReport(1, 4)); !errors.Is(err, context.Canceled) || len(b.events(t)) != 0 {
		t.Errorf("%v, %v", err, b.events(t))
	}
	var wait sync.WaitGroup
	for n := range 50 {
		wait.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			if n%2 == 1 {
				go cancel()
			}
			defer cancel()
			if err := b.Record(ctx, aReport(n, 4)); err != nil && n%2 == 0 {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	wait.Wait()
	b.sound(t)
}

// TestRefused: files that are not this program's, or not whole, are refused and
// left as they are.
func TestRefused(t *testing.T) {
	healthy := func(t *testing.T) string {
		b := full(t)
		c := copyOf(t, b)
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		return c.path
	}
	run := func(t *testing.T, path, query string) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name string
		make func(t *testing.T) string
		want error
	}{
		{"newer", func(t *testing.T) string {
			path := healthy(t)
			run(t, path, `PRAGMA user_version = 99`)
			return path
		}, sqlite.ErrNewer},
		{"another program's", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "x.db")
			run(t, path, `CREATE TABLE x(y)`)
			return path
		}, sqlite.ErrForeign},
		{"no database", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, sqlite.ErrDamaged},
		{"overwritten", func(t *testing.T) string {
			path := healthy(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(b[100:], strings.Repeat("\xff", 4000))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, sqlite.ErrDamaged},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := c.make(t)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, want %v", err, c.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !slices.Equal(before, after) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none", "x.db"), Options{}); err == nil {
		t.Error("opened in a folder that is not there")
	}
}

// TestDamagedPage: damage in the middle of the file is found.
func TestDamagedPage(t *testing.T) {
	c := copyOf(t, full(t))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for page := 4096; page+4096 <= len(b); page += 4096 {
		copy(b[page:], strings.Repeat("\xff", 64))
	}
	if err := os.WriteFile(c.path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), c.path, Options{})
	if err != nil {
		return // refused
	}
	defer l.Close()
	if _, err := l.Invariants(t.Context()); err == nil {
		t.Error("nothing is found")
	}
	if err := l.Record(t.Context(), aReport(1, 77)); err == nil {
		t.Error("a report is recorded in a damaged file")
	}
}

// TestLocked: a writer waits for another program, and loses nothing.
func TestLocked(t *testing.T) {
	b := open(t)
	db, err := sql.Open("sqlite", b.path+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- b.Record(t.Context(), aReport(1, 4)) }()
	if got := b.events(t); len(got) != 0 {
		t.Errorf("readers see %v", got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	b.sound(t)
}

// TestFullDisk: a report that does not fit is refused whole, those before it
// stay, and there is no need to start again when there is room.
func TestFullDisk(t *testing.T) {
	b := open(t)
	b.record(t, aReport(0, 4))
	var pages int
	if err := b.db.Reader().QueryRowContext(t.Context(), `PRAGMA page_count`).Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if err := b.exec(t, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+40)); err != nil {
		t.Fatal(err)
	}
	kept := 1
	var err error
	for ; err == nil && kept < 10_000; kept++ {
		err = b.Record(t.Context(), aReport(kept, 1, 2, 3))
	}
	kept--
	if !errors.Is(err, sqlite.ErrFull) {
		t.Fatalf("after %d reports: %v", kept, err)
	}
	if err := b.exec(t, `PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	if s, err := b.Stats(t.Context()); err != nil || s.OpenCases != kept {
		t.Errorf("%+v, %v, want %d cases", s, err, kept)
	}
	b.record(t, aReport(kept, 1, 2, 3))
	b.sound(t)
}
