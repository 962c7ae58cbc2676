package detectors

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// The filter looks only at runs, so each format must say where in a run it is
// to be noticed. That is a route. A pattern is first written out as variants,
// one for each combination of its alternatives; every variant gets a route of
// its own, or the format is refused.

// atom is one byte of set, or, when gap is not 0, up to gap bytes of it.
type atom struct {
	set byteSet
	gap int
}

// variant is one way to match a part of a pattern, as a sequence of atoms.
type variant []atom

// shape is one way to match a whole pattern; the atoms [from,to) are the
// token's.
type shape struct {
	variant
	from, to int
}

// shapes writes a pattern out.
func (p *pattern) shapes() []shape {
	parts := [3][]variant{{nil}, {nil}, {nil}}
	n := 1
	for i, part := range []*node{p.token, p.before, p.after} {
		if part == nil {
			continue
		}
		if parts[i] = part.variants(); n*len(parts[i]) > maxVariants {
			parts[i] = part.blur()
		}
		n *= len(parts[i])
	}
	var out []shape
	for _, before := range parts[1] {
		for _, token := range parts[0] {
			for _, after := range parts[2] {
				v := slices.Concat(before, token, after)
				out = append(out, shape{v, len(before), len(before) + len(token)})
			}
		}
	}
	return out
}

const (
	maxVariants = 64   // ways to match one pattern; beyond that, parts are blurred
	maxAtoms    = 4096 // bytes that one pattern may spell out
	maxGrams    = 1024 // four-byte strings that one variant may put into the filter
	maxLead     = 8    // how far before a run a gram may start
	minRun      = 16   // the shortest run a format may guarantee
	goodRun     = 20
	goodTail    = 10
	maxSpread   = 512 // distance between the first and the last place of a gram
)

// variants writes n out. What has too many combinations becomes a blur: as
// many bytes as it may have, of any of its classes.
func (n *node) variants() []variant {
	switch n.op {
	case opClass:
		return []variant{classVariant(n.set, n.min, n.max)}
	case opAlt:
		var out []variant
		for _, sub := range n.subs {
			out = append(out, sub.variants()...)
		}
		if len(out) > maxVariants {
			return n.blur()
		}
		return out
	case opRepeat:
		return n.repeatVariants()
	}
	out := []variant{nil}
	for _, sub := range n.subs {
		vs := sub.variants()
		if len(out)*len(vs) > maxVariants {
			vs = sub.blur()
		}
		out = cross(out, vs)
	}
	return out
}

func (n *node) repeatVariants() []variant {
	out := []variant{nil}
	vs := n.subs[0].variants()
	for range n.min {
		if out = cross(out, vs); len(out) > maxVariants || len(out)*len(out[0]) > maxAtoms {
			return n.blur()
		}
	}
	if n.max > n.min {
		rest := times(n.subs[0].maxLen, n.max-n.min)
		out = cross(out, []variant{{{set: n.union(), gap: rest}}})
	}
	return out
}

func (n *node) blur() []variant {
	return []variant{classVariant(n.union(), n.minLen, n.maxLen)}
}

func classVariant(set byteSet, lo, hi int) variant {
	v := make(variant, 0, min(lo, maxAtoms)+1)
	for range min(lo, maxAtoms) {
		v = append(v, atom{set: set})
	}
	if hi > len(v) {
		v = append(v, atom{set: set, gap: min(endless, hi-len(v))})
	}
	return v
}

func cross(a, b []variant) []variant {
	out := make([]variant, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			v := make(variant, 0, len(x)+len(y))
			out = append(out, append(append(v, x...), y...))
		}
	}
	return out
}

// literals counts the atoms that are one byte, in one case or both.
func (v variant) literals() int {
	n := 0
	for i := range v {
		if v[i].gap == 0 && v[i].set.len() <= 2 {
			n++
		}
	}
	return n
}

// length returns the fewest and the most bytes of v.
func (v variant) length() (lo, hi int) {
	for j := range v {
		if v[j].gap == 0 {
			lo++
			hi = plus(hi, 1)
		} else {
			hi = plus(hi, v[j].gap)
		}
	}
	return lo, hi
}

// offset returns how far after the token's start the i-th atom may stand;
// negative is before it.
func (v shape) offset(i int) (lo, hi int) {
	if i < v.from {
		hi, lo = v.variant[i:v.from].length()
		return -lo, -hi
	}
	return v.variant[v.from:i].length()
}

