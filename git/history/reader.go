package history

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"patwatch/git/pack"
)

const (
	maxBlobRead = 1 << 30   // bytes of a blob that is read whole
	maxMetaRead = 256 << 20 // bytes of a commit, tag or tree
)

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
	return &reader{r: r, packs: make([]*pack.Reader, len(r.packs))}
}

func (rd *reader) release() {
	if cap(rd.buf) > 16<<20 {
		rd.buf = nil
	}
	rd.r.mu.Lock()
	rd.r.readers = append(rd.r.readers, rd)
	rd.r.mu.Unlock()
}

// read returns an object of at most max bytes, which are valid until the next
// read. The error wraps errMissing when no place has it, and names a corrupt
// copy when there was one and no good one.
func (rd *reader) read(ctx context.Context, id pack.ID, max int64) (kind pack.Kind, data []byte, err error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	kind, data, err = rd.native(id, max)
	if err == nil || errors.Is(err, errMissing) && !rd.r.broken {
		return kind, data, err
	}
	ended := rd.r.gitRead(ctx, gitRead{
		ids: []pack.ID{id},
		visit: func(c *checkedReader) (bad error) {
			if data, bad = c.all(nil, max); bad == nil {
				kind, err = c.kind, nil
			}
			return bad
		},
		fail: func(pack.ID, error) {}, // the first error says more
	})
	if err != nil {
		return 0, nil, errors.Join(err, context.Cause(ctx))
	}
	return kind, data, ended
}

// native is read without git.
func (rd *reader) native(id pack.ID, max int64) (pack.Kind, []byte, error) {
	bad := errMissing
	for k, p := range rd.r.packs {
		i, ok := p.Find(id)
		if !ok {
			continue
		}
		if rd.packs[k] == nil {
			rd.packs[k] = p.NewReader()
		}
		rd.packs[k].MaxSize = max
		kind, data, err := rd.packs[k].Read(i)
		if err == nil {
			return kind, data, nil
		}
		bad = err
	}
	for _, s := range rd.r.stores {
		kind, err := rd.readLoose(s.dir, id, max)
		if err == nil {
			return kind, rd.buf, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			bad = err
		}
	}
	return 0, nil, fmt.Errorf("reading object %s: %w", id, bad)
}

func (rd *reader) readLoose(dir string, id pack.ID, max int64) (pack.Kind, error) {
	c, err := rd.loose.open(dir, id)
	if err != nil {
		return 0, err
	}
	defer rd.loose.close()
	rd.buf, err = c.all(rd.buf, max)
	return c.kind, err
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
	return slices.Clone(data), nil
}
