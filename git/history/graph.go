package history

import (
	"context"
	"fmt"
	"sync"

	"patwatch/git/pack"
)

// A commitGraph holds tree and parents of every commit of the repository, the
// unreachable ones too. It is immutable once built.
type commitGraph struct {
	ids     *idSet
	roots   []byte  // raw id of each commit's tree
	first   []int32 // where in parents those of a commit start; one more than commits
	parents []int32 // -1: not in this repository
	read    bitmap  // commits that could be read

	problems []Problem
}

func (g *commitGraph) len() int { return len(g.first) - 1 }

func (g *commitGraph) root(n int32) []byte { return g.roots[int(n)*g.ids.size:][:g.ids.size] }

func (g *commitGraph) parentsOf(n int32) []int32 { return g.parents[g.first[n]:g.first[n+1]] }

// commits returns the graph, which is built once.
func (r *Repository) commits(ctx context.Context, workers int) (*commitGraph, error) {
	r.graphMu.Lock()
	defer r.graphMu.Unlock()
	if r.graph != nil {
		return r.graph, nil
	}
	b := &graphBuilder{r: r, workers: defaultWorkers(workers)}
	g, err := b.build(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading commits: %w", err)
	}
	r.graph = g
	return g, nil
}

// A graphBuilder reads all commits.
type graphBuilder struct {
	r       *Repository
	workers int
	g       *commitGraph
	links   [][]int32 // by worker: number, number of parents, parents; again and again
	raw     [][]byte  // by worker: scratch

	mu    sync.Mutex
	retry []pack.ID // could not be read from the pack that was tried first
}

func (b *graphBuilder) build(ctx context.Context) (*commitGraph, error) {
	o, err := b.r.others(ctx)
	if err != nil {
		return nil, err
	}
	set := newIDSet(b.r.idSize, b.r.countKind(pack.Commit)+len(o.commits))
	b.g = &commitGraph{ids: set}
	b.links, b.raw = make([][]int32, b.workers), make([][]byte, b.workers)
	nums := make([][]int32, len(b.r.packs))
	for k, p := range b.r.packs {
		nums[k] = number(set, p, pack.Commit)
	}
	for _, id := range o.commits {
		set.add(id.Append(nil))
	}
	b.g.roots = make([]byte, set.len()*set.size)
	for k, p := range b.r.packs {
		if err := b.walk(ctx, p, nums[k]); err != nil {
			return nil, err
		}
	}
	if err := b.rest(ctx, append(b.retry, o.commits...)); err != nil {
		return nil, err
	}
	b.assemble()
	return b.g, nil
}

func (b *graphBuilder) walk(ctx context.Context, p *pack.Pack, nums []int32) error {
	return p.Walk(ctx, pack.WalkOptions{
		Workers: b.workers,
		Kinds:   []pack.Kind{pack.Commit},
		MaxSize: maxMetaRead,
		Start:   linksSize(b.r.idSize, 2) + len(parentWord),
		Visit: func(n int, o *pack.Object) error {
			switch num := nums[o.Index]; {
			case num < 0:
			case o.Cut && !wholeLinks(o.Data, b.r.idSize):
				b.again(p, nums, o.Index)
			default:
				b.commit(n, num, o.Data)
			}
			return nil
		},
		Large: func(_, i int, _ int64) { b.again(p, nums, i) },
		Fail:  func(_, i int, _ error) { b.again(p, nums, i) },
	})
}

func (b *graphBuilder) again(p *pack.Pack, nums []int32, i int) {
	if nums[i] < 0 {
		return
	}
	b.mu.Lock()
	b.retry = append(b.retry, p.ID(i))
	b.mu.Unlock()
}

// rest reads commits one by one.
func (b *graphBuilder) rest(ctx context.Context, ids []pack.ID) error {
	return b.r.each(ctx, b.workers, ids, pack.Commit, func(n, i int, data []byte) {
		b.commit(n, b.g.ids.find(ids[i].Append(nil)), data)
	}, func(i int, err error) { b.problem("commit "+ids[i].String(), err) })
}

func (b *graphBuilder) problem(object string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.g.problems) < maxProblems {
		b.g.problems = append(b.g.problems, Problem{object, err})
	}
}

// commit notes the links of commit num.
func (b *graphBuilder) commit(worker int, num int32, data []byte) {
	size := b.g.ids.size
	raw, err := commitLinks(b.raw[worker][:0], data, size)
	b.raw[worker] = raw
	if err != nil {
		b.problem("commit "+b.g.ids.id(num).String(), err)
		return
	}
	copy(b.g.root(num), raw)
	links := append(b.links[worker], num, int32(len(raw)/size-1))
	for at := size; at < len(raw); at += size {
		links = append(links, b.g.ids.find(raw[at:at+size]))
	}
	b.links[worker] = links
}

// assemble makes one list of the workers' links.
func (b *graphBuilder) assemble() {
	g := b.g
	n := g.ids.len()
	g.first, g.read = make([]int32, n+1), make(bitmap, (n+63)/64)
	total := int32(0)
	eachLink(b.links, func(num int32, parents []int32) {
		g.first[num+1] = int32(len(parents))
		g.read.set(int(num))
		total += int32(len(parents))
	})
	for i := range n {
		g.first[i+1] += g.first[i]
	}
	g.parents = make([]int32, total)
	eachLink(b.links, func(num int32, parents []int32) {
		copy(g.parents[g.first[num]:], parents)
	})
}

func eachLink(links [][]int32, f func(num int32, parents []int32)) {
	for _, l := range links {
		for len(l) > 0 {
			n := int(l[1])
			f(l[0], l[2:2+n])
			l = l[2+n:]
		}
	}
}

// ancestors returns the commits that are reached from tips, themselves
// included.
func (g *commitGraph) ancestors(tips []int32) bitmap {
	seen := make(bitmap, (g.len()+63)/64)
	todo := append([]int32(nil), tips...)
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n < 0 || seen.has(int(n)) {
			continue
		}
		seen.set(int(n))
		todo = append(todo, g.parentsOf(n)...)
	}
	return seen
}
