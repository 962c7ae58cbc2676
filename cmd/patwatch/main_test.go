package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"patwatch/detectors"
	"patwatch/fixtures"
)

// asMain makes the test binary the program itself.
const asMain = "PATWATCH_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program returns a command that runs patwatch in dir.
func program(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), asMain+"=1")
	return cmd
}

// run runs patwatch to its end.
func run(t testing.TB, dir, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	cmd := program(t, dir, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &stdout, &stderr
	return exit(t, cmd.Run()), stdout.String(), stderr.String()
}

func exit(t testing.TB, err error) int {
	t.Helper()
	var failed *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// minted returns a token of a built-in format.
func minted(t testing.TB, id string, seed uint64) string {
	t.Helper()
	formats, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		if f.ID == id {
			token, err := detectors.Mint(f, rand.New(rand.NewPCG(seed, 4)))
			if err != nil {
				t.Fatal(err)
			}
			return string(token)
		}
	}
	t.Fatal("no format", id)
	return ""
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := fixtures.Git(t.Context(), dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// workshop makes a folder with a clean and a leaky folder, an empty one, and
// repositories: empty, clean, leaky (a token in the second of two commits).
func workshop(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	leak := "password = " + minted(t, "github-ghp", 1) + "\n"
	write(t, filepath.Join(dir, "clean", "a.txt"), "nothing\n")
	write(t, filepath.Join(dir, "leaky", "a.txt"), leak)
	for _, name := range []string{"empty", "no-commits", "repo", "tidy"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	git(t, filepath.Join(dir, "no-commits"), "init", "-q", "-b", "main", ".")
	for name, text := range map[string]string{"repo": leak, "tidy": "nothing\n"} {
		at := filepath.Join(dir, name)
		git(t, at, "init", "-q", "-b", "main", ".")
		write(t, filepath.Join(at, "README"), "hello\n")
		git(t, at, "add", ".")
		git(t, at, "commit", "-q", "-m", "one")
		write(t, filepath.Join(at, "conf", "prod.env"), text)
		git(t, at, "add", ".")
		git(t, at, "commit", "-q", "-m", "two")
	}
	return dir
}

// TestContract holds the program to what scripts rely on: exit codes, and on
// which stream it says what.
func TestContract(t *testing.T) {
	dir := workshop(t)
	token := minted(t, "github-ghp", 1)
	for _, c := range []struct {
		name, args, in string
		code           int
		out, errs      string // what the streams must hold; "" is: nothing on it matters
	}{
		{"folder, clean", "scan clean", "", 0, "No tokens found. Read 1 file", ""},
		{"folder, empty", "scan empty", "", 0, "Read 0 files", ""},
		{"folder, leaky", "scan leaky", "", 1, "1 token in 1 place.", ""},
		{"file", "scan leaky/a.txt", "", 1, "a.txt:1", ""},
		{"stdin, clean", "scan -", "x\n", 0, "Read 1 file, 2 B", ""},
		{"stdin, leaky", "scan -", token, 1, "standard input:1", ""},
		{"repository, no commits", "scan no-commits", "", 0, "No tokens found", ""},
		{"repository, clean", "scan tidy", "", 0, "Read 2 blobs", ""},
		{"repository, leaky", "scan repo", "", 1, "still in HEAD", ""},
		{"range without it", "scan --range HEAD~1..HEAD~1 repo", "", 0, "No tokens", ""},
		{"range with it", "scan --range HEAD~1..HEAD repo", "", 1, "1 token", ""},
		{"range to HEAD", "scan --range HEAD~1.. repo", "", 1, "1 token", ""},
		{"since", "scan --since HEAD repo", "", 0, "No tokens", ""},
		{"branch", "scan --branch main repo", "", 1, "1 token", ""},
		{"staged, nothing", "scan --staged repo", "", 0, "No tokens", ""},
		{"staged, no commits", "scan --staged no-commits", "", 0, "No tokens", ""},
		{"files only", "scan --no-history repo", "", 1, "conf/prod.env:1", ""},
		{"clone", "scan file://" + filepath.ToSlash(dir) + "/repo", "", 1, "1 token", ""},
		{"other exit code", "scan --exit-code 42 leaky", "", 42, "1 token", ""},
		{"no exit code", "scan --exit-code 0 leaky", "", 0, "1 token", ""},
		{"other exit code, clean", "scan --exit-code 42 clean", "", 0, "", ""},
		{"not all read", "scan --max-blob 4 --format json leaky", "", 2, `"complete": false`, "incomplete: a.txt:"},
		{"not all read, table", "scan --max-blob 4 leaky", "", 2, "INCOMPLETE: 1 thing", ""},
		{"not all read, other exit code", "scan --exit-code 42 --max-blob 4 leaky", "", 2, "", ""},

		{"no such path", "scan nowhere", "", 2, "", "patwatch: nowhere: no such file or directory"},
		{"empty target", "scan ''", "", 2, "", "the target is empty"},
		{"two targets", "scan clean leaky", "", 2, "", "scan takes one target, not 2"},
		{"unknown command", "scann", "", 2, "", `did you mean "scan"?`},
		{"unknown subcommand", "formats lsit", "", 2, "", `did you mean "list"?`},
		{"unknown flag", "scan --stagd", "", 2, "", `did you mean "--staged"?`},
		{"unknown flag like none", "scan --zzzzzzzz", "", 2, "", "see patwatch scan --help"},
		{"unknown short flag", "scan -x", "", 2, "", "see patwatch scan --help"},
		{"unknown report", "scan --format jsn clean", "", 2, "", `unknown report format "jsn"; did you mean "json"?`},
		{"unknown report like none", "scan --format excel97 clean", "", 2, "", "one of table, json, jsonl, sarif, gitleaks, csv"},
		{"unknown format", "scan --only github-gph clean", "", 2, "", `did you mean "github-ghp"?`},
		{"unknown format, shown", "formats show github-gph", "", 2, "", `did you mean "github-ghp"?`},
		{"no format left", "scan --exclude * clean", "", 2, "", "leave no format"},
		{"bad pattern", "scan --only [ clean", "", 2, "", "is not a pattern"},
		{"bad size", "scan --max-blob lots clean", "", 2, "", "write a size as"},
		{"bad number", "scan --jobs many clean", "", 2, "", `invalid argument "many"`},
		{"bad exit code", "scan --exit-code 256 clean", "", 2, "", "between 0 and 255"},
		{"bad range", "scan --range main repo", "", 2, "", "write it as A..B"},
		{"unknown revision", "scan --range HEAD..nosuch repo", "", 2, "", `"nosuch"`},
		{"range of a folder", "scan --range A..B clean", "", 2, "", "not a git repository"},
		{"staged of a folder", "scan --staged clean", "", 2, "", "not a git repository"},
		{"staged and files", "scan --staged --no-history repo", "", 2, "", "--staged scans the index only"},
		{"since and range", "scan --since A --range A..B repo", "", 2, "", "exclude each other"},
		{"stdin and range", "scan --range A..B -", "", 2, "", "standard input has no commits"},
		{"http", "scan http://127.0.0.1:1/x", "", 2, "", `protocol "http" is not allowed`},
		{"git's ext", "scan ext::sh", "", 2, "", "ext::sh: no such file"},
		{"unknown host", "scan https://nowhere.invalid/x", "", 2, "", "cloning https://nowhere.invalid/x: "},
		{"no repository behind the URL", "scan file://" + filepath.ToSlash(dir) + "/nowhere", "", 2, "", "does not appear to be a git repository"},
		{"index of a URL", "scan --staged https://nowhere.invalid/x", "", 2, "", "a URL has no index"},
		{"report in no folder", "scan -o nowhere/r clean", "", 2, "", "creating the report nowhere/r: no such file or directory"},
		{"no formats file", "scan --formats nowhere clean", "", 2, "", "nowhere"},

		{"help", "--help", "", 0, "Usage:", ""},
		{"no arguments", "", "", 0, "Usage:", ""},
		{"help of scan", "scan --help", "", 0, "--staged", ""},
		{"version", "version", "", 0, "patwatch ", ""},
		{"formats list", "formats list", "", 0, "github-ghp", ""},
		{"formats list, other format", "formats list --format xml", "", 2, "", "xml"},
		{"formats show", "formats show github-ghp", "", 0, "checksum", ""},
		{"formats check", "formats check clean/a.txt", "", 2, "", "a.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && strings.Contains(c.errs, "no such file") {
				c.errs = ""
			}
			args := strings.Fields(c.args)
			for i, a := range args {
				args[i] = strings.Trim(a, "'")
			}
			code, out, errs := run(t, dir, c.in, args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\nout  %q\nerrs %q", code, c.code, out, errs)
			}
			if c.code == 2 && c.errs != "" && c.out == "" && out != "" {
				t.Errorf("a wrong call prints on standard output: %q", out)
			}
			if c.code != 2 && errs != "" && c.name != "clone" {
				t.Errorf("says on standard error: %q", errs)
			}
			if strings.Contains(out+errs, token[6:36]) {
				t.Error("shows the token")
			}
		})
	}
}

// summary is what scripts read first of a JSON report.
type summary struct {
	Complete   bool
	Incomplete []string
	Summary    struct{ Tokens, Places, Files int }
}

// TestInterruptedScanReports interrupts a scan that waits for input, and wants
// what was found, the reason, and exit code 2.
func TestInterruptedScanReports(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no signal that a parent can send")
	}
	cmd := program(t, t.TempDir(), "scan", "--format", "jsonl", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, minted(t, "github-ghp", 2)+"\n"); err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	var finding struct{ Type, Confidence string }
	if err := lines.Decode(&finding); err != nil || finding.Type != "finding" || finding.Confidence != "verified" {
		t.Fatalf("%+v, %v: a followed stream is not reported at once", finding, err)
	}
	sent := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var end summary
	if err := lines.Decode(&end); err != nil || end.Complete || len(end.Incomplete) != 1 || !strings.Contains(end.Incomplete[0], "interrupted") {
		t.Errorf("%+v, %v", end, err)
	}
	if end.Summary.Tokens != 1 {
		t.Errorf("%d tokens, want the one that was found", end.Summary.Tokens)
	}
	if code := exit(t, cmd.Wait()); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(sent); took > 5*time.Second { // 0.02 s, but machines are shared
		t.Errorf("took %s to end", took)
	}
}

// TestClosedPipe is "patwatch scan | head -1": no message, no file left behind.
func TestClosedPipe(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("pipes end otherwise there")
	}
	dir := workshop(t)
	tmp := t.TempDir()
	for _, format := range []string{"table", "json", "jsonl"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := program(t, dir, "scan", "--format", format, "file://"+dir+"/repo")
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &errs
		code := exit(t, cmd.Run())
		w.Close()
		if code != 2 || errs.Len() > 0 {
			t.Errorf("%s: exit code %d, says %q", format, code, errs.String())
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	dir := workshop(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, format := range []string{"table", "json", "jsonl", "sarif", "gitleaks", "csv"} {
		cmd := program(t, dir, "scan", "--format", format, "leaky")
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &errs
		if code := exit(t, cmd.Run()); code != 2 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, says %q", format, code, errs.String())
		}
	}
	code, _, errs := run(t, dir, "", "scan", "-o", "/dev/full", "leaky")
	if code != 2 || !strings.Contains(errs, "no space left") {
		t.Errorf("-o: exit code %d, says %q", code, errs)
	}
}

// TestPreCommitHook lets git run the scan as its hook, for the two ways in
// which git names the index to it.
func TestPreCommitHook(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the hook is a shell script")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, hooks := t.TempDir(), t.TempDir()
	git(t, dir, "init", "-q", "-b", "main", ".")
	write(t, filepath.Join(dir, "sub", "a.txt"), "one\n")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "one")
	write(t, filepath.Join(hooks, "pre-commit"), "#!/bin/sh\n"+asMain+"=1 exec '"+self+"' scan --staged\n")
	if err := os.Chmod(filepath.Join(hooks, "pre-commit"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "core.hooksPath=" + hooks,
			"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-m", "x"}, args...)...)
		cmd.Dir = filepath.Join(dir, "sub")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	write(t, filepath.Join(dir, "sub", "a.txt"), "two\n")
	if out, err := commit("-a"); err != nil {
		t.Fatalf("a clean commit is refused: %s", out)
	}
	write(t, filepath.Join(dir, "sub", "a.txt"), minted(t, "github-ghp", 3)+"\n")
	for _, args := range [][]string{{"-a"}, {"--only", "a.txt"}} {
		out, err := commit(args...)
		if err == nil || !strings.Contains(out, "sub/a.txt:1") || !strings.Contains(out, "staged, not committed yet") {
			t.Errorf("commit %v: %v: %s", args, err, out)
		}
	}
	if n := git(t, dir, "rev-list", "--count", "HEAD"); n != "2" {
		t.Errorf("%s commits, want 2", n)
	}
}
