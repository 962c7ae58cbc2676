package pack

// dynamic reads the code lengths of a dynamic block (RFC 1951, 3.2.7), builds
// both tables and returns the index bits of the literal table.
func (f *Inflater) dynamic(r *bitReader) (uint, bool) {
	nlit, ndist, npre := int(r.take(5))+257, int(r.take(5))+1, int(r.take(4))+4
	if r.n < 0 || nlit > 286 || ndist > 30 {
		return 0, false
	}
	if !f.preCode(r, npre) {
		return 0, false
	}
	if !f.codeLengths(r, nlit+ndist) {
		return 0, false
	}
	distWidth, ok := f.build(f.dist[:], f.lens[nlit:nlit+ndist], f.distSymbols[:], distBits)
	if !ok {
		return 0, false
	}
	if distWidth < distBits {
		widen(f.dist[:1<<distBits], distWidth)
	}
	return f.build(f.lit[:], f.lens[:nlit], f.litSymbols[:], litBits)
}

// preOrder is the order in which the lengths of that code are sent.
const preOrder = "\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"

// preCode reads the code that the code lengths are written in.
func (f *Inflater) preCode(r *bitReader, n int) bool {
	var lens [19]uint8
	for i := range n {
		if r.n < 3 {
			r.refill()
		}
		lens[preOrder[i]] = uint8(r.take(3))
	}
	if r.n < 0 {
		return false
	}
	width, ok := f.build(f.pre[:], lens[:], f.preSymbols[:], preBits)
	if ok && width < preBits {
		widen(f.pre[:], width)
	}
	return ok
}

// codeLengths reads n code lengths into f.lens.
func (f *Inflater) codeLengths(r *bitReader, n int) bool {
	for i := 0; i < n; {
		if r.n < 14 {
			r.refill()
		}
		e := f.pre[r.buf&(1<<preBits-1)]
		if e&isSpecial != 0 {
			return false
		}
		r.take(uint(e & 0xff))
		symbol := e >> 16
		if symbol < 16 {
			f.lens[i] = uint8(symbol)
			i++
			continue
		}
		value, repeat := uint8(0), 0
		switch symbol {
		case 16:
			if i == 0 {
				return false
			}
			value, repeat = f.lens[i-1], 3+int(r.take(2))
		case 17:
			repeat = 3 + int(r.take(3))
		default:
			repeat = 11 + int(r.take(7))
		}
		if r.n < 0 || i+repeat > n {
			return false
		}
		run := f.lens[i : i+repeat]
		for k := range run {
			run[k] = value
		}
		i += repeat
	}
	return r.n >= 0
}
