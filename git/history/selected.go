package history

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"patwatch/git/pack"
)

// selectiveShare is the part of all commits up to which it is cheaper to find
// and read the blobs that some commits brought in than to read all: a blob read
// alone costs its whole chain of deltas, and is scanned in full.
const selectiveShare = 8

const (
	maxTreeCache = 64 << 20   // bytes of trees that a selector keeps
	maxTreesRead = 50_000_000 // trees compared in one selection
)

var errSelection = errors.New("the trees to compare are too many or too deep")

// wanted returns the blobs that o.Commits bring in, nil for all.
func (w *blobWalk) wanted() *idSet {
	c := w.o.Commits
	if c == nil || c.n*selectiveShare > c.g.len() {
		return nil
	}
	want := newIDSet(w.r.idSize, 0)
	var mu sync.Mutex
	var unknown error
	w.inRuns(c.g.len(), 256, func(_, from, to int) error {
		s := &selector{g: c.g, rd: w.r.reader(), want: newIDSet(w.r.idSize, 0), cache: map[pack.ID][]byte{}}
		defer s.rd.release()
		err := s.commits(w.ctx, c.in, from, to)
		mu.Lock()
		defer mu.Unlock()
		for n := range int32(s.want.len()) {
			want.add(s.want.at(n))
		}
		unknown = cmp.Or(unknown, err)
		return nil
	})
	if unknown != nil && w.ctx.Err() == nil {
		w.problem("selection", fmt.Errorf("all blobs are read, since it is not known which ones count: %w", unknown))
	}
	if unknown != nil {
		return nil
	}
	return want
}

// inRuns calls do for all of n things, run by run, in several goroutines. An
// error ends the walk.
func (w *blobWalk) inRuns(n, run int, do func(worker, from, to int) error) {
	var taken atomic.Int64
	var group sync.WaitGroup
	for worker := range w.o.Workers {
		group.Go(func() {
			for from := int(taken.Add(int64(run))) - run; from < n && w.ctx.Err() == nil; from = int(taken.Add(int64(run))) - run {
				if err := do(worker, from, min(from+run, n)); err != nil {
					w.cancel(err)
				}
			}
		})
	}
	group.Wait()
}

// A selector compares the trees of commits with those of their parents.
type selector struct {
	g     *commitGraph
	rd    *reader
	want  *idSet // the blobs that came in
	steps int

	cache  map[pack.ID][]byte // trees: most are a commit's, then a parent's
	cached int                // bytes
}

// commits adds what commits from to to brought in, as far as they are in a set.
func (s *selector) commits(ctx context.Context, in bitmap, from, to int) error {
	for n := from; n < to; n++ {
		if !in.has(n) {
			continue
		}
		if err := s.commit(ctx, int32(n)); err != nil {
			return fmt.Errorf("commit %s: %w", s.g.ids.id(int32(n)), err)
		}
	}
	return nil
}

// commit adds what commit n brought in. A parent that is not here, or has no
// tree, takes nothing away.
func (s *selector) commit(ctx context.Context, n int32) error {
	if !s.g.read.has(int(n)) {
		return errCommit
	}
	var olds []pack.ID
	for _, p := range s.g.parentsOf(n) {
		if p >= 0 && s.g.read.has(int(p)) {
			olds = append(olds, s.g.rootID(p))
		}
	}
	return s.compare(ctx, s.g.rootID(n), olds, 0)
}

func (g *commitGraph) rootID(n int32) pack.ID {
	id, _ := pack.NewID(g.root(n)) // has the right length
	return id
}

// compare adds the blobs below a tree that none of the old trees has at the
// same path.
func (s *selector) compare(ctx context.Context, id pack.ID, olds []pack.ID, depth int) error {
	if slices.Contains(olds, id) {
		return nil
	}
	if s.steps++; s.steps > maxTreesRead || depth > maxPathDepth {
		return errSelection
	}
	data, err := s.tree(ctx, id)
	if err != nil {
		return err
	}
	before := make([]oldTree, 0, len(olds))
	for _, old := range olds {
		if data, err := s.tree(ctx, old); err == nil { // if not, more is read than need be
			before = append(before, newOldTree(data, s.want.size))
		}
	}
	in := treeScanner{data: data, idSize: s.want.size}
	for in.next() {
		if err := s.entry(ctx, &in, before, depth); err != nil {
			return err
		}
	}
	if !in.whole() {
		return fmt.Errorf("reading object %s: %w", id, errTree)
	}
	return nil
}

