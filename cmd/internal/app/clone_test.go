package app

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patwatch/fixtures"
)

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		target  string
		url     bool
		refused string // why checkURL refuses it; "" when it does not
		shown   string // "" when as it is
	}{
		{"https://github.com/redis/redis", true, "", ""},
		{"https://user:word@github.com/a/b", true, "", "https://github.com/a/b"},
		{"https://word@github.com/a/b", true, "", "https://github.com/a/b"},
		{"ssh://git@github.com/a/b", true, "", ""},
		{"ssh://git:word@github.com/a/b", true, "", "ssh://git@github.com/a/b"},
		{"git@github.com:a/b.git", true, "", ""},
		{"file:///srv/git/a", true, "", ""},
		{"http://github.com/a/b", true, `protocol "http"`, ""},
		{"git://github.com/a/b", true, `protocol "git"`, ""},
		{"ext::sh -c touch% x", false, "", ""},
		{"ext://x", true, `protocol "ext"`, ""},
		{"HTTPS://github.com/a", true, "", ""},
		{"https://exa mple/%zz", true, "cannot be parsed", ""},
		{"--upload-pack=touch x://y", true, "is not a URL", ""},
		{"./user@host:path", false, "", ""},
		{`C:\user@host`, false, "", ""},
		{"C:/src/shop", false, "", ""},
		{"src/shop", false, "", ""},
		{"a:b", false, "", ""},
		{"user@host:", false, "", ""},
		{"", false, "", ""},
	} {
		if got := isURL(c.target); got != c.url {
			t.Errorf("isURL(%q) = %v", c.target, got)
		}
		if c.url {
			err := checkURL(c.target)
			if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("checkURL(%q): %v, want %q", c.target, err, c.refused)
			}
		}
		if c.shown == "" {
			c.shown = c.target
		}
		if got := withoutPassword(c.target); got != c.shown {
			t.Errorf("withoutPassword(%q) = %q, want %q", c.target, got, c.shown)
		}
	}
}

// FuzzTargets wants of every target that what is shown of it has no password,
// and that what may be cloned is of a protocol that may be.
func FuzzTargets(f *testing.F) {
	for _, s := range []string{"https://a:b@c/d", "git@host:path", "ssh://u:p@h", "-x://", "file:///", "ext::sh", "https://u:p%40@h/#f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		shown := withoutPassword(target)
		if u, err := url.Parse(target); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				again, err := url.Parse(shown)
				if err != nil {
					return // shown as it could be, and not a URL any more
				}
				if _, has := again.User.Password(); has {
					t.Errorf("%q is shown as %q", target, shown)
				}
			}
		}
		if !isURL(target) || checkURL(target) != nil {
			return
		}
		if strings.HasPrefix(target, "-") {
			t.Errorf("git takes %q for an option", target)
		}
		scheme, _, full := strings.Cut(target, "://")
		if full && !slices.Contains([]string{"https", "ssh", "file"}, strings.ToLower(scheme)) {
			t.Errorf("%q may be cloned", target)
		}
	})
}

func TestCloneEnvironment(t *testing.T) {
	env := cloneEnv([]string{"PATH=/bin", "GIT_DIR=/x", "git_config_count=1", "GIT_SSH_COMMAND=ssh -i key", "GIT_CONFIG_GLOBAL=/evil", "HTTPS_PROXY=p"})
	for _, want := range []string{"PATH=/bin", "GIT_SSH_COMMAND=ssh -i key", "HTTPS_PROXY=p", "GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:ssh:file", "GIT_CONFIG_GLOBAL=" + os.DevNull} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, e := range env {
		if strings.HasPrefix(e, "GIT_DIR") || strings.HasPrefix(e, "git_") || strings.Contains(e, "evil") {
			t.Errorf("passes on %s", e)
		}
	}
}

