// Package pack reads git packfiles through their index, each object inflated
// once, in the order in which deltas build on each other.
//
// It is written for hostile input. Sizes, counts, offsets, delta instructions
// and chains are checked before they are used, memory is bounded by what the
// input can really hold, and each packed entry is checked against its checksum
// (the index's CRC-32, or the zlib stream's Adler-32 under a version 1 index).
// Object names are taken from the index and not computed anew.
//
// The formats are those of gitformat-pack(5).
package pack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrTooLarge is what an error wraps that says an object was not read because
// of its size or its delta chain's.
var ErrTooLarge = errors.New("too large")

// Pack is an open packfile with its index. Objects are numbered from 0 in the
// order in which they stand in the file. A Pack is immutable and safe for
// concurrent use until it is closed.
type Pack struct {
	path    string
	data    []byte
	index   *index
	release []func() error
	files   [][]byte // the mapped files
	memory  *memory  // of one that Parse made, else nil

	records []record // by number; the last one only says where the one before it ends
	weight  []int32  // number of objects stored against each, directly or not, and itself
	buckets []uint32 // see at
	shift   uint
}

// A record is what is known of an object before it is read: together, since a
// walk needs it together and in an order of its own.
type record struct {
	offset uint64 // in the file
	crc    uint32 // of the packed bytes, if the index has it
	row    uint32 // place in the index
	base   int32  // number of the base, noDelta, or noBase: not in this pack
	first  int32  // number of the first object stored as a delta against this one, -1: none
	next   int32  // number of the next one with the same base, -1: none
	kind   Kind   // resolved; 0: the chain has no end
}

const (
	noDelta = -1
	noBase  = -2

	headerSize = 12
	maxObjects = 1 << 30
)

// Open opens the packfile at path, which ends in ".pack", and the index beside
// it. Names of objects have idSize bytes, 20 or 32. The files must not change
// while the Pack is open; git never changes them.
func Open(path string, idSize int) (*Pack, error) {
	p := &Pack{path: path}
	if err := p.guard(func() error { return p.open(idSize) }); err != nil {
		_ = p.Close()
		return nil, fmt.Errorf("pack %s: %w", path, err)
	}
	return p, nil
}

func (p *Pack) open(idSize int) error {
	if idSize != 20 && idSize != 32 {
		return errIDSize
	}
	stem, ok := strings.CutSuffix(p.path, ".pack")
	if !ok {
		return errors.New("its name does not end in .pack")
	}
	raw, err := p.mapped(stem + ".idx")
	if err != nil {
		return err
	}
	if p.index, err = parseIndex(raw, idSize); err != nil {
		return err
	}
	if p.data, err = p.mapped(p.path); err != nil {
		return err
	}
	if err := p.checkHeader(); err != nil {
		return err
	}
	return p.link()
}

// checkHeader checks the ends of the file: what it is, how many objects it
// says it has, and that the index belongs to it.
func (p *Pack) checkHeader() error {
	d, n := p.data, p.index.n
	if len(d) < headerSize+p.index.idSize || string(d[:4]) != "PACK" {
		return fmt.Errorf("%w: not a packfile", ErrCorrupt)
	}
	if v := binary.BigEndian.Uint32(d[4:]); v != 2 && v != 3 {
		return fmt.Errorf("%w: version %d is not known", ErrCorrupt, v)
	}
	if count := binary.BigEndian.Uint32(d[8:]); int64(count) != int64(n) || n > maxObjects {
		return fmt.Errorf("%w: %d objects, but %d in its index", ErrCorrupt, count, n)
	}
	if string(d[len(d)-p.index.idSize:]) != string(p.index.pack) {
		return fmt.Errorf("%w: cut off, or its index belongs to another pack", ErrCorrupt)
	}
	return nil
}

// mapped maps the file at path until Close.
func (p *Pack) mapped(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrCorrupt, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	size := int(info.Size())
	if size <= 0 || int64(size) != info.Size() {
		return nil, fmt.Errorf("%w: %s has %d bytes", ErrCorrupt, path, info.Size())
	}
	b, release, err := mapFile(f, size)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	p.release, p.files = append(p.release, release), append(p.files, b)
	return b, nil
}

// Close gives back the memory. What the Pack has handed out must not be used
// afterwards.
func (p *Pack) Close() error {
	var errs []error
	for _, release := range p.release {
		errs = append(errs, release())
	}
	p.release, p.files, p.data, p.index = nil, nil, nil, nil
	return errors.Join(errs...)
}

// Path returns the path of the packfile.
func (p *Pack) Path() string { return p.path }

// Len returns the number of objects.
func (p *Pack) Len() int { return max(len(p.records)-1, 0) }

// ID returns the name of object i.
func (p *Pack) ID(i int) ID { return makeID(p.index.name(int(p.records[i].row))) }

// Kind returns the type of object i, 0 when its delta chain has no end in this
// pack.
func (p *Pack) Kind(i int) Kind { return p.records[i].kind }

// Base returns the object that object i is stored as a delta against, -1 when
// it is stored whole.
func (p *Pack) Base(i int) int { return max(int(p.records[i].base), -1) }

// Find returns the number of the object with the name id.
func (p *Pack) Find(id ID) (int, bool) {
	if int(id.n) != p.index.idSize {
		return 0, false
	}
	row, ok := p.index.find(id.b[:id.n])
	if !ok {
		return 0, false
	}
	o, err := p.index.offset(row)
	if err != nil {
		return 0, false
	}
	i := p.at(o)
	return i, i >= 0
}

// packed is the header of one packed object.
type packed struct {
	kind Kind
	size int64  // of what the stream yields: the object, or its delta
	back uint64 // offsetDelta: distance to the base
	name []byte // nameDelta: name of the base
	body []byte // the zlib stream, up to the end of the entry
}

// packed returns the bytes of entry i.
func (p *Pack) packed(i int) []byte { return p.data[p.records[i].offset:p.records[i+1].offset] }

// header reads the header of entry i.
func (p *Pack) header(i int) (packed, error) {
	return parseEntry(p.packed(i), p.index.idSize)
}

// parseEntry reads the header of the entry that b is.
func parseEntry(b []byte, idSize int) (e packed, err error) {
	if len(b) == 0 {
		return e, errEntry
	}
	c := b[0]
	e.kind, e.size = Kind(c>>4&7), int64(c&15)
	n := 1
	for shift := uint(4); c&0x80 != 0; shift += 7 {
		if n == len(b) || shift > 55 {
			return e, errEntry
		}
		c = b[n]
		n++
		e.size |= int64(c&0x7f) << shift
	}
	switch e.kind {
	case Commit, Tree, Blob, Tag:
	case offsetDelta:
		back, k := distance(b[n:])
		if k == 0 {
			return e, errEntry
		}
		e.back = back
		n += k
	case nameDelta:
		if len(b)-n < idSize {
			return e, errEntry
		}
		e.name = b[n : n+idSize]
		n += idSize
	default:
		return e, errEntry
	}
	e.body = b[n:]
	return e, nil
}

var errEntry = fmt.Errorf("%w entry header", ErrCorrupt)

// distance reads how far back the base of an offset delta stands.
func distance(b []byte) (v uint64, n int) {
	for n < len(b) && n < 9 {
		c := b[n]
		n++
		v = v<<7 | uint64(c&0x7f)
		if c&0x80 == 0 {
			return v, n
		}
		v++
	}
	return 0, 0
}
