package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"patwatch/git/history"
	"patwatch/leak"
	"patwatch/report"
	"patwatch/scanner"
)

// A scanJob is one run of the scan command.
type scanJob struct {
	streams  Streams
	flags    scanFlags
	target   string
	implied  bool // no target was given: the repository of the current folder
	scanner  *scanner.Scanner
	progress *scanner.Progress

	tally  scanner.Tally
	found  []leak.Candidate
	remote string // URL of the remote that permalinks are for
}

func (j *scanJob) emit(c leak.Candidate) error {
	j.found = append(j.found, c)
	return nil
}

// scan reads the target. An error means that nothing could be read at all.
func (j *scanJob) scan(ctx context.Context) error {
	switch {
	case j.target == "-":
		return j.add(j.scanner.Stream(ctx, "-", j.streams.In, j.emit))
	case isURL(j.target):
		return j.url(ctx)
	}
	path := j.target
	if j.implied {
		path = enclosing(path)
	}
	repo, err := history.Open(path)
	switch {
	case err == nil:
		defer repo.Close()
		return j.repository(ctx, repo)
	case !errors.Is(err, history.ErrNotRepository):
		return err
	case j.flags.needsRepository():
		return fmt.Errorf("%s is not a git repository, so it has no commits to choose from", path)
	}
	if _, err := os.Stat(path); err != nil {
		return err
	}
	return j.add(j.scanner.Files(ctx, path, j.emit))
}

func (j *scanJob) add(t scanner.Tally, err error) error {
	j.tally.Add(t)
	return err
}

// enclosing returns the nearest folder from path upwards that holds a .git, or
// path itself when there is none.
func enclosing(path string) string {
	at, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for dir := at; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			if dir == at {
				return path
			}
			return dir
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}

// url clones the target and scans the clone.
func (j *scanJob) url(ctx context.Context) error {
	if j.flags.staged || j.flags.noHistory {
		return errors.New("a URL has no index and no files: leave out --staged and --no-history")
	}
	var progress io.Writer
	if f, ok := j.streams.Err.(*os.File); ok && terminalOf(f).Live {
		progress = f
	}
	dir, remove, err := clone(ctx, j.target, progress)
	if err != nil {
		return err
	}
	defer remove()
	repo, err := history.Open(dir)
	if err != nil {
		return err
	}
	defer repo.Close()
	return j.repository(ctx, repo)
}

// repository scans what the flags ask for of a repository.
func (j *scanJob) repository(ctx context.Context, repo *history.Repository) error {
	j.remote = preferredRemote(repo.Remotes())
	if j.flags.staged {
		return j.add(j.scanner.Staged(ctx, repo, j.emit))
	}
	if j.flags.noHistory {
		if repo.WorkTree() == "" {
			return errors.New("a bare repository has no files: leave out --no-history")
		}
		return j.add(j.scanner.Files(ctx, repo.WorkTree(), j.emit))
	}
	sel, err := j.flags.selection()
	if err != nil {
		return err
	}
	if err := j.add(j.scanner.History(ctx, repo, sel, j.emit)); err != nil {
		return err
	}
	if j.flags.selects() {
		return nil
	}
	return j.add(j.scanner.WorkTree(ctx, repo, j.emit))
}

// preferredRemote picks the remote that people mean: origin, or the only one.
func preferredRemote(remotes []history.Remote) string {
	for _, r := range remotes {
		if len(r.URLs) > 0 && (r.Name == "origin" || len(remotes) == 1) {
			return r.URLs[0]
		}
	}
	return ""
}

// places completes the places of what was found: permalinks, and the name of
// the repository as the user gave it.
func (j *scanJob) places() {
	for i := range j.found {
		p := &j.found[i].Place
		if p.Repository != "" {
			p.Repository = withoutPassword(j.target)
		}
		if p.Commit != "" && j.remote != "" && p.Source == leak.History {
			p.URL = leak.Permalink(j.remote, p.Commit, p.Path, p.Line, p.EndLine)
		}
	}
}

// run scans and writes the report.
func (j *scanJob) run(ctx context.Context, out *reportFile, formats int) error {
	started := time.Now()
	stop := j.watch(started)
	err := j.scan(ctx)
	stop()
	if err != nil {
		return errors.Join(err, out.abandon())
	}
	j.places()
	findings := report.Group(j.found)
	for _, f := range findings {
		if err := out.writer.Finding(f); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
	}
	err = out.close(report.Summary{
		Complete: len(j.tally.Incomplete) == 0, Incomplete: j.tally.Incomplete,
		Sources: []string{withoutPassword(j.target)}, Remote: j.remote,
		Commits: j.tally.Commits, Blobs: j.tally.Blobs, Files: j.tally.Files, Bytes: j.tally.Bytes,
		Formats: formats, Elapsed: time.Since(started), Version: version(),
	})
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return j.verdict(len(findings))
}

// verdict is the exit code: something unread counts before something found.
func (j *scanJob) verdict(found int) error {
	switch {
	case len(j.tally.Incomplete) > 0:
		j.sayIncomplete()
		return exitCode(exitError)
	case found > 0 && j.flags.exitCode != exitClean:
		return exitCode(j.flags.exitCode)
	}
	return nil
}

// maxSaid is how many reasons are printed; the report has them all.
const maxSaid = 10

// sayIncomplete prints why the scan is incomplete, unless the report on the
// screen says so already.
func (j *scanJob) sayIncomplete() {
	if j.flags.format == "table" && j.flags.output == "" {
		return
	}
	for i, s := range j.tally.Incomplete {
		if i == maxSaid {
			fmt.Fprintf(j.streams.Err, "patwatch: and %d more\n", len(j.tally.Incomplete)-maxSaid)
			break
		}
		fmt.Fprintln(j.streams.Err, "patwatch: incomplete:", clean(s))
	}
}

// clean makes text from a repository fit for a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
