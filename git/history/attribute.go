package history

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"patwatch/git/pack"
)

// A Commit is a commit that brought a blob in. Names and subject are input:
// they hold whatever their author wrote. They are UTF-8 when the commit says
// that it is in Latin-1 or when they were; other bytes are kept as they are.
type Commit struct {
	ID            pack.ID
	Parents       []pack.ID
	Author, Email string
	Time          time.Time // of the author, in his zone; zero when malformed
	Subject       string    // first paragraph of the message, at most 1000 bytes
	Reachable     bool      // from a ref, HEAD or the HEAD of a linked work tree
	Shallow       bool      // its parents were left out of this clone: it may only carry on what an older commit brought
}

// An Introduction says that the tree of Commit has a blob at Path, and that the
// tree of no parent has that blob anywhere. A blob that came in at several
// paths at once has an introduction for each.
type Introduction struct {
	Commit *Commit // shared by introductions
	Path   string
}

// AttributeOptions say how attribution works.
type AttributeOptions struct {
	Workers int // 0: one for each CPU that the process may use
}

// An Attribution is where blobs came from. A blob that no commit holds (it is
// in the index, in a tag, in a loose tree, or nowhere) has no introductions.
type Attribution struct {
	Introductions map[pack.ID][]Introduction // oldest first, then by commit and path
	Commits       int64                      // commits that were looked at
	Problems      []Problem
}

// Attribute finds all commits that brought the blobs in: reachable or not,
// merges included, and again those that brought a blob back after it was gone.
// Trees and commits are read once, however many blobs there are.
func (r *Repository) Attribute(ctx context.Context, blobs []pack.ID, o AttributeOptions) (*Attribution, error) {
	out := &Attribution{Introductions: map[pack.ID][]Introduction{}}
	if len(blobs) == 0 {
		return out, nil
	}
	a := &attributor{r: r, o: o, out: out, rd: r.reader(), commits: map[int32]*Commit{}}
	defer a.rd.release()
	if err := a.run(ctx, blobs); err != nil {
		return out, err
	}
	for _, in := range out.Introductions {
		slices.SortFunc(in, compareIntroductions)
	}
	return out, nil
}

func compareIntroductions(a, b Introduction) int {
	return cmp.Or(a.Commit.Time.Compare(b.Commit.Time),
		strings.Compare(a.Commit.ID.String(), b.Commit.ID.String()), strings.Compare(a.Path, b.Path))
}

// An attributor is one call of Attribute.
type attributor struct {
	r       *Repository
	o       AttributeOptions
	out     *Attribution
	rd      *reader
	g       *commitGraph
	t       *treeGraph
	roots   []int32 // node of each commit's tree, -1: not in this repository
	reach   bitmap
	commits map[int32]*Commit
}

func (a *attributor) run(ctx context.Context, blobs []pack.ID) (err error) {
	if a.g, err = a.r.commits(ctx, a.o.Workers); err != nil {
		return err
	}
	a.reach = a.g.ancestors(a.r.tips(ctx, a.g, a.rd))
	a.out.Commits = int64(a.g.len())
	bad, err := a.pass(ctx, blobs, false)
	if err != nil {
		return err
	}
	if len(bad) > 0 { // a tree was made to look as if it held what it does not: look closely
		if _, err = a.pass(ctx, bad, true); err != nil {
			return err
		}
	}
	a.out.Problems = append(a.out.Problems, a.g.problems...)
	a.out.Problems = append(a.out.Problems, a.t.problems...)
	a.missing()
	return nil
}

// pass attributes blobs and returns those for which the graph was wrong.
func (a *attributor) pass(ctx context.Context, blobs []pack.ID, exact bool) (bad []pack.ID, err error) {
	if a.t, err = a.r.treeGraph(ctx, blobs, a.o.Workers, exact); err != nil {
		return nil, err
	}
	a.roots = make([]int32, a.g.len())
	for n := range a.roots {
		a.roots[n] = a.t.nodes.find(a.g.root(int32(n)))
		if int(a.roots[n]) >= a.t.trees {
			a.roots[n] = -1
		}
	}
	m := newMarker(a.t)
	for batch := range slices.Chunk(blobs, batchSize) {
		nodes := make([]int32, len(batch))
		for i, id := range batch {
			nodes[i] = a.t.nodes.find(id.Append(nil))
		}
		m.mark(nodes)
		wrong, err := a.introductions(ctx, m)
		if err != nil {
			return nil, err
		}
		for ; wrong != 0; wrong &= wrong - 1 {
			id := batch[bits.TrailingZeros64(wrong)]
			delete(a.out.Introductions, id)
			bad = append(bad, id)
		}
	}
	return bad, nil
}

