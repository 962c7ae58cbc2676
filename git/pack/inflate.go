package pack

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// ErrCorrupt is what every error about damaged or hostile bytes wraps.
var ErrCorrupt = errors.New("corrupt")

var errDeflate = errors.New("bad deflate stream")

// Decoding tables. An entry of a table is 32 bits:
//
//	literal:    bit 31 set, the byte in bits 16-23
//	length,
//	distance:   base value in bits 16-30, number of all bits (code and extra)
//	            in bits 0-7, of the code alone in bits 8-11
//	end, bad,
//	subtable:   bit 15 set, and bit 13 (end), 12 (bad code) or 14 (subtable:
//	            its start in bits 16-30, its index bits in bits 8-11)
//
// Bits 0-7 always say how many bits to drop. The layout, with one lookup that
// gives code length and value and extra bits together, follows libdeflate (MIT
// licence, Eric Biggers).
const (
	litBits  = 11 // index bits of the main literal and length table
	distBits = 8  // of the main distance table
	preBits  = 7  // of the table for code lengths: its longest code

	litSize  = 2342 // enough for 288 symbols, litBits 11, codes of up to 15 bits (zlib's enough.c: 2342)
	distSize = 402  // 32 symbols, distBits 8 (402)

	isLiteral  = 1 << 31
	isSpecial  = 1 << 15
	isSubtable = 1 << 14
	isEnd      = 1 << 13
	isBad      = 1 << 12

	maxMatch = 258
)

// Inflater decodes deflate streams (RFC 1951) whose input is all in memory and
// whose output size is known. It is made once and used many times, by one
// goroutine at a time. No input makes it panic, or read or write out of bounds.
type Inflater struct {
	own    tables // of the block being read
	fixed  tables // RFC 1951, 3.2.6
	pre    [1 << preBits]uint32
	lens   [288 + 32 + 8]uint8 // code lengths as read, and room to write eight at once
	dists  [32]uint8           // those of distances
	sorted [512]uint16         // symbols in the order of their codes

	litSymbols  [288]uint32
	distSymbols [32]uint32
	preSymbols  [19]uint32
}

// tables decode one block.
type tables struct {
	mask uint64 // of the index bits of lit; dist always has distBits
	lit  [litSize]uint32
	dist [distSize]uint32
}

// verdict is how a loop over symbols ended.
type verdict int

const (
	more verdict = iota // the block goes on
	done                // it has ended
	bad                 // it is damaged
)

// ended is the verdict of a special entry that is no subtable.
func ended(e uint32) verdict {
	if e&isEnd != 0 {
		return done
	}
	return bad
}

// NewInflater returns an Inflater.
func NewInflater() *Inflater {
	f := new(Inflater)
	f.symbols()
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	c := count(lens[:])
	width, _ := f.build(f.fixed.lit[:], lens[:], &c, f.litSymbols[:], litBits)
	f.fixed.mask = 1<<width - 1
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	c = count(five[:])
	n, _ := f.build(f.fixed.dist[:], five[:], &c, f.distSymbols[:], distBits)
	widen(f.fixed.dist[:1<<distBits], n)
	return f
}

// symbols fills the value parts of table entries (RFC 1951, 3.2.5).
func (f *Inflater) symbols() {
	for i := range 256 {
		f.litSymbols[i] = isLiteral | uint32(i)<<16
	}
	f.litSymbols[256] = isSpecial | isEnd
	base := uint32(3)
	for i := range 28 {
		extra := uint32(max(i/4-1, 0))
		f.litSymbols[257+i] = base<<16 | extra
		base += 1 << extra
	}
	f.litSymbols[285] = maxMatch << 16
	f.litSymbols[286], f.litSymbols[287] = isSpecial|isBad, isSpecial|isBad
	base = 1
	for i := range 30 {
		extra := uint32(max(i/2-1, 0))
		f.distSymbols[i] = base<<16 | extra
		base += 1 << extra
	}
	f.distSymbols[30], f.distSymbols[31] = isSpecial|isBad, isSpecial|isBad
	for i := range f.preSymbols {
		f.preSymbols[i] = uint32(i) << 16
	}
}

