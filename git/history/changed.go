package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"patwatch/git/pack"
)

// ChangedFiles returns the regular files of the work tree that differ from the
// index, or are neither in it nor ignored, as sorted paths with slashes relative
// to WorkTree. A file counts as different when its size or times do, or its
// contents, when it was written no earlier than the index or the index is one
// whose times are not read: of SHA-256 repositories, sparse, split. Ignored is
// what .gitignore files and info/exclude say; a user's own excludes file is not
// read. Symbolic links are neither followed nor listed; other repositories
// within this one are not looked into: the second result names those that are no
// submodules, and whatever could not be read. A bare repository has no files.
func (r *Repository) ChangedFiles(ctx context.Context) ([]string, []Problem, error) {
	if r.workTree == "" {
		return nil, nil, nil
	}
	root, err := os.OpenRoot(r.workTree)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	w := &changeWalker{r: r, ctx: ctx, root: root, tracked: map[string]*indexEntry{}}
	x, err := r.readIndex(ctx)
	if err != nil {
		w.problem("index", fmt.Errorf("%w: all files count as changed", err))
		x = &indexFile{}
	}
	w.index = x
	for i := range x.entries {
		w.tracked[x.entries[i].path] = &x.entries[i]
	}
	w.ignore(filepath.Join(r.common, "info", "exclude"), "", readSmall)
	if err := w.directory(""); err != nil {
		return nil, w.problems, err
	}
	slices.Sort(w.changed)
	return w.changed, w.problems, nil
}

// A changeWalker is one call of ChangedFiles.
type changeWalker struct {
	r        *Repository
	ctx      context.Context
	root     *os.Root
	index    *indexFile
	tracked  map[string]*indexEntry
	patterns []ignorePattern
	inside   int // directories that are ignored, from the one being read upwards
	changed  []string
	problems []Problem
}

func (w *changeWalker) problem(object string, err error) {
	if len(w.problems) < maxProblems {
		w.problems = append(w.problems, Problem{object, err})
	}
}

// directory looks at what is in dir, "" for the root.
func (w *changeWalker) directory(dir string) error {
	if err := w.ctx.Err(); err != nil {
		return context.Cause(w.ctx)
	}
	entries, err := w.list(dir)
	if err != nil {
		w.problem(dir, err)
		return nil
	}
	names := func(e fs.DirEntry) bool { return e.Name() == ".git" }
	if dir != "" && slices.ContainsFunc(entries, names) {
		if !w.index.modules[dir] {
			w.problem(dir, errors.New("is a repository of its own and was not looked into"))
		}
		return nil
	}
	before := len(w.patterns)
	w.ignore(path.Join(dir, ".gitignore"), dir, w.readInside)
	for _, e := range entries {
		if dir == "" && e.Name() == ".git" {
			continue
		}
		if err := w.entry(path.Join(dir, e.Name()), e); err != nil {
			return err
		}
	}
	w.patterns = w.patterns[:before]
	return nil
}

func (w *changeWalker) list(dir string) ([]fs.DirEntry, error) {
	f, err := w.root.Open(filepath.FromSlash(cmp.Or(dir, ".")))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ReadDir(-1)
}

func (w *changeWalker) entry(p string, e fs.DirEntry) error {
	switch {
	case e.IsDir():
		ignored := w.inside > 0 || ignored(w.patterns, p, true)
		if ignored && !w.holdsTracked(p) {
			return nil
		}
		if ignored {
			w.inside++
			defer func() { w.inside-- }()
		}
		return w.directory(p)
	case !e.Type().IsRegular():
		return nil
	}
	if t := w.tracked[p]; t != nil {
		if w.differs(t, e) {
			w.changed = append(w.changed, p)
		}
		return nil
	}
	if w.inside == 0 && !ignored(w.patterns, p, false) {
		w.changed = append(w.changed, p)
	}
	return nil
}

// holdsTracked says whether the index has files below a directory.
func (w *changeWalker) holdsTracked(dir string) bool {
	prefix := dir + "/"
	entries := w.index.entries // git keeps them sorted; if this one is not, only ignored directories suffer
	i, _ := slices.BinarySearchFunc(entries, prefix, func(e indexEntry, p string) int { return strings.Compare(e.path, p) })
	return i < len(entries) && strings.HasPrefix(entries[i].path, prefix)
}

// differs says whether a file is not what the index knows.
func (w *changeWalker) differs(t *indexEntry, e fs.DirEntry) bool {
	if t.link || t.stage != 0 || t.planned {
		return true
	}
	st, err := e.Info()
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	if w.index.stats {
		if uint32(st.Size()) != t.size || !sameTime(st.ModTime(), t.written) {
			return true
		}
		if c := changeTime(st); !c.IsZero() && !t.changed.IsZero() && !sameTime(c, t.changed) {
			return true
		}
		if st.ModTime().Before(w.index.modified) {
			return false
		}
	}
	return !w.sameContents(t, st.Size())
}

// sameTime compares times as far as both have fractions of a second.
func sameTime(a, b time.Time) bool {
	if a.Nanosecond() == 0 || b.Nanosecond() == 0 {
		return a.Unix() == b.Unix()
	}
	return a.Equal(b)
}

// sameContents compares a file with the blob of its entry.
func (w *changeWalker) sameContents(t *indexEntry, size int64) bool {
	f, err := w.root.Open(filepath.FromSlash(t.path))
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, newCheckedReader(f, t.id, pack.Blob, size))
	return err == nil
}

// readInside reads a file of the work tree.
func (w *changeWalker) readInside(name string, limit int64) ([]byte, error) {
	name = filepath.FromSlash(name)
	st, err := w.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > limit {
		return nil, fmt.Errorf("is no regular file of at most %d bytes", limit)
	}
	return w.root.ReadFile(name)
}

// ignore adds the patterns of a file, which hold for what is below dir.
func (w *changeWalker) ignore(file, dir string, read func(string, int64) ([]byte, error)) {
	b, err := read(file, maxIgnoreFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.problem(file, fmt.Errorf("what it ignores is not ignored: %w", err))
	}
	if dir != "" {
		dir += "/"
	}
	list := parseIgnore(b, dir)
	if len(w.patterns)+len(list) > maxPatterns {
		w.problem(file, errors.New("there are too many patterns: what it ignores is not ignored"))
		return
	}
	w.patterns = append(w.patterns, list...)
}
