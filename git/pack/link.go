package pack

import (
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"sync"
)

// link puts the objects in order of their offset, and finds for each delta its
// base and its type.
func (p *Pack) link() error {
	n := p.index.n
	offsets, rows := make([]uint64, n), make([]uint32, n)
	end := uint64(len(p.data) - p.index.idSize)
	for i := range n {
		o, err := p.index.offset(i)
		if err != nil {
			return err
		}
		if o < headerSize || o >= end {
			return fmt.Errorf("%w index: offset %d is outside of the pack", ErrCorrupt, o)
		}
		offsets[i], rows[i] = o, uint32(i)
	}
	sortOffsets(offsets, rows, end)
	p.records = make([]record, n+1)
	p.records[n].offset = end
	for i, row := range rows {
		p.records[i] = record{offset: offsets[i], crc: p.index.crc(int(row)), row: row, first: -1, next: -1}
		if i > 0 && offsets[i] == offsets[i-1] {
			return fmt.Errorf("%w index: two objects at offset %d", ErrCorrupt, offsets[i])
		}
	}
	p.fillBuckets()
	if err := p.readHeaders(); err != nil {
		return err
	}
	p.children()
	p.weigh(p.resolve())
	return nil
}

// sortOffsets sorts offsets, and rows with them, by radix: 11 bits a pass.
func sortOffsets(offsets []uint64, rows []uint32, end uint64) {
	const width = 11
	spareOffsets, spareRows := make([]uint64, len(offsets)), make([]uint32, len(rows))
	from, fromRows, to, toRows := offsets, rows, spareOffsets, spareRows
	for shift := 0; shift < bits.Len64(end); shift += width {
		var at [1 << width]uint32
		for _, o := range from {
			at[o>>shift&(1<<width-1)]++
		}
		sum := uint32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for i, o := range from {
			k := &at[o>>shift&(1<<width-1)]
			to[*k], toRows[*k] = o, fromRows[i]
			*k++
		}
		from, fromRows, to, toRows = to, toRows, from, fromRows
	}
	copy(offsets, from)
	copy(rows, fromRows)
}

// fillBuckets divides the pack into about as many equal parts as it has
// objects; buckets[k] is the first object at or after the start of part k.
func (p *Pack) fillBuckets() {
	n := p.index.n
	end := p.records[n].offset
	for p.shift = 0; end>>p.shift > uint64(n)+1; p.shift++ {
	}
	p.buckets = make([]uint32, end>>p.shift+2)
	i := 0
	for k := range p.buckets {
		for i < n && p.records[i].offset>>p.shift < uint64(k) {
			i++
		}
		p.buckets[k] = uint32(i)
	}
}

// at returns the number of the object at offset o, -1 when there is none.
func (p *Pack) at(o uint64) int {
	k := o >> p.shift
	if k+1 >= uint64(len(p.buckets)) {
		return -1
	}
	for i := p.buckets[k]; i < p.buckets[k+1]; i++ {
		if p.records[i].offset == o {
			return int(i)
		}
	}
	return -1
}

// readHeaders finds type and base of all entries, with all processors: most of
// the time goes into waiting for memory.
func (p *Pack) readHeaders() error {
	parts := max(min(runtime.GOMAXPROCS(0), p.Len()/4096), 1)
	errs := make([]error, parts)
	var all sync.WaitGroup
	for k := range parts {
		all.Go(func() {
			errs[k] = p.guard(func() error {
				p.readPart(p.Len()*k/parts, p.Len()*(k+1)/parts)
				return nil
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// readPart is readHeaders for the entries from start to end. A pack is large,
// and headers are far apart: reading the first bytes of many in a row lets the
// processor wait for all of them at once.
func (p *Pack) readPart(start, end int) {
	const batch = 64
	for ; start < end; start += batch {
		stop := min(start+batch, end)
		for i := start; i < stop; i++ {
			p.records[i].kind = Kind(p.data[p.records[i].offset])
		}
		for i := start; i < stop; i++ {
			p.records[i].kind, p.records[i].base = p.readBase(i)
		}
	}
}

// readBase returns the type of entry i and the base it names. An entry that
// cannot be read counts as a delta without a base.
func (p *Pack) readBase(i int) (Kind, int32) {
	e, err := p.header(i)
	if err != nil {
		return 0, noBase
	}
	switch e.kind {
	case offsetDelta:
		o := p.records[i].offset
		if e.back == 0 || e.back > o {
			return 0, noBase
		}
		if b := p.at(o - e.back); b >= 0 {
			return 0, int32(b)
		}
		return 0, noBase
	case nameDelta:
		if b, ok := p.Find(makeID(e.name)); ok {
			return 0, int32(b)
		}
		return 0, noBase
	}
	return e.kind, noDelta
}

// children links each base to its deltas, in the order of the pack.
func (p *Pack) children() {
	for i := p.Len() - 1; i >= 0; i-- {
		if e := &p.records[i]; e.base >= 0 {
			b := &p.records[e.base]
			e.next, b.first = b.first, int32(i)
		}
	}
}

// resolve gives deltas the type of the object at the end of their chain: each
// whole object passes its type to what is stored against it. A cycle is
// reached from no whole object and keeps type 0. It returns the objects that it
// reached, each after its base.
func (p *Pack) resolve() []int32 {
	order := make([]int32, 0, p.Len())
	for root := range p.Len() {
		if p.records[root].base != noDelta {
			continue
		}
		kind, at := p.records[root].kind, len(order)
		order = append(order, int32(root))
		for ; at < len(order); at++ {
			for c := p.records[order[at]].first; c >= 0; c = p.records[c].next {
				p.records[c].kind = kind
				order = append(order, c)
			}
		}
	}
	return order
}

// weigh counts for each object itself and those stored against it, directly or
// not, and makes the heaviest child of each the last one. A walk then needs
// the bytes of few objects at once: those of a base are given up before its
// last child's own children, so what is kept doubles in weight from one to the
// next.
func (p *Pack) weigh(order []int32) {
	p.weight = make([]int32, p.Len())
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		p.weight[i]++
		if b := p.records[i].base; b >= 0 {
			p.weight[b] += p.weight[i]
		}
		p.heaviestLast(&p.records[i])
	}
}

// heaviestLast moves the heaviest child of an object to the end of its list.
func (p *Pack) heaviestLast(e *record) {
	before, heaviest, last := int32(-1), e.first, e.first
	if last < 0 {
		return
	}
	for c := p.records[last].next; c >= 0; c = p.records[c].next {
		if p.weight[c] >= p.weight[heaviest] {
			before, heaviest = last, c
		}
		last = c
	}
	if heaviest == last {
		return
	}
	if before < 0 {
		e.first = p.records[heaviest].next
	} else {
		p.records[before].next = p.records[heaviest].next
	}
	p.records[last].next, p.records[heaviest].next = heaviest, -1
}
