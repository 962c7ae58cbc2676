package history

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"patwatch/git/pack"
)

func TestCatFile(t *testing.T) {
	dir := sample(t)
	r := open(t, dir)
	c, err := r.catFile(t.Context(), "--batch")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	big, loose, head := gitIn(t, dir, "", "rev-parse", "HEAD:big.txt"), gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt"), gitIn(t, dir, "", "rev-parse", "HEAD")
	if kind, size, err := c.next(parseID(t, big)); err != nil || kind != pack.Blob || size != 12000 {
		t.Fatalf("%v %d %v", kind, size, err)
	}
	if _, err := io.ReadFull(c, make([]byte, 100)); err != nil { // the rest is skipped
		t.Fatal(err)
	}
	if _, _, err := c.next(parseID(t, strings.Repeat("0", 40))); !errors.Is(err, errMissing) {
		t.Fatalf("missing: %v", err)
	}
	if kind, _, err := c.next(parseID(t, head)); err != nil || kind != pack.Commit {
		t.Fatalf("%v %v", kind, err)
	}
	if _, _, err := c.next(parseID(t, loose)); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "loose" {
		t.Fatalf("%q %v", b, err)
	}
}

func TestCatFileClose(t *testing.T) {
	dir := sample(t)
	r := open(t, dir)
	c, err := r.catFile(t.Context(), "--batch")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.next(parseID(t, gitIn(t, dir, "", "rev-parse", "HEAD:big.txt"))); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() { c.Close() })
	}
	group.Wait()
	for range 2 { // an error, again and again, not a hang
		if _, _, err := c.next(parseID(t, hexA)); err == nil {
			t.Error("a closed process answered")
		}
	}
}

func TestCatFileIsKilled(t *testing.T) {
	r := open(t, sample(t))
	ctx, cancel := context.WithCancel(t.Context())
	c, err := r.catFile(ctx, "--batch")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.out.ReadByte(); err == nil {
		t.Error("the process wrote unasked")
	}
	c.Close()
}

// TestGitSeesNoConfiguration plants what would run commands, if git read it.
func TestGitSeesNoConfiguration(t *testing.T) {
	dir := sample(t)
	for _, kv := range [][2]string{{"core.fsmonitor", "touch pwned"}, {"core.pager", "touch pwned"}, {"core.hooksPath", dir}, {"alias.cat-file", "!touch pwned"}} {
		gitIn(t, dir, "", "config", kv[0], kv[1])
	}
	gitIn(t, dir, "", "replace", gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt"), gitIn(t, dir, "", "rev-parse", "HEAD:big.txt"))
	r := open(t, dir)
	cmd, err := r.gitCommand(t.Context(), "config", "--list")
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.Output()
	if err != nil || strings.Contains(string(out), "pwned") || strings.Contains(string(out), "remote") {
		t.Errorf("git sees %s, %v", out, err)
	}
	got := walk(t, r, BlobOptions{ViaGit: true}) // which checks contents: no replacement
	noProblems(t, got.stats.Problems)
}
