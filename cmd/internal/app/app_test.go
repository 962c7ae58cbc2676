package app

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patwatch/detectors"
	"patwatch/fixtures"
)

// patwatch runs the program and returns its exit code and what it printed.
func patwatch(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), args, Streams{In: strings.NewReader(in), Out: &stdout, Err: &stderr})
	return code, stdout.String(), stderr.String()
}

// minted returns a token of a built-in format.
func minted(t *testing.T, id string) string {
	t.Helper()
	f := formatFlags{only: []string{id}}
	formats, err := f.load()
	if err != nil {
		t.Fatal(err)
	}
	token, err := detectors.Mint(formats[0], rand.New(rand.NewPCG(3, 4)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scanned is what we read of a JSON report.
type scanned struct {
	Complete   bool
	Incomplete []string
	Findings   []struct {
		Format     struct{ ID string }
		Confidence string
		Token      string
		Places     []struct {
			Source, Commit, Path, URL string
			Line                      int
		}
	}
}

func scanJSON(t *testing.T, want int, args ...string) scanned {
	t.Helper()
	code, out, errs := patwatch(t, "", append([]string{"scan", "--format", "json"}, args...)...)
	if code != want {
		t.Fatalf("exit code %d, want %d: %s", code, want, errs)
	}
	var r scanned
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "clean", "a.txt"), "nothing")
	write(t, filepath.Join(dir, "leaky", "a.txt"), "x = "+minted(t, "github-ghp"))
	cases := []struct {
		args []string
		code int
		says string // on standard error
	}{
		{[]string{"scan", filepath.Join(dir, "clean")}, 0, ""},
		{[]string{"scan", filepath.Join(dir, "leaky")}, 1, ""},
		{[]string{"scan", filepath.Join(dir, "leaky", "a.txt")}, 1, ""},
		{[]string{"scan", "--exit-code", "7", filepath.Join(dir, "leaky")}, 7, ""},
		{[]string{"scan", "--exit-code", "0", filepath.Join(dir, "leaky")}, 0, ""},
		{[]string{"scan", filepath.Join(dir, "none")}, 2, "none"},
		{[]string{"scan", "--max-blob", "3", "--format", "json", filepath.Join(dir, "clean")}, 2, "incomplete"},
		{[]string{"scan", "--formt", "json"}, 2, `did you mean "--format"?`},
		{[]string{"scna"}, 2, `did you mean "scan"?`},
		{[]string{"scan", "--format", "xml", dir}, 2, "xml"},
		{[]string{"scan", "--only", "github-gph", dir}, 2, `did you mean "github-`},
		{[]string{"scan", "--exclude", "*", dir}, 2, "no format"},
		{[]string{"scan", "--staged", "--no-history", dir}, 2, "--staged"},
		{[]string{"scan", "--since", "main", filepath.Join(dir, "clean")}, 2, "not a git repository"},
		{[]string{"scan", "http://example.com/x"}, 2, "not allowed"},
		{[]string{"scan", "ext::sh -c touch% x"}, 2, ""},
		{[]string{"version"}, 0, ""},
		{[]string{"--help"}, 0, ""},
		{[]string{"formats", "list"}, 0, ""},
		{[]string{"formats", "show", "github-ghp"}, 0, ""},
		{[]string{"formats", "check", filepath.Join(dir, "none")}, 2, "none"},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.args[:min(3, len(c.args))], " "), func(t *testing.T) {
			code, _, errs := patwatch(t, "", c.args...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit code %d, want %d; says %q", code, c.code, errs)
			}
		})
	}
}

func TestNoTokenIsShownUnlessAsked(t *testing.T) {
	token := minted(t, "github-ghp")
	for _, format := range []string{"table", "json", "jsonl", "sarif", "gitleaks", "csv"} {
		code, out, errs := patwatch(t, "key: "+token+"\n", "scan", "--format", format, "-")
		if code != 1 || strings.Contains(out+errs, token[5:30]) {
			t.Errorf("%s: exit code %d, or the token is shown", format, code)
		}
		_, out, _ = patwatch(t, "key: "+token+"\n", "scan", "--show-secrets", "--format", format, "-")
		if format != "sarif" && !strings.Contains(out, token) {
			t.Errorf("%s: --show-secrets shows nothing", format)
		}
	}
}

func TestOutputFileIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "r.json")
	if code, _, errs := patwatch(t, "", "scan", "-o", out, "--format", "json", filepath.Join(dir, "none")); code != 2 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if code, _, errs := patwatch(t, "x", "scan", "-o", out, "--format", "json", "-"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if data, err := os.ReadFile(out); err != nil || !json.Valid(data) {
		t.Errorf("the report: %v", err)
	}
}

