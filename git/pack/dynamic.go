package pack

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
	if !f.codeLengths(r, nlit+ndist) {
		return false
	}
	distWidth, ok := f.build(f.own.dist[:], f.lens[nlit:nlit+ndist], f.distSymbols[:], distBits)
	if !ok {
		return false
	}
	if distWidth < distBits {
		widen(f.own.dist[:1<<distBits], distWidth)
	}
	litWidth, ok := f.build(f.own.lit[:], f.lens[:nlit], f.litSymbols[:], litBits)
	f.own.mask = 1<<litWidth - 1
	return ok
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
