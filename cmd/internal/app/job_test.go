package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patwatch/detectors"
	"patwatch/fixtures"
	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
	"patwatch/report"
	"patwatch/scanner"
)

func TestEnclosing(t *testing.T) {
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(filepath.Join(deep, "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := enclosing(deep); got != deep {
		t.Errorf("without a repository: %s", got)
	}
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := enclosing(deep); got != dir {
		t.Errorf("below a repository: %s, want %s", got, dir)
	}
	if got := enclosing(dir); got != dir {
		t.Errorf("at a repository: %s", got)
	}
	write(t, filepath.Join(deep, ".git"), "gitdir: elsewhere\n")
	if got := enclosing(filepath.Join(deep, "c")); got != deep {
		t.Errorf("below a linked work tree: %s, want %s", got, deep)
	}
}

// TestScanHere runs without a target in a folder of a repository.
func TestScanHere(t *testing.T) {
	dir := t.TempDir()
	if _, err := fixtures.Git(t.Context(), dir, "init", "-q", "."); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "top.txt"), minted(t, "github-ghp"))
	write(t, filepath.Join(dir, "sub", "x.txt"), "x")
	t.Chdir(filepath.Join(dir, "sub"))
	r := scanJSON(t, 1)
	if len(r.Findings) != 1 || r.Findings[0].Places[0].Path != "top.txt" || r.Findings[0].Places[0].Source != "worktree" {
		t.Errorf("%+v", r)
	}
	if r := scanJSON(t, 0, "."); len(r.Findings) != 0 {
		t.Errorf("a folder that was named is left: %+v", r)
	}
}

func TestPreferredRemote(t *testing.T) {
	a, b, origin := history.Remote{Name: "a", URLs: []string{"A"}}, history.Remote{Name: "b", URLs: []string{"B", "B2"}}, history.Remote{Name: "origin", URLs: []string{"O"}}
	for _, c := range []struct {
		remotes []history.Remote
		want    string
	}{
		{nil, ""}, {[]history.Remote{b}, "B"}, {[]history.Remote{a, b}, ""}, {[]history.Remote{a, origin}, "O"},
		{[]history.Remote{{Name: "origin"}}, ""}, {[]history.Remote{{Name: "origin"}, a}, ""},
	} {
		if got := preferredRemote(c.remotes); got != c.want {
			t.Errorf("of %v: %q, want %q", c.remotes, got, c.want)
		}
	}
}

func TestHead(t *testing.T) {
	id, err := pack.ParseID(strings.Repeat("ab", 20))
	if err != nil {
		t.Fatal(err)
	}
	if got := head([]history.Ref{{Name: "refs/heads/x"}, {Name: "HEAD", ID: id}}); got != id.String() {
		t.Errorf("got %s", got)
	}
	if got := head(nil); got != "" {
		t.Errorf("of an empty repository: %s", got)
	}
}

func TestInterruptibleEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	defer out.Close()
	r := interruptible(ctx, in)
	if _, err := io.WriteString(out, "x"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := r.Read(buf); n != 1 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	cancel() // nothing more is written, so only this can end the next read
	if _, err := r.Read(buf); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestInterruptiblePassesOnEverything(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	got, err := io.ReadAll(interruptible(t.Context(), strings.NewReader(text)))
	if err != nil || string(got) != text {
		t.Errorf("%d of %d bytes, %v", len(got), len(text), err)
	}
	broken := errors.New("broken")
	if _, err := io.ReadAll(interruptible(t.Context(), io.MultiReader(strings.NewReader("x"), reader{broken}))); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type reader struct{ err error }

func (r reader) Read([]byte) (int, error) { return 0, r.err }

func TestBareErrors(t *testing.T) {
	_, err := os.Open(filepath.Join(t.TempDir(), "none"))
	if got := bare(err); errors.Is(got, os.ErrNotExist) != true || strings.Contains(got.Error(), "none") {
		t.Errorf("got %v", got)
	}
	other := errors.New("x")
	if got := bare(other); got != other {
		t.Errorf("got %v", got)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain — ü 文": "plain — ü 文", "\x1b[2J": "\uFFFD[2J", "a\nb": "a\uFFFDb", "\u202e": "\uFFFD", "\x9b": "\uFFFD", "\u009b": "\uFFFD",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// recorder is a report that keeps what it is given.
type recorder struct {
	findings []report.Finding
	fail     error
}

func (r *recorder) Finding(f report.Finding) error {
	r.findings = append(r.findings, f)
	return r.fail
}
func (r *recorder) Close(report.Summary) error { return nil }

func newJob(t *testing.T, format string, w report.Writer) *scanJob {
	t.Helper()
	var f formatFlags
	m, err := f.compile(false)
	if err != nil {
		t.Fatal(err)
	}
	return &scanJob{target: "https://user:word@host/shop", flags: scanFlags{format: format}, out: &reportFile{writer: w},
		scanner: scanner.New(m, scanner.Options{}), remote: "https://github.com/contoso/shop", progress: &scanner.Progress{}}
}

func candidate(t *testing.T, commit, path string) leak.Candidate {
	t.Helper()
	return leak.Candidate{Confidence: leak.Likely, Secret: secretOf(t, minted(t, "github-ghp")),
		Place: leak.Place{Repository: "x", Source: leak.History, Commit: commit, Path: path, Line: 3, EndLine: 3}}
}

// secretOf makes a Secret as the scanner does: by scanning.
func secretOf(t *testing.T, token string) (secret leak.Secret) {
	t.Helper()
	var f formatFlags
	m, err := f.compile(false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = scanner.New(m, scanner.Options{}).Stream(t.Context(), "", strings.NewReader(token), func(c leak.Candidate) error {
		secret = c.Secret
		return nil
	})
	if err != nil || secret.Len() == 0 {
		t.Fatalf("no secret, %v", err)
	}
	return secret
}

func TestOnlyStreamingReportsHaveFindsAtOnce(t *testing.T) {
	for _, c := range []struct {
		format, commit string
		want           int // findings in the report before flush
	}{
		{"jsonl", "", 1}, {"jsonl", "abc", 0}, {"json", "", 0}, {"table", "abc", 0},
	} {
		w := &recorder{}
		j := newJob(t, c.format, w)
		if err := j.emit(candidate(t, c.commit, "a")); err != nil || len(w.findings) != c.want {
			t.Errorf("%s, commit %q: %d findings, %v", c.format, c.commit, len(w.findings), err)
		}
		if err := j.flush(); err != nil || len(w.findings) != 1 || j.findings != 1 {
			t.Errorf("%s: %d findings after flush, %v", c.format, len(w.findings), err)
		}
		if err := j.flush(); err != nil || len(w.findings) != 1 {
			t.Errorf("%s: flushed twice", c.format)
		}
	}
	broken := errors.New("broken")
	if err := newJob(t, "jsonl", &recorder{fail: broken}).emit(candidate(t, "", "a")); !errors.Is(err, broken) {
		t.Errorf("a report that cannot be written: %v", err)
	}
}

func TestPlacesAreCompleted(t *testing.T) {
	j := newJob(t, "json", &recorder{})
	token := minted(t, "github-ghp")
	p := leak.Place{Repository: "/tmp/x", Source: leak.History, Commit: "abc", Path: "k/" + token + ".txt", Line: 3, EndLine: 3,
		Author: token, Email: token, Subject: "revoke " + token, Branch: "fix-" + token}
	shown := p
	j.complete(&p)
	if all := p.Path + p.Author + p.Email + p.Subject + p.Branch + p.URL; strings.Contains(all, token[5:30]) {
		t.Error("a token is left in the place")
	}
	if p.Repository != "https://host/shop" || !strings.HasPrefix(p.URL, "https://github.com/contoso/shop/blob/abc/k/ghp_") {
		t.Errorf("repository %q, URL %q", p.Repository, p.URL)
	}
	j.flags.showSecrets = true
	j.complete(&shown)
	if !strings.Contains(shown.Path, token) || !strings.Contains(shown.URL, token) {
		t.Errorf("--show-secrets masks %q, %q", shown.Path, shown.URL)
	}
	for _, p := range []leak.Place{{Source: leak.File, Path: "a"}, {Source: leak.Unreachable, Commit: "abc", Path: "a"}} {
		if j.complete(&p); p.URL != "" || p.Repository != "" {
			t.Errorf("%s has %q, %q", p.Source, p.URL, p.Repository)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		incomplete []string
		findings   int
		exit, want int
	}{
		{nil, 0, 1, 0}, {nil, 3, 1, 1}, {nil, 3, 42, 42}, {nil, 3, 0, 0}, {[]string{"x"}, 0, 1, 2}, {[]string{"x"}, 3, 42, 2},
	} {
		j := &scanJob{findings: c.findings, tally: scanner.Tally{Incomplete: c.incomplete}, flags: scanFlags{exitCode: c.exit}, streams: Streams{Err: io.Discard}}
		var code exitCode
		if err := j.verdict(); errors.As(err, &code) != (c.want != 0) || int(code) != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestReasonsAreSaidOnce(t *testing.T) {
	var errs bytes.Buffer
	j := &scanJob{flags: scanFlags{format: "json"}, streams: Streams{Err: &errs}}
	for range 14 {
		j.tally.Incomplete = append(j.tally.Incomplete, "a\x1b[2J: gone")
	}
	j.sayIncomplete()
	if n := strings.Count(errs.String(), "\n"); n != maxSaid+1 || !strings.Contains(errs.String(), "and 4 more") || strings.Contains(errs.String(), "\x1b") {
		t.Errorf("says %q", errs.String())
	}
	errs.Reset()
	j.flags.format = "table"
	if j.sayIncomplete(); errs.Len() > 0 {
		t.Errorf("says again what the table has: %q", errs.String())
	}
	j.flags.output = "r.txt"
	if j.sayIncomplete(); errs.Len() == 0 {
		t.Error("says nothing though the table is in a file")
	}
}

func TestStatus(t *testing.T) {
	var p scanner.Progress
	p.Done.Store(3)
	p.Bytes.Store(4)
	p.Found.Store(5)
	if s := status(&p); s.Done != 3 || s.Bytes != 4 || s.Found != 5 || s.Things != "files" || s.Tracing {
		t.Errorf("%+v", s)
	}
	p.Total.Store(9)
	p.Tracing.Store(true)
	if s := status(&p); s.Total != 9 || s.Things != "objects" || !s.Tracing {
		t.Errorf("%+v", s)
	}
}

// TestJSONLinesOfEverySource reads the stream of a repository with all kinds of
// places: its lines are those of the JSON report, in another order.
func TestJSONLinesOfEverySource(t *testing.T) {
	dir := t.TempDir()
	tokens, err := demoTokens()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fixtures.Demo(t.Context(), dir, tokens); err != nil {
		t.Fatal(err)
	}
	places := 0
	for _, f := range scanJSON(t, 1, dir).Findings {
		places += len(f.Places)
	}
	code, out, errs := patwatch(t, "", "scan", "--format", "jsonl", dir)
	if code != 1 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	got := 0
	for _, l := range lines[:len(lines)-1] {
		var f struct {
			Type   string
			Places []struct{ Standing, Branch string }
		}
		if err := json.Unmarshal([]byte(l), &f); err != nil || f.Type != "finding" {
			t.Fatalf("%s: %v", l, err)
		}
		got += len(f.Places)
	}
	var end struct {
		Type    string
		Summary struct{ Tokens, Places, Packs int }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Type != "summary" {
		t.Fatal(err)
	}
	if got != places || end.Summary.Places != places || end.Summary.Tokens != len(tokens) || end.Summary.Packs < 1 {
		t.Errorf("%d places, want %d; summary %+v", got, places, end.Summary)
	}
}

// TestAnEmptyCloneIsNotClean scans a clone without refs, which is what git makes
// of a web page.
func TestAnEmptyCloneIsNotClean(t *testing.T) {
	dir := t.TempDir()
	if _, err := fixtures.Git(t.Context(), dir, "init", "-q", "--bare", "."); err != nil {
		t.Fatal(err)
	}
	r := scanJSON(t, 2, "file://"+filepath.ToSlash(dir))
	if r.Complete || len(r.Incomplete) != 1 || !strings.Contains(r.Incomplete[0], "no branches and no tags") {
		t.Errorf("%+v", r)
	}
}

func TestDemoStandings(t *testing.T) {
	_, out, _ := patwatch(t, "", "demo")
	for _, want := range []string{"still in HEAD", "no longer there", "still in the stash", "on no branch", "not committed yet", "by Mara Lind", "repository of 11 commits"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo has no %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "Fixture") {
		t.Errorf("the demo is not by people:\n%s", out)
	}
}

func TestDemoKeeps(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	code, out, errs := patwatch(t, "", "demo", "--keep")
	_, rest, ok := strings.Cut(out, "The repository stays in ")
	dir, _, _ := strings.Cut(rest, "\n")
	if code != 0 || !ok {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	defer os.RemoveAll(filepath.Dir(dir))
	if r := scanJSON(t, 1, dir); len(r.Findings) != fixtures.DemoTokens {
		t.Errorf("%d tokens in what was kept", len(r.Findings))
	}
}

// TestDemoFormatsExist keeps the demo's list in step with the formats.
func TestDemoFormatsExist(t *testing.T) {
	all, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, f := range all {
		known[f.ID] = true
	}
	for _, id := range demoFormats {
		if !known[id] {
			t.Errorf("no format %s", id)
		}
	}
}
