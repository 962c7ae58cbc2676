package pack

import "unsafe"

// A patcher is one call of apply.
type patcher struct {
	dst, base, d []byte
	spans        [][2]int

	i    int // in d: the next instruction
	out  int // in dst: where its bytes go
	from int // in base: where the bytes after the last instruction's would stand; -1 after an insert
}

// step carries out one instruction, if there is one, with every check.
func (p *patcher) step() error {
	if p.i >= len(p.d) {
		return nil
	}
	op, i := p.d[p.i], p.i+1
	if op&0x80 != 0 {
		off, n, size := copyArguments(op, window(p.d, i))
		i += size
		if i > len(p.d) || off > len(p.base) || n > len(p.base)-off || n > len(p.dst)-p.out {
			return errDeltaBounds
		}
		if off != p.from && p.from >= 0 {
			p.spans = appendSpan(p.spans, p.out, p.out)
		}
		copy(p.dst[p.out:p.out+n], p.base[off:])
		p.i, p.out, p.from = i, p.out+n, off+n
		return nil
	}
	n := int(op)
	if n == 0 {
		return errDeltaOp
	}
	if n > len(p.d)-i || n > len(p.dst)-p.out {
		return errDeltaBounds
	}
	copy(p.dst[p.out:p.out+n], p.d[i:])
	if k := len(p.spans) - 1; k >= 0 && p.spans[k][1] == p.out {
		p.spans[k][1] = p.out + n
	} else {
		p.spans = appendSpan(p.spans, p.out, p.out+n)
	}
	p.i, p.out, p.from = i+n, p.out+n, -1
	return nil
}

const (
	stride = 64  // bytes that short copies at once
	brief  = 512 // bytes up to which it copies: beyond, a call of memmove is no slower
)

// short carries out instructions as long as they are brief and plain, and stops
// at the first one that is not: it is for step. All that it reads and writes is
// within the capacities of the slices, which it checks first. Most instructions
// are for a few bytes, so it copies in strides, past their end, and calls
// nothing in its loop.
func (p *patcher) short() {
	if cap(p.dst) < len(p.dst)+stride || cap(p.base) < len(p.base)+stride || cap(p.d) < len(p.d)+stride {
		return
	}
	dst, dstLen := unsafe.Pointer(unsafe.SliceData(p.dst)), uint64(len(p.dst))
	base, baseLen := unsafe.Pointer(unsafe.SliceData(p.base)), uint64(len(p.base))
	d, dLen := unsafe.Pointer(unsafe.SliceData(p.d)), uint64(len(p.d))
	spans, k := p.spans[:min(cap(p.spans), maxSpans)], len(p.spans)
	i, out, from := uint64(p.i), uint64(p.out), p.from
	for i < dLen && k < len(spans) {
		op, source := uint64(*(*byte)(unsafe.Add(d, i))), unsafe.Add(d, i+1)
		n := op
		if op&0x80 != 0 {
			shape, v := uint64(plain[op&0x7f]), *(*uint64)(source)
			offBits, nBits := shape<<3&0x38, shape>>1&0x38
			off := v & (1<<offBits - 1)
			n = v >> offBits & (1<<nBits - 1)
			next := i + 1 + shape&15 + shape>>4
			if n-1 >= brief || next > dLen || off+n > baseLen || out+n > dstLen {
				break
			}
			if int(off) != from && from >= 0 {
				spans[k][0], spans[k][1] = int(out), int(out)
				k++
			}
			i, from, source = next, int(off+n), unsafe.Add(base, off)
		} else {
			next := i + 1 + n
			if n == 0 || next > dLen || out+n > dstLen {
				break
			}
			if from >= 0 {
				spans[k][0] = int(out)
				k++
			}
			spans[k-1][1] = int(out + n)
			i, from = next, -1
		}
		to := unsafe.Add(dst, out)
		out += n
		for left := int64(n); left > 0; left -= stride {
			move16(to, source)
			move16(unsafe.Add(to, 16), unsafe.Add(source, 16))
			move16(unsafe.Add(to, 32), unsafe.Add(source, 32))
			move16(unsafe.Add(to, 48), unsafe.Add(source, 48))
			to, source = unsafe.Add(to, stride), unsafe.Add(source, stride)
		}
	}
	p.i, p.out, p.from, p.spans = int(i), int(out), from, spans[:k]
}

func move16(to, from unsafe.Pointer) { *(*[16]byte)(to) = *(*[16]byte)(from) }
