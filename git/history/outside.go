package history

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"patwatch/git/pack"
)

// others are the commits and trees that no pack of ours has: loose ones, and
// those that only git can read. The blobs are the latter only.
type others struct {
	commits, trees, blobs []pack.ID
	problems              []Problem
}

// others lists them once.
func (r *Repository) others(ctx context.Context) (*others, error) {
	r.othersMu.Lock()
	defer r.othersMu.Unlock()
	if r.outside != nil {
		return r.outside, nil
	}
	o := &others{}
	var mu sync.Mutex
	problem := func(object string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if len(o.problems) < maxProblems {
			o.problems = append(o.problems, Problem{object, err})
		}
	}
	loose := looseWalk{r: r, workers: defaultWorkers(0), problem: problem,
		visit: func(_ int, in *checkedReader) error {
			mu.Lock()
			defer mu.Unlock()
			o.add(in.id, in.kind)
			return nil
		},
		fail: func(id pack.ID, err error) { problem("object "+id.String(), err) },
	}
	if err := loose.run(ctx); err != nil {
		return nil, err
	}
	o.blobs = nil // loose ones are no news to a walk
	if r.broken {
		err := r.gitObjects(ctx, func(id pack.ID, kind pack.Kind) {
			if !packed(r.packs, id) && !inStores(r.stores, id) {
				o.add(id, kind)
			}
		})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			problem("object store", fmt.Errorf("git could not be asked what else there is: %w", err))
		}
	}
	r.outside = o
	return o, nil
}

func (o *others) add(id pack.ID, kind pack.Kind) {
	switch kind {
	case pack.Commit:
		o.commits = append(o.commits, id)
	case pack.Tree:
		o.trees = append(o.trees, id)
	case pack.Blob:
		o.blobs = append(o.blobs, id)
	}
}

// each reads objects one by one in several goroutines. visit is called for
// those of the wanted kind, fail for those that cannot be read.
func (r *Repository) each(ctx context.Context, workers int, ids []pack.ID, kind pack.Kind,
	visit func(worker, i int, data []byte), fail func(i int, err error)) error {
	var taken atomic.Int64
	var group sync.WaitGroup
	for n := range workers {
		group.Go(func() {
			rd := r.reader()
			defer rd.release()
			for i := int(taken.Add(1)) - 1; i < len(ids) && ctx.Err() == nil; i = int(taken.Add(1)) - 1 {
				k, data, err := rd.read(ctx, ids[i], maxMetaRead)
				switch {
				case err != nil:
					fail(i, err)
				case k == kind:
					visit(n, i, data)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// defaultWorkers is the number of workers that 0 stands for.
func defaultWorkers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// number adds the objects of one kind of a pack to set. The result has for each
// object of the pack its number in set if this copy is the one that counts,
// else -1: another kind, or a copy of one that is in set already.
func number(set *idSet, p *pack.Pack, kind pack.Kind) []int32 {
	nums := make([]int32, p.Len())
	var raw []byte
	for i := range nums {
		nums[i] = -1
		if p.Kind(i) != kind {
			continue
		}
		raw = p.ID(i).Append(raw[:0])
		if n, added := set.add(raw); added {
			nums[i] = n
		}
	}
	return nums
}

// countKind returns how many objects of a kind the packs have.
func (r *Repository) countKind(kind pack.Kind) int {
	n := 0
	for _, p := range r.packs {
		for i := range p.Len() {
			if p.Kind(i) == kind {
				n++
			}
		}
	}
	return n
}

// A bitmap is a set of small numbers. The nil bitmap is empty.
type bitmap []uint64

func (b bitmap) has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 != 0 }

func (b bitmap) set(i int) { b[i>>6] |= 1 << (i & 63) }

// packed says whether one of the packs has an object.
func packed(packs []*pack.Pack, id pack.ID) bool {
	for _, p := range packs {
		if _, ok := p.Find(id); ok {
			return true
		}
	}
	return false
}
