package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/queue"
)

// childFile makes this test binary a user of the queue that is killed.
const childFile = "PATWATCH_QUEUE_TEST_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		fmt.Println("error", work(context.Background(), path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// work publishes and settles pushes for ever, and prints what the queue said
// was stored.
func work(ctx context.Context, path string) error {
	q, err := queue.Open(ctx, path, queue.Options{})
	if err != nil {
		return err
	}
	failed := make(chan error, 3)
	go func() { failed <- publishForEver(ctx, q) }()
	for range 2 {
		go func() { failed <- settleForEver(ctx, q) }()
	}
	return <-failed
}

func publishForEver(ctx context.Context, q *queue.Queue) error {
	for n := 0; ; n++ {
		var pushes []leak.Push
		for r := range 5 {
			ref := fmt.Sprintf("refs/heads/%d-%d", os.Getpid(), n)
			pushes = append(pushes, leak.Push{ID: fmt.Sprintf("%s-%d", ref, r), Repository: fmt.Sprintf("o/%d-%d", os.Getpid(), r), Ref: ref})
		}
		if _, err := q.Publish(ctx, pushes); err != nil {
			return err
		}
		for _, p := range pushes {
			fmt.Println("published", p.ID)
		}
	}
}

func settleForEver(ctx context.Context, q *queue.Queue) error {
	for {
		items, err := q.Claim(ctx, "w", []queue.Lane{queue.Fast}, 4, time.Minute)
		if err != nil {
			return err
		}
		for n, item := range items {
			if n == 3 { // this one is left: its worker was killed
				continue
			}
			if err := q.Done(ctx, item); err != nil {
				return err
			}
			fmt.Println("done", item.Pushes[0].ID)
		}
		if len(items) == 0 {
			if err := q.Wait(ctx, []queue.Lane{queue.Fast}); err != nil {
				return err
			}
		}
	}
}

// TestKilled kills a user of the queue again and again: what it was told to be
// published is in the queue unless it was done, and what is done stays so.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	published, done := map[string]bool{}, map[string]bool{}
	for range 20 {
		killedWork(t, path, published, done)
		q := openFile(t, path)
		there := map[string]bool{}
		for after := int64(0); ; {
			entries, err := q.List(t.Context(), queue.Query{After: after})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				there[e.Push.ID], after = true, e.Number
			}
			if len(entries) == 0 {
				break
			}
		}
		for id := range done {
			if there[id] {
				t.Fatalf("%s was done and is back", id)
			}
		}
		missing := 0
		for id := range published {
			if !there[id] && !done[id] {
				missing++
			}
		}
		// A Done may be stored and not printed: at most what two workers had in hand.
		if missing > 2 {
			t.Fatalf("%d of %d published pushes are gone", missing, len(published))
		}
		for id := range published {
			if !there[id] {
				done[id] = true
			}
		}
		if err := errors.Join(q.Check(t.Context()), q.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if len(published) < 100 || len(done) < 20 {
		t.Errorf("only %d published and %d done in 20 rounds", len(published), len(done))
	}
}

// killedWork runs a child until it has done something and a random while longer.
func killedWork(t *testing.T, path string, published, done map[string]bool) {
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
	acknowledged := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, id, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "published":
			published[id] = true
		case "done":
			done[id] = true
		case "error":
			t.Error(lines.Text())
		}
		if acknowledged++; acknowledged == 20 {
			time.AfterFunc(rand.N(30*time.Millisecond), func() { _ = child.Process.Kill() })
		}
	}
	_ = child.Wait() // it was killed
}

func openFile(t testing.TB, path string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), path, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func pushes(n int) []leak.Push {
	out := make([]leak.Push, n)
	for i := range out {
		out[i] = leak.Push{
			ID: fmt.Sprintf("github:%d", 34_000_000_000+i), Source: "events", Kind: leak.RefUpdated, RepositoryID: int64(1000 + i%(n/3+1)),
			Repository: fmt.Sprintf("owner/repository-%d", i%(n/3+1)), Ref: "refs/heads/main",
			Before: fmt.Sprintf("%040x", i), After: fmt.Sprintf("%040x", i+n/3+1), PushedAt: time.Unix(1_770_000_000, 0), SeenAt: time.Unix(1_770_000_001, 0),
		}
	}
	return out
}

// TestBeside: a command works on the queue of a running service, and the service
// notices.
func TestBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	service, command := openFile(t, path), openFile(t, path)
	lanes := []queue.Lane{queue.Fast}
	woken := make(chan error, 1)
	go func() { woken <- service.Wait(t.Context(), lanes) }()
	if n, err := command.Publish(t.Context(), pushes(1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	items, err := service.Claim(t.Context(), "w", lanes, 1, time.Minute)
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	if entries, err := command.List(t.Context(), queue.Query{State: queue.Claimed}); err != nil || len(entries) != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
	if err := service.Dead(t.Context(), items[0], "gone"); err != nil {
		t.Fatal(err)
	}
	if n, err := command.RetryDead(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if err := service.Wait(t.Context(), lanes); err != nil {
		t.Error(err)
	}
}

// TestPublishAgain: a publication that failed but was stored, and one that
// failed and was not, come right when they are published again.
func TestPublishAgain(t *testing.T) {
	q := openFile(t, filepath.Join(t.TempDir(), "queue.db"))
	all := pushes(30)
	if _, err := q.Publish(t.Context(), all[:20]); err != nil { // stored; suppose the answer was lost
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := q.Publish(ctx, all[20:]); !errors.Is(err, context.Canceled) { // not stored
		t.Fatal(err)
	}
	if n, err := q.Publish(t.Context(), all); n != 10 || err != nil {
		t.Errorf("%d were added, %v", n, err)
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Lanes[queue.Fast].Pushes != 30 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no queue", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Open(t.Context(), path, queue.Options{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v", err)
	}
	q := openFile(t, filepath.Join(t.TempDir(), "queue.db"))
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Publish(t.Context(), pushes(1)); err == nil {
		t.Error("a closed queue takes pushes")
	}
	if _, err := q.Claim(t.Context(), "w", []queue.Lane{queue.Fast}, 1, time.Minute); err == nil {
		t.Error("a closed queue hands out items")
	}
	if _, err := q.Stats(t.Context()); err == nil {
		t.Error("a closed queue counts")
	}
	if _, err := q.Gaps(t.Context()); err == nil {
		t.Error("a closed queue has gaps")
	}
	if _, err := q.List(t.Context(), queue.Query{}); err == nil {
		t.Error("a closed queue lists")
	}
	if err := q.Wait(t.Context(), []queue.Lane{queue.Fast}); err == nil {
		t.Error("a closed queue waits")
	}
}
