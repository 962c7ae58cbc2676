package app

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/queue"
)

// publish puts n pushes into the queue; the first becomes a dead letter.
func (d *deployment) publish(t *testing.T, n int) {
	t.Helper()
	q, err := queue.Open(t.Context(), filepath.Join(d.dir, queueFile), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for i := range n {
		push := leak.Push{ID: fmt.Sprint("github:", i), Source: "events", Kind: leak.RefUpdated, RepositoryID: int64(i + 1),
			Repository: fmt.Sprintf("octo/r%d", i), Ref: "refs/heads/main", Before: strings.Repeat("a", 40), After: strings.Repeat("b", 40),
			PushedAt: time.Now(), SeenAt: time.Now()}
		if _, err := q.Publish(t.Context(), []leak.Push{push}); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			continue
		}
		items, err := q.Claim(t.Context(), "test", []queue.Lane{queue.Fast}, 1, time.Minute)
		if err != nil || len(items) != 1 {
			t.Fatal(items, err)
		}
		if err := q.Dead(t.Context(), items[0], "cannot be read\x1b[31m"); err != nil {
			t.Fatal(err)
		}
	}
}

func (d *deployment) entries(t *testing.T, args ...string) []queue.Entry {
	t.Helper()
	var entries []queue.Entry
	if err := json.Unmarshal([]byte(d.run(t, 0, append([]string{"queue", "list", "--format", "json"}, args...)...)), &entries); err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestQueueCommands(t *testing.T) {
	d := newDeployment(t)
	d.run(t, 2, "queue", "list") // none yet
	d.publish(t, 3)
	for args, want := range map[string]int{"": 3, "--state dead": 1, "--state waiting": 2, "--repository octo/r2": 1, "--limit 2": 2} {
		if got := d.entries(t, strings.Fields(args)...); len(got) != want {
			t.Errorf("%s: %d of %d", args, len(got), want)
		}
	}
	if out := d.run(t, 0, "queue", "list"); strings.ContainsRune(out, '\x1b') || !strings.Contains(out, "cannot be read") {
		t.Errorf("%q", out)
	}
	if out := d.run(t, 0, "queue", "retry", "--all"); !strings.Contains(out, "1 pushes put back") || len(d.entries(t, "--state", "dead")) != 0 {
		t.Error(out)
	}
	if out := d.run(t, 0, "queue", "drop", "github:1", "github:99"); !strings.Contains(out, "1 pushes dropped") || !strings.Contains(out, "1 of these are not there") {
		t.Error(out)
	}
	if got := d.entries(t); len(got) != 2 {
		t.Errorf("%d are left", len(got))
	}
	for _, args := range [][]string{{"queue", "drop"}, {"queue", "retry", "--all", "x"}, {"queue", "list", "--state", "dad"}, {"queue", "list", "--format", "csv"}, {"queue", "lsit"}} {
		d.run(t, 2, args...)
	}
}
