package pack

import (
	"context"
	"fmt"
	"sync/atomic"
)

// A walker is one worker of a walk.
type walker struct {
	p        *Pack
	o        *WalkOptions
	n        int
	inflater *Inflater
	object   Object
	delta    []byte
	spans    [][2]int
	buffers  pool
	path     []step // from the root to the base of what comes next
}

// A step is one object whose children are being visited.
type step struct {
	child int32  // the next one, -1: none
	data  []byte // nil when they do not need it any more
}

// run takes units until there are none left.
func (w *walker) run(ctx context.Context, units [][]int32, taken *atomic.Int64) error {
	for {
		k := int(taken.Add(1)) - 1
		if k >= len(units) {
			return nil
		}
		for _, root := range units[k] {
			if ctx.Err() != nil {
				return nil
			}
			if err := w.tree(ctx, root); err != nil {
				return err
			}
		}
	}
}

// tree visits a whole object and all that is stored against it.
func (w *walker) tree(ctx context.Context, root int32) error {
	if err := w.root(int(root)); err != nil {
		return err
	}
	for n := 1; len(w.path) > 0; n++ {
		top := &w.path[len(w.path)-1]
		c := top.child
		if c < 0 {
			w.path = w.path[:len(w.path)-1]
			continue
		}
		if n%poll == 0 && ctx.Err() != nil {
			return nil
		}
		top.child = w.p.records[c].next
		if err := w.child(int(c)); err != nil {
			return err
		}
	}
	return nil
}

// root visits object i, which is stored whole.
func (w *walker) root(i int) error {
	e, err := w.p.header(i)
	if err != nil {
		w.failed(i, err)
		return nil
	}
	if w.o.MaxSize > 0 && e.size > w.o.MaxSize {
		w.large(i, e.size)
		return nil
	}
	var data []byte
	if w.startOnly(i, &e) {
		data, err = w.p.start(w.inflater, &w.buffers, i, &e, w.o.Start)
	} else {
		data, err = w.p.inflate(w.inflater, &w.buffers, i, &e)
	}
	if err != nil {
		w.failed(i, err)
		return nil
	}
	w.object = Object{Index: i, Kind: e.kind, Data: data, Cut: int64(len(data)) < e.size}
	err = w.o.Visit(w.n, &w.object)
	w.visited(i, data)
	return err
}

// startOnly says whether the start of object i, which is stored whole, is
// enough. Without a checksum of the packed bytes it is not: the stream's own,
// at its end, is all there is.
func (w *walker) startOnly(i int, e *packed) bool {
	return w.o.Start > 0 && e.size > int64(w.o.Start) && w.p.records[i].first < 0 && w.p.index.crcs != nil
}

// child visits object i, a delta against the last object of the path.
func (w *walker) child(i int) error {
	depth := len(w.path)
	base := w.path[depth-1].data
	data, err := w.resolve(i, depth, base)
	if err == nil {
		w.object = Object{i, w.p.records[i].kind, depth, data, false, base, w.delta, w.spans}
		err = w.o.Visit(w.n, &w.object)
	} else {
		w.lost(i, err)
		err = nil
	}
	if top := &w.path[depth-1]; top.child < 0 {
		w.buffers.put(top.data)
		top.data = nil
	}
	w.visited(i, data)
	return err
}

// visited keeps the bytes of object i for its children. data is nil when there
// are none to keep.
func (w *walker) visited(i int, data []byte) {
	switch c := w.p.records[i].first; {
	case data == nil:
	case c < 0:
		w.buffers.put(data)
	default:
		w.path = append(w.path, step{c, data})
	}
}

// resolve makes the bytes of object i from its base's, with w.delta and w.spans.
func (w *walker) resolve(i, depth int, base []byte) ([]byte, error) {
	if depth > maxDepth || w.buffers.held > maxHeld {
		return nil, errDepth
	}
	e, err := w.p.header(i)
	if err != nil {
		return nil, err
	}
	if err := tooLarge(e.size, w.o.MaxSize); err != nil {
		return nil, err
	}
	w.delta, err = w.p.inflateInto(w.inflater, w.delta, i, &e)
	if err != nil {
		return nil, err
	}
	return undelta(&w.buffers, base, w.delta, &w.spans, w.o.MaxSize)
}

// lost reports a delta that could not be applied: too large, or broken.
func (w *walker) lost(i int, err error) {
	if isTooLarge(err) {
		w.large(i, -1)
		return
	}
	w.failed(i, err)
}

// large reports object i and all that is stored against it.
func (w *walker) large(i int, size int64) {
	w.o.Large(w.n, i, size)
	w.above(i, func(c int) { w.o.Large(w.n, c, -1) })
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
		for c := w.p.records[at].first; c >= 0; c = w.p.records[c].next {
			f(int(c))
			todo = append(todo, c)
		}
	}
}
