package pack

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
)

// Limits bound what [Parse] takes. 0 stands for no bound.
type Limits struct {
	Objects int   // objects
	Object  int64 // bytes of one object, or of one delta; larger ones are passed over
	Total   int64 // bytes of all objects together, deltas applied
}

// ErrTruncated is what an error wraps that says that a pack has fewer objects
// than it announces.
var ErrTruncated = errors.New("truncated")

// keptInflated is how many inflated bytes Parse keeps for the first walk, so
// that most packs of a push are inflated once.
const keptInflated = 8 << 20

// memory is what a Pack without files has.
type memory struct {
	limits     Limits
	inflated   [][]byte // by number; nil: it is to be inflated again
	incomplete error
	named      bool
}

// Parse reads a packfile without an index from memory, which must not change
// while the Pack is used. Names of objects have idSize bytes, 20 or 32.
//
// The error is not nil only when data is not a packfile at all. When a pack
// ends early, is damaged, or has more than the limits allow, the objects that
// came before are there, and [Pack.Incomplete] says why there are not more.
//
// Names of objects are not known, and [Pack.ID] and [Pack.Find] not to be used,
// until [Pack.Identify] has computed them.
func Parse(data []byte, idSize int, l Limits) (*Pack, error) {
	if idSize != 20 && idSize != 32 {
		return nil, errIDSize
	}
	if len(data) < headerSize || string(data[:4]) != "PACK" {
		return nil, fmt.Errorf("%w: not a packfile", ErrCorrupt)
	}
	if v := binary.BigEndian.Uint32(data[4:]); v != 2 && v != 3 {
		return nil, fmt.Errorf("%w: version %d is not known", ErrCorrupt, v)
	}
	p := &Pack{path: "in memory", data: data, memory: &memory{limits: l}, index: &index{idSize: idSize}}
	r := parser{p: p, left: keptInflated, f: NewInflater()}
	end := r.entries(int64(binary.BigEndian.Uint32(data[8:])))
	p.records = append(p.records, record{offset: uint64(end)})
	n := p.Len()
	p.index.n, p.index.stride = n, 4+idSize
	p.index.fanout = make([]byte, fanoutSize)
	p.index.names = make([]byte, n*p.index.stride)
	p.fillBuckets()
	if err := p.readHeaders(); err != nil {
		return nil, err
	}
	p.children()
	p.weigh(p.resolve())
	return p, nil
}

// Incomplete returns why a Pack that [Parse] made has not all objects of its
// pack, nil when it has. The error wraps [ErrTruncated], [ErrTooLarge] or
// [ErrCorrupt].
func (p *Pack) Incomplete() error {
	if p.memory == nil {
		return nil
	}
	return p.memory.incomplete
}

// A parser goes through the entries of a pack once.
type parser struct {
	p     *Pack
	f     *Inflater
	left  int    // bytes that may still be kept
	arena []byte // what is kept lies here, piece by piece
	spare []byte // for what is not kept
	total int64
}

// entries reads up to count entries and returns where the last one ends. What
// stops it earlier is in p.memory.
func (r *parser) entries(count int64) (end int) {
	p, m := r.p, r.p.memory
	end = headerSize
	stop := func(err error) int { m.incomplete = err; return end }
	if p.index.n = 0; count > maxObjects {
		return stop(fmt.Errorf("%w: it announces %d objects", ErrTooLarge, count))
	}
	for n := int64(0); n < count; n++ {
		if m.limits.Objects > 0 && n >= int64(m.limits.Objects) {
			return stop(fmt.Errorf("%w: %d objects, more than %d", ErrTooLarge, count, m.limits.Objects))
		}
		size, err := r.entry(p.data[end:])
		if err != nil {
			return stop(fmt.Errorf("object %d of %d at offset %d: %w", n+1, count, end, err))
		}
		p.records = append(p.records, record{offset: uint64(end), row: uint32(n), first: -1, next: -1})
		end += size
	}
	m.incomplete = r.trailer(p.data[end:])
	return end
}

