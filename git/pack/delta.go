package pack

import "fmt"

// Copy is a copy instruction of a delta: Data[To:To+Len] is Base[From:From+Len].
type Copy struct{ To, From, Len int }

// deltaSizes reads the header of a delta: the size of its base, of its result,
// and where its instructions start.
func deltaSizes(delta []byte) (base, result int64, start int, err error) {
	base, n := varint(delta)
	if n == 0 {
		return 0, 0, 0, fmt.Errorf("%w delta: no base size", ErrCorrupt)
	}
	result, m := varint(delta[n:])
	if m == 0 {
		return 0, 0, 0, fmt.Errorf("%w delta: no result size", ErrCorrupt)
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

// copyArguments reads the offset and length of the copy instruction op whose
// arguments start at d[i], and where the next instruction starts. Missing
// bytes make that more than len(d).
func copyArguments(d []byte, i int, op byte) (from, n, next int) {
	var v uint64
	if i+8 <= len(d) {
		v = uint64(d[i]) | uint64(d[i+1])<<8 | uint64(d[i+2])<<16 | uint64(d[i+3])<<24 |
			uint64(d[i+4])<<32 | uint64(d[i+5])<<40 | uint64(d[i+6])<<48
	} else {
		for k := range min(7, len(d)-i) {
			v |= uint64(d[i+k]) << (8 * k)
		}
	}
	for bit := range 4 {
		if op>>bit&1 != 0 {
			from |= int(v&0xff) << (8 * bit)
			v >>= 8
			i++
		}
	}
	for bit := range 3 {
		if op>>(4+bit)&1 != 0 {
			n |= int(v&0xff) << (8 * bit)
			v >>= 8
			i++
		}
	}
	if n == 0 {
		n = 0x10000
	}
	return from, n, i
}

// apply carries out the instructions of a delta: it fills dst, whose length is
// the delta's result size, from base and returns the spans of dst that are
// not copied together with their neighbours (see Object.Changed), appended to
// spans.
func apply(dst, base, d []byte, spans [][2]int) ([][2]int, error) {
	out, from := 0, 0 // from: where in base the bytes after the last instruction's would stand; -1 after an insert
	for i := 0; i < len(d); {
		op := d[i]
		i++
		if op&0x80 != 0 {
			var off, n int
			off, n, i = copyArguments(d, i, op)
			if i > len(d) || off > len(base) || n > len(base)-off || n > len(dst)-out {
				return spans, fmt.Errorf("%w delta: copy out of bounds", ErrCorrupt)
			}
			if off != from && from >= 0 {
				spans = append(spans, [2]int{out, out})
			}
			copyShort(dst, out, base, off, n)
			out += n
			from = off + n
			continue
		}
		n := int(op)
		if n == 0 || n > len(d)-i || n > len(dst)-out {
			return spans, fmt.Errorf("%w delta: insert out of bounds", ErrCorrupt)
		}
		copyShort(dst, out, d, i, n)
		if k := len(spans) - 1; k >= 0 && spans[k][1] == out {
			spans[k][1] = out + n
		} else {
			spans = append(spans, [2]int{out, out + n})
		}
		i += n
		out += n
		from = -1
	}
	if out != len(dst) {
		return spans, fmt.Errorf("%w delta: result too short", ErrCorrupt)
	}
	if from >= 0 && from != len(base) {
		spans = append(spans, [2]int{out, out})
	}
	return spans, nil
}

// copyShort copies n bytes. Most copies of a delta are short, and a fixed-size
// copy of what may be too much is faster than a call of memmove.
func copyShort(dst []byte, to int, src []byte, from, n int) {
	if n <= 16 && to+16 <= len(dst) && from+16 <= len(src) {
		*(*[16]byte)(dst[to:]) = *(*[16]byte)(src[from:])
		return
	}
	copy(dst[to:to+n], src[from:from+n])
}

// AppendCopies appends the copy instructions of a delta to dst, in ascending
// order of To. Copies that continue each other both in the base and in the
// result are one.
func AppendCopies(dst []Copy, delta []byte) ([]Copy, error) {
	_, _, i, err := deltaSizes(delta)
	if err != nil {
		return dst, err
	}
	out, first := 0, len(dst)
	for i < len(delta) {
		op := delta[i]
		i++
		if op&0x80 == 0 {
			i += int(op)
			out += int(op)
			continue
		}
		var off, n int
		off, n, i = copyArguments(delta, i, op)
		if k := len(dst) - 1; k >= first && dst[k].To+dst[k].Len == out && dst[k].From+dst[k].Len == off {
			dst[k].Len += n
		} else {
			dst = append(dst, Copy{out, off, n})
		}
		out += n
	}
	if i != len(delta) {
		return dst, fmt.Errorf("%w delta: cut off", ErrCorrupt)
	}
	return dst, nil
}
