package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"patwatch/git/pack"
)

const (
	maxBlobRead = 1 << 30   // bytes of a blob that is read whole
	maxMetaRead = 256 << 20 // bytes of a commit, tag or tree
)

var errTooLarge = errors.New("the object is too large to be read whole")

// A reader reads objects by name from whichever place has them. It is for one
// goroutine.
type reader struct {
	r     *Repository
	packs []*pack.Reader // as r.packs; made when first used
	loose looseReader
	buf   []byte
}

// reader returns an idle reader, to be given back with release.
func (r *Repository) reader() *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.readers); n > 0 {
		rd := r.readers[n-1]
		r.readers = r.readers[:n-1]
		return rd
	}
	return &reader{r: r, packs: make([]*pack.Reader, len(r.packs)), loose: looseReader{idSize: r.idSize}}
}

func (rd *reader) release() {
	if cap(rd.buf) > 16<<20 {
		rd.buf = nil
	}
	rd.r.mu.Lock()
	rd.r.readers = append(rd.r.readers, rd)
	rd.r.mu.Unlock()
}

// read returns an object; the bytes are valid until the next read. The error
// wraps errMissing when no place has it, and names a corrupt copy when there
// was one and no good one.
func (rd *reader) read(ctx context.Context, id pack.ID, max int64) (pack.Kind, []byte, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	var bad error
	for k, p := range rd.r.packs {
		if i, ok := p.Find(id); ok {
			kind, data, err := rd.packed(k, i, max)
			if err == nil {
				return kind, data, nil
			}
			bad = err
		}
	}
	kind, data, err := rd.readLoose(id, max)
	if err == nil {
		return kind, data, nil
	}
	if bad == nil && !errors.Is(err, errMissing) {
		bad = err
	}
	if bad != nil || rd.r.broken {
		if kind, data, err := rd.viaGit(ctx, id, max); err == nil {
			return kind, data, nil
		}
	}
	if bad == nil {
		bad = errMissing
	}
	return 0, nil, fmt.Errorf("reading object %s: %w", id, bad)
}

// packed reads object i of pack k.
func (rd *reader) packed(k, i int, max int64) (pack.Kind, []byte, error) {
	if rd.packs[k] == nil {
		rd.packs[k] = rd.r.packs[k].NewReader()
	}
	rd.packs[k].MaxSize = max
	return rd.packs[k].Read(i)
}

func (rd *reader) readLoose(id pack.ID, max int64) (pack.Kind, []byte, error) {
	missing := errMissing
	for _, s := range rd.r.stores {
		err := rd.loose.open(s.dir, id)
		if err == nil {
			var data []byte
			if data, err = rd.drain(max); err == nil {
				return rd.loose.kind, data, nil
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			missing = err
		}
	}
	return 0, nil, missing
}

// drain reads the open loose object.
func (rd *reader) drain(max int64) ([]byte, error) {
	defer rd.loose.Close()
	if rd.loose.size > max {
		return nil, errTooLarge
	}
	var err error
	rd.buf, err = rd.loose.readAll(rd.buf)
	return rd.buf, err
}

// viaGit reads an object through git, for stores that cannot be read natively.
func (rd *reader) viaGit(ctx context.Context, id pack.ID, max int64) (pack.Kind, []byte, error) {
	c, err := rd.r.catFile(ctx, "--batch")
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	kind, size, err := c.next(id)
	if err != nil {
		return 0, nil, err
	}
	if size > max {
		return 0, nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(c, size))
	if err == nil && int64(len(data)) != size {
		err = io.ErrUnexpectedEOF
	}
	return kind, data, err
}

// ReadBlob returns the contents of a blob, of at most 1 GiB. The slice is the
// caller's.
func (r *Repository) ReadBlob(ctx context.Context, id pack.ID) ([]byte, error) {
	rd := r.reader()
	defer rd.release()
	kind, data, err := rd.read(ctx, id, maxBlobRead)
	if err != nil {
		return nil, err
	}
	if kind != pack.Blob {
		return nil, fmt.Errorf("reading object %s: it is a %s, not a blob", id, kind)
	}
	return append([]byte(nil), data...), nil
}