// trailer checks what follows the last entry: the checksum of the pack.
func (r *parser) trailer(rest []byte) error {
	n := r.p.index.idSize
	if len(rest) < n {
		return fmt.Errorf("%w: its checksum is missing", ErrTruncated)
	}
	h := newHash(n)
	h.Write(r.p.data[:len(r.p.data)-len(rest)])
	if len(rest) > n || !bytes.Equal(h.Sum(nil), rest) {
		return fmt.Errorf("%w: wrong checksum", ErrCorrupt)
	}
	return nil
}

// entry reads the entry at the start of b and returns how many bytes it takes.
func (r *parser) entry(b []byte) (int, error) {
	e, err := parseEntry(b, r.p.index.idSize)
	if err != nil {
		if len(b) < maxHeader {
			err = ErrTruncated
		}
		return 0, err
	}
	if err := r.count(e.size); err != nil {
		return 0, err
	}
	head := len(b) - len(e.body)
	m := r.p.memory
	if e.size > int64(len(e.body))*maxExpansion {
		return 0, fmt.Errorf("%w: %d bytes cannot come from %d", ErrTruncated, e.size, len(e.body))
	}
	if m.limits.Object > 0 && e.size > m.limits.Object {
		m.inflated = append(m.inflated, nil)
		n, err := skip(e.body, e.size)
		return head + n, err
	}
	dst, keep := r.room(int(e.size))
	n, err := r.f.Zlib(dst, e.body, true)
	if err != nil {
		return 0, cutOrDamaged(e.body, e.size, err)
	}
	if e.kind == offsetDelta || e.kind == nameDelta {
		if err := r.delta(dst); err != nil {
			return 0, err
		}
	}
	if !keep {
		dst = nil
	}
	m.inflated = append(m.inflated, dst)
	return head + n, nil
}

// maxHeader is the most bytes that the header of an entry takes.
const maxHeader = 10 + 32

// count adds up what all objects take.
func (r *parser) count(size int64) error {
	r.total += size
	if most := r.p.memory.limits.Total; most > 0 && r.total > most {
		return fmt.Errorf("%w: all objects together have more than %d bytes", ErrTooLarge, most)
	}
	return nil
}

// delta counts what a delta makes. One whose header is damaged fails when it is
// applied.
func (r *parser) delta(data []byte) error {
	_, size, _, err := deltaSizes(data)
	if err != nil || tooLarge(size, r.p.memory.limits.Object) != nil {
		return nil
	}
	return r.count(size)
}

// room returns n bytes for an inflated object, and whether they may be kept.
func (r *parser) room(n int) ([]byte, bool) {
	if n > r.left {
		r.spare = grow(r.spare, n)
		return r.spare, false
	}
	r.left -= n
	if cap(r.arena)-len(r.arena) < n+spare {
		r.arena = make([]byte, 0, max(64<<10, n+spare, min(2*cap(r.arena), 1<<20)))
	}
	at := len(r.arena)
	r.arena = r.arena[:at+n]
	return r.arena[at : at+n], true
}

// cutOrDamaged words the error of a stream: one that the end of the data cut off is
// truncated, any other one is damaged.
func cutOrDamaged(body []byte, size int64, err error) error {
	if _, why := skip(body, size); errors.Is(why, ErrTruncated) {
		return why
	}
	return err
}