func TestScanRepository(t *testing.T) {
	dir := t.TempDir()
	tokens, err := demoTokens()
	if err != nil {
		t.Fatal(err)
	}
	truth, err := fixtures.Demo(t.Context(), dir, tokens)
	if err != nil {
		t.Fatal(err)
	}
	r := scanJSON(t, 1, dir)
	if !r.Complete || len(r.Findings) != len(tokens) {
		t.Fatalf("%d findings, complete %v: %v", len(r.Findings), r.Complete, r.Incomplete)
	}
	at := map[string]bool{}
	for _, f := range r.Findings {
		for _, p := range f.Places {
			at[f.Format.ID+" "+p.Commit+" "+p.Path] = true
		}
	}
	for _, in := range truth.Introductions {
		if !at[in.Token+" "+in.Commit+" "+in.Path] {
			t.Errorf("%s (%s) is not at %s %s", in.Token, in.Case, in.Commit, in.Path)
		}
	}
	if !at["pypi-token  .env"] {
		t.Errorf("the untracked file is not scanned: %v", at)
	}
	clone := scanJSON(t, 1, "file://"+filepath.ToSlash(dir))
	if len(clone.Findings) >= len(r.Findings) || len(clone.Findings) < 4 {
		t.Errorf("a clone has %d findings, the repository %d", len(clone.Findings), len(r.Findings))
	}
	selected := scanJSON(t, 1, "--range", "main~1..main", dir)
	if len(selected.Findings) != 2 {
		t.Errorf("the last merge brings %d tokens, not 2: %v", len(selected.Findings), selected.Findings)
	}
}

func TestScanStaged(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		if _, err := fixtures.Git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	old, fresh := minted(t, "github-ghp"), minted(t, "npm-access-token")
	git("init", "-q", ".")
	write(t, filepath.Join(dir, "a"), old+"\n")
	git("add", ".")
	git("commit", "-q", "-m", "x")
	write(t, filepath.Join(dir, "a"), old+"\nb\n"+fresh+"\n")
	if r := scanJSON(t, 0, "--staged", dir); len(r.Findings) != 0 {
		t.Errorf("nothing is staged, but %v", r.Findings)
	}
	git("add", ".")
	r := scanJSON(t, 1, "--staged", dir)
	if len(r.Findings) != 1 || r.Findings[0].Format.ID != "npm-access-token" || r.Findings[0].Places[0].Line != 3 {
		t.Errorf("staged: %+v", r.Findings)
	}
}

func TestInterruptedScanIsIncomplete(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := Run(ctx, []string{"scan", "--format", "json", dir}, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != 2 || !strings.Contains(out.String(), `"complete": false`) {
		t.Errorf("exit code %d: %s %s", code, out.String(), errs.String())
	}
}

func TestDemo(t *testing.T) {
	code, out, errs := patwatch(t, "", "demo")
	if code != 0 || !strings.Contains(out, "7 tokens in ") || !strings.Contains(out, "verified") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

// TestOwnTree scans this repository's files with every format: nothing of
// token shape stands in clear in it.
func TestOwnTree(t *testing.T) {
	r := scanJSON(t, 0, "--no-history", "../../..")
	for _, f := range r.Findings {
		t.Errorf("%s in %+v", f.Format.ID, f.Places)
	}
}

func TestFormatsCheck(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.toml")
	token := []byte("acmekey_" + "q7Zx2LmP9vTb4RkW8sYd3NfH6jCg5Ae1")
	v := detectors.VectorOf(token, true, "made up")
	write(t, good, "issuer = \"Acme\"\n[[format]]\nid = \"acme-key\"\nname = \"Acme key\"\nkind = \"api-key\"\ntier = \"shape\"\n"+
		"pattern = 'acmekey_[A-Za-z0-9]{32}'\nboundary = '[A-Za-z0-9_]'\nmin_entropy = 1.0\n[[format.vectors]]\nb64rev = \""+v.B64Rev+"\"\nvalid = true\n")
	code, out, errs := patwatch(t, "", "formats", "check", good)
	if code != 0 || !strings.Contains(out, "1 vectors, 0 failed") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	bad := filepath.Join(dir, "bad.toml")
	write(t, bad, "issuer = \"Acme\"\n[[format]]\nid = \"acme-key\"\nname = \"Acme key\"\nkind = \"api-key\"\ntier = \"shape\"\npattern = 'acmekey_[A-Za-z0-9]+'\n")
	if code, _, errs := patwatch(t, "", "formats", "check", bad); code != 2 || !strings.Contains(errs, "acme-key") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
