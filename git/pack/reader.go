package pack

// Reader reads single objects of a Pack in any order. It belongs to one
// goroutine. It keeps some objects, since deltas often share their bases.
type Reader struct {
	MaxSize int64 // larger objects are not read, nor deltas against them; 0: no limit

	pack     *Pack
	inflater *Inflater
	delta    []byte
	spans    [][2]int
	chain    []int
	buffers  pool
	slots    [readerSlots]slot
}

const (
	readerSlots = 256
	readerBytes = 64 << 20 // what the slots may take; beyond it they are emptied
)

// A slot remembers one object.
type slot struct {
	object int // its number plus one, 0: none
	data   []byte
}

// NewReader returns a Reader.
func (p *Pack) NewReader() *Reader { return &Reader{pack: p, inflater: NewInflater()} }

// Read returns the type and the bytes of object i, which are valid until the
// next Read. An error wraps [ErrTooLarge] or [ErrCorrupt], or says that a base
// is missing; it leaves the Reader usable.
func (r *Reader) Read(i int) (Kind, []byte, error) {
	p := r.pack
	if p.records[i].kind == 0 {
		return 0, nil, p.fail(i, errNoBase)
	}
	var data []byte
	err := p.guard(func() (err error) {
		data, err = r.read(i)
		return err
	})
	if err != nil {
		return 0, nil, p.fail(i, err)
	}
	return p.records[i].kind, data, nil
}

// read goes down the chain of object i to a known object or to its end, and up
// again.
func (r *Reader) read(i int) ([]byte, error) {
	var data []byte
	r.chain = r.chain[:0]
	for at := i; at >= 0 && data == nil; at = int(r.pack.records[at].base) {
		if len(r.chain) > maxDepth {
			return nil, errDepth
		}
		if s := &r.slots[at%readerSlots]; s.object == at+1 {
			data = s.data
			break
		}
		r.chain = append(r.chain, at)
	}
	for k := len(r.chain) - 1; k >= 0; k-- {
		at := r.chain[k]
		next, err := r.step(at, data)
		if err != nil {
			return nil, err
		}
		data = next
		r.keep(at, data)
	}
	return data, nil
}

// keep remembers object i, and nothing else when that is too much already.
func (r *Reader) keep(i int, data []byte) {
	if r.buffers.held > readerBytes {
		for k := range r.slots {
			r.forget(&r.slots[k])
		}
	}
	s := &r.slots[i%readerSlots]
	r.forget(s)
	*s = slot{i + 1, data}
}

func (r *Reader) forget(s *slot) {
	if s.object != 0 {
		r.buffers.put(s.data)
		*s = slot{}
	}
}

// step reads object i, whose base's bytes are given if it is a delta.
func (r *Reader) step(i int, base []byte) ([]byte, error) {
	p := r.pack
	e, err := p.header(i)
	if err != nil {
		return nil, err
	}
	if err := tooLarge(e.size, r.MaxSize); err != nil {
		return nil, err
	}
	if p.records[i].base == noDelta {
		return p.inflate(r.inflater, &r.buffers, i, &e)
	}
	if r.delta, err = p.inflateInto(r.inflater, r.delta, i, &e); err != nil {
		return nil, err
	}
	return undelta(&r.buffers, base, r.delta, &r.spans, r.MaxSize)
}
