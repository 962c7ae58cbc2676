package pack

import "encoding/binary"

// dynamic reads the code lengths of a dynamic block (RFC 1951, 3.2.7) and
// builds both tables.
func (f *Inflater) dynamic(r *bitReader) bool {
	nlit, ndist, npre := int(r.take(5))+257, int(r.take(5))+1, int(r.take(4))+4
	if r.n < 0 || nlit > 286 || ndist > 30 {
		return false
	}
	if !f.preCode(r, npre) {
		return false
	}
	lit, ok := f.codeLengths(r, nlit+ndist)
	if !ok {
		return false
	}
	clear(f.dists[copy(f.dists[:], f.lens[nlit:nlit+ndist]):])
	clear(f.lens[nlit:])
	dist := count(f.dists[:])
	for n := range lit {
		lit[n] -= dist[n]
	}
	distWidth, ok := f.build(f.own.dist[:], f.dists[:], &dist, f.distSymbols[:], distBits)
	if !ok {
		return false
	}
	if distWidth < distBits {
		widen(f.own.dist[:1<<distBits], distWidth)
	}
	litWidth, ok := f.build(f.own.lit[:], f.lens[:288], &lit, f.litSymbols[:], litBits)
	f.own.mask = 1<<litWidth - 1
	return ok
}

// preOrder is the order in which the lengths of that code are sent.
const preOrder = "\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"

// preCode reads the code that the code lengths are written in.
func (f *Inflater) preCode(r *bitReader, n int) bool {
	var lens [24]uint8
	for i := range n {
		if r.n < 3 {
			r.refill()
		}
		lens[preOrder[i]] = uint8(r.take(3))
	}
	if r.n < 0 {
		return false
	}
	c := count(lens[:])
	width, ok := f.build(f.pre[:], lens[:], &c, f.preSymbols[:], preBits)
	if ok && width < preBits {
		widen(f.pre[:], width)
	}
	return ok
}

// codeLengths reads n code lengths into f.lens and counts them.
func (f *Inflater) codeLengths(from *bitReader, n int) (c counts, ok bool) {
	r := *from
	for i := 0; i < n; {
		if r.n < 14 {
			r.refill()
		}
		e := f.pre[r.buf&(1<<preBits-1)]
		if e&isSpecial != 0 {
			return c, false
		}
		r.buf >>= e & 63
		r.n -= int(e & 0xff)
		symbol := e >> 16
		if symbol < 16 {
			f.lens[i] = uint8(symbol)
			c[symbol]++
			i++
			continue
		}
		value := uint8(0)
		if symbol == 16 {
			if i == 0 {
				return c, false
			}
			value = f.lens[i-1]
		}
		extra := runs[symbol&3]
		repeat := int(extra.least) + int(r.buf&(1<<extra.bits-1))
		r.buf >>= extra.bits
		r.n -= int(extra.bits)
		if r.n < 0 || i+repeat > n {
			return c, false
		}
		c[value&15] += uint32(repeat)
		end := i + repeat
		for ; i < end; i += 8 {
			binary.LittleEndian.PutUint64(f.lens[i:], uint64(value)*0x0101010101010101)
		}
		i = end
	}
	*from = r
	return c, r.n >= 0
}

// runs are the repeat counts of the symbols 16 to 18: the least, and how many
// bits say how much more. It is never written to.
var runs = [4]struct{ least, bits uint8 }{{3, 2}, {3, 3}, {11, 7}, {}}
