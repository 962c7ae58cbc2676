package pack

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
)

// deflate yields at most this many bytes for each byte of its input.
const maxExpansion = 1032

// fail words an error about object i.
func (p *Pack) fail(i int, err error) error {
	return fmt.Errorf("pack %s, object %s at offset %d: %w", p.path, p.ID(i), p.offsets[i], err)
}

// inflate reads the stream of entry i into dst, which it grows, and checks it
// against its checksum.
func (p *Pack) inflate(f *Inflater, dst []byte, i int, e *packed) ([]byte, error) {
	if e.size > int64(len(e.body))*maxExpansion {
		return dst, fmt.Errorf("%w: %d bytes cannot come from %d", ErrCorrupt, e.size, len(e.body))
	}
	if crcs := p.index.crcs; crcs != nil {
		want := binary.BigEndian.Uint32(crcs[4*p.rows[i]:])
		if crc32.ChecksumIEEE(p.data[p.offsets[i]:p.offsets[i+1]]) != want {
			return dst, fmt.Errorf("%w: wrong CRC-32", ErrCorrupt)
		}
	}
	dst = grow(dst, int(e.size))
	_, err := f.Zlib(dst, e.body, p.index.crcs == nil)
	return dst, err
}

// grow returns a slice of length n with spare capacity for Inflate, b's memory
// if it is enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n+slack {
		return make([]byte, n, n+n/4+slack+1024)
	}
	return b[:n]
}

// Zlib decodes the zlib stream (RFC 1950) at the start of src, which must
// yield exactly len(dst) bytes, and returns how many bytes of src it takes. The
// Adler-32 at its end is compared if check is true. See [Inflater.Inflate].
func (f *Inflater) Zlib(dst, src []byte, check bool) (int, error) {
	if len(src) < 6 || src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 ||
		binary.BigEndian.Uint16(src)%31 != 0 {
		return 0, fmt.Errorf("%w: not a zlib stream", ErrCorrupt)
	}
	n, err := f.Inflate(dst, src[2:])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	n += 2
	if len(src)-n < 4 {
		return 0, fmt.Errorf("%w: the zlib stream is cut off", ErrCorrupt)
	}
	if check && adler32.Checksum(dst) != binary.BigEndian.Uint32(src[n:]) {
		return 0, fmt.Errorf("%w: wrong Adler-32", ErrCorrupt)
	}
	return n + 4, nil
}

// Reader reads single objects of a Pack in any order. It belongs to one
// goroutine.
type Reader struct {
	MaxSize int64 // larger objects are not read; 0: no limit

	pack     *Pack
	inflater *Inflater
	delta    []byte
	a, b     []byte
	spans    [][2]int
	chain    []int
}

// NewReader returns a Reader.
func (p *Pack) NewReader() *Reader { return &Reader{pack: p, inflater: NewInflater()} }

// Read returns the type and the bytes of object i. The bytes are valid until
// the next Read.
func (r *Reader) Read(i int) (Kind, []byte, error) {
	p := r.pack
	if p.kinds[i] == 0 {
		return 0, nil, p.fail(i, errNoBase)
	}
	r.chain = r.chain[:0]
	root := i
	for p.base[root] >= 0 {
		r.chain = append(r.chain, root)
		root = int(p.base[root])
	}
	if len(r.chain) > maxDepth {
		return 0, nil, p.fail(i, errDepth)
	}
	var err error
	if r.a, err = r.entry(root, r.a); err != nil {
		return 0, nil, err
	}
	for k := len(r.chain) - 1; k >= 0; k-- {
		if err := r.step(r.chain[k]); err != nil {
			return 0, nil, err
		}
	}
	return p.kinds[i], r.a, nil
}

// step applies delta i to r.a.
func (r *Reader) step(i int) (err error) {
	if r.delta, err = r.entry(i, r.delta); err != nil {
		return err
	}
	r.b, r.spans, err = undelta(r.b, r.a, r.delta, r.spans[:0], r.MaxSize)
	if err != nil {
		return r.pack.fail(i, err)
	}
	r.a, r.b = r.b, r.a
	return nil
}

// entry inflates entry i into buf.
func (r *Reader) entry(i int, buf []byte) ([]byte, error) {
	e, err := r.pack.header(i)
	if err == nil && r.MaxSize > 0 && e.size > r.MaxSize {
		err = fmt.Errorf("%w: %d bytes", ErrTooLarge, e.size)
	}
	if err == nil {
		buf, err = r.pack.inflate(r.inflater, buf, i, &e)
	}
	if err != nil {
		return buf, r.pack.fail(i, err)
	}
	return buf, nil
}

// undelta applies a delta to base. The result is in dst, which it grows.
func undelta(dst, base, delta []byte, spans [][2]int, maxSize int64) ([]byte, [][2]int, error) {
	baseSize, size, start, err := deltaSizes(delta)
	switch {
	case err != nil:
		return dst, spans, err
	case baseSize != int64(len(base)):
		return dst, spans, fmt.Errorf("%w delta: its base has another size", ErrCorrupt)
	case maxSize > 0 && size > maxSize:
		return dst, spans, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	case size > int64(len(delta))*maxCopy:
		return dst, spans, fmt.Errorf("%w delta: %d bytes cannot come from %d", ErrCorrupt, size, len(delta))
	}
	dst = grow(dst, int(size))
	spans, err = apply(dst, base, delta[start:], spans)
	return dst, spans, err
}

// maxCopy is the most that one byte of a delta can yield: a copy instruction
// has at least one byte and copies at most 2^24-1.
const maxCopy = 1<<24 - 1

var (
	errNoBase = errors.New("its base is not in the pack, or its delta chain has no end")
	errDepth  = fmt.Errorf("%w: its delta chain has more than %d links", ErrTooLarge, maxDepth)
)

// Stream returns the bytes of object i, which must be stored whole, and their
// number, without holding them in memory. The stream's checksum is compared at
// its end.
func (p *Pack) Stream(i int) (io.ReadCloser, int64, error) {
	e, err := p.header(i)
	if err == nil && p.base[i] != noDelta {
		err = errors.New("it is stored as a delta")
	}
	if err != nil {
		return nil, 0, p.fail(i, err)
	}
	z, err := zlib.NewReader(bytes.NewReader(e.body))
	if err != nil {
		return nil, 0, p.fail(i, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	return &sized{z, e.size}, e.size, nil
}

// sized is a stream that must end after left more bytes.
type sized struct {
	io.ReadCloser
	left int64
}

func (s *sized) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	s.left -= int64(n)
	if s.left < 0 || err == io.EOF && s.left > 0 {
		return 0, fmt.Errorf("%w: not of the size it declares", ErrCorrupt)
	}
	return n, err
}

func isTooLarge(err error) bool { return errors.Is(err, ErrTooLarge) }
