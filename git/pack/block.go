package pack

// block decodes one compressed block into dst from out on, or as much of it as
// makes the new end, which it returns, enough. In the spare capacity of dst it
// may write anything.
func (t *tables) block(dst []byte, out, enough int, r *bitReader) (int, bool) {
	v := more
	if r.n < 0 {
		return out, false
	}
	full := dst[:cap(dst)]
	if limit := min(len(full)-slack, len(dst), enough); out < limit {
		out, v = t.fast(r, full, out, limit)
	}
	if out > len(dst) {
		return out, false
	}
	for v == more && out < enough {
		out, v = t.symbol(dst, out, r)
	}
	return out, v != bad
}

// symbol decodes one symbol with every check, for the ends of input and
// output.
func (t *tables) symbol(dst []byte, out int, r *bitReader) (int, verdict) {
	r.refill()
	e := lookup(r, t.lit[:], t.mask)
	if r.n < 0 {
		return out, bad
	}
	if e&isLiteral != 0 {
		if out >= len(dst) {
			return out, bad
		}
		dst[out] = byte(e >> 16)
		return out + 1, more
	}
	if e&isSpecial != 0 {
		return out, ended(e)
	}
	length := value(r, e)
	r.refill()
	e = lookup(r, t.dist[:], 1<<distBits-1)
	if e&isSpecial != 0 {
		return out, bad
	}
	from := out - value(r, e)
	if r.n < 0 || from < 0 || length > len(dst)-out {
		return out, bad
	}
	for i := range length {
		dst[out+i] = dst[from+i]
	}
	return out + length, more
}

// lookup finds the entry of the next symbol and, unless it has extra bits,
// drops its code.
func lookup(r *bitReader, tab []uint32, mask uint64) uint32 {
	e := tab[r.buf&mask]
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
