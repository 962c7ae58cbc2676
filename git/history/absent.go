package history

import (
	"fmt"
	"slices"
	"sync"

	"patwatch/git/pack"
)

// An absentCounter counts, in a partial clone, the blobs that trees refer to
// and that are not there.
type absentCounter struct {
	r    *Repository
	here *idSet // blobs in packs

	mu   sync.Mutex
	gone *idSet
}

// absent reports how many blobs a partial clone left out.
func (w *blobWalk) absent() error {
	if !w.r.config.promisor || w.ctx.Err() != nil {
		return nil
	}
	c := &absentCounter{r: w.r, here: newIDSet(w.r.idSize, w.r.countKind(pack.Blob)), gone: newIDSet(w.r.idSize, 0)}
	for _, p := range w.r.packs {
		number(c.here, p, pack.Blob)
	}
	bad, err := c.count(w)
	if err != nil {
		return err
	}
	if n := c.gone.len(); n > 0 {
		w.problem("partial clone", fmt.Errorf("%d blobs that trees refer to are not in this clone, and were not read", n))
	}
	if bad > 0 {
		w.problem("partial clone", fmt.Errorf("%d trees could not be read to see which blobs are missing", bad))
	}
	return nil
}

// count looks at all trees. It returns how many could not be read.
func (c *absentCounter) count(w *blobWalk) (bad int, err error) {
	fail := func() {
		c.mu.Lock()
		bad++
		c.mu.Unlock()
	}
	for _, p := range c.r.packs {
		err := p.Walk(w.ctx, pack.WalkOptions{
			Workers: w.o.Workers, Kinds: []pack.Kind{pack.Tree}, MaxSize: maxMetaRead,
			Visit: func(_ int, o *pack.Object) error { c.tree(o.Data, o.Changed, o.Depth > 0); return nil },
			Large: func(int, int, int64) { fail() },
			Fail:  func(int, int, error) { fail() },
		})
		if err != nil {
			return bad, err
		}
	}
	o, err := c.r.others(w.ctx)
	if err != nil {
		return bad, err
	}
	err = c.r.each(w.ctx, w.o.Workers, o.trees, pack.Tree,
		func(_, _ int, data []byte) { c.tree(data, nil, false) }, func(int, error) { fail() })
	return bad, err
}

// tree looks at the entries of a tree, of a delta only at those that its base
// does not have.
func (c *absentCounter) tree(data []byte, changed [][2]int, delta bool) {
	s := treeScanner{data: data, idSize: c.r.idSize}
	for from := 0; s.next(); from = s.pos {
		for len(changed) > 0 && changed[0][1] < from {
			changed = changed[1:]
		}
		if delta && (len(changed) == 0 || changed[0][0] > s.pos) {
			continue
		}
		if s.kind == entryBlob && c.here.find(s.id) < 0 {
			c.missing(slices.Clone(s.id))
		}
	}
}

func (c *absentCounter) missing(raw []byte) {
	id, err := pack.NewID(raw)
	if err != nil || packed(c.r.packs, id) || inStores(c.r.stores, id) {
		return
	}
	c.mu.Lock()
	c.gone.add(raw)
	c.mu.Unlock()
}
