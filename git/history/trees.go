package history

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"patwatch/git/pack"
)

// A treeGraph tells, for every tree of the repository, which other trees and
// which of some wanted blobs it holds. Trees are nodes 0 to trees-1, the wanted
// blobs come after them.
//
// Most trees are stored as deltas, and differ from their base in an entry or
// two. Only those are kept: a tree holds what its base holds, with its events
// applied. An event is a node that came in, or the complement of one that went
// out. Each event stands for one occurrence, so that counting them is exact.
//
// To be cheap, the bytes of a delta are not parsed as entries: wherever a NUL
// is followed by the name of a tree, and preceded by what looks like the mode
// and name of a directory, that is an occurrence. A file name can be made to
// look like that, so what follows from the graph is checked against real
// entries before it is reported. Trees that gain or lose a wanted blob are
// parsed in full.
type treeGraph struct {
	nodes  *idSet
	trees  int
	base   []int32 // of each tree: the tree whose events come first, or -1
	child  []int32 // of each tree: the first one with it as base, or -1
	next   []int32 // of each tree: the next one with the same base, or -1
	from   []uint32
	to     []uint32 // the events of each tree are events[from:to]
	events []int32
	first  []uint32 // where in holders those of a node start; one more than nodes
	holder []int32  // trees with an event that brings the node in, bases before their deltas

	problems []Problem
}

// A treeBuilder reads all trees.
type treeBuilder struct {
	r       *Repository
	workers []*treeWorker
	exact   bool // parse every tree in full
	g       *treeGraph

	mu    sync.Mutex
	retry []pack.ID
}

// A treeWorker collects events for one goroutine.
type treeWorker struct {
	b      *treeBuilder
	stack  []int32 // by depth: the tree last visited, -1 when it has no events of its own
	order  []int32 // trees in order of visit
	ends   []uint32
	events []int32
	delta  deltaReader
}

// treeGraph builds the graph for some blobs.
func (r *Repository) treeGraph(ctx context.Context, blobs []pack.ID, workers int, exact bool) (*treeGraph, error) {
	b := &treeBuilder{r: r, exact: exact}
	for range defaultWorkers(workers) {
		b.workers = append(b.workers, &treeWorker{b: b})
	}
	if err := b.build(ctx, blobs); err != nil {
		return nil, fmt.Errorf("reading trees: %w", err)
	}
	return b.g, nil
}

func (b *treeBuilder) build(ctx context.Context, blobs []pack.ID) error {
	o, err := b.r.others(ctx)
	if err != nil {
		return err
	}
	set := newIDSet(b.r.idSize, b.r.countKind(pack.Tree)+len(o.trees)+len(blobs))
	nums := make([][]int32, len(b.r.packs))
	for k, p := range b.r.packs {
		nums[k] = number(set, p, pack.Tree)
	}
	for _, id := range o.trees {
		set.add(id.Append(nil))
	}
	b.g = &treeGraph{nodes: set, trees: set.len()}
	b.g.base, b.g.from, b.g.to = filled(b.g.trees), make([]uint32, b.g.trees), make([]uint32, b.g.trees)
	for _, id := range blobs {
		set.add(id.Append(nil))
	}
	set.seal()
	for k, p := range b.r.packs {
		if err := b.walk(ctx, p, nums[k]); err != nil {
			return err
		}
		nums[k] = nil
	}
	if err := b.rest(ctx, append(b.retry, o.trees...)); err != nil {
		return err
	}
	b.assemble()
	return nil
}

func filled(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = -1
	}
	return s
}

func (b *treeBuilder) walk(ctx context.Context, p *pack.Pack, nums []int32) error {
	again := func(i int) {
		if nums[i] >= 0 {
			b.mu.Lock()
			b.retry = append(b.retry, p.ID(i))
			b.mu.Unlock()
		}
	}
	return p.Walk(ctx, pack.WalkOptions{
		Workers: len(b.workers),
		Kinds:   []pack.Kind{pack.Tree},
		MaxSize: maxMetaRead,
		Visit:   func(n int, o *pack.Object) error { b.workers[n].visit(o, nums[o.Index]); return nil },
		Large:   func(_, i int, _ int64) { again(i) },
		Fail:    func(_, i int, _ error) { again(i) },
	})
}

