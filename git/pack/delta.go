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

// argumentBits is how many bits of arguments follow for each number of argument
// bytes, when the bytes present are the low ones: the usual case.
const argumentBits = "\x00\x08\x08\x10\x08\x10\x10\x18\x08\x10\x10\x18\x10\x18\x18\x20"

// copyArguments takes the offset and length of the copy instruction op from v,
// the bytes that follow it, and returns how many of them there are.
func copyArguments(op byte, v uint64) (from, n, size int) {
	a, b := op&15, op>>4&7
	abits, bbits := uint(argumentBits[a]), uint(argumentBits[b])
	if a&(a+1)|b&(b+1) == 0 {
		from = int(v & (1<<(abits&63) - 1))
		n = int(v >> (abits & 63) & (1<<(bbits&63) - 1))
	} else {
		from, n = sparseArguments(op, v)
	}
	if n == 0 {
		n = 0x10000
	}
	return from, n, int(abits+bbits) >> 3
}

// sparseArguments is copyArguments when bytes in the middle are left out.
func sparseArguments(op byte, v uint64) (from, n int) {
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
	}
	return from, n
}

// apply carries out the instructions of a delta: it fills dst, whose length is
// the delta's result size, from base and returns the spans of dst that are
// not copied together with their neighbours (see Object.Changed), appended to
// spans. It is fastest when all three have spare capacity; in that of dst it
// may write anything.
func apply(dst, base, d []byte, spans [][2]int) ([][2]int, error) {
	out, from := 0, 0 // from: where in base the bytes after the last instruction's would stand; -1 after an insert
	for i := 0; i < len(d); {
		op := d[i]
		i++
		if op&0x80 != 0 {
			off, n, size := copyArguments(op, window(d, i))
			i += size
			if i > len(d) || off > len(base) || n > len(base)-off || n > len(dst)-out {
				return spans, errDeltaBounds
			}
			if off != from && from >= 0 {
				spans = appendSpan(spans, out, out)
			}
			copyBytes(dst, out, base, off, n)
			out += n
			from = off + n
			continue
		}
		n := int(op)
		if n == 0 {
			return spans, errDeltaOp
		}
		if n > len(d)-i || n > len(dst)-out {
			return spans, errDeltaBounds
		}
		copyBytes(dst, out, d, i, n)
		if k := len(spans) - 1; k >= 0 && spans[k][1] == out {
			spans[k][1] = out + n
		} else {
			spans = appendSpan(spans, out, out+n)
		}
		i += n
		out += n
		from = -1
	}
	if out != len(dst) {
		return spans, errDeltaResult
	}
	if from >= 0 && from != len(base) {
		spans = appendSpan(spans, out, out)
	}
	return spans, nil
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

// copyBytes copies n bytes, which must be there, from src[from:] to dst[to:].
// Most copies of a delta are short: 32 bytes at once are then faster than a
// call of memmove, if there is the capacity for them.
func copyBytes(dst []byte, to int, src []byte, from, n int) {
	if n <= 32 && to <= cap(dst)-32 && from <= cap(src)-32 {
		d, s := dst[:cap(dst)], src[:cap(src)]
		*(*[32]byte)(d[to:]) = *(*[32]byte)(s[from:])
		return
	}
	copy(dst[to:to+n], src[from:from+n])
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
