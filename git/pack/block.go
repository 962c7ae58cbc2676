package pack

import "encoding/binary"

// inflateBlock decodes one compressed block into dst from out on and returns
// the new end. lit is indexed with litWidth bits, dist with distBits.
func inflateBlock(dst []byte, out int, r *bitReader, lit []uint32, litWidth uint, dist []uint32) (int, bool) {
	out, done, ok := inflateFast(dst, out, r, lit, litWidth, dist)
	for ok && !done {
		out, done, ok = inflateSymbol(dst, out, r, lit, litWidth, dist)
	}
	return out, ok
}

// inflateFast decodes symbols as long as no check is needed: at least eight
// bytes of input for each refill, and room for the longest match and what
// copying in words writes past it.
func inflateFast(dst []byte, out int, r *bitReader, lit []uint32, litWidth uint, dist []uint32) (int, bool, bool) {
	src, pos, buf, n := r.src, r.pos, r.buf, uint(r.n)
	if r.n < 0 {
		return out, false, false
	}
	mask := uint64(1)<<litWidth - 1
	if len(lit) < 1<<litWidth || len(dist) < 1<<distBits {
		return out, false, false
	}
	full := dst[:cap(dst)]
	limit := min(len(full)-slack, len(dst)) // out may be below this at the head of the loop
	inLimit := len(src) - 16
	ok, done := true, false
	for out < limit && pos <= inLimit {
		buf |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := lit[buf&mask]
		if e&isLiteral != 0 {
			buf >>= e & 63
			n -= uint(e & 0xff)
			full[out] = byte(e >> 16)
			out++
			e = lit[buf&mask]
			if e&isLiteral != 0 {
				buf >>= e & 63
				n -= uint(e & 0xff)
				full[out] = byte(e >> 16)
				out++
				e = lit[buf&mask]
				if e&isLiteral != 0 {
					buf >>= e & 63
					n -= uint(e & 0xff)
					full[out] = byte(e >> 16)
					out++
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			if e&isSubtable != 0 {
				buf >>= e & 63
				n -= uint(e & 0xff)
				e = lit[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
				if e&isLiteral != 0 {
					buf >>= e & 63
					n -= uint(e & 0xff)
					full[out] = byte(e >> 16)
					out++
					continue
				}
			}
			if e&isSpecial != 0 {
				buf >>= e & 63
				n -= uint(e & 0xff)
				done, ok = true, e&isEnd != 0
				break
			}
		}
		saved := buf
		buf >>= e & 63
		n -= uint(e & 0xff)
		length := int(e>>16) + int(saved&(1<<(e&63)-1)>>(e>>8&31))
		if n < 32 {
			buf |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		e = dist[buf&(1<<distBits-1)]
		if e&isSpecial != 0 {
			if e&isSubtable == 0 {
				ok = false
				break
			}
			buf >>= e & 63
			n -= uint(e & 0xff)
			e = dist[e>>16+uint32(buf)&(1<<(e>>8&15)-1)]
			if e&isSpecial != 0 {
				ok = false
				break
			}
		}
		saved = buf
		buf >>= e & 63
		n -= uint(e & 0xff)
		from := out - int(e>>16) - int(saved&(1<<(e&63)-1)>>(e>>8&31))
		if from < 0 {
			ok = false
			break
		}
		copyMatch(full, out, from, length)
		out += length
	}
	r.pos, r.buf, r.n = pos, buf, int(n)
	if out > len(dst) {
		ok = false
	}
	return out, done, ok
}

// copyMatch copies n bytes from from to out, which is after it; they may
// overlap. Up to 16 bytes after the end may be overwritten: b must have them.
func copyMatch(b []byte, out, from, n int) {
	distance := out - from
	if distance >= 16 {
		src, dst := b[from:], b[out:]
		for i := 0; ; i += 16 {
			s, d := src[i:], dst[i:]
			if len(s) < 16 || len(d) < 16 {
				return
			}
			v, w := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
			binary.LittleEndian.PutUint64(d, v)
			binary.LittleEndian.PutUint64(d[8:], w)
			if i+16 >= n {
				return
			}
		}
	}
	if distance == 1 {
		v := uint64(b[from]) * 0x0101010101010101
		for i := out; i < out+n; i += 8 {
			binary.LittleEndian.PutUint64(b[i:], v)
		}
		return
	}
	if distance >= 8 {
		for i := 0; i < n; i += 8 {
			binary.LittleEndian.PutUint64(b[out+i:], binary.LittleEndian.Uint64(b[from+i:]))
		}
		return
	}
	for i := range n {
		b[out+i] = b[from+i]
	}
}

// inflateSymbol decodes one symbol with every check, for the ends of input and
// output.
func inflateSymbol(dst []byte, out int, r *bitReader, lit []uint32, litWidth uint, dist []uint32) (int, bool, bool) {
	r.refill()
	e := lookup(r, lit, litWidth)
	if r.n < 0 {
		return out, false, false
	}
	if e&isLiteral != 0 {
		if out >= len(dst) {
			return out, false, false
		}
		dst[out] = byte(e >> 16)
		return out + 1, false, true
	}
	if e&isSpecial != 0 {
		return out, true, e&isEnd != 0
	}
	length := value(r, e)
	r.refill()
	e = lookup(r, dist, distBits)
	if e&isSpecial != 0 {
		return out, false, false
	}
	from := out - value(r, e)
	if r.n < 0 || from < 0 || length > len(dst)-out {
		return out, false, false
	}
	for i := range length {
		dst[out+i] = dst[from+i]
	}
	return out + length, false, true
}

// lookup finds the entry of the next symbol and, unless it has extra bits,
// drops its code.
func lookup(r *bitReader, tab []uint32, width uint) uint32 {
	e := tab[r.buf&(1<<width-1)]
	if e&isSpecial != 0 && e&isSubtable != 0 && e&isLiteral == 0 {
		r.take(uint(e & 0xff))
		e = tab[e>>16+uint32(r.buf)&(1<<(e>>8&15)-1)]
	}
	if e&(isLiteral|isSpecial) != 0 {
		r.take(uint(e & 0xff))
	}
	return e
}

// value takes the code and the extra bits of a length or distance entry.
func value(r *bitReader, e uint32) int {
	bits := r.take(uint(e & 0xff))
	return int(e>>16) + int(bits>>(e>>8&31))
}
