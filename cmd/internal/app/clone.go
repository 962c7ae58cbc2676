package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// isURL says whether a scan target names a repository elsewhere: a URL, or
// git's short form for ssh (user@host:path).
func isURL(target string) bool {
	if strings.Contains(target, "://") {
		return true
	}
	host, path, found := strings.Cut(target, ":")
	return found && path != "" && strings.Contains(host, "@") && !strings.ContainsAny(host, `/\`)
}

// checkURL refuses what must not be cloned: other protocols than https, ssh
// and file, and what git would read as an option.
func checkURL(target string) error {
	if strings.HasPrefix(target, "-") {
		return fmt.Errorf("%q is not a URL", target)
	}
	if !strings.Contains(target, "://") {
		return nil // the short form is ssh
	}
	u, err := url.Parse(target)
	if err != nil {
		return errors.New("the URL cannot be parsed")
	}
	switch u.Scheme {
	case "https", "ssh", "file":
		return nil
	}
	return fmt.Errorf("protocol %q is not allowed: use https, ssh or file", u.Scheme)
}

// withoutPassword returns the URL as it may be shown.
func withoutPassword(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.User == nil {
		return target
	}
	u.User = url.User(u.User.Username())
	if u.Scheme != "ssh" {
		u.User = nil
	}
	return u.String()
}

// clone makes a bare clone of the repository at target in a new temporary
// folder and returns its path and a func that removes it. progress gets git's
// own progress lines; nil for none.
//
// The stranger's repository is only received: nothing is checked out, no hook,
// filter or submodule runs, no configuration but git's defaults is read, and a
// redirect is an error.
func clone(ctx context.Context, target string, progress io.Writer) (dir string, remove func(), err error) {
	if err := checkURL(target); err != nil {
		return "", nil, err
	}
	tmp, err := os.MkdirTemp("", "patwatch-clone-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(tmp) }
	dir = filepath.Join(tmp, "clone.git")
	cmd := exec.CommandContext(ctx, "git", cloneArgs(target, dir, progress != nil)...)
	cmd.Env = cloneEnv(os.Environ())
	var said bytes.Buffer
	cmd.Stderr = &said
	if progress != nil {
		cmd.Stderr = io.MultiWriter(&said, progress)
	}
	if err := cmd.Run(); err != nil {
		remove()
		return "", nil, cloneError(ctx, target, said.String(), err)
	}
	return dir, remove, nil
}

func cloneArgs(target, dir string, progress bool) []string {
	args := []string{
		"-c", "core.hooksPath=" + os.DevNull,
		"-c", "core.fsmonitor=false",
		"-c", "http.followRedirects=false",
		"-c", "fetch.fsckObjects=false", // a repository with odd objects is scanned all the same
		"clone", "--bare", "--template=", "--no-local",
	}
	if progress {
		args = append(args, "--progress")
	} else {
		args = append(args, "--quiet")
	}
	return append(args, "--", target, dir)
}

// cloneEnv drops everything from the environment that would configure git, but
// keeps what reaches the network and the user's ssh agent.
func cloneEnv(environ []string) []string {
	var env []string
	for _, e := range environ {
		if !strings.HasPrefix(strings.ToUpper(e), "GIT_") || strings.HasPrefix(e, "GIT_SSH") {
			env = append(env, e)
		}
	}
	return append(env,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_ATTR_NOSYSTEM=1",
		"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=https:ssh:file", "GIT_NO_REPLACE_OBJECTS=1")
}

// cloneError words what git said, in one sentence and without a password.
func cloneError(ctx context.Context, target, said string, err error) error {
	shown := withoutPassword(target)
	if ctx.Err() != nil {
		return fmt.Errorf("cloning %s: interrupted", shown)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("cloning %s: git is not installed or not in PATH", shown)
	}
	last := ""
	for line := range strings.Lines(said) {
		if _, text, ok := strings.Cut(line, "fatal: "); ok {
			last = strings.TrimSpace(text)
		}
	}
	if last == "" {
		return fmt.Errorf("cloning %s: %w", shown, err)
	}
	return fmt.Errorf("cloning %s: %s", shown, strings.ReplaceAll(last, target, shown))
}