// gramRoute says: this gram stands lo to hi bytes after the token's start.
type gramRoute struct {
	sets   [4]byteSet
	lo, hi int
	lead   int // the gram may start this far before the run
	run    int // the run has at least so many bytes
	tail   int // at least so many bytes of the gram's run follow the gram's start

	before, after int // most bytes of the token before and after the run
}

// window returns the four classes a gram at atom i has, ok if there are four.
// The last may be what follows a gap, or the gap.
func (v variant) window(i int) (sets [4]byteSet, ok bool) {
	for k := range 4 {
		if i+k >= len(v) {
			return sets, false
		}
		a := v[i+k]
		if a.gap == 0 {
			sets[k] = a.set
			continue
		}
		if k < 3 {
			return sets, false
		}
		sets[k] = a.set
		j := i + k + 1
		for ; j < len(v); j++ {
			sets[k].addAll(&v[j].set)
			if v[j].gap == 0 {
				break
			}
		}
		return sets, j < len(v)
	}
	return sets, true
}

// stretch is a part of a variant, atoms [from,to), whose bytes are all of the
// run class, so it lies in one run.
type stretch struct{ from, to, bytes int }

func (v variant) stretches(class *byteSet) []stretch {
	var out []stretch
	s := stretch{}
	for i := 0; i <= len(v); i++ {
		if i < len(v) && v[i].set.within(class) {
			if s.to = i + 1; v[i].gap == 0 {
				s.bytes++
			}
			continue
		}
		if s.bytes >= minRun {
			out = append(out, s)
		}
		s = stretch{from: i + 1}
	}
	return out
}

// gramRoutes chooses the gram that source text holds least often.
func (v shape) gramRoute(class *byteSet, freq func(*byteSet) float64) (gramRoute, bool) {
	var best gramRoute
	bestScore := math.Inf(1)
	if v.literals() < 3 {
		return best, false
	}
	for _, s := range v.stretches(class) {
		from := s.from
		for from > 0 && s.from-from < maxLead && v.variant[from-1].gap == 0 {
			from--
		}
		singles := s.bytes + s.from - from // from i to the end of the stretch
		for i := from; i < s.to; i++ {
			if v.variant[i].gap != 0 {
				continue
			}
			tail := singles
			singles--
			if i > from+1 && i > s.from && v.same(i) {
				continue // inside a long class: as the position before
			}
			r, score, ok := v.routeAt(i, s, tail, freq)
			if ok && score < bestScore {
				best, bestScore = r, score
			}
		}
	}
	return best, !math.IsInf(bestScore, 1)
}

// same reports whether the atoms around i are all alike.
func (v variant) same(i int) bool {
	return i+3 < len(v) && v[i-1] == v[i] && v[i] == v[i+1] && v[i] == v[i+2] && v[i] == v[i+3]
}

func (v shape) routeAt(i int, s stretch, tail int, freq func(*byteSet) float64) (gramRoute, float64, bool) {
	sets, ok := v.window(i)
	if !ok || tail < 4 {
		return gramRoute{}, 0, false
	}
	grams, score := 1, 0.0
	for k := range sets {
		grams *= sets[k].len()
		score += freq(&sets[k])
	}
	lo, hi := v.offset(i)
	if grams > maxGrams || hi-lo > maxSpread {
		return gramRoute{}, 0, false
	}
	lead := max(0, s.from-i)
	score += float64(lead) / 16
	score += math.Log2(float64(hi-lo+1)) / 2
	if s.bytes < goodRun {
		score += 2 * float64(goodRun-s.bytes)
	}
	if tail < goodTail {
		score += float64(goodTail - tail)
	}
	before, after := v.around(s)
	return gramRoute{sets: sets, lo: lo, hi: hi, lead: lead, run: s.bytes, tail: tail, before: before, after: after}, score, true
}

// around returns how many bytes of the token may stand before and after a
// stretch, on a side where there are loose ones among them; else 0.
func (v shape) around(s stretch) (before, after int) {
	if s.from > v.from {
		before = v.variant[v.from:min(s.from, v.to)].looseLength()
	}
	if s.to < v.to {
		after = v.variant[max(s.to, v.from):v.to].looseLength()
	}
	return before, after
}

func (v variant) looseLength() int {
	for i := range v {
		if v[i].set.loose() {
			_, most := v.length()
			return most
		}
	}
	return 0
}

// runRoute says: a maximal run of bytes of set, lo to hi bytes long, starts
// from to upto bytes after the token's start.
type runRoute struct {
	set         byteSet
	lo, hi      int
	from, upto  int
	first, last byteSet

	before, after int
}

const maxExact = 255 // the longest run that is told apart by its length