// introductions looks at all commits for the blobs of one batch. It returns
// those that a commit seemed to bring in and did not.
func (a *attributor) introductions(ctx context.Context, m *marker) (wrong uint64, err error) {
	f := &pathFinder{a: a, m: m, cache: map[int32][]pathEntry{}}
	for n := range int32(a.g.len()) {
		came := a.came(m, n)
		if came == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return wrong, context.Cause(ctx)
		}
		c, err := a.commit(ctx, n)
		if err != nil {
			a.problem("commit "+a.g.ids.id(n).String(), err)
			continue
		}
		found, err := f.find(ctx, c, a.roots[n], came)
		if err != nil {
			a.problem("commit "+c.ID.String(), err)
			continue
		}
		wrong |= came &^ found
	}
	return wrong, nil
}

// problem notes a problem with one object.
func (a *attributor) problem(object string, err error) {
	if len(a.out.Problems) < maxProblems {
		a.out.Problems = append(a.out.Problems, Problem{object, err})
	}
}

// came returns the blobs that commit n holds and none of its parents does.
func (a *attributor) came(m *marker, n int32) uint64 {
	if a.roots[n] < 0 {
		return 0
	}
	came := m.mask[a.roots[n]]
	if came == 0 {
		return 0
	}
	for _, p := range a.g.parentsOf(n) {
		if p >= 0 && a.roots[p] >= 0 {
			came &^= m.mask[a.roots[p]]
		}
	}
	return came
}

// commit reads commit n, once.
func (a *attributor) commit(ctx context.Context, n int32) (*Commit, error) {
	if c := a.commits[n]; c != nil {
		return c, nil
	}
	id := a.g.ids.id(n)
	_, data, err := a.rd.read(ctx, id, maxMetaRead)
	if err != nil {
		return nil, err
	}
	d := commitDetails(data)
	c := &Commit{ID: id, Author: d.author, Email: d.email, Time: d.time, Subject: d.subject,
		Reachable: a.reach.has(int(n)), Shallow: a.r.shallow[id]}
	raw, _ := commitLinks(nil, data, a.r.idSize)
	for size := a.r.idSize; len(raw) > size; raw = raw[size:] {
		p, _ := pack.NewID(raw[size : 2*size])
		c.Parents = append(c.Parents, p)
	}
	a.commits[n] = c
	return c, nil
}

// missing reports what makes the attribution less than certain.
func (a *attributor) missing() {
	parents, trees := 0, 0
	for n := range int32(a.g.len()) {
		if a.g.read.has(int(n)) && a.roots[n] < 0 && !a.emptyTree(n) {
			trees++
		}
		if slices.Contains(a.g.parentsOf(n), -1) && !a.r.shallow[a.g.ids.id(n)] {
			parents++
		}
	}
	if parents > 0 {
		a.out.Problems = append(a.out.Problems, Problem{"history", fmt.Errorf("%d commits have parents that are not in this repository", parents)})
	}
	if trees > 0 {
		a.out.Problems = append(a.out.Problems, Problem{"history", fmt.Errorf("%d commits have trees that are not in this repository", trees)})
	}
}

// emptyTree says whether commit n has the tree without entries, which git does
// not need to store.
func (a *attributor) emptyTree(n int32) bool {
	h := newHash(a.r.idSize)
	h.Write([]byte("tree 0\x00"))
	return bytes.Equal(h.Sum(nil), a.g.root(n))
}

// tips returns the commits that refs name, through tags.
func (r *Repository) tips(ctx context.Context, g *commitGraph, rd *reader) []int32 {
	var tips []int32
	for _, ref := range r.refs {
		if n := r.peel(ctx, g, rd, ref.ID); n >= 0 {
			tips = append(tips, n)
		}
	}
	return tips
}

const maxTagDepth = 32 // tags of tags

// peel returns the commit that an object is or, as a tag, leads to; else -1.
func (r *Repository) peel(ctx context.Context, g *commitGraph, rd *reader, id pack.ID) int32 {
	for range maxTagDepth {
		if n := g.ids.find(id.Append(nil)); n >= 0 {
			return n
		}
		kind, data, err := rd.read(ctx, id, maxMetaRead)
		if err != nil || kind != pack.Tag {
			return -1
		}
		line, _, _ := bytes.Cut(data, []byte("\n"))
		hex, ok := bytes.CutPrefix(line, []byte("object "))
		if !ok {
			return -1
		}
		if id, err = pack.ParseID(string(hex)); err != nil {
			return -1
		}
	}
	return -1
}
