package pack

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Object is one object as a walk visits it. The slices are valid during the
// visit only.
type Object struct {
	Index int
	Kind  Kind
	// Depth is 0 for an object stored whole, else one more than its base's. A
	// worker visits depth first: its last visit with Depth-1 was the base's.
	Depth int
	Data  []byte
	Base  []byte // the base's bytes; nil at Depth 0
	Delta []byte // the delta that makes Data of Base; nil at Depth 0
	// Changed says, in ascending order and without overlap, which bytes
	// [start, end) of Data the delta brought. A span with start == end is a
	// joint: what stands left and right of it are copies that were no
	// neighbours in Base, or it is an end of Data where Base went on. Every byte
	// that no span touches stood in Base with the same neighbours. Nil at Depth 0.
	Changed [][2]int
}

// WalkOptions say what a walk visits. Callbacks are called from several
// goroutines at once, with the number of the worker, from 0 on; those of one
// worker are called one after the other.
type WalkOptions struct {
	Workers int    // 0: one
	Kinds   []Kind // what is visited; other kinds are not inflated
	MaxSize int64  // larger objects are not read but given to Large; 0: no limit

	// Visit is called once for each object that could be read. An error ends
	// the walk and is returned from it.
	Visit func(worker int, o *Object) error
	// Large is called for an object larger than MaxSize, and for those stored
	// as deltas against it; size is -1 for the latter.
	Large func(worker, index int, size int64)
	// Fail is called for an object that cannot be read, and for those stored as
	// deltas against it. The walk goes on.
	Fail func(worker, index int, err error)
}

const (
	maxDepth = 4096    // git's own limit is 4095
	maxHeld  = 2 << 30 // bytes that the chain of objects under one visit may take
	chunk    = 64      // roots that a worker takes at once
	heavy    = 512     // a root with more objects above it is taken alone, and first
)

// Walk visits every object of the wanted kinds once: each whole object, then
// depth first what is stored as deltas against it. Each entry is inflated once.
// It returns ctx's error when that ends the walk early, or Visit's.
func (p *Pack) Walk(ctx context.Context, o WalkOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	units := p.units(o.Kinds)
	var taken atomic.Int64
	var workers sync.WaitGroup
	for n := range max(o.Workers, 1) {
		workers.Go(func() {
			w := &walker{p: p, o: &o, n: n, inflater: NewInflater()}
			for {
				k := int(taken.Add(1)) - 1
				if k >= len(units) || ctx.Err() != nil {
					return
				}
				for _, root := range units[k] {
					if err := w.tree(ctx, root); err != nil {
						cancel(err)
						return
					}
				}
			}
		})
	}
	workers.Wait()
	p.unresolved(&o)
	return context.Cause(ctx)
}

// unresolved reports the objects whose chain has no end: their type is not
// known, so they may be of a wanted kind.
func (p *Pack) unresolved(o *WalkOptions) {
	for i, k := range p.kinds {
		if k == 0 {
			o.Fail(0, i, p.fail(i, errNoBase))
		}
	}
}

// units are the whole objects of the wanted kinds in the portions in which
// workers take them: first one by one those that much is stored against, then
// the others by the dozen.
func (p *Pack) units(kinds []Kind) [][]int32 {
	weight := p.weights()
	var alone, many []int32
	for i, b := range p.base {
		switch {
		case b != noDelta || !slices.Contains(kinds, p.kinds[i]):
		case weight[i] > heavy:
			alone = append(alone, int32(i))
		default:
			many = append(many, int32(i))
		}
	}
	slices.SortStableFunc(alone, func(a, b int32) int { return int(weight[b] - weight[a]) })
	var units [][]int32
	for i := range alone {
		units = append(units, alone[i:i+1])
	}
	for part := range slices.Chunk(many, chunk) {
		units = append(units, part)
	}
	return units
}

// weights counts for each object those stored against it, directly or not. It
// is only a guess where a base stands after its delta.
func (p *Pack) weights() []int32 {
	w := make([]int32, len(p.base))
	for i := len(p.base) - 1; i >= 0; i-- {
		if b := p.base[i]; b >= 0 {
			w[b] += w[i] + 1
		}
	}
	return w
}

