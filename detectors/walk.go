package detectors

import "slices"

// span is a range of positions, both ends included.
type span struct{ lo, hi int }

// walk matches nodes at positions of one data. It computes all positions at
// which a match may end at once, as a short list of spans, so there is no
// backtracking: a class costs the length of what it matches, whatever stands
// around it. The arena holds the lists of the nodes under way, one above the
// other.
type walk struct {
	data  []byte
	limit int // positions from here on are not to be matched
	far   int // one past the last byte looked at; len(data)+1 once the end of the data was
	arena []span
	memo  [8]runMemo
	steps int // bytes looked at, for tests of the bound
}

// runMemo remembers a stretch of bytes of one class, so that a long class
// that is tried from thousands of starts is read once.
type runMemo struct {
	n      *node
	lo, hi int
}

const memoFrom = 48 // shorter classes are read again

// reset makes w ready for other data.
func (w *walk) reset(data []byte) {
	w.data, w.arena = data, w.arena[:0]
	w.memo = [8]runMemo{}
}

// ends returns the positions at which a match of n that starts at pos may
// end, none after limit. The list is valid until the next call and ascending
// neither in order nor free of overlaps when n has alternatives.
func (w *walk) ends(n *node, pos, limit int) []span {
	w.limit = min(limit, len(w.data))
	w.arena = append(w.arena[:0], span{pos, pos})
	w.step(n, 0, 1)
	return w.arena[1:]
}

// step appends the ends of n from each of the starts arena[from:to].
func (w *walk) step(n *node, from, to int) {
	if n.apart && n.minLen > 0 {
		// Every byte from lo to hi-1 of a span is of the class before, so only
		// the last start can go on.
		for i := from; i < to; i++ {
			w.arena[i].lo = w.arena[i].hi
		}
	}
	switch n.op {
	case opClass:
		for i := from; i < to; i++ {
			w.class(n, w.arena[i])
		}
	case opConcat:
		w.concat(n, from, to)
	case opAlt:
		for _, sub := range n.subs {
			w.step(sub, from, to)
		}
	case opRepeat:
		w.repeat(n, from, to)
	}
}

func (w *walk) concat(n *node, from, to int) {
	base := len(w.arena)
	if len(n.subs) == 0 {
		w.arena = append(w.arena, w.arena[from:to]...)
	}
	for _, sub := range n.subs {
		mark := len(w.arena)
		w.step(sub, from, to)
		if from, to = mark, len(w.arena); from == to {
			break
		}
	}
	if len(n.subs) > 0 {
		w.keep(base, from, to)
	}
}

// keep moves the list arena[from:to] down to base and drops what is above.
func (w *walk) keep(base, from, to int) {
	copy(w.arena[base:], w.arena[from:to])
	w.arena = w.arena[:base+to-from]
}

// repeat applies the sub-node again and again until nothing is reached any
// more; it ends because the sub-node takes at least one byte.
func (w *walk) repeat(n *node, from, to int) {
	var room [2][8]span // most lists are short and need nothing of the heap
	cur, out := append(room[0][:0], w.arena[from:to]...), room[1][:0]
	if n.min == 0 {
		out = append(out, cur...)
	}
	for k := 1; k <= n.max && len(cur) > 0; k++ {
		mark := len(w.arena)
		w.arena = append(w.arena, cur...)
		mid := len(w.arena)
		w.step(n.subs[0], mark, mid)
		cur = append(cur[:0], merged(w.arena[mid:])...)
		w.arena = w.arena[:mark]
		if k >= n.min {
			out = append(out, cur...)
		}
	}
	w.arena = append(w.arena, merged(out)...)
}

// merged sorts spans and joins those that touch, in place.
func merged(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return a.lo - b.lo })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && x.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, x.hi)
			continue
		}
		out = append(out, x)
	}
	return out
}

// class appends the ends of min to max bytes of n.set from each start in s.
func (w *walk) class(n *node, s span) {
	if n.min == 0 {
		w.arena = append(w.arena, s)
	}
	if n.apart {
		s.lo = s.hi // as in step
	}
	for q := s.lo; q <= s.hi; {
		end := w.runEnd(n, q, plus(s.hi, n.max))
		if end == q {
			q++
			continue
		}
		if last := min(s.hi, end); q+n.min <= end {
			w.arena = append(w.arena, span{q + n.min, min(plus(last, n.max), end)})
		}
		q = end + 1
	}
}

// runEnd returns the first position from q on whose byte is not of n.set, or
// stop if there is none before it.
func (w *walk) runEnd(n *node, q, stop int) int {
	want := stop
	stop = min(stop, w.limit)
	i := q
	var memo *runMemo
	if n.max >= memoFrom {
		memo = &w.memo[n.slot]
		if memo.n == n && memo.lo <= q && q <= memo.hi {
			i = min(memo.hi, max(stop, q))
		} else {
			*memo = runMemo{n: n, lo: q, hi: q}
		}
	}
	for i < stop && n.set.has(w.data[i]) {
		i++
		w.steps++
	}
	w.steps++
	if memo != nil {
		memo.hi = max(memo.hi, i)
	}
	far := i
	if i < stop || i < want && i == len(w.data) { // the byte, or the end, was looked at
		far++
	}
	w.far = max(w.far, far)
	return i
}
