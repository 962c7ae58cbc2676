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
	"unicode"
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
		if strings.HasPrefix(target[len(u.Scheme):], "://") { // scheme:: is git's way to run a helper
			return nil
		}
		return errors.New("the URL cannot be parsed")
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
		cmd.Stderr = io.MultiWriter(&said, tame{progress})
	}
	if err := cmd.Run(); err != nil {
		remove()
		return "", nil, cloneError(ctx, target, said.String(), err)
	}
	return dir, remove, nil
}

// A tame passes on text from a server without what a terminal would obey, but
// for line ends.
type tame struct{ w io.Writer }

func (t tame) Write(p []byte) (int, error) {
	safe := bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, p)
	if _, err := t.w.Write(safe); err != nil {
		return 0, err
	}
	return len(p), nil
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
	why := lastWords(said)
	if why == "" {
		return fmt.Errorf("cloning %s: %w", shown, err)
	}
	return fmt.Errorf("cloning %s: %s", shown, plainly(strings.ReplaceAll(why, target, shown)))
}

// plainly says what the answers of servers mean that git words for those who
// know the protocol.
func plainly(why string) string {
	switch {
	case strings.Contains(why, "returned error: 30"):
		return "the server redirects elsewhere, which is not followed: give the address it redirects to"
	case strings.HasPrefix(why, "could not read Username"):
		return "the server asks who you are: the repository is private, or there is none of that name"
	}
	return why
}

// lastWords is the sentence of git's output that says why it failed: the last
// fatal error but the one that only says that there was another before, or what
// ssh said last.
func lastWords(said string) string {
	fatal, other := "", ""
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		text, isFatal := strings.CutPrefix(line, "fatal: ")
		switch {
		case strings.HasPrefix(text, "Could not read from remote repository"):
			if fatal == "" {
				return other
			}
		case isFatal:
			fatal = text
		case line != "" && !strings.HasPrefix(line, "Cloning into "):
			other = line
		}
	}
	if fatal == "" {
		return other
	}
	return fatal
}
