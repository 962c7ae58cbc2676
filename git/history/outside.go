package history

import (
	"context"
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"

	"patwatch/git/pack"
)

// others are the commits and trees that no pack of ours has: loose ones, and
// those that only git can read.
type others struct {
	commits, trees []pack.ID
	problems       []Problem
}

// others lists them once.
func (r *Repository) others(ctx context.Context) (*others, error) {
	r.othersMu.Lock()
	defer r.othersMu.Unlock()
	if r.outside != nil {
		return r.outside, nil
	}
	o := &others{}
	for _, s := range r.stores {
		if err := r.looseMeta(ctx, s, o); err != nil {
			return nil, err
		}
	}
	if r.broken {
		if err := r.gitMeta(ctx, o); err != nil {
			return nil, err
		}
	}
	r.outside = o
	return o, nil
}

// looseMeta reads the headers of the loose objects of a store that no pack has.
func (r *Repository) looseMeta(ctx context.Context, s *store, o *others) error {
	in := looseReader{idSize: r.idSize}
	for fan := range fanOut {
		ids, err := looseIDs(s.dir, byte(fan), r.idSize)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			o.problems = append(o.problems, Problem{s.dir, err})
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		for _, id := range ids {
			if packed(r.packs, id) {
				continue
			}
			if err := in.open(s.dir, id); err != nil {
				o.problems = append(o.problems, Problem{"object " + id.String(), err})
				continue
			}
			in.Close()
			o.add(id, in.kind)
		}
	}
	return nil
}

func (o *others) add(id pack.ID, kind pack.Kind) {
	switch kind {
	case pack.Commit:
		o.commits = append(o.commits, id)
	case pack.Tree:
		o.trees = append(o.trees, id)
	}
}

// gitMeta adds what git knows and we do not.
func (r *Repository) gitMeta(ctx context.Context, o *others) error {
	err := r.gitObjects(ctx, func(id pack.ID, kind pack.Kind, _ int64) {
		if !r.has(id) {
			o.add(id, kind)
		}
	})
	if err != nil && ctx.Err() == nil {
		o.problems = append(o.problems, Problem{"object store", err})
		return nil
	}
	return err
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
