package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A location is where the parts of a repository are.
type location struct{ gitDir, common, workTree string }

// locate finds the git directory that path stands for.
func locate(path string) (location, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return location{}, err
	}
	st, err := os.Stat(abs)
	if err != nil {
		return location{}, err
	}
	if !st.IsDir() {
		if filepath.Base(abs) != ".git" {
			return location{}, ErrNotRepository
		}
		abs = filepath.Dir(abs)
	}
	if gitDir, err := dotGit(abs); err != nil || gitDir != "" {
		return finish(gitDir, abs, err)
	}
	if !isGitDir(abs) {
		return location{}, ErrNotRepository
	}
	return finish(abs, owner(abs), nil)
}

// owner returns the work tree that a git directory belongs to, "" when its
// place does not tell.
func owner(gitDir string) string {
	if filepath.Base(gitDir) == ".git" {
		return filepath.Dir(gitDir)
	}
	b, err := readSmall(filepath.Join(gitDir, "gitdir"), maxPathFile) // of a linked work tree
	if err != nil {
		return ""
	}
	p := strings.TrimRight(string(b), "\r\n")
	if filepath.Base(p) != ".git" || !filepath.IsAbs(p) {
		return ""
	}
	return filepath.Dir(p)
}

func finish(gitDir, workTree string, err error) (location, error) {
	if err != nil {
		return location{}, err
	}
	common, err := commonDir(gitDir)
	if err != nil {
		return location{}, err
	}
	if !isDir(filepath.Join(common, "objects")) {
		return location{}, fmt.Errorf("%w: %s has no objects directory", ErrNotRepository, common)
	}
	return location{gitDir, common, workTree}, nil
}

// dotGit returns the git directory that dir/.git is or points to, "" when there
// is no such entry.
func dotGit(dir string) (string, error) {
	p := filepath.Join(dir, ".git")
	st, err := os.Stat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case st.IsDir():
		if !isGitDir(p) {
			return "", fmt.Errorf("%w: %s has no HEAD or no objects", ErrNotRepository, p)
		}
		return p, nil
	}
	real, err := filepath.EvalSymlinks(p) // the file that says where may be a link, as in git
	if err != nil {
		return "", err
	}
	b, err := readSmall(real, maxPathFile)
	if err != nil {
		return "", err
	}
	target, err := parseGitFile(b)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrNotRepository, p, err)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(dir, target)
	}
	if _, err := os.Lstat(filepath.Join(target, "HEAD")); err != nil {
		return "", fmt.Errorf("%w: %s points to a directory that is none", ErrNotRepository, p)
	}
	return target, nil
}

// maxPathFile bounds files that hold one path.
const maxPathFile = 64 << 10

var errGitFile = errors.New("does not start with gitdir: and a path")

// parseGitFile returns the path that a .git file holds.
func parseGitFile(b []byte) (string, error) {
	rest, ok := bytes.CutPrefix(b, []byte("gitdir: "))
	if !ok {
		return "", errGitFile
	}
	return onePath(rest, errGitFile)
}

// onePath returns the path that b is, without the end of its line.
func onePath(b []byte, bad error) (string, error) {
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 || bytes.ContainsAny(b, "\x00\r\n") {
		return "", bad
	}
	return filepath.FromSlash(string(b)), nil
}

var errCommonDir = errors.New("the commondir file holds no path")

// commonDir returns what gitDir shares with other work trees: itself unless it
// has a commondir file.
func commonDir(gitDir string) (string, error) {
	b, err := readSmall(filepath.Join(gitDir, "commondir"), maxPathFile)
	if errors.Is(err, fs.ErrNotExist) {
		return gitDir, nil
	}
	if err != nil {
		return "", err
	}
	p, err := onePath(b, errCommonDir)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(p) {
		p = filepath.Join(gitDir, p)
	}
	return p, nil
}

// isGitDir says whether dir looks like a git directory, as git itself judges.
func isGitDir(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "HEAD")); err != nil {
		return false
	}
	if _, err := os.Lstat(filepath.Join(dir, "commondir")); err == nil {
		return true
	}
	return isDir(filepath.Join(dir, "objects")) && isDir(filepath.Join(dir, "refs"))
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