// A walker is one worker of a walk.
type walker struct {
	p        *Pack
	o        *WalkOptions
	n        int
	inflater *Inflater
	object   Object
	delta    []byte
	bufs     [][]byte // by depth
	held     int64    // capacity of bufs
	next     []int32  // by depth: the next child to visit
	spans    [][2]int
}

// tree visits a whole object and all that is stored against it.
func (w *walker) tree(ctx context.Context, root int32) error {
	if err := w.root(int(root)); err != nil || len(w.next) == 0 {
		return err
	}
	for n := 0; len(w.next) > 0; n++ {
		depth := len(w.next)
		c := w.next[depth-1]
		if c < 0 {
			w.next = w.next[:depth-1]
			continue
		}
		w.next[depth-1] = w.p.next[c]
		if n%256 == 255 && ctx.Err() != nil {
			w.next = w.next[:0]
			return nil
		}
		if err := w.child(int(c), depth); err != nil {
			return err
		}
	}
	return nil
}

// root visits object i, which is stored whole, and lays its children out.
func (w *walker) root(i int) error {
	w.next = w.next[:0]
	e, err := w.p.header(i)
	if err == nil && w.o.MaxSize > 0 && e.size > w.o.MaxSize {
		w.o.Large(w.n, i, e.size)
		w.above(i, func(c int) { w.o.Large(w.n, c, -1) })
		return nil
	}
	buf := w.buffer(0)
	if err == nil {
		*buf, err = w.p.inflate(w.inflater, *buf, i, &e)
	}
	if err != nil {
		w.failed(i, err)
		return nil
	}
	w.object = Object{Index: i, Kind: e.kind, Data: *buf}
	if c := w.p.first[i]; c >= 0 {
		w.next = append(w.next, c)
	}
	return w.o.Visit(w.n, &w.object)
}

// child visits object i, a delta against the object last visited one level
// below, and lays its own children out.
func (w *walker) child(i, depth int) error {
	if depth > maxDepth || w.held > maxHeld {
		w.failed(i, errDepth)
		w.release(depth)
		return nil
	}
	base := w.bufs[depth-1]
	buf := w.buffer(depth)
	before := cap(*buf)
	e, err := w.p.header(i)
	if err == nil {
		w.delta, err = w.p.inflate(w.inflater, w.delta, i, &e)
	}
	if err == nil {
		*buf, w.spans, err = undelta(*buf, base, w.delta, w.spans[:0], w.o.MaxSize)
	}
	w.held += int64(cap(*buf) - before)
	if err != nil {
		w.lost(i, err)
		return nil
	}
	w.object = Object{i, w.p.kinds[i], depth, *buf, base, w.delta, w.spans}
	if c := w.p.first[i]; c >= 0 {
		w.next = append(w.next, c)
	}
	return w.o.Visit(w.n, &w.object)
}

// release gives back the buffers from a depth on, which a chain of large
// objects has filled.
func (w *walker) release(depth int) {
	for d := depth; d < len(w.bufs); d++ {
		w.held -= int64(cap(w.bufs[d]))
		w.bufs[d] = nil
	}
}

func (w *walker) buffer(depth int) *[]byte {
	for len(w.bufs) <= depth {
		w.bufs = append(w.bufs, nil)
	}
	return &w.bufs[depth]
}

// lost reports a delta that could not be applied: too large, or broken.
func (w *walker) lost(i int, err error) {
	if isTooLarge(err) && w.o.Large != nil {
		w.o.Large(w.n, i, -1)
		w.above(i, func(c int) { w.o.Large(w.n, c, -1) })
		return
	}
	w.failed(i, err)
}

// failed reports object i and all that is stored against it.
func (w *walker) failed(i int, err error) {
	w.o.Fail(w.n, i, w.p.fail(i, err))
	w.above(i, func(c int) {
		w.o.Fail(w.n, c, w.p.fail(c, fmt.Errorf("it is a delta against %s: %w", w.p.ID(i), err)))
	})
}

// above calls f for all that is stored against object i, directly or not.
func (w *walker) above(i int, f func(int)) {
	todo := []int32{int32(i)}
	for len(todo) > 0 {
		last := len(todo) - 1
		at := todo[last]
		todo = todo[:last]
		for c := w.p.first[at]; c >= 0; c = w.p.next[c] {
			f(int(c))
			todo = append(todo, c)
		}
	}
}
