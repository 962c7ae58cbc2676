package history

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"patwatch/git/pack"
)

// fanOut is the number of directories that loose objects are spread over.
const fanOut = 256

// walkLoose visits the loose blobs of all stores that no pack has.
func (w *blobWalk) walkLoose() error {
	var taken atomic.Int64
	var workers sync.WaitGroup
	for n := range w.o.Workers {
		workers.Go(func() {
			l := &looseWalker{w: w, n: n, in: looseReader{idSize: w.r.idSize}}
			for {
				k := int(taken.Add(1)) - 1
				if k >= fanOut*len(w.r.stores) || w.ctx.Err() != nil {
					return
				}
				if err := l.directory(k/fanOut, byte(k%fanOut)); err != nil {
					w.cancel(err)
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(w.ctx)
}

// A looseWalker is one worker of walkLoose.
type looseWalker struct {
	w   *blobWalk
	n   int
	in  looseReader
	buf []byte
}

func (l *looseWalker) directory(store int, fan byte) error {
	dir := l.w.r.stores[store].dir
	ids, err := looseIDs(dir, fan, l.w.r.idSize)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.w.problem(dir, err)
		}
		return nil
	}
	for _, id := range ids {
		if l.w.ctx.Err() != nil {
			return nil
		}
		if l.known(store, id) {
			continue
		}
		if err := l.object(dir, id); err != nil {
			return err
		}
	}
	return nil
}

// known says whether a good copy of an object was visited before: from a pack,
// or from a store before this one.
func (l *looseWalker) known(store int, id pack.ID) bool {
	w := l.w
	w.mu.Lock()
	_, failed := w.failed[id]
	w.mu.Unlock()
	if failed {
		return false
	}
	if packed(w.r.packs, id) {
		return true
	}
	for _, s := range w.r.stores[:store] {
		if hasLoose(s.dir, id) {
			return true
		}
	}
	return false
}

func hasLoose(dir string, id pack.ID) bool {
	h := id.String()
	_, err := os.Lstat(filepath.Join(dir, h[:2], h[2:]))
	return err == nil
}

// object visits a loose object if it is a blob.
func (l *looseWalker) object(dir string, id pack.ID) error {
	w := l.w
	if err := l.in.open(dir, id); err != nil {
		w.fail(id, err)
		return nil
	}
	if l.in.kind != pack.Blob {
		return l.in.Close()
	}
	if l.in.size > w.o.MaxMaterialised {
		return l.large(dir, id)
	}
	var err error
	l.buf, err = l.in.readAll(l.buf)
	l.in.Close()
	if err != nil {
		w.fail(id, err)
		return nil
	}
	w.recovered(id)
	w.counts[l.n].loose++
	w.count(l.n, int64(len(l.buf)), false)
	return w.o.Visit(l.n, &Blob{id: id, Data: l.buf, Worker: l.n})
}

func (l *looseWalker) large(dir string, id pack.ID) error {
	size := l.in.size
	l.in.Close()
	l.w.recovered(id)
	l.w.counts[l.n].loose++
	return l.w.large(l.n, id, size, func() (io.ReadCloser, error) {
		in := &looseReader{idSize: l.w.r.idSize}
		if err := in.open(dir, id); err != nil {
			return nil, err
		}
		return in, nil
	})
}