func TestLastWords(t *testing.T) {
	for _, c := range []struct{ name, said, want string }{
		{"nothing", "", ""},
		{"one", "Cloning into 'x'...\nfatal: unable to access 'u': no\n", "unable to access 'u': no"},
		{"the last", "fatal: first\nfatal: second\n", "second"},
		{"ssh", "Cloning into bare repository 'x'...\nssh: Could not resolve hostname h\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n", "ssh: Could not resolve hostname h"},
		{"no such repository", "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.\n", "'/x' does not appear to be a git repository"},
		{"only words", "error: oh\n", "error: oh"},
		{"no line end", "fatal: cut off", "cut off"},
	} {
		if got := lastWords(c.said); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCloneErrors(t *testing.T) {
	const secret = "https://user:word@host/a"
	cause := errors.New("exit status 128")
	err := cloneError(t.Context(), secret, "fatal: repository '"+secret+"' not found\n", cause)
	if err == nil || strings.Contains(err.Error(), "word") || !strings.Contains(err.Error(), "'https://host/a' not found") {
		t.Errorf("error %v", err)
	}
	if err := cloneError(t.Context(), "file:///x", "", cause); !errors.Is(err, cause) {
		t.Errorf("git said nothing: %v", err)
	}
	if err := cloneError(t.Context(), "file:///x", "", exec.ErrNotFound); !strings.Contains(err.Error(), "not installed") {
		t.Errorf("no git: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := cloneError(ctx, "file:///x", "fatal: x", cause); !strings.HasSuffix(err.Error(), "interrupted") {
		t.Errorf("interrupted: %v", err)
	}
}

// TestTheNetwork lets git clone, as clone does, from a server that has other
// plans. Only the server's certificate is not checked.
func TestTheNetwork(t *testing.T) {
	asked := map[string]int{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		switch {
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, strings.Replace(r.URL.String(), "moved", "elsewhere", 1), http.StatusMovedPermanently)
		case strings.HasPrefix(r.URL.Path, "/private"):
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for path, says := range map[string]string{
		"/gone":    "not found",
		"/moved":   "the server redirects elsewhere",
		"/private": "the repository is private, or there is none",
	} {
		target := server.URL + path
		args := append([]string{"-c", "http.sslVerify=false"}, cloneArgs(target, filepath.Join(t.TempDir(), "x"), false)...)
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = append(cloneEnv(os.Environ()), "LC_ALL=C")
		var said bytes.Buffer
		cmd.Stderr = &said
		err := cmd.Run()
		if err == nil {
			t.Fatalf("%s: cloned", path)
		}
		err = cloneError(t.Context(), target, said.String(), err)
		if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line that says %q", path, err, says)
		}
	}
	if asked["/elsewhere/info/refs"] > 0 {
		t.Error("a redirect is followed")
	}
	if _, _, err := clone(t.Context(), server.URL+"/gone", nil); err == nil || asked["/gone/info/refs"] != 1 {
		t.Errorf("a server without a proper certificate is trusted: %v", err)
	}
}

func TestCloneTakesTheHistoryOnly(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q", "-b", "main", "."}, {"commit", "-q", "--allow-empty", "-m", "x"}} {
		if _, err := fixtures.Git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	var progress bytes.Buffer
	clone1, remove, err := clone(t.Context(), "file://"+filepath.ToSlash(dir), &progress)
	if err != nil {
		t.Fatal(err)
	}
	if hooks, _ := filepath.Glob(filepath.Join(clone1, "hooks", "*")); len(hooks) > 0 {
		t.Errorf("the clone has hooks: %v", hooks)
	}
	if alternates, _ := os.ReadFile(filepath.Join(clone1, "objects", "info", "alternates")); len(alternates) > 0 {
		t.Errorf("the clone borrows objects: %s", alternates)
	}
	if !strings.Contains(progress.String(), "Cloning") {
		t.Errorf("no progress: %q", progress.String())
	}
	remove()
	if _, err := os.Stat(filepath.Dir(clone1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the clone stays: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := clone(ctx, "file://"+filepath.ToSlash(dir), nil); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("interrupted: %v", err)
	}
}

func TestServersCannotCommandTheTerminal(t *testing.T) {
	var out bytes.Buffer
	in := "remote: \x1b[2J\x1b]0;x\a 10%\r\xff\u202e done\n"
	if n, err := (tame{&out}).Write([]byte(in)); n != len(in) || err != nil {
		t.Errorf("%d of %d bytes, %v", n, len(in), err)
	}
	if got := out.String(); strings.ContainsAny(got, "\x1b\a\u202e") || !strings.Contains(got, "\r") || !strings.HasSuffix(got, "done\n") {
		t.Errorf("wrote %q", got)
	}
	broken := errors.New("broken")
	if _, err := (tame{failing{broken}}).Write([]byte("x")); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
