package history

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"patwatch/git/pack"
)

// ErrNotRepository is what [Open] wraps when the path is no git repository.
var ErrNotRepository = errors.New("not a git repository")

// A Problem is something in a repository that could not be read, or that makes
// what was read less than everything. It never holds bytes of the contents.
type Problem struct {
	Object string // what it is about: a file, an object's id, a ref
	Err    error
}

// String returns the problem as one sentence.
func (p Problem) String() string { return p.Object + ": " + p.Err.Error() }

// A Repository is an open repository. Its methods may be called concurrently,
// except Close. It is a snapshot: packs are mapped and refs read when it is
// opened, so what other processes add later may not be seen.
type Repository struct {
	path     string // as given to Open
	gitDir   string // of this work tree
	common   string // what linked work trees share; gitDir when there are none
	workTree string
	index    string // the index file
	idSize   int
	config   *settings
	stores   []*store
	packs    []*pack.Pack // of all stores, larger ones first
	broken   bool         // a pack could not be opened, so that git may know objects that we do not
	refs     []Ref
	shallow  map[pack.ID]bool
	problems []Problem

	mu      sync.Mutex
	readers []*reader // idle ones
	scratch string    // git directory for fallback commands, made when first needed

	othersMu sync.Mutex
	outside  *others // listed when first needed
	graphMu  sync.Mutex
	graph    *commitGraph // built when first needed
}

// Open opens the repository at path: a work tree, a git directory (bare or
// not), or a work tree whose .git is a file that points to one. It does not
// look into parent directories. Damage is no error as long as the repository
// can be recognised: see [Repository.Problems]. The error wraps
// [ErrNotRepository] when there is no repository at path.
func Open(path string) (*Repository, error) {
	loc, err := locate(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	r := &Repository{path: path, gitDir: loc.gitDir, common: loc.common, workTree: loc.workTree,
		index: filepath.Join(loc.gitDir, "index")}
	if err := r.load(); err != nil {
		r.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return r, nil
}

func (r *Repository) load() error {
	var err error
	r.config, err = readSettings(r.common)
	if err != nil {
		return err
	}
	r.problems = append(r.problems, r.config.problems...)
	r.idSize = r.config.idSize
	if r.config.bare && r.gitDir == r.common { // a bare repository may have linked work trees
		r.workTree = ""
	}
	if err := r.openStores(); err != nil {
		return err
	}
	r.loadShallow()
	r.loadRefs()
	return nil
}

// openStores finds the object directories and opens their packs.
func (r *Repository) openStores() error {
	f := storeFinder{seen: map[string]bool{}}
	if err := f.add(filepath.Join(r.common, "objects"), 0); err != nil {
		return err
	}
	r.stores = f.stores
	r.problems = append(r.problems, f.problems...)
	for _, s := range r.stores {
		r.openPacks(s)
	}
	size := func(p *pack.Pack) int { return p.Len() }
	slices.SortStableFunc(r.packs, func(a, b *pack.Pack) int {
		return cmp.Or(cmp.Compare(size(b), size(a)), strings.Compare(a.Path(), b.Path()))
	})
	return nil
}

func (r *Repository) openPacks(s *store) {
	for _, name := range s.packs {
		p, err := pack.Open(filepath.Join(s.dir, "pack", name), r.idSize)
		if err != nil {
			r.broken = true
			r.problem(filepath.Join(s.dir, "pack", name), fmt.Errorf("the pack cannot be read: %w", err))
			continue
		}
		r.packs = append(r.packs, p)
	}
	r.broken = r.broken || s.broken
}

func (r *Repository) problem(object string, err error) {
	r.problems = append(r.problems, Problem{object, err})
}

// Close releases what the repository holds. No method may be running, and none
// may be called afterwards.
func (r *Repository) Close() error {
	var errs []error
	for _, p := range r.packs {
		errs = append(errs, p.Close())
	}
	r.packs = nil
	if r.scratch != "" {
		errs = append(errs, os.RemoveAll(r.scratch))
		r.scratch = ""
	}
	return errors.Join(errs...)
}

// Shallow returns the number of commits whose parents a shallow clone left out,
// 0 for a whole history.
func (r *Repository) Shallow() int { return len(r.shallow) }

// Path returns the path that was given to [Open].
func (r *Repository) Path() string { return r.path }

// WorkTree returns the directory of the work tree, "" for a bare repository
// and for a git directory whose work tree is not known.
func (r *Repository) WorkTree() string { return r.workTree }

// Problems returns what was found wrong when the repository was opened. The
// methods report what they meet themselves. The slice is the caller's.
func (r *Repository) Problems() []Problem { return slices.Clone(r.problems) }

// UseIndex makes [Repository.Staged] and [Repository.ChangedFiles] read another
// index file: the one that git names to a hook in GIT_INDEX_FILE. It must be
// called before them.
func (r *Repository) UseIndex(path string) { r.index = path }

// maxSmallFile bounds files that are read whole: HEAD, gitdir files, alternates.
const maxSmallFile = 1 << 20

var errNotRegular = errors.New("is not a regular file")

// readSmall reads a regular file of at most limit bytes. It does not follow a
// symbolic link in the last element of path.
func readSmall(path string, limit int64) ([]byte, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	if st.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("is larger than %d bytes", limit)}
	}
	return os.ReadFile(path)
}
