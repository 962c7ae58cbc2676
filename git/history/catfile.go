package history

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"patwatch/git/pack"
)

var (
	errMissing  = errors.New("the object is not in this repository")
	errGitReply = errors.New("git cat-file gave an answer that is not understood")
)

// scratchDir returns a git directory of our own whose only content is the
// object format. Commands run in it with the objects of the repository, so that
// they see neither its configuration nor its hooks, refs and remotes: nothing
// can be executed or fetched.
func (r *Repository) scratchDir() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scratch != "" {
		return r.scratch, nil
	}
	dir, err := os.MkdirTemp("", "patwatch-git-")
	if err != nil {
		return "", err
	}
	r.scratch = dir
	config := "[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
	if r.idSize == 32 {
		config += "[extensions]\n\tobjectformat = sha256\n"
	}
	return dir, errors.Join(
		os.Mkdir(filepath.Join(dir, "objects"), 0o700),
		os.Mkdir(filepath.Join(dir, "refs"), 0o700),
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600),
	)
}

// gitEnv is the whole environment of a git command. What is not said here is
// either taken from the scratch directory or not there.
func (r *Repository) gitEnv(scratch string) []string {
	env := []string{
		"GIT_DIR=" + scratch,
		"GIT_OBJECT_DIRECTORY=" + filepath.Join(r.common, "objects"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
		"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_PAGER=cat", "LC_ALL=C", "HOME=" + scratch,
	}
	for _, k := range []string{"PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// gitCommand prepares a git command that sees only this repository's objects.
// It is killed when ctx is done.
func (r *Repository) gitCommand(ctx context.Context, args ...string) (*exec.Cmd, error) {
	scratch, err := r.scratchDir()
	if err != nil {
		return nil, fmt.Errorf("preparing git: %w", err)
	}
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "protocol.allow=never", "-c", "core.hooksPath=" + os.DevNull}, args...)...)
	cmd.Env, cmd.Dir = r.gitEnv(scratch), scratch
	return cmd, nil
}

// A catFile asks one "git cat-file --batch" for objects, one after the other.
// It is for one goroutine; only Close may be called from others, repeatedly.
type catFile struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	in     io.WriteCloser
	out    *bufio.Reader
	idSize int
	left   int64 // bytes of the current object that were not read, with the newline after it
	err    error // the process can no longer be used
	close  sync.Once
}

// catFile starts git. The caller must call Close.
func (r *Repository) catFile(ctx context.Context, args ...string) (*catFile, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := r.gitCommand(ctx, append([]string{"cat-file"}, args...)...)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &catFile{cmd: cmd, cancel: cancel, idSize: r.idSize}
	out, err := cmd.StdoutPipe()
	if err == nil {
		c.in, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("starting git cat-file: %w", err)
	}
	c.out = bufio.NewReaderSize(out, 64<<10)
	return c, nil
}

// Close kills the process and waits for its end.
func (c *catFile) Close() error {
	c.close.Do(func() {
		c.cancel()
		c.in.Close()
		c.cmd.Wait() // killed on purpose: how it ended says nothing
	})
	return nil
}

// next asks for an object and reads the header of the answer; the contents are
// then read with Read, as far as the caller likes. errMissing means that git
// does not have it; after any other error the process is of no more use.
func (c *catFile) next(id pack.ID) (pack.Kind, int64, error) {
	if c.err == nil {
		c.err = c.drain()
	}
	if c.err == nil {
		_, c.err = io.WriteString(c.in, id.String()+"\n")
	}
	if c.err != nil {
		return 0, 0, fmt.Errorf("git cat-file: %w", c.err)
	}
	line, err := c.out.ReadSlice('\n')
	if err != nil {
		c.err = err
		return 0, 0, fmt.Errorf("git cat-file ended: %w", err)
	}
	got, kind, size, err := parseBatchHeader(line, c.idSize)
	if err == nil && got != id {
		err = errGitReply
	}
	if err != nil {
		if !errors.Is(err, errMissing) {
			c.err = err
		}
		return 0, 0, err
	}
	c.left = size + 1
	return kind, size, nil
}

// Read reads the contents of the current object.
func (c *catFile) Read(p []byte) (int, error) {
	if c.left <= 1 {
		return 0, io.EOF
	}
	n, err := c.out.Read(p[:min(int64(len(p)), c.left-1)])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.err = err
	}
	return n, err
}

// drain skips what is left of the current object.
func (c *catFile) drain() error {
	_, err := io.CopyN(io.Discard, c.out, c.left)
	c.left = 0
	return err
}

// parseBatchHeader reads "ID TYPE SIZE\n" or "ID missing\n".
func parseBatchHeader(line []byte, idSize int) (id pack.ID, kind pack.Kind, size int64, err error) {
	f := bytes.Fields(line)
	if len(f) == 2 && string(f[1]) == "missing" {
		return id, 0, 0, errMissing
	}
	if len(f) != 3 || len(f[0]) != 2*idSize {
		return id, 0, 0, errGitReply
	}
	id, err = pack.ParseID(string(f[0]))
	kind = kindOf(string(f[1]))
	size, bad := strconv.ParseInt(string(f[2]), 10, 64)
	if err != nil || bad != nil || kind == 0 || size < 0 {
		return pack.ID{}, 0, 0, errGitReply
	}
	return id, kind, size, nil
}

// gitObjects calls visit for every object that git finds in the object store
// and its alternates, each once.
func (r *Repository) gitObjects(ctx context.Context, visit func(pack.ID, pack.Kind, int64)) error {
	c, err := r.catFile(ctx, "--batch-all-objects", "--batch-check", "--unordered")
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		line, err := c.out.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("git cat-file: %w", err)
		}
		id, kind, size, err := parseBatchHeader(line, r.idSize)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return err
		}
		visit(id, kind, size)
	}
}