var errNoAnchor = errors.New("no usable anchor: fewer than three literal bytes, and no run of one exact length between boundaries; " +
	"add a literal prefix, or a boundary class that holds the token's characters and context words or a checksum")

// runRoute finds a part of v that is exactly a maximal run of bytes that are
// in the boundary class: it is fenced off by the token's ends, where the
// boundary holds, or by bytes outside that class.
func (v shape) runRoute(class, boundary *byteSet) (runRoute, bool) {
	if r, ok := v.runOf(class.and(boundary), boundary); ok {
		return r, true
	}
	for i := v.from; i < v.to; i++ {
		if set := v.variant[i].set; set.within(class) && (i == v.from || set != v.variant[i-1].set) {
			if r, ok := v.runOf(set, boundary); ok {
				return r, true
			}
		}
	}
	return runRoute{}, false
}

// runOf is runRoute for one class of runs.
func (v shape) runOf(set byteSet, boundary *byteSet) (runRoute, bool) {
	var best runRoute
	bounded := set.within(boundary)
	for from := v.from; from < v.to; from++ {
		if !v.fencedBefore(from, &set, bounded) {
			continue
		}
		to := from
		for to < v.to && v.variant[to].set.within(&set) {
			to++
		}
		part := v.variant[from:to]
		lo, hi := part.length()
		if !v.fencedAfter(to, &set, bounded) || lo < minRun || hi > maxExact || lo <= best.lo {
			continue
		}
		best = runRoute{set: set, lo: lo, hi: hi}
		best.from, best.upto = v.offset(from)
		best.first, best.last = part.edges()
		best.before, best.after = v.around(stretch{from: from, to: to})
	}
	return best, best.lo > 0 && best.upto-best.from <= maxSpread
}

// fencedBefore reports whether no byte of set can stand right before atom i:
// by the atoms there, or by the boundary if set is within it, which holds where the token starts
// unless the pattern says itself what stands before it.
func (v shape) fencedBefore(i int, set *byteSet, bounded bool) bool {
	for i--; i >= 0 && v.variant[i].set.apart(set); i-- {
		if v.variant[i].gap == 0 {
			return true
		}
	}
	return bounded && i < 0 && v.from == 0
}

// fencedAfter reports the same of what stands where atom i would.
func (v shape) fencedAfter(i int, set *byteSet, bounded bool) bool {
	for ; i < len(v.variant) && v.variant[i].set.apart(set); i++ {
		if v.variant[i].gap == 0 {
			return true
		}
	}
	return bounded && i == len(v.variant) && v.to == i
}

// edges returns what the first and the last byte of v may be.
func (v variant) edges() (first, last byteSet) {
	for i := range v {
		first.addAll(&v[i].set)
		if v[i].gap == 0 {
			break
		}
	}
	for i := len(v) - 1; i >= 0; i-- {
		last.addAll(&v[i].set)
		if v[i].gap == 0 {
			break
		}
	}
	return first, last
}

// longestRun returns the most bytes of class that v guarantees in a row.
func (v variant) longestRun(class *byteSet) int {
	best, n := 0, 0
	for i := range v {
		switch {
		case !v[i].set.within(class):
			n = 0
		case v[i].gap == 0:
			n++
		}
		best = max(best, n)
	}
	return best
}

// errShort says why a format cannot be noticed.
func errShort(n int) error {
	return fmt.Errorf("too short for the filter: its longest run of token characters is %d bytes, and %d are needed; "+
		"lengthen the pattern, or replace classes that admit spaces, quotes or brackets by narrower ones", n, minRun)
}

// rarity returns how many bits it takes to say that a byte of source text is
// in a set, from a coarse table of how often bytes stand in long runs there.
func rarity() func(*byteSet) float64 {
	weights := [128]float64{}
	for c := range weights {
		weights[c] = 0.0005
	}
	for i, c := range "etaoinsrlcdpumfhgybvwkxqjz" {
		weights[c] = 0.065 / (1 + 0.12*float64(i))
		weights[c-32] = 0.012
	}
	for c := '0'; c <= '9'; c++ {
		weights[c] = 0.02
	}
	weights['_'], weights['-'], weights['.'], weights['/'], weights['='] = 0.05, 0.06, 0.03, 0.04, 0.02
	return func(s *byteSet) float64 {
		sum := 0.0
		for w, x := range s {
			for ; x != 0; x &= x - 1 {
				sum += weights[w*64+bits.TrailingZeros64(x)]
			}
		}
		return math.Log2(min(1, sum))
	}
}
