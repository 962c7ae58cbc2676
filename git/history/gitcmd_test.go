package history

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// answers reads objects through git and says what came of each.
func answers(t *testing.T, r *Repository, ids []string, visit func(*checkedReader) error) (got map[string]string, err error) {
	t.Helper()
	got = map[string]string{}
	g := gitRead{fail: func(id pack.ID, err error) { got[id.String()] = "failed: " + err.Error() }}
	for _, id := range ids {
		g.ids = append(g.ids, parseID(t, id))
	}
	g.visit = func(c *checkedReader) error {
		if err := visit(c); err != nil {
			return err
		}
		got[c.id.String()] = c.kind.String()
		return nil
	}
	return got, r.gitRead(t.Context(), g)
}

func TestGitRead(t *testing.T) {
	dir := sample(t)
	r := open(t, dir)
	big, loose, head := gitIn(t, dir, "", "rev-parse", "HEAD:big.txt"), gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt"), gitIn(t, dir, "", "rev-parse", "HEAD")
	got, err := answers(t, r, []string{big, hexA, head, loose}, func(c *checkedReader) error {
		if c.id.String() == big { // what is left is skipped
			_, err := io.ReadFull(c, make([]byte, 100))
			return err
		}
		data, err := io.ReadAll(c)
		if c.id.String() == loose && string(data) != "loose" {
			t.Errorf("%q", data)
		}
		return err
	})
	want := map[string]string{big: "blob", hexA: "failed: " + errMissing.Error(), head: "commit", loose: "blob"}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s: %q, want %q", id, got[id], want[id])
		}
	}
	if err != nil {
		t.Error(err)
	}
}

func TestGitReadEnds(t *testing.T) {
	dir := sample(t)
	r := open(t, dir)
	stop := errors.New("stop")
	if _, err := answers(t, r, []string{gitIn(t, dir, "", "rev-parse", "HEAD"), hexA}, func(*checkedReader) error { return stop }); err != stop {
		t.Errorf("visit's error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := r.git(ctx, gitCommand{stdin: endless{ctx}, args: []string{"cat-file", "--batch"}}, func(out *bufio.Reader) error {
		cancel()
		_, err := out.ReadByte() // waits until the process is killed
		return err
	})
	if err == nil {
		t.Error("the process was not killed")
	}
}

// endless is input that does not come.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, io.EOF
}

// TestGitGivesUp has objects at which git ends: it is started again after each.
func TestGitGivesUp(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a", "b": "b", "c": "c"})
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, gitIn(t, dir, "", "rev-parse", "HEAD:"+name))
	}
	overwrite(t, looseFile(dir, ids[0]), "no zlib")
	overwrite(t, looseFile(dir, ids[1]), "")
	got, err := answers(t, open(t, dir), ids, func(c *checkedReader) error { _, err := io.ReadAll(c); return err })
	if err != nil || !strings.HasPrefix(got[ids[0]], "failed") || !strings.HasPrefix(got[ids[1]], "failed") || got[ids[2]] != "blob" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestGitSeesNoConfiguration plants what would run commands, if git read it.
func TestGitSeesNoConfiguration(t *testing.T) {
	dir := sample(t)
	for _, kv := range [][2]string{{"core.fsmonitor", "touch pwned"}, {"core.pager", "touch pwned"}, {"core.hooksPath", dir}, {"alias.cat-file", "!touch pwned"}} {
		gitIn(t, dir, "", "config", kv[0], kv[1])
	}
	gitIn(t, dir, "", "replace", gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt"), gitIn(t, dir, "", "rev-parse", "HEAD:big.txt"))
	r := onlyGit(t, dir)
	var out []byte
	err := r.git(t.Context(), gitCommand{args: []string{"config", "--list"}}, func(in *bufio.Reader) (err error) {
		out, err = io.ReadAll(in)
		return err
	})
	if err != nil || strings.Contains(string(out), "pwned") || strings.Contains(string(out), "remote") {
		t.Errorf("git sees %s, %v", out, err)
	}
	got := walk(t, r, BlobOptions{}) // which checks contents: no replacement
	noProblems(t, got.stats.Problems)
}
