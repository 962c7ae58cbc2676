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
	Cut   bool   // Data is only the start of the object: see WalkOptions.Start
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

	// Start allows Data to be only the first bytes of an object, at least this
	// many, where reading more is work for nothing: when it is stored whole and
	// nothing is stored against it. 0: all of every object is wanted.
	Start int

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
	maxHeld  = 2 << 30 // bytes that one worker's bases may take together
	chunk    = 64      // roots that a worker takes at once
	heavy    = 512     // a root of more objects is taken alone, and first
	poll     = 64      // objects between looks at the context
)

// Walk visits every object of the wanted kinds once: each whole object, then
// depth first what is stored as deltas against it. Each entry is inflated once.
// It returns ctx's error when that ends the walk early, or Visit's. Without
// Large, what is too large is given to Fail; without Fail, the first failure
// ends the walk.
func (p *Pack) Walk(ctx context.Context, o WalkOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.complete(&o, cancel)
	units := p.units(o.Kinds)
	var taken atomic.Int64
	var workers sync.WaitGroup
	for n := range max(o.Workers, 1) {
		workers.Go(func() {
			w := &walker{p: p, o: &o, n: n, inflater: NewInflater()}
			if err := p.guard(func() error { return w.run(ctx, units, &taken) }); err != nil {
				cancel(fmt.Errorf("pack %s: %w", p.path, err))
			}
		})
	}
	workers.Wait()
	if ctx.Err() == nil {
		p.unresolved(&o)
	}
	return context.Cause(ctx)
}

// complete gives callbacks that are missing their meaning.
func (p *Pack) complete(o *WalkOptions, cancel context.CancelCauseFunc) {
	if o.Visit == nil {
		o.Visit = func(int, *Object) error { return nil }
	}
	if o.Fail == nil {
		o.Fail = func(_, _ int, err error) { cancel(err) }
	}
	if o.Large == nil {
		fail := o.Fail
		o.Large = func(worker, i int, _ int64) { fail(worker, i, p.fail(i, ErrTooLarge)) }
	}
}

// unresolved reports the objects whose chain has no end: their type is not
// known, so they may be of a wanted kind.
func (p *Pack) unresolved(o *WalkOptions) {
	for i := range p.Len() {
		if p.records[i].kind == 0 {
			o.Fail(0, i, p.fail(i, errNoBase))
		}
	}
}

// units are the whole objects of the wanted kinds in the portions in which
// workers take them: first one by one those that much is stored against, then
// the others by the dozen.
func (p *Pack) units(kinds []Kind) [][]int32 {
	var alone, many []int32
	for i := range p.Len() {
		switch e := &p.records[i]; {
		case e.base != noDelta || !slices.Contains(kinds, e.kind):
		case p.weight[i] > heavy:
			alone = append(alone, int32(i))
		default:
			many = append(many, int32(i))
		}
	}
	slices.SortStableFunc(alone, func(a, b int32) int { return int(p.weight[b] - p.weight[a]) })
	units := make([][]int32, 0, len(alone)+len(many)/chunk+1)
	for i := range alone {
		units = append(units, alone[i:i+1])
	}
	return slices.AppendSeq(units, slices.Chunk(many, chunk))
}
