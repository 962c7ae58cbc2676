package fetch_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/git/fetch"
	"patwatch/internal/standin"
	"patwatch/leak"
)

const repo = "user-1/repo-1"

// A world is a stand-in for GitHub with one repository, and a client of it.
type world struct {
	*testing.T
	hub    *standin.GitHub
	server *httptest.Server
	client *fetch.Client
}

func newWorld(t *testing.T, set func(*fetch.Options)) *world {
	t.Helper()
	hub, err := standin.NewGitHub(t.Context(), standin.GitHubOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, hub: hub, server: httptest.NewServer(hub)}
	t.Cleanup(func() { hub.Close(); w.server.Close() })
	o := fetch.Options{URL: w.server.URL, Agent: "patwatch/test"}
	if set != nil {
		set(&o)
	}
	if w.client, err = fetch.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if _, err := hub.Create(repo); err != nil {
		t.Fatal(err)
	}
	return w
}

// push commits files with the given contents to a branch.
func (w *world) push(ref string, o standin.PushOptions, contents ...string) leak.Push {
	w.Helper()
	var commits []standin.Commit
	for _, c := range contents {
		commits = append(commits, standin.Commit{Files: map[string]string{"d/" + c: "content " + c + "\n"}, Message: "add " + c})
	}
	p, err := w.hub.Push(repo, ref, o, commits...)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func change(p leak.Push) fetch.Change {
	return fetch.Change{Repository: p.Repository, ID: p.RepositoryID, Kind: kinds(p.Kind), Ref: p.Ref, Before: p.Before, After: p.After}
}

// get reads a change and returns what it was and the files of either side.
func (w *world) get(c fetch.Change) (r *fetch.Result, fresh, dropped string) {
	w.Helper()
	r, err := w.client.Push(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(r.Release)
	for _, p := range r.Parts {
		files := strings.Join(contents(w.T, p.Pack), " ")
		if err := p.Objects.Incomplete(); err != nil || p.Objects.Len() == 0 {
			w.Errorf("%d objects, %v", p.Objects.Len(), err)
		}
		if p.Dropped {
			dropped += files
		} else {
			fresh += files
		}
	}
	return r, fresh, dropped
}

// contents lets git index a pack on its own and returns its blobs, in order.
func contents(t *testing.T, pack []byte) []string {
	t.Helper()
	dir := t.TempDir()
	git := func(in string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return string(out)
	}
	git("", "init", "-q", "--bare", ".")
	git(string(pack), "index-pack", "--stdin", filepath.Join("objects", "pack", "p.pack"))
	var out []string
	for line := range strings.Lines(git("", "cat-file", "--batch-check", "--batch-all-objects")) {
		if f := strings.Fields(line); f[1] == "blob" {
			out = append(out, strings.TrimSpace(strings.TrimPrefix(git("", "cat-file", "blob", f[0]), "content ")))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) expect(c fetch.Change, kind fetch.Case, fresh, dropped string, missed ...fetch.Reason) {
	w.Helper()
	r, gotFresh, gotDropped := w.get(c)
	if r.Case != kind || gotFresh != fresh || gotDropped != dropped || len(r.Missed) != len(missed) {
		w.Errorf("%s with %q and dropped %q, missed %v; want %s with %q and dropped %q, missed %v", r.Case, gotFresh, gotDropped, r.Missed, kind, fresh, dropped, missed)
		return
	}
	for i := range missed {
		if r.Missed[i].Reason != missed[i] {
			w.Errorf("missed %v, want %v", r.Missed, missed)
		}
	}
}

const (
	main    = "refs/heads/main"
	topic   = "refs/heads/topic"
	unknown = "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
)

func TestFastForward(t *testing.T) {
	w := newWorld(t, nil)
	w.expect(change(w.push(main, standin.PushOptions{}, "a")), fetch.FirstPush, "a", "")
	w.expect(change(w.push(main, standin.PushOptions{}, "b", "c")), fetch.FastForward, "b c", "")
	if n := w.hub.Served("/" + repo + ".git/git-upload-pack"); n != 3 {
		t.Errorf("%d requests, want 2 for the first push and 1 for the second", n)
	}
}

func TestNothingNew(t *testing.T) {
	w := newWorld(t, nil)
	p := change(w.push(main, standin.PushOptions{}, "a"))
	p.Kind, p.Before = fetch.Updated, p.After
	w.expect(p, fetch.FastForward, "", "")
}

func TestForcePush(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	w.push(main, standin.PushOptions{}, "b")
	w.expect(change(w.push(main, standin.PushOptions{Force: true, From: base.After}, "c")), fetch.Forced, "c", "b")
}

// TestForcePushOfMoreCommits drops more than the server can see from the ids.
func TestForcePushOfMoreCommits(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	w.push(main, standin.PushOptions{}, "x", "y")
	w.expect(change(w.push(main, standin.PushOptions{Force: true, From: base.After}, "c")), fetch.Forced, "c", "x y")
	w.push(main, standin.PushOptions{}, "x", "y")
	w.expect(change(w.push(main, standin.PushOptions{Force: true, From: base.After})), fetch.Reset, "", "c x y")
}

func TestReset(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	w.push(main, standin.PushOptions{}, "b")
	w.expect(change(w.push(main, standin.PushOptions{Force: true, From: base.After})), fetch.Reset, "", "b")
}

func TestUnrelatedForcePush(t *testing.T) {
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	w.expect(change(w.push(main, standin.PushOptions{Force: true}, "c")), fetch.Forced, "c", "a")
}

func TestUnknownBefore(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	w.push(topic, standin.PushOptions{From: base.After}, "b")
	p := change(w.push(topic, standin.PushOptions{}, "c"))
	p.Before = unknown
	w.expect(p, fetch.UnknownBefore, "b c", "", fetch.Gone)
}

func TestNewBranch(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	p := change(w.push(topic, standin.PushOptions{From: base.After}, "b"))
	w.expect(p, fetch.NewBranch, "b", "")
	p.After = "" // as the events API has it
	w.expect(p, fetch.NewBranch, "b", "")
	same := change(w.push("refs/heads/same", standin.PushOptions{From: base.After}))
	w.expect(same, fetch.NewBranch, "", "")
}

// TestBranchesThatCameTogether checks that of two new branches with the same
// commits neither is left out because the other one has them.
func TestBranchesThatCameTogether(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	one := w.push("refs/heads/one", standin.PushOptions{From: base.After}, "b")
	two := w.push("refs/heads/two", standin.PushOptions{From: one.After})
	w.expect(change(one), fetch.NewBranch, "b", "")
	w.expect(change(two), fetch.NewBranch, "b", "")
}

func TestTags(t *testing.T) {
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	light, err := w.hub.Tag(repo, "refs/tags/light", main, "")
	if err != nil {
		t.Fatal(err)
	}
	w.expect(change(light), fetch.NewTag, "", "")
	annotated, err := w.hub.Tag(repo, "refs/tags/v1", main, "a message")
	if err != nil {
		t.Fatal(err)
	}
	c := change(annotated)
	c.After = ""
	r, _, _ := w.get(c)
	if r.Case != fetch.NewTag || len(r.Parts) != 1 {
		t.Fatalf("%s, %d parts: the tag object is not there", r.Case, len(r.Parts))
	}
}

func TestEverything(t *testing.T) {
	w := newWorld(t, nil)
	w.expect(fetch.Change{Repository: repo, Kind: fetch.All}, fetch.Everything, "", "")
	w.push(main, standin.PushOptions{}, "a")
	w.push(topic, standin.PushOptions{Force: true}, "b")
	p, err := w.hub.Publish(repo)
	if err != nil {
		t.Fatal(err)
	}
	c := change(p)
	c.Kind = fetch.All
	w.expect(c, fetch.Everything, "a b", "")
}

func TestDeletion(t *testing.T) {
	w := newWorld(t, nil)
	p := change(w.push(main, standin.PushOptions{}, "a"))
	p.Kind, p.Before, p.After = fetch.Updated, p.After, strings.Repeat("0", 40)
	w.expect(p, fetch.Deleted, "", "")
	p.Kind = fetch.Delete
	w.expect(p, fetch.Deleted, "", "")
}

// TestVia checks that what a ref pointed at between two pushes that are read at
// once is not lost when the second one dropped it.
func TestVia(t *testing.T) {
	w := newWorld(t, nil)
	base := w.push(main, standin.PushOptions{}, "a")
	between := w.push(main, standin.PushOptions{}, "b")
	p := change(w.push(main, standin.PushOptions{Force: true, From: base.After}, "c"))
	p.Before, p.Via = base.After, []string{between.After}
	w.expect(p, fetch.FastForward, "b c", "")
	p.Via = []string{unknown}
	w.expect(p, fetch.FastForward, "c", "", fetch.Gone)
}

func TestBlobLimit(t *testing.T) {
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	p, err := w.hub.Push(repo, main, standin.PushOptions{}, standin.Commit{Files: map[string]string{"big": strings.Repeat("x", 5000), "small": "content s\n"}})
	if err != nil {
		t.Fatal(err)
	}
	c := change(p)
	c.BlobLimit = 1000
	w.expect(c, fetch.FastForward, "s", "", fetch.Limited)
}

func TestRenamed(t *testing.T) {
	const to = "user-2/repo-2"
	for _, resolve := range []bool{false, true} {
		w := newWorld(t, func(o *fetch.Options) {
			if resolve {
				o.Resolve = func(context.Context, int64) (string, error) { return to, nil }
			}
		})
		w.push(main, standin.PushOptions{}, "a")
		p := change(w.push(main, standin.PushOptions{}, "b"))
		if err := w.hub.Rename(repo, to); err != nil {
			t.Fatal(err)
		}
		if r, fresh, _ := w.get(p); fresh != "b" || r.Repository != to {
			t.Errorf("resolved %v: %q of %s", resolve, fresh, r.Repository)
		}
	}
}

func TestErrors(t *testing.T) {
	cases := []struct {
		name  string
		fault standin.Fault
		is    error
	}{
		{"not found", standin.Fault{Kind: standin.Status, Code: 404}, fetch.ErrGone},
		{"private", standin.Fault{Kind: standin.Status, Code: 401}, fetch.ErrGone},
		{"forbidden", standin.Fault{Kind: standin.Status, Code: 403}, fetch.ErrBlocked},
		{"legal", standin.Fault{Kind: standin.Status, Code: 451}, fetch.ErrBlocked},
		{"teapot", standin.Fault{Kind: standin.Status, Code: 418}, fetch.ErrProtocol},
		{"page", standin.Fault{Kind: standin.ContentType}, fetch.ErrProtocol},
		{"empty", standin.Fault{Kind: standin.Empty}, fetch.ErrProtocol},
	}
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	p := change(w.push(main, standin.PushOptions{}, "b"))
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.hub.Fault(repo, &c.fault)
			if _, err := w.client.Push(t.Context(), p); !errors.Is(err, c.is) {
				t.Errorf("%v, want %v", err, c.is)
			}
		})
	}
	w.hub.Fault(repo, nil)
	w.expect(p, fetch.FastForward, "b", "")
	p.After = unknown
	if _, err := w.client.Push(t.Context(), p); !errors.Is(err, fetch.ErrMissing) {
		t.Errorf("%v, want that it is missing", err)
	}
}

func TestServerFailsAndRedirects(t *testing.T) {
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	p := change(w.push(main, standin.PushOptions{}, "b"))
	w.hub.Fault(repo, &standin.Fault{Kind: standin.Status, Code: 502})
	var failed *fetch.ServerError
	if _, err := w.client.Push(t.Context(), p); !errors.As(err, &failed) || failed.Status != 502 {
		t.Errorf("%v, want status 502", err)
	}
	asked := false
	other := httptest.NewServer(nil)
	defer other.Close()
	for _, to := range []string{other.URL + "/user-2/repo-2.git/git-upload-pack", "/somewhere", "/" + repo + ".git/git-upload-pack"} {
		w.hub.Fault(repo, &standin.Fault{Kind: standin.Status, Code: 302, Location: to})
		var renamed *fetch.Renamed
		if _, err := w.client.Push(t.Context(), p); !errors.As(err, &renamed) || renamed.To != "" || asked {
			t.Errorf("a redirect to %s: %v", to, err)
		}
	}
}

func TestThrottled(t *testing.T) {
	w := newWorld(t, nil)
	w.push(main, standin.PushOptions{}, "a")
	p := change(w.push(main, standin.PushOptions{}, "b"))
	w.hub.Fault(repo, &standin.Fault{Kind: standin.Status, Code: 429, RetryAfter: 30 * time.Second, Times: 1})
	var throttled *fetch.Throttled
	if _, err := w.client.Push(t.Context(), p); !errors.As(err, &throttled) || throttled.RetryAfter != 30*time.Second {
		t.Errorf("%v, want to wait 30 s", err)
	}
	served := w.hub.Served("/" + repo + ".git/git-upload-pack")
	throttled = nil
	if _, err := w.client.Push(t.Context(), p); !errors.As(err, &throttled) || throttled.RetryAfter > 30*time.Second {
		t.Errorf("%v, want to wait still", err)
	}
	if n := w.hub.Served("/" + repo + ".git/git-upload-pack"); n != served {
		t.Error("it asked although the host asked not to")
	}
}

// TestWhatArrivedIsUsable checks that of an answer that ends early the start is
// handed out, with the reason.
func TestWhatArrivedIsUsable(t *testing.T) {
	cases := []struct {
		name  string
		fault standin.Fault
		set   func(*fetch.Options)
		want  fetch.Reason
	}{
		{"cut", standin.Fault{Kind: standin.Cut, After: 8000}, nil, fetch.CutOff},
		{"lying size", standin.Fault{Kind: standin.LyingSize, After: 10}, nil, ""},
		{"stall", standin.Fault{Kind: standin.Stall, After: 8000}, func(o *fetch.Options) { o.Idle = 50 * time.Millisecond }, fetch.TimedOut},
		{"drip", standin.Fault{Kind: standin.Drip, After: 8000, Every: 2 * time.Millisecond}, func(o *fetch.Options) { o.Idle = 50 * time.Millisecond }, fetch.TimedOut},
		{"slow", standin.Fault{Kind: standin.Drip, After: 8000, Every: time.Millisecond}, func(o *fetch.Options) { o.Timeout, o.Floor = 300*time.Millisecond, 1 }, fetch.TimedOut},
		{"too much", standin.Fault{}, func(o *fetch.Options) { o.MaxBytes = 8000 }, fetch.Truncated},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.set)
			w.push(main, standin.PushOptions{}, "a")
			p, err := w.hub.Push(repo, main, standin.PushOptions{}, standin.Commit{Files: map[string]string{"noise": noise(20_000)}})
			if err != nil {
				t.Fatal(err)
			}
			if c.fault.Kind != "" {
				w.hub.Fault(repo, &c.fault)
			}
			r, err := w.client.Push(t.Context(), change(p))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Release()
			switch {
			case c.want == "" && len(r.Missed) == 0:
			case len(r.Missed) != 1 || r.Missed[0].Reason != c.want || len(r.Parts) != 1 || len(r.Parts[0].Pack) > 20_000:
				t.Errorf("missed %v, %d parts; want %s", r.Missed, len(r.Parts), c.want)
			}
		})
	}
}

