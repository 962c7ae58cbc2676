package detectors

import (
	"fmt"
	"math/bits"
	"regexp/syntax"
)

// byteSet is a set of bytes. Only ASCII bytes are ever in one: a token is
// ASCII, and a byte from 0x80 on matches nothing.
type byteSet [2]uint64

func (s *byteSet) has(c byte) bool { return c < 0x80 && s[c>>6]>>(c&63)&1 != 0 }

func (s *byteSet) add(c byte) {
	if c < 0x80 {
		s[c>>6] |= 1 << (c & 63)
	}
}

func (s *byteSet) addRange(lo, hi rune) {
	for c := lo; c <= hi && c < 0x80; c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) addAll(t *byteSet) { s[0] |= t[0]; s[1] |= t[1] }

func (s *byteSet) len() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

func (s *byteSet) within(t *byteSet) bool { return s[0]&^t[0] == 0 && s[1]&^t[1] == 0 }

func (s *byteSet) apart(t *byteSet) bool { return s[0]&t[0] == 0 && s[1]&t[1] == 0 }

func (s *byteSet) minus(t *byteSet) byteSet { return byteSet{s[0] &^ t[0], s[1] &^ t[1]} }

func (s *byteSet) and(t *byteSet) byteSet { return byteSet{s[0] & t[0], s[1] & t[1]} }

// loose reports whether s has white space, or nearly everything, so that what
// is made of it does not end where a word of ordinary text ends.
func (s *byteSet) loose() bool {
	space := setOf(" \t\r\n\v\f")
	return !s.apart(&space) || s.len() > 90
}

// bytes lists the members in ascending order.
func (s *byteSet) bytes() []byte {
	out := make([]byte, 0, s.len())
	for w, x := range s {
		for ; x != 0; x &= x - 1 {
			out = append(out, byte(w*64+bits.TrailingZeros64(x)))
		}
	}
	return out
}

// setOf returns the set of the bytes of s.
func setOf(s string) byteSet {
	var set byteSet
	for i := range len(s) {
		set.add(s[i])
	}
	return set
}

// classSet reads a character class as regexp/syntax writes it; "" is the empty
// set.
func classSet(class string) (byteSet, error) {
	var set byteSet
	if class == "" {
		return set, nil
	}
	re, err := syntax.Parse(class, syntax.Perl)
	if err != nil {
		return set, fmt.Errorf("boundary: %w", err)
	}
	n, err := parseNode(re, 0)
	if err == nil && n.op == opConcat && len(n.subs) == 1 {
		n = n.subs[0] // a class of one character
	}
	if err != nil || n.op != opClass || n.min != 1 || n.max != 1 {
		return set, fmt.Errorf("boundary is not one character class, such as [A-Za-z0-9_-]")
	}
	return n.set, nil
}
