package detectors

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// filter is the part of a matcher that sees every byte.
type filter struct {
	in   [256]bool // the class of a run
	run  int       // the shortest run that is looked at
	lead int       // how far before a run a gram may start
	tail int       // how much of the run a gram is followed by, itself included

	bitmap []uint64 // of hashes of grams
	shift  uint8
	starts []uint32 // bucket of a hash -> its first entry
	grams  []gramEntry
	routes []gramPlace

	mask    [256]uint32 // byte -> the run classes it is in
	exact   []exactClass
	runs    []runPlace
	shorter int // the shortest run of any of these classes

	armor []*rule
}

// gramEntry is a gram, little endian, and the route that waits for it.
type gramEntry struct{ gram, route uint32 }

type gramPlace struct {
	rule   *rule
	lo, hi int // the token starts so many bytes before the gram
}

// exactClass maps the length of a maximal run of a class to routes.
type exactClass struct {
	set   byteSet
	byLen [maxExact + 1][]uint16
}

type runPlace struct {
	rule        *rule
	from, upto  int
	first, last byteSet
}

const (
	hashFactor = 0x9E3779B1
	minBits    = 18
	maxBits    = 22
	bucketBits = 4 // hashes of one bucket differ in so many low bits
	maxClasses = 32
)

// build lays out the tables for the routes.
func (f *filter) build(all []routed, class byteSet, armor []*rule) []error {
	for _, c := range class.bytes() {
		f.in[c] = true
	}
	f.armor = armor
	f.run, f.tail, f.shorter = 1<<20, 1<<20, 1<<20
	if len(armor) > 0 {
		f.run = armorLine
	}
	var errs []error
	for _, x := range all {
		if x.gram != nil {
			f.addGrams(x.rule, x.gram)
			continue
		}
		if err := f.addRun(x.rule, x.run); err != nil {
			errs = append(errs, fmt.Errorf("compile format %q: %w", x.rule.format.ID, err))
		}
	}
	f.index()
	return errs
}

// addGrams enters every gram that the route's classes make.
func (f *filter) addGrams(r *rule, g *gramRoute) {
	f.run, f.tail, f.lead = min(f.run, g.run), min(f.tail, g.tail), max(f.lead, g.lead)
	r.loose.include(reach{back: g.after, ahead: g.before})
	id := uint32(len(f.routes))
	f.routes = append(f.routes, gramPlace{rule: r, lo: g.lo, hi: g.hi})
	var b [4][]byte
	for k := range g.sets {
		b[k] = g.sets[k].bytes()
	}
	for _, c0 := range b[0] {
		for _, c1 := range b[1] {
			for _, c2 := range b[2] {
				low := uint32(c0) | uint32(c1)<<8 | uint32(c2)<<16
				for _, c3 := range b[3] {
					f.grams = append(f.grams, gramEntry{low | uint32(c3)<<24, id})
				}
			}
		}
	}
}

func (f *filter) addRun(r *rule, x *runRoute) error {
	k := slices.IndexFunc(f.exact, func(c exactClass) bool { return c.set == x.set })
	if k < 0 {
		if k = len(f.exact); k == maxClasses {
			return fmt.Errorf("more than %d boundary classes among formats without an anchor: use one that others use", maxClasses)
		}
		f.exact = append(f.exact, exactClass{set: x.set})
		for _, c := range x.set.bytes() {
			f.mask[c] |= 1 << k
		}
	}
	f.run, f.shorter = min(f.run, x.lo), min(f.shorter, x.lo)
	id := uint16(len(f.runs))
	r.loose.include(reach{back: x.after, ahead: x.before})
	f.runs = append(f.runs, runPlace{rule: r, from: x.from, upto: x.upto, first: x.first, last: x.last})
	for n := x.lo; n <= x.hi; n++ {
		f.exact[k].byLen[n] = append(f.exact[k].byLen[n], id)
	}
	return nil
}

