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
	return fmt.Errorf("pack %s, object %s at offset %d: %w", p.path, p.ID(i), p.records[i].offset, err)
}

// inflate reads the stream of entry i into a buffer of the pool.
func (p *Pack) inflate(f *Inflater, buffers *pool, i int, e *packed) ([]byte, error) {
	if err := p.check(i, e); err != nil {
		return nil, err
	}
	dst := buffers.get(int(e.size))
	if err := p.stream(f, dst, i, e); err != nil {
		buffers.put(dst)
		return nil, err
	}
	return dst, nil
}

// inflateInto reads the stream of entry i into dst, which it grows.
func (p *Pack) inflateInto(f *Inflater, dst []byte, i int, e *packed) ([]byte, error) {
	if err := p.check(i, e); err != nil {
		return dst, err
	}
	dst = grow(dst, int(e.size))
	return dst, p.stream(f, dst, i, e)
}

// start reads the first bytes of the stream of entry i into a buffer of the
// pool: at least n, or all that there are. The rest of the entry is compared
// with its checksum like all others, but not decoded.
func (p *Pack) start(f *Inflater, buffers *pool, i int, e *packed, n int) ([]byte, error) {
	if err := p.check(i, e); err != nil {
		return nil, err
	}
	dst := buffers.get(int(e.size))
	if err := zlibHeader(e.body); err != nil {
		buffers.put(dst)
		return nil, err
	}
	out, _, err := f.inflate(dst, p.data[p.records[i+1].offset-uint64(len(e.body))+2:], n)
	if err != nil {
		buffers.put(dst)
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return dst[:out], nil
}

// stream reads the stream of entry i into dst. The inflater gets to see what
// follows the entry, too: with bytes to spare it is faster.
func (p *Pack) stream(f *Inflater, dst []byte, i int, e *packed) error {
	if m := p.memory; m != nil && m.inflated[i] != nil {
		copy(dst, m.inflated[i])
		return nil
	}
	start := p.records[i+1].offset - uint64(len(e.body))
	n, err := f.Zlib(dst, p.data[start:], p.index.crcs == nil)
	if err == nil && n > len(e.body) {
		err = errCut
	}
	return err
}

// check compares entry i with its CRC-32, if the index has one, and the size
// it declares with what its bytes can yield at most.
func (p *Pack) check(i int, e *packed) error {
	if e.size > int64(len(e.body))*maxExpansion {
		return fmt.Errorf("%w: %d bytes cannot come from %d", ErrCorrupt, e.size, len(e.body))
	}
	if p.index.crcs != nil && crc32.ChecksumIEEE(p.packed(i)) != p.records[i].crc {
		return errCRC
	}
	return nil
}

// tooLarge is an error when size is beyond limit, unless that is 0.
func tooLarge(size, limit int64) error {
	if limit > 0 && size > limit {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	return nil
}

// Zlib decodes the zlib stream (RFC 1950) at the start of src, which must
// yield exactly len(dst) bytes, and returns how many bytes of src it takes. The
// Adler-32 at its end is compared if check is true. See [Inflater.Inflate].
func (f *Inflater) Zlib(dst, src []byte, check bool) (int, error) {
	if err := zlibHeader(src); err != nil {
		return 0, err
	}
	n, err := f.Inflate(dst, src[2:])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	n += 2
	if len(src)-n < 4 {
		return 0, errCut
	}
	if check && adler32.Checksum(dst) != binary.BigEndian.Uint32(src[n:]) {
		return 0, fmt.Errorf("%w: wrong Adler-32", ErrCorrupt)
	}
	return n + 4, nil
}

// zlibHeader checks what a zlib stream begins with.
func zlibHeader(src []byte) error {
	if len(src) < 6 || src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 ||
		binary.BigEndian.Uint16(src)%31 != 0 {
		return errZlib
	}
	return nil
}

// undelta applies a delta to base. The result is in a buffer of the pool.
func undelta(buffers *pool, base, delta []byte, spans *[][2]int, maxSize int64) ([]byte, error) {
	baseSize, size, start, err := deltaSizes(delta)
	if err != nil {
		return nil, err
	}
	if baseSize != int64(len(base)) {
		return nil, errDeltaBase
	}
	if err := tooLarge(size, maxSize); err != nil {
		return nil, err
	}
	delta = delta[start:]
	if size > trusted {
		if n, err := deltaLength(delta, size); err != nil || n != size {
			return nil, errDeltaResult
		}
	}
	dst := buffers.get(int(size))
	*spans, err = apply(dst, base, delta, (*spans)[:0])
	if err != nil {
		buffers.put(dst)
		return nil, err
	}
	return dst, nil
}

// trusted is the result size up to which a delta is taken at its word before
// its instructions have been added up.
const trusted = 1 << 20

var (
	errZlib      = fmt.Errorf("%w: not a zlib stream", ErrCorrupt)
	errCut       = fmt.Errorf("%w: the zlib stream is cut off", ErrCorrupt)
	errCRC       = fmt.Errorf("%w: wrong CRC-32", ErrCorrupt)
	errDeltaBase = fmt.Errorf("%w delta: its base has another size", ErrCorrupt)
	errNoBase    = errors.New("its base is not in the pack, or its delta chain has no end")
	errDepth     = fmt.Errorf("%w: its delta chain has more than %d links", ErrTooLarge, maxDepth)
)

// Stream returns the bytes of object i, which must be stored whole, and their
// number, without holding them in memory. The stream's checksum is compared at
// its end.
func (p *Pack) Stream(i int) (io.ReadCloser, int64, error) {
	e, err := p.header(i)
	if err == nil && p.records[i].base != noDelta {
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
