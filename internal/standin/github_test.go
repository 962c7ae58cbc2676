package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const name = "user-1/repo-1"

func newHub(t *testing.T, o GitHubOptions) (*GitHub, string) {
	t.Helper()
	o.Dir = t.TempDir()
	g, err := NewGitHub(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(g)
	t.Cleanup(func() { g.Close(); s.Close() })
	if _, err := g.Create(name); err != nil {
		t.Fatal(err)
	}
	return g, s.URL
}

// git runs git, shielded from the machine's configuration.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return string(out)
}

func get(t *testing.T, url, etag string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("If-None-Match", etag)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestGitAgrees lets git itself check and clone what the pushes made.
func TestGitAgrees(t *testing.T) {
	g, url := newHub(t, GitHubOptions{})
	first, err := g.Push(name, "refs/heads/main", PushOptions{},
		Commit{Files: map[string]string{"a": "1\n", "a.b": "2\n", "a-dir/x/y": "3\n", "a0": "4\n"}},
		Commit{Files: map[string]string{"a-dir/z": "5\n"}, Remove: []string{"a0"}, Message: "second"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Push(name, "refs/heads/topic", PushOptions{From: first.After}, Commit{Files: map[string]string{"a": "6\n"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Tag(name, "refs/tags/v1", "refs/heads/main", "message"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(g.o.Dir, name+".git")
	if out := git(t, dir, "fsck", "--strict", "--full"); strings.Contains(out, "error") {
		t.Error(out)
	}
	clone := t.TempDir()
	git(t, clone, "clone", "-q", url+"/"+name+".git", ".")
	if out := git(t, clone, "log", "--all", "--format=%s", "--topo-order"); out != "update\nsecond\nupdate\n" {
		t.Errorf("history %q", out)
	}
	if out := git(t, clone, "ls-tree", "-r", "--name-only", "origin/main"); out != "a\na-dir/x/y\na-dir/z\na.b\n" {
		t.Errorf("files %q", out)
	}
	if out := git(t, clone, "tag", "-n"); !strings.Contains(out, "message") {
		t.Errorf("tags %q", out)
	}
}

func TestPushErrors(t *testing.T) {
	g, _ := newHub(t, GitHubOptions{})
	cases := map[string]func() error{
		"no repository": func() error { _, err := g.Push("a/b", "refs/heads/main", PushOptions{}, Commit{}); return err },
		"no branch":     func() error { _, err := g.Push(name, "main", PushOptions{}, Commit{}); return err },
		"nothing":       func() error { _, err := g.Push(name, "refs/heads/main", PushOptions{}); return err },
		"unknown from": func() error {
			_, err := g.Push(name, "refs/heads/main", PushOptions{From: "x"}, Commit{})
			return err
		},
		"twice":             func() error { _, err := g.Create(name); return err },
		"bad name":          func() error { _, err := g.Create("../x"); return err },
		"no tag":            func() error { _, err := g.Tag(name, "refs/tags/x", "refs/heads/none", ""); return err },
		"rename":            func() error { return g.Rename("a/b", "c/d") },
		"rename to nothing": func() error { return g.Rename(name, "x") },
		"remove":            func() error { return g.Remove("a/b") },
		"delete":            func() error { return g.Delete(name, "refs/heads/none") },
	}
	for what, f := range cases {
		if f() == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestEventsPages(t *testing.T) {
	g, url := newHub(t, GitHubOptions{PollInterval: 7 * time.Second, Quota: 100})
	g.Watch(320)
	for page, want := range map[string]int{"1": 100, "2": 100, "3": 100} {
		resp, body := get(t, url+"/events?per_page=100&page="+page, "")
		var events []map[string]any
		if err := json.Unmarshal([]byte(body), &events); err != nil || len(events) != want {
			t.Errorf("page %s has %d events, %v", page, len(events), err)
		}
		if linked := strings.Contains(resp.Header.Get("Link"), `rel="next"`); linked != (page != "3") || resp.Header.Get("X-Poll-Interval") != "7" {
			t.Errorf("page %s: headers %v", page, resp.Header)
		}
	}
	if resp, _ := get(t, url+"/events?page=4", ""); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("page 4: %s", resp.Status)
	}
	if _, body := get(t, url+"/events", ""); strings.Count(body, `"created_at"`) != 30 {
		t.Error("without per_page a page has not 30 events")
	}
}

func TestEventsAreConditionalAndLimited(t *testing.T) {
	g, url := newHub(t, GitHubOptions{Quota: 2})
	resp, _ := get(t, url+"/events", "")
	tag := resp.Header.Get("ETag")
	for range 3 {
		resp, body := get(t, url+"/events", tag)
		if resp.StatusCode != http.StatusNotModified || body != "" || resp.Header.Get("X-RateLimit-Remaining") != "1" {
			t.Errorf("%s %q %v", resp.Status, body, resp.Header)
		}
	}
	g.Watch(1)
	if resp, _ := get(t, url+"/events", tag); resp.StatusCode != http.StatusOK {
		t.Errorf("after a new event: %s", resp.Status)
	}
	if resp, _ := get(t, url+"/events", ""); resp.StatusCode != http.StatusForbidden || resp.Header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("without quota: %s", resp.Status)
	}
}

func TestPayloads(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		g, url := newHub(t, GitHubOptions{Legacy: legacy})
		for range 2 {
			if _, err := g.Push(name, "refs/heads/main", PushOptions{}, Commit{Files: map[string]string{"a": time.Now().String()}}); err != nil {
				t.Fatal(err)
			}
		}
		_, body := get(t, url+"/events", "")
		var events []struct {
			Type    string
			Payload map[string]any
		}
		if err := json.Unmarshal([]byte(body), &events); err != nil || len(events) != 3 || events[0].Type != "PushEvent" || events[1].Type != "CreateEvent" {
			t.Fatalf("%v: %s", err, body)
		}
		want := 5
		if legacy {
			want = 8
		}
		if len(events[0].Payload) != want || events[1].Payload["ref_type"] != "branch" {
			t.Errorf("payload %v", events[0].Payload)
		}
	}
}

func TestRepositoryByNumber(t *testing.T) {
	g, url := newHub(t, GitHubOptions{})
	if err := g.Rename(name, "user-2/new"); err != nil {
		t.Fatal(err)
	}
	if _, body := get(t, url+"/repositories/900000001", ""); !strings.Contains(body, `"full_name":"user-2/new"`) {
		t.Error(body)
	}
	if err := g.Remove("user-2/new"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/repositories/900000001", "/repositories/x", "/nothing", "/user-2/new.git/info/refs"} {
		if resp, _ := get(t, url+path, ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
}

func TestFaultEnds(t *testing.T) {
	g, url := newHub(t, GitHubOptions{})
	g.Fault("", &Fault{Kind: Status, Code: 429, RetryAfter: 1500 * time.Millisecond, Times: 2})
	for i, want := range []int{429, 429, 200} {
		resp, _ := get(t, url+"/events", "")
		if resp.StatusCode != want || want == 429 && resp.Header.Get("Retry-After") != "2" {
			t.Errorf("answer %d: %s", i, resp.Status)
		}
	}
	g.Fault("", &Fault{Kind: Empty})
	g.Fault("", nil)
	if _, body := get(t, url+"/events", ""); body == "" {
		t.Error("the fault is still there")
	}
}

func BenchmarkPush(b *testing.B) {
	g, err := NewGitHub(b.Context(), GitHubOptions{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := g.Create(name); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := g.Push(name, "refs/heads/main", PushOptions{}, Commit{Files: map[string]string{"src/f": time.Unix(int64(i), 0).String()}}); err != nil {
			b.Fatal(err)
		}
	}
}
