package history

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"patwatch/git/pack"
)

// An idSet numbers object names from 0 in the order in which they are added.
// Names are hashed with a random seed: whoever chooses them cannot make them
// collide. Lookups may be concurrent when nothing is added.
type idSet struct {
	size  int
	raw   []byte // the names, one after the other
	slots []uint64
	seed  maphash.Seed

	filter bitmap // by the first bytes of names, if sealed
	mask   uint32
}

// newIDSet returns an empty set with room for n names.
func newIDSet(size, n int) *idSet {
	return &idSet{size: size, raw: make([]byte, 0, n*size), slots: make([]uint64, tableSize(n)), seed: maphash.MakeSeed()}
}

// tableSize is a power of two that n names fill to at most two thirds.
func tableSize(n int) int { return 1 << bits.Len(uint(max(n+n/2, 15))) }

// len returns how many names there are.
func (s *idSet) len() int { return len(s.raw) / s.size }

// at returns the raw name number n.
func (s *idSet) at(n int32) []byte { return s.raw[int(n)*s.size:][:s.size:s.size] }

// id returns the name number n.
func (s *idSet) id(n int32) pack.ID {
	id, _ := pack.NewID(s.at(n))
	return id
}

// find returns the number of a name, -1 when it has none. A slot holds 32 bits
// of the name's hash above its number plus one.
func (s *idSet) find(raw []byte) int32 {
	n, _ := s.slot(raw)
	return n
}

func (s *idSet) slot(raw []byte) (n int32, at uint64) {
	h := maphash.Bytes(s.seed, raw)
	mask := uint64(len(s.slots) - 1)
	for at = h & mask; s.slots[at] != 0; at = (at + 1) & mask {
		if v := s.slots[at]; v>>32 == h>>32 {
			if n = int32(uint32(v)) - 1; bytes.Equal(s.at(n), raw) {
				return n, at
			}
		}
	}
	return -1, at
}

// add returns the number of a name, which it gets now if it is new.
func (s *idSet) add(raw []byte) (n int32, added bool) {
	n, at := s.slot(raw)
	if n >= 0 {
		return n, false
	}
	if 3*(s.len()+1) > 2*len(s.slots) {
		s.grow()
		_, at = s.slot(raw)
	}
	n = int32(s.len())
	s.raw = append(s.raw, raw...)
	s.slots[at] = maphash.Bytes(s.seed, raw)&^(1<<32-1) | uint64(n+1)
	return n, true
}

func (s *idSet) grow() {
	s.slots = make([]uint64, 2*len(s.slots))
	for n := range int32(s.len()) {
		_, at := s.slot(s.at(n))
		s.slots[at] = maphash.Bytes(s.seed, s.at(n))&^(1<<32-1) | uint64(n+1)
	}
}

// seal makes lookups of names that are not in the set cheap. Nothing may be
// added afterwards.
func (s *idSet) seal() {
	n := max(tableSize(s.len())*8, 1<<12)
	s.filter, s.mask = make(bitmap, n/64), uint32(n-1)
	for i := range int32(s.len()) {
		s.filter.set(int(binary.LittleEndian.Uint32(s.at(i)) & s.mask))
	}
}

// findSealed is find for a sealed set. Names made to pass the filter only cost
// time.
func (s *idSet) findSealed(raw []byte) int32 {
	if at := binary.LittleEndian.Uint32(raw) & s.mask; s.filter[at>>6]>>(at&63)&1 == 0 {
		return -1
	}
	return s.find(raw)
}
