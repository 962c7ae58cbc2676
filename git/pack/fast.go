package pack

import (
	"encoding/binary"
	"unsafe"
)

// The fast loop's margins. Both are checked once a symbol pair, at the head of
// the loop; what is read and written between two checks stays inside of them.
const (
	// inMargin is what must be left of the input: up to three refills of
	// eight bytes, each after taking at most seven.
	inMargin = 7 + 7 + 8
	// slack is what must be left of the output: up to three literals, the
	// longest match, and what copying it in steps of 16 bytes, the first two
	// always, writes past its end.
	slack = 3 + maxMatch + 32
)

// fast decodes symbols of one block into full from out on while limit is not
// reached, where limit <= len(full)-slack, and returns the new end. It stops
// with fastMore where only the careful loop may go on.
func (t *tables) fast(r *bitReader, full []byte, out, limit int) (int, verdict) {
	src, pos, buf, n := r.src, r.pos, r.buf, uint(r.n)
	last := len(src) - inMargin
	if pos < 0 || pos > last || out < 0 || out >= limit || limit > len(full)-slack {
		return out, more
	}
	mask, v := t.mask, more
	buf |= load64(src, pos) << (n & 63)
	pos += 7 - int(n>>3&7)
	n |= 56
	e := t.lit[buf&mask]
	// Only the low eight bits of n count bits; what is above them is noise
	// from subtracting whole entries.
	for pos <= last && out < limit {
		if e&isLiteral != 0 {
			buf >>= e & 63
			n -= uint(e)
			store8(full, out, byte(e>>16))
			out++
			e = t.lit[buf&mask]
			if e&isLiteral != 0 {
				buf >>= e & 63
				n -= uint(e)
				store8(full, out, byte(e>>16))
				out++
				e = t.lit[buf&mask]
				if e&isLiteral != 0 {
					buf >>= e & 63
					n -= uint(e)
					store8(full, out, byte(e>>16))
					out++
					buf |= load64(src, pos) << (n & 63)
					pos += 7 - int(n>>3&7)
					n |= 56
					e = t.lit[buf&mask]
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			buf >>= e & 63
			n -= uint(e)
			if e&isSubtable == 0 {
				v = ended(e)
				break
			}
			e = t.lit[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
			if e&(isLiteral|isSpecial) != 0 {
				buf >>= e & 63
				n -= uint(e)
				if e&isSpecial != 0 && e&isLiteral == 0 {
					v = ended(e)
					break
				}
				store8(full, out, byte(e>>16))
				out++
				buf |= load64(src, pos) << (n & 63)
				pos += 7 - int(n>>3&7)
				n |= 56
				e = t.lit[buf&mask]
				continue
			}
		}
		length := int(e>>16) + int(buf&(1<<(e&63)-1)>>(e>>8&31))
		buf >>= e & 63
		n -= uint(e)
		if uint8(n) < 32 {
			buf |= load64(src, pos) << (n & 63)
			pos += 7 - int(n>>3&7)
			n |= 56
		}
		e = t.dist[buf&(1<<distBits-1)]
		if e&isSpecial != 0 {
			buf >>= e & 63
			n -= uint(e)
			if e&isSubtable == 0 {
				v = bad
				break
			}
			e = t.dist[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
			if e&isSpecial != 0 {
				v = bad
				break
			}
		}
		distance := int(e>>16) + int(buf&(1<<(e&63)-1)>>(e>>8&31))
		buf >>= e & 63
		n -= uint(e)
		from := out - distance
		if from < 0 {
			v = bad
			break
		}
		buf |= load64(src, pos) << (n & 63)
		pos += 7 - int(n>>3&7)
		n |= 56
		e = t.lit[buf&mask]
		end := out + length
		if distance >= 16 {
			copy16(full, out, from)
			copy16(full, out+16, from+16)
			for out += 32; out < end; out += 16 {
				copy16(full, out, out-distance)
			}
		} else {
			repeat(full[:end+16], out, distance)
		}
		out = end
	}
	r.pos, r.buf, r.n = pos, buf, int(n&0xff)
	return out, v
}

// repeat continues b from out on with its last distance bytes, 1 to 15, again
// and again. The last 16 bytes of b may get any value.
func repeat(b []byte, out, distance int) {
	end := len(b) - 16
	if distance == 1 {
		v := uint64(b[out-1]) * 0x0101010101010101
		for ; out < end; out += 8 {
			binary.LittleEndian.PutUint64(b[out:], v)
		}
		return
	}
	if distance >= 8 {
		for ; out < end; out += 8 {
			binary.LittleEndian.PutUint64(b[out:], binary.LittleEndian.Uint64(b[out-distance:]))
		}
		return
	}
	for ; out < end; out++ {
		b[out] = b[out-distance]
	}
}

// load64 reads eight bytes, little endian, at b[i]. The caller has checked
// that 0 <= i <= len(b)-8.
func load64(b []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))[:])
}

// store8 writes b[i]. The caller has checked that 0 <= i < len(b).
func store8(b []byte, i int, v byte) {
	*(*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i)) = v
}

// copy16 copies 16 bytes from b[from] to b[to]. The caller has checked that
// 0 <= from <= to <= len(b)-16.
func copy16(b []byte, to, from int) {
	p := unsafe.Pointer(unsafe.SliceData(b))
	*(*[16]byte)(unsafe.Add(p, to)) = *(*[16]byte)(unsafe.Add(p, from))
}