// rest reads trees one by one.
func (b *treeBuilder) rest(ctx context.Context, ids []pack.ID) error {
	return b.r.each(ctx, len(b.workers), ids, pack.Tree, func(n, i int, data []byte) {
		w, num := b.workers[n], b.g.nodes.find(ids[i].Append(nil))
		w.full(num, data)
		w.done(num)
	}, func(i int, err error) { b.problem(ids[i].String(), err) })
}

func (b *treeBuilder) problem(id string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.g.problems) < maxProblems {
		b.g.problems = append(b.g.problems, Problem{"tree " + id, err})
	}
}

// visit notes the events of one tree. num is -1 for a copy that does not count.
func (w *treeWorker) visit(o *pack.Object, num int32) {
	w.stack = append(w.stack[:o.Depth], num)
	if num < 0 {
		return
	}
	if o.Depth == 0 || w.b.exact || w.stack[o.Depth-1] < 0 || !w.changes(o) {
		w.full(num, o.Data)
	} else {
		w.b.g.base[num] = w.stack[o.Depth-1]
	}
	w.done(num)
}

func (w *treeWorker) done(num int32) {
	w.order = append(w.order, num)
	w.ends = append(w.ends, uint32(len(w.events)))
}

// full notes all entries of a tree.
func (w *treeWorker) full(num int32, data []byte) {
	g := w.b.g
	s := treeScanner{data: data, idSize: g.nodes.size}
	for s.next() {
		if s.kind == entryOther {
			continue
		}
		if n := g.nodes.findSealed(s.id); n >= 0 && (int(n) < g.trees) == (s.kind == entryTree) {
			w.events = append(w.events, n)
		}
	}
	if !s.whole() {
		w.b.problem(g.nodes.id(num).String(), errTree)
	}
}

// changes notes what a tree has and its base has not, and the reverse.
func (w *treeWorker) changes(o *pack.Object) bool {
	came, gone, ok := w.delta.read(w.b.g, o)
	w.events = append(w.events, came...)
	for _, n := range gone {
		w.events = append(w.events, ^n)
	}
	return ok
}

// assemble makes one graph of what the workers noted.
func (b *treeBuilder) assemble() {
	g := b.g
	total := 0
	for _, w := range b.workers {
		total += len(w.events)
	}
	g.events = make([]int32, 0, total)
	for _, w := range b.workers {
		at := uint32(len(g.events))
		from := at
		for i, num := range w.order {
			g.from[num], g.to[num] = from, at+w.ends[i]
			from = at + w.ends[i]
		}
		g.events = append(g.events, w.events...)
		w.events = nil
	}
	g.child, g.next = filled(g.trees), filled(g.trees)
	for n, base := range g.base {
		if base >= 0 {
			g.next[n], g.child[base] = g.child[base], int32(n)
		}
	}
	b.holders()
}

// holders inverts the events.
func (b *treeBuilder) holders() {
	g := b.g
	g.first = make([]uint32, g.nodes.len()+1)
	for _, e := range g.events {
		if e >= 0 {
			g.first[e+1]++
		}
	}
	for i := range g.nodes.len() {
		g.first[i+1] += g.first[i]
	}
	g.holder = make([]int32, g.first[g.nodes.len()])
	fill := slices.Clone(g.first)
	for _, w := range b.workers { // in order of visit, so that bases come first
		for _, num := range w.order {
			for _, e := range g.events[g.from[num]:g.to[num]] {
				if e >= 0 {
					g.holder[fill[e]] = num
					fill[e]++
				}
			}
		}
	}
}
