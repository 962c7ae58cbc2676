package pack

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Copy is a copy instruction of a delta: Data[To:To+Len] is Base[From:From+Len].
type Copy struct{ To, From, Len int }

// maxSpans bounds the memory that Object.Changed takes. A delta with more
// changes has the rest of its result in the last span.
const maxSpans = 1 << 20

var (
	errDeltaHeader = fmt.Errorf("%w delta: no sizes", ErrCorrupt)
	errDeltaCut    = fmt.Errorf("%w delta: cut off", ErrCorrupt)
	errDeltaOp     = fmt.Errorf("%w delta: unknown instruction", ErrCorrupt)
	errDeltaBounds = fmt.Errorf("%w delta: instruction out of bounds", ErrCorrupt)
	errDeltaResult = fmt.Errorf("%w delta: result of another size", ErrCorrupt)
)

// deltaSizes reads the header of a delta: the size of its base, of its result,
// and where its instructions start.
func deltaSizes(delta []byte) (base, result int64, start int, err error) {
	base, n := varint(delta)
	if n == 0 {
		return 0, 0, 0, errDeltaHeader
	}
	result, m := varint(delta[n:])
	if m == 0 {
		return 0, 0, 0, errDeltaHeader
	}
	return base, result, n + m, nil
}

// varint reads a number of at most 62 bits, seven bits a byte, the low ones
// first. It returns how many bytes it took, 0 when there is no such number.
func varint(b []byte) (v int64, n int) {
	for shift := uint(0); n < len(b) && shift < 62; shift += 7 {
		c := b[n]
		n++
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v, n
		}
	}
	return 0, 0
}

// window returns the eight bytes of d at i, little endian; those past the end
// of d's memory are zero.
func window(d []byte, i int) uint64 {
	if full := d[:cap(d)]; i >= 0 && i <= len(full)-8 {
		return binary.LittleEndian.Uint64(full[i:])
	}
	var b [8]byte
	if i < len(d) {
		copy(b[:], d[i:])
	}
	return binary.LittleEndian.Uint64(b[:])
}

// plain tells for each copy instruction, without its high bit, how many bytes
// of offset follow, and 16 times how many of length. It is 0 for instructions
// without a length and for those that leave out bytes before the last one.
const plain = "" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x10\x11\x00\x12\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x14" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x20\x21\x00\x22\x00\x00\x00\x23\x00\x00\x00\x00\x00\x00\x00\x24" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x30\x31\x00\x32\x00\x00\x00\x33\x00\x00\x00\x00\x00\x00\x00\x34"

// copyArguments takes the offset and length of the copy instruction op from v,
// the bytes that follow it, and returns how many of them there are.
func copyArguments(op byte, v uint64) (from, n, size int) {
	if s := plain[op&0x7f]; s != 0 {
		obits, nbits := s<<3&0x38, s>>1&0x38
		from = int(v & (1<<obits - 1))
		n = int(v >> obits & (1<<nbits - 1))
		return from, n, int(s&15 + s>>4)
	}
	return sparseArguments(op, v)
}

// sparseArguments is copyArguments for any instruction.
func sparseArguments(op byte, v uint64) (from, n, size int) {
	for bit := range 7 {
		if op>>bit&1 == 0 {
			continue
		}
		if bit < 4 {
			from |= int(v&0xff) << (8 * bit)
		} else {
			n |= int(v&0xff) << (8 * (bit - 4))
		}
		v >>= 8
		size++
	}
	if n == 0 {
		n = 0x10000
	}
	return from, n, size
}

// apply carries out the instructions of a delta: it fills dst, whose length is
// the delta's result size, from base and returns the spans of dst that are
// not copied together with their neighbours (see Object.Changed), appended to
// spans. It is fastest when all three have spare capacity; in that of dst it
// may write anything.
func apply(dst, base, d []byte, spans [][2]int) ([][2]int, error) {
	p := patcher{dst: dst, base: base, d: d, spans: spans}
	for p.i < len(d) {
		p.short()
		if err := p.step(); err != nil {
			return p.spans, err
		}
	}
	if p.out != len(dst) {
		return p.spans, errDeltaResult
	}
	if p.from >= 0 && p.from != len(base) {
		p.spans = appendSpan(p.spans, p.out, p.out)
	}
	return p.spans, nil
}

// appendSpan appends a span, or stretches the last one over it when there are
// too many. It writes start and end one by one: as a value of 16 bytes they
// would be read back before the processor is done with writing them.
func appendSpan(spans [][2]int, start, end int) [][2]int {
	k := len(spans)
	if k >= maxSpans {
		spans[k-1][1] = end
		return spans
	}
	if k == cap(spans) {
		spans = slices.Grow(spans, k+64)
	}
	spans = spans[:k+1]
	spans[k][0], spans[k][1] = start, end
	return spans
}

// deltaLength adds up what the instructions of a delta yield, at most limit+1.
// It is the evidence for a declared size before memory is allocated for it.
func deltaLength(d []byte, limit int64) (int64, error) {
	sum := int64(0)
	for i := 0; i < len(d) && sum <= limit; {
		op := d[i]
		i++
		n, size := int(op), int(op)
		if op&0x80 != 0 {
			_, n, size = copyArguments(op, window(d, i))
		} else if op == 0 {
			return 0, errDeltaOp
		}
		if i += size; i > len(d) {
			return 0, errDeltaCut
		}
		sum += int64(n)
	}
	return sum, nil
}

// AppendCopies appends the copy instructions of a delta to dst, in ascending
// order of To. Copies that continue each other both in the base and in the
// result are one. For the delta of an [Object] all of them are within Base and
// Data.
func AppendCopies(dst []Copy, delta []byte) ([]Copy, error) {
	_, _, i, err := deltaSizes(delta)
	if err != nil {
		return dst, err
	}
	out, first := 0, len(dst)
	for i < len(delta) {
		op := delta[i]
		i++
		if op == 0 {
			return dst, errDeltaOp
		}
		if op&0x80 == 0 {
			i += int(op)
			out += int(op)
			continue
		}
		off, n, size := copyArguments(op, window(delta, i))
		if i += size; i > len(delta) {
			break
		}
		if k := len(dst) - 1; k >= first && dst[k].To+dst[k].Len == out && dst[k].From+dst[k].Len == off {
			dst[k].Len += n
		} else {
			dst = append(dst, Copy{out, off, n})
		}
		out += n
	}
	if i != len(delta) {
		return dst, errDeltaCut
	}
	return dst, nil
}
