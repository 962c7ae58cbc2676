package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A store is an object directory: the repository's own or an alternate.
type store struct {
	dir    string
	packs  []string // names of files in dir/pack that have an index
	broken bool     // there are packs that have none
}

const (
	maxAlternateDepth = 5 // as in git
	maxStores         = 1000
	maxMidx           = 1 << 30 // bytes
)

// A storeFinder follows alternates from one object directory to others.
type storeFinder struct {
	seen     map[string]bool
	stores   []*store
	problems []Problem
}

// add adds an object directory and its alternates. An object directory may be
// a symbolic link, as it may be named by an alternates file; what is in it may
// not.
func (f *storeFinder) add(dir string, depth int) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if f.seen[real] {
		return nil
	}
	if depth > maxAlternateDepth || len(f.stores) >= maxStores {
		return fmt.Errorf("alternates are nested more than %d deep or are too many", maxAlternateDepth)
	}
	f.seen[real] = true
	s := &store{dir: real}
	if err := f.list(s); err != nil {
		return err
	}
	f.stores = append(f.stores, s)
	f.alternates(real, depth)
	return nil
}

func (f *storeFinder) alternates(dir string, depth int) {
	file := filepath.Join(dir, "info", "alternates")
	b, err := readSmall(file, maxSmallFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.problem(file, err)
		}
		return
	}
	for _, p := range parseAlternates(b) {
		if !filepath.IsAbs(p) {
			p = filepath.Join(dir, p)
		}
		if err := f.add(p, depth+1); err != nil {
			f.problem(file, fmt.Errorf("an alternate object directory cannot be read: %w", err))
		}
	}
}

func (f *storeFinder) problem(object string, err error) {
	f.problems = append(f.problems, Problem{object, err})
}

// parseAlternates returns the paths of an alternates file: one a line, # starts
// a comment, a path in double quotes has C escapes.
func parseAlternates(b []byte) (paths []string) {
	for line := range bytes.Lines(b) {
		p := string(bytes.TrimRight(line, "\n"))
		if strings.HasPrefix(p, `"`) {
			if q, err := strconv.Unquote(p); err == nil {
				p = q
			}
		}
		if p == "" || p[0] == '#' || strings.Contains(p, "\x00") {
			continue
		}
		paths = append(paths, filepath.FromSlash(p))
	}
	return paths
}

// list finds the packs of a store. A pack without an index, an index without
// its pack, and a pack that only the multi-pack-index names are problems.
func (f *storeFinder) list(s *store) error {
	if _, err := os.Stat(s.dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, "pack"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	found := map[string]packFiles{}
	for _, e := range entries {
		base, isPack := strings.CutSuffix(e.Name(), ".pack")
		base, isIndex := strings.CutSuffix(base, ".idx")
		if !isPack && !isIndex {
			continue
		}
		if !e.Type().IsRegular() {
			f.lost(s, e.Name(), errors.New("is not a regular file and was not read"))
			continue
		}
		has := found[base]
		found[base] = packFiles{has.pack || isPack, has.index || isIndex}
	}
	f.multi(s, found)
	for base, has := range found {
		switch {
		case has.pack && has.index:
			s.packs = append(s.packs, base+".pack")
		case has.pack:
			f.lost(s, base+".pack", errors.New("has no index and was not read; git index-pack makes one"))
		default:
			f.lost(s, base+".idx", errors.New("is an index without its pack"))
		}
	}
	slices.Sort(s.packs)
	return nil
}

// packFiles says which files of a pack are there.
type packFiles struct{ pack, index bool }

func (f *storeFinder) lost(s *store, name string, err error) {
	s.broken = true
	f.problem(filepath.Join(s.dir, "pack", name), err)
}

// multi compares the packs with those that the multi-pack-index names.
func (f *storeFinder) multi(s *store, found map[string]packFiles) {
	b, err := readSmall(filepath.Join(s.dir, "pack", "multi-pack-index"), maxMidx)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var names []string
	if err == nil {
		names, err = midxPacks(b)
	}
	if err != nil {
		f.lost(s, "multi-pack-index", err)
		return
	}
	for _, n := range names {
		base := strings.TrimSuffix(n, ".idx")
		if !found[base].pack {
			f.lost(s, filepath.Base(base)+".pack", errors.New("is named by the multi-pack-index but is not there"))
			delete(found, base)
		}
	}
}

var errMidx = errors.New("the multi-pack-index is malformed")

// midxPacks returns the names in the PNAM chunk of a multi-pack-index
// (gitformat-pack(5)).
func midxPacks(b []byte) ([]string, error) {
	const header, row = 12, 12
	if len(b) < header || string(b[:4]) != "MIDX" {
		return nil, errMidx
	}
	chunks := int(b[6])
	if len(b) < header+row*(chunks+1) {
		return nil, errMidx
	}
	for i := range chunks {
		at := b[header+row*i:]
		if string(at[:4]) != "PNAM" {
			continue
		}
		from, to := binary.BigEndian.Uint64(at[4:]), binary.BigEndian.Uint64(at[row+4:])
		if from > to || to > uint64(len(b)) {
			return nil, errMidx
		}
		return strings.FieldsFunc(string(b[from:to]), func(c rune) bool { return c == 0 }), nil
	}
	return nil, errMidx
}
