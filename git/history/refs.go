package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"patwatch/git/pack"
)

// A Ref is a name for an object. Names come from the repository: they are not
// checked beyond holding no control characters.
type Ref struct {
	Name string // "refs/heads/main", "HEAD"
	ID   pack.ID
}

const (
	maxPackedRefs = 1 << 30 // bytes
	maxRefFile    = 64 << 10
	maxRefDepth   = 64      // directories below refs
	maxLooseRefs  = 4 << 20 // files
	maxRefName    = 4096    // bytes
	maxSymref     = 5       // symbolic refs in a row, as in git

	maxRefProblems = 100 // sentences about single refs
)

// Refs returns all refs, HEAD, and the HEADs of linked work trees (named
// "worktrees/NAME/HEAD"), by name. A ref to an annotated tag names the tag. The
// slice is the caller's.
func (r *Repository) Refs() []Ref { return slices.Clone(r.refs) }

// refLoader collects refs. Symbolic ones are looked up among those collected;
// their target is never used as a path.
type refLoader struct {
	idSize   int
	ids      map[string]pack.ID
	symbolic map[string]string
	files    int
	problems []Problem
}

func (r *Repository) loadRefs() {
	l := &refLoader{idSize: r.idSize, ids: map[string]pack.ID{}, symbolic: map[string]string{}}
	read := l.directory
	if r.config.reftable {
		read = l.reftables
	} else {
		l.packed(filepath.Join(r.common, "packed-refs"))
	}
	read(r.common, "")
	for _, name := range l.worktrees(r.common) {
		read(filepath.Join(r.common, "worktrees", name), "worktrees/"+name+"/")
	}
	r.refs = l.resolve()
	r.problems = append(r.problems, l.problems...)
	if r.gitDir != r.common {
		r.ownHead("worktrees/" + filepath.Base(r.gitDir) + "/HEAD")
	}
}

// ownHead makes HEAD that of this work tree.
func (r *Repository) ownHead(name string) {
	r.refs = slices.DeleteFunc(r.refs, func(f Ref) bool { return f.Name == "HEAD" })
	if id, ok := r.ref(name); ok {
		r.refs = append(r.refs, Ref{"HEAD", id})
		slices.SortFunc(r.refs, byName)
	}
}

// directory reads HEAD and the ref files of a git directory; prefix goes before
// their names.
func (l *refLoader) directory(dir, prefix string) {
	l.file(filepath.Join(dir, "HEAD"), prefix+"HEAD")
	l.tree(dir, "refs", prefix)
}

func (l *refLoader) problem(object string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	switch n := len(l.problems); {
	case n < maxRefProblems:
		l.problems = append(l.problems, Problem{object, err})
	case n == maxRefProblems:
		l.problems = append(l.problems, Problem{"refs", errors.New("more of them could not be read")})
	}
}

func (l *refLoader) packed(file string) {
	b, err := readSmall(file, maxPackedRefs)
	if err != nil {
		l.problem(file, err)
		return
	}
	bad := parsePackedRefs(b, l.idSize, func(name string, id pack.ID) { l.ids[name] = id })
	if bad > 0 {
		l.problem(file, fmt.Errorf("%d lines are not understood", bad))
	}
}

// parsePackedRefs calls add for each line "ID NAME" and returns the number of
// lines that are neither that, nor comments, nor peeled tags.
func parsePackedRefs(b []byte, idSize int, add func(name string, id pack.ID)) (bad int) {
	for line := range bytes.Lines(b) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) == 0 || line[0] == '#' || line[0] == '^' {
			continue
		}
		hex, name, ok := bytes.Cut(line, []byte(" "))
		id, err := pack.ParseID(string(hex))
		if !ok || err != nil || len(hex) != 2*idSize || !plainName(string(name)) {
			bad++
			continue
		}
		add(string(name), id)
	}
	return bad
}

var errControl = errors.New("some have names with control characters and are not read")

// plainName says whether a ref's name can be carried on: not empty, not
// endless, without control characters.
func plainName(name string) bool {
	return name != "" && len(name) <= maxRefName && !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// tree reads the ref files below dir/name, a directory; prefix goes before
// their names.
func (l *refLoader) tree(dir, name, prefix string) {
	if strings.Count(name, "/") > maxRefDepth {
		l.problem(prefix+name, errors.New("is nested too deeply"))
		return
	}
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		l.problem(prefix+name, err)
		return
	}
	for _, e := range entries {
		sub := path.Join(name, e.Name())
		switch {
		case e.IsDir():
			l.tree(dir, sub, prefix)
		case strings.HasSuffix(sub, ".lock"):
		default:
			l.file(filepath.Join(dir, filepath.FromSlash(sub)), prefix+sub)
		}
	}
}

// file reads a ref from a file of its own.
func (l *refLoader) file(file, name string) {
	if !plainName(name) {
		l.problem("refs", errControl)
		return
	}
	if l.files++; l.files > maxLooseRefs {
		l.problem("refs", errors.New("are too many: not all are read"))
		return
	}
	b, err := readSmall(file, maxRefFile)
	if err != nil {
		l.problem(name, err)
		return
	}
	b = bytes.TrimSpace(b)
	if target, ok := bytes.CutPrefix(b, []byte("ref:")); ok {
		delete(l.ids, name)
		l.symbolic[name] = string(bytes.TrimSpace(target))
		return
	}
	id, err := pack.ParseID(string(b))
	if err != nil || len(b) != 2*l.idSize {
		l.problem(name, errors.New("the ref holds no object name"))
		return
	}
	delete(l.symbolic, name)
	l.ids[name] = id
}

// worktrees lists the linked work trees.
func (l *refLoader) worktrees(common string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(common, "worktrees"))
	if err != nil {
		l.problem("worktrees", err)
	}
	for _, e := range entries {
		switch {
		case !e.IsDir():
		case plainName(e.Name()):
			names = append(names, e.Name())
		default:
			l.problem("worktrees", errControl)
		}
	}
	return names
}

// resolve returns all refs by name. Symbolic refs to nothing are left out: an
// unborn branch is no damage.
func (l *refLoader) resolve() []Ref {
	refs := make([]Ref, 0, len(l.ids)+len(l.symbolic))
	for name, id := range l.ids {
		refs = append(refs, Ref{name, id})
	}
	for name, target := range l.symbolic {
		for range maxSymref {
			if id, ok := l.ids[target]; ok {
				refs = append(refs, Ref{name, id})
				break
			}
			target = l.symbolic[target]
		}
	}
	slices.SortFunc(refs, byName)
	return refs
}

func byName(a, b Ref) int { return strings.Compare(a.Name, b.Name) }

// ref returns the object that a ref names.
func (r *Repository) ref(name string) (pack.ID, bool) {
	i, ok := slices.BinarySearchFunc(r.refs, name, func(f Ref, n string) int { return strings.Compare(f.Name, n) })
	if !ok {
		return pack.ID{}, false
	}
	return r.refs[i].ID, true
}

// loadShallow reads the commits whose parents were left out by a shallow clone.
func (r *Repository) loadShallow() {
	file := filepath.Join(r.common, "shallow")
	b, err := readSmall(file, maxPackedRefs)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			r.problem(file, err)
		}
		return
	}
	r.shallow = map[pack.ID]bool{}
	for line := range bytes.Lines(b) {
		if id, err := pack.ParseID(string(bytes.TrimSpace(line))); err == nil {
			r.shallow[id] = true
		}
	}
	if len(r.shallow) > 0 {
		r.problem("shallow clone", fmt.Errorf("the history before %d commits is not in this clone, and was not read", len(r.shallow)))
	}
}