// index sizes the bitmap after the number of grams, and sorts them into it.
func (f *filter) index() {
	width := minBits
	for width < maxBits && len(f.grams)<<5 > 1<<width {
		width++
	}
	f.shift = uint8(32 - width)
	f.bitmap = make([]uint64, 1<<width/64)
	f.starts = make([]uint32, 1<<(width-bucketBits)+1)
	for _, e := range f.grams {
		h := f.hash(e.gram)
		f.bitmap[h>>6] |= 1 << (h & 63)
		f.starts[h>>bucketBits+1]++
	}
	for i := 1; i < len(f.starts); i++ {
		f.starts[i] += f.starts[i-1]
	}
	sorted := make([]gramEntry, len(f.grams))
	next := slices.Clone(f.starts)
	for _, e := range f.grams {
		b := f.hash(e.gram) >> bucketBits
		sorted[next[b]] = e
		next[b]++
	}
	f.grams = sorted
}

func (f *filter) hash(gram uint32) uint32 { return gram * hashFactor >> f.shift }

// scan looks at the runs of data[lo:hi], as if no run went on beyond.
//
// Of a run that is too short only few bytes are read: the byte that would be
// its last comes first, then the one before, until one is not of the class;
// the next run cannot start before that.
func (f *filter) scan(s *search, lo, hi int) {
	data := s.data[:hi]
	n := f.run
	for i := lo; i+n <= len(data); {
		j := i + n - 1
		for j >= i && f.in[data[j]] {
			j--
		}
		if j >= i {
			i = j + 1
			continue
		}
		end := i + n
		for end < len(data) && f.in[data[end]] {
			end++
		}
		f.look(s, i, end)
		i = end + 1
	}
}

// look treats one run, data[from:to], by each of the paths.
func (f *filter) look(s *search, from, to int) {
	if len(f.grams) > 0 {
		f.lookForGrams(s, from, to)
	}
	if to-from >= f.shorter {
		f.lookAtLengths(s, from, to)
	}
	if len(f.armor) > 0 {
		s.armorAt(from, to)
	}
}

func (f *filter) lookForGrams(s *search, from, to int) {
	last := min(to-f.tail, len(s.data)-4)
	bitmap, shift := f.bitmap, f.shift
	for q := max(from-f.lead, 0); q <= last; q++ {
		gram := binary.LittleEndian.Uint32(s.data[q:])
		h := gram * hashFactor >> (shift & 31)
		if bitmap[h>>6]>>(h&63)&1 != 0 {
			f.candidates(s, q, gram, h)
		}
	}
}

// candidates tries the routes of the gram at q.
func (f *filter) candidates(s *search, q int, gram, h uint32) {
	b := h >> bucketBits
	for _, e := range f.grams[f.starts[b]:f.starts[b+1]] {
		if e.gram != gram {
			continue
		}
		p := &f.routes[e.route]
		for off := p.lo; off <= p.hi; off++ {
			s.try(p.rule, q-off)
		}
	}
}

// lookAtLengths splits a run into the maximal runs of each exact class, and
// tries those that are long enough.
func (f *filter) lookAtLengths(s *search, from, to int) {
	var start [maxClasses]int
	for k := range f.exact {
		start[k] = from
	}
	open := f.mask[s.data[from]]
	for i := from + 1; i < to; i++ {
		if now := f.mask[s.data[i]]; now != open {
			if gone := open &^ now; gone != 0 && i-from >= f.shorter {
				f.ended(s, &start, gone, i)
			}
			for began := now &^ open; began != 0; began &= began - 1 {
				start[bits.TrailingZeros32(began)&(maxClasses-1)] = i
			}
			open = now
		}
	}
	f.ended(s, &start, open, to)
}

// ended tries the runs of the classes in mask, which end at i.
func (f *filter) ended(s *search, start *[maxClasses]int, mask uint32, i int) {
	for ; mask != 0; mask &= mask - 1 {
		if k := bits.TrailingZeros32(mask) & (maxClasses - 1); i-start[k] >= f.shorter {
			f.maximal(s, k, start[k], i)
		}
	}
}

// maximal tries the routes that wait for a run of class k of this length.
func (f *filter) maximal(s *search, k, from, to int) {
	if to-from > maxExact {
		return
	}
	for _, id := range f.exact[k].byLen[to-from] {
		p := &f.runs[id]
		if !p.first.has(s.data[from]) || !p.last.has(s.data[to-1]) {
			continue
		}
		for off := p.from; off <= p.upto; off++ {
			s.try(p.rule, from-off)
		}
	}
}
