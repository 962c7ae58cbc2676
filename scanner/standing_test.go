package scanner

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patwatch/fixtures"
	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
)

// A sandbox is a repository that a test writes with git.
type sandbox struct {
	t   testing.TB
	dir string
}

func newSandbox(t testing.TB) *sandbox {
	t.Helper()
	s := &sandbox{t, t.TempDir()}
	s.git("init", "-q", "-b", "main", ".")
	return s
}

func (s *sandbox) git(args ...string) string {
	s.t.Helper()
	out, err := fixtures.Git(s.t.Context(), s.dir, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// commit commits files, given as name and text; no text removes one.
func (s *sandbox) commit(files ...string) string {
	s.t.Helper()
	for i := 0; i < len(files); i += 2 {
		if files[i+1] == "" {
			s.git("rm", "-q", files[i])
			continue
		}
		write(s.t, filepath.Join(s.dir, files[i]), files[i+1])
	}
	s.git("add", "-A")
	s.git("commit", "-q", "--allow-empty", "-m", "commit")
	return s.git("rev-parse", "HEAD")
}

func (s *sandbox) open() *history.Repository {
	s.t.Helper()
	repo, err := history.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { repo.Close() })
	return repo
}

// scan returns the places of the history, by token.
func (s *sandbox) scan(sel Selection, o Options) map[string][]leak.Place {
	s.t.Helper()
	places := map[string][]leak.Place{}
	tally, err := newScanner(s.t, o).History(s.t.Context(), s.open(), sel, func(c leak.Candidate) error {
		tok := string(c.Secret.Reveal())
		places[tok] = append(places[tok], c.Place)
		return nil
	})
	if err != nil || len(tally.Incomplete) > 0 {
		s.t.Fatal(tally.Incomplete, err)
	}
	return places
}

// TestStanding plants a token in each of the ways in which one can be gone, or
// not.
func TestStanding(t *testing.T) {
	r := rand.New(rand.NewSource(21))
	s := newSandbox(t)
	tok := map[string]string{}
	for _, name := range []string{"stays", "removed", "edited", "renamed", "branch", "remote", "stash", "tag", "dangling", "back", "moved lines"} {
		tok[name] = token(r)
	}
	s.commit("stays.txt", tok["stays"], "removed.txt", tok["removed"], "edited.txt", "a\n"+tok["edited"], "renamed.txt", tok["renamed"],
		"back.txt", tok["back"], "lines.txt", "x\n"+tok["moved lines"])
	s.commit("removed.txt", "", "edited.txt", "a\n", "back.txt", "")
	s.git("mv", "renamed.txt", "other.txt")
	s.commit("back.txt", tok["back"], "lines.txt", "x\ny\nz\n"+tok["moved lines"])
	for _, branch := range []string{"release/4.1", "gone", "lost"} {
		s.git("checkout", "-q", "-b", branch, "main")
		name := map[string]string{"release/4.1": "branch", "gone": "remote", "lost": "dangling"}[branch]
		s.commit("on-branch.txt", tok[name])
	}
	s.git("update-ref", "refs/remotes/origin/topic", "gone")
	s.git("checkout", "-q", "-b", "tagged", "main")
	s.commit("tagged.txt", tok["tag"])
	s.git("tag", "v1")
	s.git("checkout", "-q", "main")
	s.git("branch", "-q", "-D", "gone", "lost", "tagged")
	write(t, filepath.Join(s.dir, "stays.txt"), tok["stays"]+"\n"+tok["stash"])
	s.git("stash", "-q")

	for _, packed := range []bool{false, true} {
		if packed {
			s.git("repack", "-q", "-a", "-d", "-k")
		}
		got := s.scan(Selection{}, Options{})
		for name, want := range map[string]struct {
			standing leak.Standing
			branch   string
			source   leak.Source
		}{
			"stays":       {leak.InHead, "", leak.History},
			"removed":     {leak.Gone, "", leak.History},
			"edited":      {leak.Gone, "", leak.History},
			"renamed":     {leak.Gone, "", leak.History},
			"back":        {leak.InHead, "", leak.History},
			"moved lines": {leak.InHead, "", leak.History},
			"branch":      {leak.OnBranch, "release/4.1", leak.History},
			"remote":      {leak.OnBranch, "origin/topic", leak.History},
			"stash":       {leak.OnBranch, "refs/stash", leak.History},
			"tag":         {leak.Gone, "", leak.History},
			"dangling":    {"", "", leak.Unreachable},
		} {
			if len(got[tok[name]]) == 0 {
				t.Errorf("%s is not found", name)
			}
			for _, p := range got[tok[name]] {
				if p.Standing != want.standing || p.Branch != want.branch || p.Source != want.source {
					t.Errorf("packed %v, %s: %q, branch %q, source %s", packed, name, p.Standing, p.Branch, p.Source)
				}
			}
		}
	}
}

// TestStandingOfARange asks for a file whose newest version is not in the range.
func TestStandingOfARange(t *testing.T) {
	r := rand.New(rand.NewSource(22))
	a, b := token(r), token(r)
	s := newSandbox(t)
	s.commit("x", "y")
	first := s.commit("a.txt", a, "b.txt", b)
	s.commit("a.txt", "c\n"+a, "b.txt", "c\n")
	got := s.scan(Selection{Include: []string{first}, Exclude: []string{first + "~1"}}, Options{})
	if p := got[a]; len(p) != 1 || p[0].Standing != leak.InHead {
		t.Errorf("places %+v, want one that is in HEAD", p)
	}
	if p := got[b]; len(p) != 1 || p[0].Standing != leak.Gone {
		t.Errorf("places %+v, want one that is gone", p)
	}
}

// TestStandingIsNotGuessed wants no answer where a tree cannot be read.
func TestStandingIsNotGuessed(t *testing.T) {
	tok := token(rand.New(rand.NewSource(23)))
	s := newSandbox(t)
	s.commit("a.txt", tok)
	s.commit("a.txt", "")
	s.git("branch", "other")
	s.commit("b.txt", "x")
	tree := s.git("rev-parse", "other^{tree}")
	object := filepath.Join(s.dir, ".git", "objects", tree[:2], tree[2:])
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	emit, got := collect()
	if _, err := newScanner(t, Options{}).History(t.Context(), s.open(), Selection{}, emit); err != nil {
		t.Fatal(err)
	}
	if len(*got) != 1 || (*got)[0].Place.Standing != "" {
		t.Errorf("%+v, want one of which nothing is said", *got)
	}
}

func id(t testing.TB, n int) pack.ID {
	t.Helper()
	got, err := pack.ParseID(fmt.Sprintf("%040x", n))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTips(t *testing.T) {
	refs := []history.Ref{
		{Name: "HEAD", ID: id(t, 1)}, {Name: "refs/heads/main", ID: id(t, 1)}, {Name: "refs/heads/x/y", ID: id(t, 2)},
		{Name: "refs/pull/1/head", ID: id(t, 3)}, {Name: "refs/remotes/origin/HEAD", ID: id(t, 2)}, {Name: "refs/remotes/origin/z", ID: id(t, 4)},
		{Name: "refs/stash", ID: id(t, 5)}, {Name: "refs/stashed", ID: id(t, 6)}, {Name: "refs/tags/v1", ID: id(t, 7)}, {Name: "HEADS", ID: id(t, 8)},
	}
	list, all := tips(refs)
	var names []string
	for _, tip := range list {
		names = append(names, tip.branch)
	}
	if got := strings.Join(names, " "); got != "HEAD x/y refs/stash origin/z" || !all {
		t.Errorf("tips %s, all %v", got, all)
	}
	var many []history.Ref
	for i := range maxTips + 1 {
		many = append(many, history.Ref{Name: fmt.Sprintf("refs/heads/%d", i), ID: id(t, i)})
	}
	if list, all := tips(many); len(list) != maxTips || all {
		t.Errorf("%d tips of %d, all %v", len(list), len(many), all)
	}
	if list, all := tips(many[:maxTips]); len(list) != maxTips || !all {
		t.Errorf("%d tips of %d, all %v", len(list), maxTips, all)
	}
	if list, all := tips(nil); len(list) != 0 || !all {
		t.Errorf("%d tips of none, all %v", len(list), all)
	}
}

// TestStandingHasABudget gives up rather than to look up millions of paths.
func TestStandingHasABudget(t *testing.T) {
	s := newSandbox(t)
	s.commit("a", "x")
	tr := newScanner(t, Options{}).newTracer(s.open(), nil, true, false)
	if standing, _ := tr.standing(t.Context(), "none", "print"); standing != leak.Gone {
		t.Errorf("before: %q", standing)
	}
	tr.lookups = maxLookups
	if standing, _ := tr.standing(t.Context(), "other", "print"); standing != "" {
		t.Errorf("beyond the budget: %q", standing)
	}
	if standing, _ := tr.standing(t.Context(), "none", "print"); standing != leak.Gone {
		t.Errorf("what was looked up is forgotten: %q", standing)
	}
}

// countdown is a context that ends after it was asked n times.
type countdown struct {
	context.Context
	asked, n int
}

func (c *countdown) Err() error {
	if c.asked++; c.asked > c.n {
		return context.Canceled
	}
	return nil
}

// TestInterruptedHistoryReportsWhatItHas interrupts a scan after more and more
// of steps: what it reports is true, and it says that it is not all.
func TestInterruptedHistoryReportsWhatItHas(t *testing.T) {
	r := rand.New(rand.NewSource(24))
	s := newSandbox(t)
	want := map[string]string{} // token to the commit that brought it in
	for i := range 12 {
		tok, name := token(r), fmt.Sprintf("f%d.txt", i)
		want[tok] = s.commit(name, tok)
		s.commit(name, "more\n"+tok) // only carries it on
	}
	s.git("repack", "-q", "-a", "-d")
	untraced, whole := 0, false
	for n := 0; n < 5000 && !whole; n += 1 + n/25 {
		ctx := &countdown{Context: t.Context(), n: n}
		emit, got := collect()
		tally, err := newScanner(t, Options{Jobs: 1}).History(ctx, s.open(), Selection{}, emit)
		if err != nil {
			t.Fatalf("after %d steps: %v", n, err)
		}
		whole = ctx.asked <= n
		if whole != (len(tally.Incomplete) == 0) {
			t.Errorf("after %d steps: interrupted %v, but %v", n, !whole, tally.Incomplete)
		}
		for _, c := range *got {
			commit, real := want[string(c.Secret.Reveal())]
			if !real || c.Place.Commit != "" && c.Place.Commit != commit {
				t.Fatalf("after %d steps: a token that is not there, or not of that commit", n)
			}
			if c.Place.Source != leak.History {
				t.Errorf("after %d steps: a token of the history is said to be %s", n, c.Place.Source)
			}
			if c.Place.Commit == "" {
				untraced++
			}
		}
		if whole && len(*got) != len(want) {
			t.Errorf("%d of %d found", len(*got), len(want))
		}
	}
	if !whole || untraced == 0 {
		t.Errorf("came to the end: %v; tokens without a commit: %d", whole, untraced)
	}
}

func TestMask(t *testing.T) {
	s := newScanner(t, Options{})
	r := rand.New(rand.NewSource(25))
	a, b := token(r), token(r)
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"nothing", "nothing"}, {"tstkey_short", "tstkey_short"},
		{a, "tstk…" + a[len(a)-3:]},
		{"x/" + a + "/" + b + ".txt", "x/tstk…" + a[len(a)-3:] + "/tstk…" + b[len(b)-3:] + ".txt"},
		{"\xff" + a + "\x00", "\xfftstk…" + a[len(a)-3:] + "\x00"},
	} {
		if got := s.Mask(c.in); got != c.want {
			t.Errorf("masked wrongly: %q, want %q", got, c.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("a/", "/b", int64(1))
	f.Add("\xff\x00", "tstkey_", int64(2))
	s := newScanner(f, Options{})
	f.Fuzz(func(t *testing.T, before, after string, seed int64) {
		tok := token(rand.New(rand.NewSource(seed)))
		masked := s.Mask(before + " " + tok + " " + after)
		if strings.Contains(masked, tok) {
			t.Error("the token is left")
		}
		if again := s.Mask(masked); again != masked {
			t.Errorf("masked again: %q, then %q", masked, again)
		}
		if !slices.Contains(strings.Split(masked, " "), "tstk…"+tok[len(tok)-3:]) {
			t.Errorf("no mask in %q", masked)
		}
	})
}
