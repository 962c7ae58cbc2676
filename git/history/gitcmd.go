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
	"strings"

	"patwatch/git/pack"
)

var (
	errMissing  = errors.New("the object is not in this repository")
	errGitReply = errors.New("git cat-file gave an answer that is not understood")
)

// newScratch makes a git directory of our own, whose only content is the object
// format and further lines of configuration. Commands run in it with the
// objects of the repository, so that they see neither its configuration nor its
// hooks, refs and remotes: nothing can be executed or fetched.
func (r *Repository) newScratch(extensions string) (string, error) {
	dir, err := os.MkdirTemp("", "patwatch-git-")
	if err != nil {
		return "", err
	}
	if r.idSize == 32 {
		extensions += "\tobjectformat = sha256\n"
	}
	return dir, errors.Join(
		os.Mkdir(filepath.Join(dir, "objects"), 0o700),
		os.Mkdir(filepath.Join(dir, "refs"), 0o700),
		os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/none\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "config"),
			[]byte("[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n"+extensions), 0o600),
	)
}

// scratchDir returns the scratch directory of most commands, which Close
// removes.
func (r *Repository) scratchDir() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scratch != "" {
		return r.scratch, nil
	}
	var err error
	r.scratch, err = r.newScratch("")
	return r.scratch, err
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

// A gitCommand is a git command that sees only this repository's objects.
type gitCommand struct {
	scratch string // "": that of the repository
	env     []string
	stdin   io.Reader
	args    []string
}

// git runs a command and gives read what it prints. The command is killed when
// ctx is done, or when read returns an error.
func (r *Repository) git(ctx context.Context, c gitCommand, read func(*bufio.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.scratch == "" {
		var err error
		if c.scratch, err = r.scratchDir(); err != nil {
			return fmt.Errorf("preparing git: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "protocol.allow=never", "-c", "core.hooksPath=" + os.DevNull}, c.args...)...)
	cmd.Env, cmd.Dir, cmd.Stdin = append(r.gitEnv(c.scratch), c.env...), c.scratch, c.stdin
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("starting git %s: %w", c.args[0], err)
	}
	err = read(bufio.NewReaderSize(out, 64<<10))
	if err != nil {
		cancel()
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if err != nil {
		return fmt.Errorf("git %s: %w", c.args[0], err)
	}
	return nil
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
func (r *Repository) gitObjects(ctx context.Context, visit func(pack.ID, pack.Kind)) error {
	c := gitCommand{args: []string{"cat-file", "--batch-all-objects", "--batch-check", "--unordered"}}
	return r.git(ctx, c, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadSlice('\n')
			if err == io.EOF && len(line) == 0 {
				return nil
			}
			if err != nil {
				return err
			}
			id, kind, _, err := parseBatchHeader(line, r.idSize)
			if err == nil {
				visit(id, kind)
			} else if !errors.Is(err, errMissing) {
				return err
			}
		}
	})
}

// A gitRead is objects that are read through git.
type gitRead struct {
	ids   []pack.ID
	visit func(*checkedReader) error // need not read to the end; an error ends everything
	fail  func(pack.ID, error)
}

// maxRestarts bounds how often git is started again after an object at which
// it gave up.
const maxRestarts = 100

// gitRead reads objects in their order, each of which is given either to visit
// or to fail.
func (r *Repository) gitRead(ctx context.Context, g gitRead) error {
	for starts := 0; len(g.ids) > 0; starts++ {
		var ended error // by visit or ctx
		done := 0
		err := r.git(ctx, g.command(), func(out *bufio.Reader) error {
			for done < len(g.ids) && ended == nil {
				if err := g.answer(out, g.ids[done], r.idSize, &ended); err != nil {
					return err
				}
				done++
			}
			return ended
		})
		if ended == nil {
			ended = context.Cause(ctx)
		}
		if ended != nil || done == len(g.ids) {
			return ended
		}
		g.fail(g.ids[done], err)
		g.ids = g.ids[done+1:]
		if starts == maxRestarts {
			for _, id := range g.ids {
				g.fail(id, err)
			}
			return nil
		}
	}
	return nil
}

func (g *gitRead) command() gitCommand {
	var names strings.Builder
	for _, id := range g.ids {
		names.WriteString(id.String() + "\n")
	}
	return gitCommand{stdin: strings.NewReader(names.String()), args: []string{"cat-file", "--batch", "--buffer"}}
}

// answer takes the answer for one object. An error says that git is of no more
// use, ended what visit returned.
func (g *gitRead) answer(out *bufio.Reader, id pack.ID, idSize int, ended *error) error {
	line, err := out.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("it ended early: %w", err)
	}
	got, kind, size, err := parseBatchHeader(line, idSize)
	if errors.Is(err, errMissing) {
		g.fail(id, err)
		return nil
	}
	if err != nil || got != id {
		return errGitReply
	}
	body := &io.LimitedReader{R: out, N: size}
	if *ended = g.visit(newCheckedReader(body, id, kind, size)); *ended != nil {
		return nil
	}
	_, err = io.CopyN(io.Discard, out, body.N+1) // what visit left, and a newline
	return err
}