// widen repeats a table of 1<<n entries over all of tab, so that it can be
// indexed with a constant number of bits.
func widen(tab []uint32, n uint) {
	for size := 1 << n; size < len(tab); size *= 2 {
		copy(tab[size:], tab[:size])
	}
}

// counts says how many symbols have a code of each length.
type counts [16]uint32

// build fills tab with the decoding table of a prefix code and returns the
// number of its index bits, at most tableBits. lens has a multiple of eight
// elements of at most 15, of which count tells the number of each; count[0]
// means nothing. It accepts what compress/flate accepts: complete codes, codes
// of a single symbol of one bit, and codes without symbols, which decode
// nothing.
func (f *Inflater) build(tab []uint32, lens []uint8, count *counts, symbols []uint32, tableBits uint) (uint, bool) {
	longest := uint(15)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	if longest == 0 {
		tab[0] = isSpecial | isBad | 1
		return 0, true
	}
	used := f.sort(lens, count, longest)
	if used != 1<<longest {
		if used != 1 || longest != 1 {
			return 0, false
		}
		tab[0] = entry(symbols[f.sorted[0]], 1)
		tab[1] = isSpecial | isBad | 1
		return 1, true
	}
	return f.fill(tab, symbols, count, longest, tableBits)
}

// count counts code lengths, whose number is a multiple of eight.
func count(lens []uint8) (c counts) {
	for i := 0; i+8 <= len(lens); i += 8 {
		for w := binary.LittleEndian.Uint64(lens[i:]); w != 0; w >>= 8 {
			c[w&15]++
		}
	}
	return c
}

// sort puts the symbols that have a code into f.sorted, by length and value,
// and returns how much of the code space they use, of 1<<longest. Those that
// have none go behind all others: cheaper than to tell them apart.
func (f *Inflater) sort(lens []uint8, count *counts, longest uint) uint32 {
	var offset counts
	used, sum := uint32(0), uint32(0)
	for n := uint(1); n <= longest; n++ {
		offset[n&15] = sum
		sum += count[n&15]
		used = used<<1 + count[n&15]
	}
	offset[0] = sum
	for i := 0; i+8 <= len(lens); i += 8 {
		w := binary.LittleEndian.Uint64(lens[i:])
		if w == 0 {
			continue
		}
		for s := uint16(i); s < uint16(i)+8; s++ {
			n := w & 15
			f.sorted[offset[n]&511] = s
			offset[n]++
			w >>= 8
		}
	}
	return used
}

// entry is the table entry of a symbol whose code has n bits. Bits 8-11 mean
// nothing to literals and special entries.
func entry(symbol uint32, n uint) uint32 { return symbol + uint32(n)*0x101 }

// reversed is a code of n bits in the order in which deflate sends them.
func reversed(code uint32, n uint) uint32 {
	return uint32(bits.Reverse16(uint16(code))) >> ((16 - n) & 15)
}

// fill writes the table of a complete code: codes in order of their length,
// the table doubled each time they grow.
func (f *Inflater) fill(tab, symbols []uint32, count *counts, longest, tableBits uint) (uint, bool) {
	tableBits = min(tableBits, longest)
	n := uint(1)
	for count[n&15] == 0 {
		n++
	}
	code, next, size := uint32(0), uint32(0), 1<<min(n, tableBits)
	for ; n <= tableBits; n++ {
		for end := next + count[n&15]; next < end; next++ {
			tab[reversed(code, n)] = entry(symbols[f.sorted[next&511]], n)
			code++
		}
		code <<= 1
		if n < tableBits {
			copy(tab[size:2*size], tab[:size])
			size *= 2
		}
	}
	if longest <= tableBits {
		return tableBits, true
	}
	return tableBits, f.subtables(tab, symbols, count, layout{n, longest, tableBits, code, next})
}

// layout says where a table that is being filled stands.
type layout struct {
	n, longest, tableBits uint   // bits of the code, of the longest one, of the main table's index
	code, next            uint32 // the next code, and its symbol in the order of codes
}

