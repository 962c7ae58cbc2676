package history

import (
	"context"
	"errors"
	"strings"

	"patwatch/git/pack"
)

const (
	maxPathDepth = 1000    // directories in a path
	maxPaths     = 1000    // of the blobs that one commit brought in
	maxDescents  = 100_000 // trees looked at for one commit
	maxPathCache = 50_000  // trees
)

// A pathEntry is an entry of a tree that leads to a blob of the batch.
type pathEntry struct {
	name string
	node int32
}

// A pathFinder finds the paths of blobs below a root, in real entries. It goes
// only where marks lead.
type pathFinder struct {
	a     *attributor
	m     *marker
	cache map[int32][]pathEntry

	commit *Commit // the current one
	want   uint64
	found  uint64
	paths  int
	steps  int
}

// find adds an introduction for each path at which the commit has one of the
// wanted blobs. It returns the blobs for which there is one.
func (f *pathFinder) find(ctx context.Context, c *Commit, root int32, want uint64) (uint64, error) {
	f.commit, f.want, f.found, f.paths, f.steps = c, want, 0, 0, 0
	if err := f.descend(ctx, root, "", 0); err != nil {
		return 0, err
	}
	if f.paths >= maxPaths || f.steps >= maxDescents {
		f.a.problem("commit "+c.ID.String(), errors.New("it holds what was found at more paths than are listed"))
		return want, nil
	}
	return f.found, nil
}

func (f *pathFinder) descend(ctx context.Context, tree int32, prefix string, depth int) error {
	f.steps++
	if f.steps >= maxDescents || depth > maxPathDepth {
		return nil
	}
	entries, err := f.entries(ctx, tree)
	if err != nil {
		return err
	}
	for _, e := range entries {
		hit := f.m.reaches(e.node) & f.want
		switch {
		case hit == 0:
		case int(e.node) < f.a.t.trees:
			if err := f.descend(ctx, e.node, prefix+e.name+"/", depth+1); err != nil {
				return err
			}
		case f.paths < maxPaths:
			f.add(hit, e.node, prefix+e.name)
		}
	}
	return nil
}

func (f *pathFinder) add(hit uint64, node int32, path string) {
	f.paths++
	f.found |= hit
	id := f.a.t.nodes.id(node)
	in := f.a.out.Introductions
	in[id] = append(in[id], Introduction{f.commit, path})
}

// entries returns the entries of a tree that lead to blobs of the batch.
func (f *pathFinder) entries(ctx context.Context, tree int32) ([]pathEntry, error) {
	if e, ok := f.cache[tree]; ok {
		return e, nil
	}
	nodes, trees := f.a.t.nodes, f.a.t.trees
	_, data, err := f.a.rd.read(ctx, nodes.id(tree), maxMetaRead)
	if err != nil {
		return nil, err
	}
	var out []pathEntry
	s := treeScanner{data: data, idSize: nodes.size}
	for s.next() {
		n := nodes.find(s.id)
		if s.kind == entryOther || n < 0 || (int(n) < trees) != (s.kind == entryTree) || f.m.reaches(n) == 0 {
			continue
		}
		out = append(out, pathEntry{string(s.name), n})
	}
	if len(f.cache) >= maxPathCache {
		clear(f.cache)
	}
	f.cache[tree] = out
	return out, nil
}

// PathBlob returns the blob at path in the tree of a commit; false when there
// is none: nothing, a directory, or another repository. Paths have slashes.
func (r *Repository) PathBlob(ctx context.Context, commit pack.ID, path string) (pack.ID, bool, error) {
	rd := r.reader()
	defer rd.release()
	root, err := rd.root(ctx, commit)
	if err != nil {
		return pack.ID{}, false, err
	}
	return rd.pathBlob(ctx, root, path)
}

// pathBlob returns the blob at path below a tree.
func (rd *reader) pathBlob(ctx context.Context, tree pack.ID, path string) (pack.ID, bool, error) {
	for {
		name, rest, more := strings.Cut(path, "/")
		want := entryBlob
		if more {
			want = entryTree
		}
		id, ok, err := rd.entry(ctx, tree, name, want)
		if err != nil || !ok || !more {
			return id, ok, err
		}
		tree, path = id, rest
	}
}

// entry returns what a tree has under a name, if it is of the wanted kind.
func (rd *reader) entry(ctx context.Context, tree pack.ID, name string, want entryKind) (pack.ID, bool, error) {
	kind, data, err := rd.read(ctx, tree, maxMetaRead)
	if err != nil || kind != pack.Tree {
		return pack.ID{}, false, err
	}
	s := treeScanner{data: data, idSize: rd.r.idSize}
	for s.next() {
		if s.kind == want && string(s.name) == name {
			id, err := pack.NewID(s.id)
			return id, err == nil, err
		}
	}
	return pack.ID{}, false, nil
}
