package pack

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// An index is a pack index, version 1 or 2 (gitformat-pack(5)). Its layout has
// been checked: every access below stays in the file.
type index struct {
	idSize  int
	n       int
	fanout  []byte // 256 big-endian counts
	names   []byte // n rows of stride bytes, the name at the end of each
	stride  int
	crcs    []byte // version 2: n CRC-32 of the packed bytes, nil in version 1
	offsets []byte // version 2: n offsets; version 1: nil, they stand before the names
	large   []byte // version 2: offsets of eight bytes
	pack    []byte // checksum of the pack that the index belongs to
}

const fanoutSize = 256 * 4

func parseIndex(b []byte, idSize int) (*index, error) {
	x := &index{idSize: idSize}
	v2 := bytes.HasPrefix(b, []byte("\xfftOc"))
	if v2 {
		if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) != 2 {
			return nil, fmt.Errorf("%w index: unknown version", ErrCorrupt)
		}
		b = b[8:]
	}
	if len(b) < fanoutSize+2*idSize {
		return nil, fmt.Errorf("%w index: too short", ErrCorrupt)
	}
	x.fanout, b = b[:fanoutSize], b[fanoutSize:]
	x.pack, b = b[len(b)-2*idSize:len(b)-idSize], b[:len(b)-2*idSize]
	before := 0
	for i := range 256 {
		if x.count(i) < before {
			return nil, fmt.Errorf("%w index: counts go down", ErrCorrupt)
		}
		before = x.count(i)
	}
	x.n = before
	if v2 {
		return x, x.rows2(b)
	}
	return x, x.rows1(b)
}

// rows1 takes the rows of a version 1 index: offset and name together.
func (x *index) rows1(b []byte) error {
	x.stride = 4 + x.idSize
	if int64(x.n)*int64(x.stride) != int64(len(b)) {
		return fmt.Errorf("%w index: %d objects do not fill it", ErrCorrupt, x.n)
	}
	x.names = b
	return nil
}

// rows2 takes the columns of a version 2 index: names, CRCs, offsets, large
// offsets.
func (x *index) rows2(b []byte) error {
	x.stride = x.idSize
	if int64(x.n)*int64(x.idSize+8) > int64(len(b)) {
		return fmt.Errorf("%w index: too short for %d objects", ErrCorrupt, x.n)
	}
	x.names, b = b[:x.n*x.idSize], b[x.n*x.idSize:]
	x.crcs, b = b[:4*x.n], b[4*x.n:]
	x.offsets, x.large = b[:4*x.n], b[4*x.n:]
	if len(x.large)%8 != 0 {
		return fmt.Errorf("%w index: odd table of large offsets", ErrCorrupt)
	}
	return nil
}

// count is the number of objects whose name starts with a byte up to i.
func (x *index) count(i int) int { return int(binary.BigEndian.Uint32(x.fanout[4*i:])) }

// name is the name of the i-th object in the order of names.
func (x *index) name(i int) []byte {
	end := (i + 1) * x.stride
	return x.names[end-x.idSize : end]
}

// offset is where the i-th object by name stands in the pack.
func (x *index) offset(i int) (uint64, error) {
	if x.offsets == nil {
		return uint64(binary.BigEndian.Uint32(x.names[i*x.stride:])), nil
	}
	o := binary.BigEndian.Uint32(x.offsets[4*i:])
	if o&0x80000000 == 0 {
		return uint64(o), nil
	}
	k := uint64(o&0x7fffffff) * 8
	if k+8 > uint64(len(x.large)) {
		return 0, fmt.Errorf("%w index: large offset %d is missing", ErrCorrupt, k/8)
	}
	return binary.BigEndian.Uint64(x.large[k:]), nil
}

// crc is the CRC-32 of the i-th object by name, 0 in version 1.
func (x *index) crc(i int) uint32 {
	if x.crcs == nil {
		return 0
	}
	return binary.BigEndian.Uint32(x.crcs[4*i:])
}

// find returns the place of a name in the order of names.
func (x *index) find(name []byte) (int, bool) {
	lo, hi := 0, x.count(int(name[0]))
	if name[0] > 0 {
		lo = x.count(int(name[0]) - 1)
	}
	for lo < hi {
		m := (lo + hi) / 2
		switch c := bytes.Compare(x.name(m), name); {
		case c == 0:
			return m, true
		case c < 0:
			lo = m + 1
		default:
			hi = m
		}
	}
	return 0, false
}
