package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

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
	out      *reportFile

	tally    scanner.Tally
	found    []leak.Candidate // not in the report yet
	findings int              // in the report
	remote   string           // URL of the remote that permalinks are for
	revision string           // the commit checked out
}

// emit takes a candidate from a source. A report that streams has it at once,
// unless it is one of many places that come together.
func (j *scanJob) emit(c leak.Candidate) error {
	j.complete(&c.Place)
	j.found = append(j.found, c)
	if c.Place.Commit == "" && report.Streams(j.flags.format) {
		return j.flush()
	}
	return nil
}

// complete completes a place: its permalink, and the name of the repository as
// the user gave it. Tokens in what people wrote are masked.
func (j *scanJob) complete(p *leak.Place) {
	if p.Repository != "" {
		p.Repository = withoutPassword(j.target)
	}
	if !j.flags.showSecrets {
		for _, text := range []*string{&p.Path, &p.Author, &p.Email, &p.Subject, &p.Branch} {
			*text = j.scanner.Mask(*text)
		}
	}
	if p.Commit != "" && j.remote != "" && p.Source == leak.History {
		p.URL = leak.Permalink(j.remote, p.Commit, p.Path, p.Line, p.EndLine)
	}
}

// flush gives the report what was found since the last time.
func (j *scanJob) flush() error {
	for _, f := range report.Group(j.found) {
		if err := j.out.writer.Finding(f); err != nil {
			return err
		}
		j.findings++
	}
	j.found = j.found[:0]
	return nil
}

// scan reads the target. An error means that nothing could be read at all, or
// that the report could not be written.
func (j *scanJob) scan(ctx context.Context) error {
	switch {
	case j.target == "":
		return errors.New("the target is empty: name a repository, folder, file or URL")
	case j.target == "-":
		return j.add(j.scanner.Stream(ctx, "", interruptible(ctx, j.streams.In), j.emit))
	case isURL(j.target):
		return j.url(ctx)
	}
	path := j.target
	if j.implied {
		path = enclosing(path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s: %w", path, bare(err))
	}
	repo, err := history.Open(path)
	switch {
	case err == nil:
		defer repo.Close()
		return j.repository(ctx, repo)
	case !errors.Is(err, history.ErrNotRepository):
		return err
	case j.flags.needsRepository():
		return fmt.Errorf("%s is not a git repository, so nothing is committed or staged there", path)
	}
	return j.add(j.scanner.Files(ctx, path, j.emit))
}

// interruptible returns a reader of r that ends when ctx does, even while r
// waits for input.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	return out
}

// bare is the reason of an error about a file, without the operation and the
// name.
func bare(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
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
	if len(repo.Refs()) == 0 { // git takes a web page for a repository without commits
		j.tally.Incomplete = append(j.tally.Incomplete, withoutPassword(j.target)+
			": the server shows no branches and no tags; the repository is empty, or there is none at this address")
	}
	return j.repository(ctx, repo)
}

// repository scans what the flags ask for of a repository.
func (j *scanJob) repository(ctx context.Context, repo *history.Repository) error {
	j.remote, j.revision = preferredRemote(repo.Remotes()), head(repo.Refs())
	if j.flags.staged {
		if index := os.Getenv("GIT_INDEX_FILE"); index != "" && j.implied {
			repo.UseIndex(index) // what git commit says to its hooks
		}
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
	if report.Streams(j.flags.format) {
		if err := j.flush(); err != nil {
			return err
		}
	}
	if j.flags.selects() {
		return nil
	}
	return j.add(j.scanner.WorkTree(ctx, repo, j.emit))
}

// head is the commit checked out, "" when there is none.
func head(refs []history.Ref) string {
	for _, r := range refs {
		if r.Name == "HEAD" {
			return r.ID.String()
		}
	}
	return ""
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

// run scans and writes the report.
func (j *scanJob) run(ctx context.Context, formats int) error {
	started := time.Now()
	stop := j.watch(started)
	err := j.scan(ctx)
	stop()
	if err == nil {
		err = j.flush()
	}
	if err != nil {
		return errors.Join(err, j.out.abandon())
	}
	if !j.flags.showSecrets {
		for i, s := range j.tally.Incomplete {
			j.tally.Incomplete[i] = j.scanner.Mask(s)
		}
	}
	err = j.out.close(report.Summary{
		Complete: len(j.tally.Incomplete) == 0, Incomplete: j.tally.Incomplete,
		Sources: []string{withoutPassword(j.target)}, Remote: j.remote, Revision: j.revision,
		Commits: j.tally.Commits, Blobs: j.tally.Blobs, Files: j.tally.Files, Packs: j.tally.Packs, Bytes: j.tally.Bytes,
		Formats: formats, Elapsed: time.Since(started), Version: version(),
	})
	if err != nil {
		return err
	}
	return j.verdict()
}

// verdict is the exit code: something unread counts before something found.
func (j *scanJob) verdict() error {
	switch {
	case len(j.tally.Incomplete) > 0:
		j.sayIncomplete()
		return exitCode(exitError)
	case j.findings > 0 && j.flags.exitCode != exitClean:
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

// clean makes text from a repository or a server fit for a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