// skip goes over a zlib stream that is not needed, and must yield size bytes.
func skip(body []byte, size int64) (int, error) {
	r := bytes.NewReader(body)
	z, err := zlib.NewReader(r)
	if err == nil {
		var n int64
		if n, err = io.Copy(io.Discard, io.LimitReader(z, size+1)); err == nil && n != size {
			return 0, fmt.Errorf("%w: not of the size it declares", ErrCorrupt)
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return 0, fmt.Errorf("%w: the pack is cut off", ErrTruncated)
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return len(body) - r.Len(), nil
}

func newHash(idSize int) hash.Hash {
	if idSize == sha256.Size {
		return sha256.New()
	}
	return sha1.New()
}

// Identify computes the names of all objects of a Pack that [Parse] made, and
// finds the bases of deltas that name them. It must not run beside any other
// use of the Pack; afterwards ID and Find work. Objects that cannot be read, or
// are larger than the limits allow, have a name of zeros. Calling it again does
// nothing. The error is ctx's.
func (p *Pack) Identify(ctx context.Context) error {
	if p.memory == nil || p.memory.named {
		return nil
	}
	n := namer{p: p, h: newHash(p.index.idSize), names: make([][]byte, p.Len()), waiting: p.waiting()}
	linked := len(n.waiting) > 0
	err := p.Walk(ctx, WalkOptions{
		Kinds:   []Kind{Commit, Tree, Blob, Tag},
		MaxSize: p.memory.limits.Object,
		Visit:   n.visit,
		Large:   func(int, int, int64) {},
		Fail:    func(int, int, error) {},
	})
	if err != nil {
		return err
	}
	if linked {
		p.weigh(p.resolve())
	}
	p.fillIndex(n.names)
	p.memory.named = true
	return nil
}

// waiting returns the deltas that name their base, by its name.
func (p *Pack) waiting() map[ID][]int32 {
	var out map[ID][]int32
	for i := range p.Len() {
		if p.records[i].base != noBase {
			continue
		}
		if e, err := p.header(i); err == nil && e.kind == nameDelta {
			if out == nil {
				out = map[ID][]int32{}
			}
			base := makeID(e.name)
			out[base] = append(out[base], int32(i))
		}
	}
	return out
}

// A namer computes names during a walk.
type namer struct {
	p       *Pack
	h       hash.Hash
	head    []byte
	names   [][]byte
	waiting map[ID][]int32
}

// visit names an object. The deltas that wait for it become its children, so
// that the walk, which looks at them next, comes to them too.
func (n *namer) visit(_ int, o *Object) error {
	n.head = append(n.head[:0], o.Kind.String()...)
	n.head = strconv.AppendInt(append(n.head, ' '), int64(len(o.Data)), 10)
	n.h.Reset()
	n.h.Write(append(n.head, 0))
	n.h.Write(o.Data)
	name := n.h.Sum(nil)
	n.names[o.Index] = name
	id := makeID(name)
	for _, i := range n.waiting[id] {
		e, base := &n.p.records[i], &n.p.records[o.Index]
		e.base, e.next, base.first = int32(o.Index), base.first, i
		n.p.adopt(i, o.Kind)
	}
	delete(n.waiting, id)
	return nil
}

// adopt gives object i and all that is stored against it their type.
func (p *Pack) adopt(i int32, kind Kind) {
	todo := []int32{i}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		p.records[at].kind = kind
		for c := p.records[at].first; c >= 0; c = p.records[c].next {
			todo = append(todo, c)
		}
	}
}

// fillIndex writes an index as a version 1 file has it: rows of offset and
// name in the order of names. Objects without a name come first, with zeros.
func (p *Pack) fillIndex(names [][]byte) {
	x := p.index
	order := make([]int32, p.Len())
	for i := range order {
		order[i] = int32(i)
		if names[i] == nil {
			names[i] = make([]byte, x.idSize)
		}
	}
	slices.SortFunc(order, func(a, b int32) int { return bytes.Compare(names[a], names[b]) })
	var counts [256]uint32
	for row, i := range order {
		b := x.names[row*x.stride : (row+1)*x.stride]
		binary.BigEndian.PutUint32(b, uint32(p.records[i].offset))
		copy(b[4:], names[i])
		p.records[i].row = uint32(row)
		counts[names[i][0]]++
	}
	sum := uint32(0)
	for i, n := range counts {
		sum += n
		binary.BigEndian.PutUint32(x.fanout[4*i:], sum)
	}
}