// entry looks at one entry of a tree.
func (s *selector) entry(ctx context.Context, in *treeScanner, before []oldTree, depth int) error {
	var olds []pack.ID
	for i := range before {
		old := &before[i]
		if !old.seek(in) {
			continue
		}
		if bytes.Equal(old.id, in.id) {
			return nil
		}
		id, _ := pack.NewID(old.id)
		olds = append(olds, id)
	}
	switch in.kind {
	case entryBlob:
		s.want.add(in.id)
	case entryTree:
		id, _ := pack.NewID(in.id)
		return s.compare(ctx, id, olds, depth+1)
	}
	return nil
}

// tree returns a tree, which stays valid.
func (s *selector) tree(ctx context.Context, id pack.ID) ([]byte, error) {
	if data, ok := s.cache[id]; ok {
		return data, nil
	}
	kind, data, err := s.rd.read(ctx, id, maxMetaRead)
	if err != nil && !isEmptyTree(id) {
		return nil, err
	}
	if err == nil && kind != pack.Tree {
		return nil, fmt.Errorf("reading object %s: it is a %s, not a tree", id, kind)
	}
	data = slices.Clone(data)
	if s.cached += len(data); s.cached > maxTreeCache {
		clear(s.cache)
		s.cached = len(data)
	}
	s.cache[id] = data
	return data, nil
}

// isEmptyTree says whether id names the tree without entries, which git does
// not need to store.
func isEmptyTree(id pack.ID) bool {
	raw := id.Append(nil)
	h := newHash(len(raw))
	h.Write([]byte("tree 0\x00"))
	return bytes.Equal(h.Sum(nil), raw)
}

// An oldTree is a tree of a parent, read along with one of the commit.
type oldTree struct {
	treeScanner
	more bool
}

func newOldTree(data []byte, idSize int) oldTree {
	o := oldTree{treeScanner: treeScanner{data: data, idSize: idSize}}
	o.more = o.next()
	return o
}

// seek goes on to the entry with the kind and name of in's, and says whether
// there is one. In a tree whose entries are not in git's order it may be missed.
func (o *oldTree) seek(in *treeScanner) bool {
	for o.more {
		switch c := compareEntries(&o.treeScanner, in); {
		case c < 0:
			o.more = o.next()
		case c == 0:
			return o.kind == in.kind
		default:
			return false
		}
	}
	return false
}

// compareEntries compares by git's order: a directory's name counts as if it
// ended in a slash.
func compareEntries(a, b *treeScanner) int {
	n := min(len(a.name), len(b.name))
	if c := bytes.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return cmp.Compare(a.after(n), b.after(n))
}

// after returns the byte of the entry's name at n, or what counts as its end.
func (s *treeScanner) after(n int) byte {
	switch {
	case n < len(s.name):
		return s.name[n]
	case s.kind == entryTree:
		return '/'
	}
	return 0
}

// walkWanted visits the blobs of a set, in the order of the packs, so that those
// with common bases are read one after the other.
func (w *blobWalk) walkWanted(want *idSet) error {
	w.expect(want.len())
	todo := w.r.inPackOrder(want)
	w.inRuns(len(todo), 64, func(worker, from, to int) error {
		rd := w.r.reader()
		defer rd.release()
		return w.some(worker, rd, todo[from:to])
	})
	return context.Cause(w.ctx)
}

// some visits blobs one by one. Those that are too large or cannot be read are
// left for the fallback.
func (w *blobWalk) some(worker int, rd *reader, ids []pack.ID) error {
	for _, id := range ids {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		kind, data, err := rd.native(id, w.o.MaxMaterialised)
		if err == nil && kind == pack.Blob {
			err = w.whole(worker, id, data)
			if err != nil {
				return err
			}
			continue
		}
		if err == nil {
			err = fmt.Errorf("a tree names it as a file, and it is a %s", kind)
		}
		w.fail(id, err)
	}
	return nil
}

// inPackOrder sorts names by the place of the objects.
func (r *Repository) inPackOrder(set *idSet) []pack.ID {
	type place struct {
		id          pack.ID
		pack, index int
	}
	places := make([]place, set.len())
	for n := range places {
		p := place{id: set.id(int32(n)), pack: len(r.packs)}
		for k, in := range r.packs {
			if i, ok := in.Find(p.id); ok {
				p.pack, p.index = k, i
				break
			}
		}
		places[n] = p
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.pack, b.pack), cmp.Compare(a.index, b.index)) })
	ids := make([]pack.ID, len(places))
	for i, p := range places {
		ids[i] = p.id
	}
	return ids
}