// subtables writes the tables of codes longer than the main table's index,
// behind the main table: one for all codes with the same low bits.
func (f *Inflater) subtables(tab, symbols []uint32, count *counts, l layout) bool {
	mask := uint32(1)<<l.tableBits - 1
	start, end := 0, 1<<l.tableBits
	prefix := ^uint32(0)
	for n := l.n; n <= l.longest; n++ {
		for left := count[n&15]; left > 0; left-- {
			code := reversed(l.code, n)
			if code&mask != prefix {
				prefix = code & mask
				sub := n - l.tableBits
				for room := left; room < 1<<sub && l.tableBits+sub < l.longest; {
					sub++
					room = room<<1 + count[(l.tableBits+sub)&15]
				}
				start, end = end, end+1<<sub
				if end > len(tab) {
					return false
				}
				tab[prefix] = uint32(start)<<16 | isSpecial | isSubtable | uint32(sub)<<8 | uint32(l.tableBits)
			}
			e := entry(symbols[f.sorted[l.next&511]], n-l.tableBits)
			l.next++
			for i := start + int(code>>l.tableBits); i < end; i += 1 << (n - l.tableBits) {
				tab[i] = e
			}
			l.code++
		}
		l.code <<= 1
	}
	return true
}

// A bitReader reads the input least significant bit first. It never reads
// past it; bits that are missing read as zero, and taking them makes n
// negative, which is found out where a block or the stream ends.
type bitReader struct {
	src []byte
	pos int
	buf uint64
	n   int // valid bits in buf
}

// refill makes at least 56 bits valid, or all that is left.
func (r *bitReader) refill() {
	if r.pos+8 <= len(r.src) {
		r.buf |= binary.LittleEndian.Uint64(r.src[r.pos:]) << (uint(r.n) & 63)
		r.pos += (63 - r.n) >> 3
		r.n |= 56
		return
	}
	for r.n < 56 && r.pos < len(r.src) {
		r.buf |= uint64(r.src[r.pos]) << (uint(r.n) & 63)
		r.pos++
		r.n += 8
	}
}

func (r *bitReader) take(n uint) uint32 {
	v := uint32(r.buf & (1<<n - 1))
	r.buf >>= n
	r.n -= int(n)
	return v
}

// Inflate decodes the deflate stream at the start of src, which must yield
// exactly len(dst) bytes, into dst. It returns how many bytes of src the
// stream takes. When dst has a spare capacity of 300 bytes or more it is faster,
// and may write to the spare bytes.
func (f *Inflater) Inflate(dst, src []byte) (int, error) {
	out, taken, err := f.inflate(dst, src, len(dst)+1)
	if err == nil && out != len(dst) {
		err = errDeflate
	}
	return taken, err
}

// inflate decodes a stream into dst until it ends or yields enough bytes, and
// returns how many it did and how many bytes of src that took.
func (f *Inflater) inflate(dst, src []byte, enough int) (out, taken int, err error) {
	r := bitReader{src: src}
	for final := false; !final && out < enough; {
		r.refill()
		final = r.take(1) == 1
		var ok bool
		switch r.take(2) {
		case 0:
			out, ok = stored(dst, out, &r)
		case 1:
			if r.n < 0 {
				return 0, 0, errDeflate
			}
			out, ok = f.fixed.block(dst, out, enough, &r)
		case 2:
			if f.dynamic(&r) {
				out, ok = f.own.block(dst, out, enough, &r)
			}
		}
		if !ok || r.n < 0 {
			return 0, 0, errDeflate
		}
	}
	return out, r.pos - r.n>>3, nil
}

// stored copies a stored block (RFC 1951, 3.2.4).
func stored(dst []byte, out int, r *bitReader) (int, bool) {
	r.take(uint(r.n) & 7)
	if r.n < 0 {
		return 0, false
	}
	r.pos -= r.n >> 3
	r.buf, r.n = 0, 0
	if len(r.src)-r.pos < 4 {
		return 0, false
	}
	n := int(binary.LittleEndian.Uint16(r.src[r.pos:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(r.src[r.pos+2:])) {
		return 0, false
	}
	r.pos += 4
	if n > len(r.src)-r.pos || n > len(dst)-out {
		return 0, false
	}
	copy(dst[out:], r.src[r.pos:r.pos+n])
	r.pos += n
	return out + n, true
}