// noise is text that does not get much smaller.
func noise(n int) string {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

func TestStallBeforeThePack(t *testing.T) {
	w := newWorld(t, func(o *fetch.Options) { o.Idle = 30 * time.Millisecond })
	w.push(main, standin.PushOptions{}, "a")
	p := change(w.push(main, standin.PushOptions{}, "b"))
	w.hub.Fault(repo, &standin.Fault{Kind: standin.Stall})
	if _, err := w.client.Push(t.Context(), p); err == nil || !strings.Contains(err.Error(), "does not go on") {
		t.Errorf("%v, want that the answer stalls", err)
	}
	w.hub.Fault(repo, &standin.Fault{Kind: standin.Cut, After: 30})
	if _, err := w.client.Push(t.Context(), p); err == nil || errors.Is(err, fetch.ErrProtocol) {
		t.Errorf("%v, want an error that may pass", err)
	}
}

func TestCancelled(t *testing.T) {
	w := newWorld(t, nil)
	p := change(w.push(main, standin.PushOptions{}, "a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client.Push(ctx, p); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestInvalidNames(t *testing.T) {
	w := newWorld(t, nil)
	good := fetch.Change{Repository: repo, Kind: fetch.Updated, Ref: main, Before: unknown, After: unknown[1:] + "0"}
	bad := []func(c *fetch.Change){
		func(c *fetch.Change) { c.Repository = "user-1/../x" },
		func(c *fetch.Change) { c.Repository = "user-1/.." },
		func(c *fetch.Change) { c.Repository = "user-1" },
		func(c *fetch.Change) { c.Repository = "@host/repo" },
		func(c *fetch.Change) { c.Repository = "user-1/repo?x=1" },
		func(c *fetch.Change) { c.After = "--upload-pack=x" },
		func(c *fetch.Change) { c.Before = "HEAD\n0000" },
		func(c *fetch.Change) { c.Ref = "refs/heads/a\nb" },
		func(c *fetch.Change) { c.Ref = "HEAD" },
		func(c *fetch.Change) { c.Kind, c.Ref = fetch.Branch, "" },
		func(c *fetch.Change) { c.Ref = "refs/" + strings.Repeat("x", 2000) },
	}
	for i, spoil := range bad {
		c := good
		spoil(&c)
		if _, err := w.client.Push(t.Context(), c); !errors.Is(err, fetch.ErrName) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	if n := w.hub.Served("/" + repo + ".git/git-upload-pack"); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, u := range []string{"", "ftp://host", "https://", "https://user:x@host", "https://host?a=b", "file:///x"} {
		if _, err := fetch.New(fetch.Options{URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}

func TestFetchAndLsRefs(t *testing.T) {
	w := newWorld(t, nil)
	p := w.push(main, standin.PushOptions{}, "a")
	refs, err := w.client.LsRefs(t.Context(), repo, "HEAD", "refs/heads/")
	if err != nil || refs.Default != main || refs.IDs[main] != p.After || refs.IDs["HEAD"] != p.After || refs.Cut {
		t.Errorf("%+v, %v", refs, err)
	}
	a, err := w.client.Fetch(t.Context(), fetch.Request{Repository: repo, Want: []string{p.After}, Have: []string{unknown}})
	if err != nil || a.Packed || len(a.Acked) != 0 {
		t.Fatalf("%+v, %v", a, err)
	}
	a.Release()
	a, err = w.client.Fetch(t.Context(), fetch.Request{Repository: repo, Want: []string{p.After}, Done: true})
	if err != nil || !a.Packed || a.Missed != nil || len(contents(t, a.Pack)) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	a.Release()
	a.Release()
}

func kinds(k leak.PushKind) fetch.Kind {
	switch k {
	case leak.MadePublic, leak.WholeHistory:
		return fetch.All
	}
	return fetch.Kind(k)
}
