package pack

// A pool hands out buffers. The one given back last is handed out first: its
// memory is the likeliest to be in the processor's cache.
type pool struct {
	free []([]byte)
	held int64 // bytes handed out and not given back
	kept int64 // bytes in free
}

const (
	maxKept = 32 << 20 // bytes that a pool keeps for later
	maxFree = 16       // and buffers
)

// get returns a slice of length n with spare capacity for Inflate and apply.
// Its bytes may be anything. Callers check n before.
func (p *pool) get(n int) []byte {
	for i := len(p.free) - 1; i >= 0; i-- {
		if b := p.free[i]; cap(b) >= n+spare {
			p.free = append(p.free[:i], p.free[i+1:]...)
			p.kept -= int64(cap(b))
			p.held += int64(cap(b))
			return b[:n]
		}
	}
	if k := len(p.free) - 1; k >= 0 { // too small, as all others: let it go
		p.kept -= int64(cap(p.free[k]))
		p.free = p.free[:k]
	}
	b := grow(nil, n)
	p.held += int64(cap(b))
	return b
}

// put gives back a buffer that get returned.
func (p *pool) put(b []byte) {
	size := int64(cap(b))
	p.held -= size
	if len(p.free) < maxFree && p.kept+size <= maxKept {
		p.free = append(p.free, b)
		p.kept += size
	}
}

// spare is the capacity beyond their length that buffers have.
const spare = slack + 64

// grow returns a slice of length n with spare capacity, b's memory if it is
// enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n+spare {
		return make([]byte, n, n+n/4+spare+1024)
	}
	return b[:n]
}
