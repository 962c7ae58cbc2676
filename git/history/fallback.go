package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"patwatch/git/pack"
)

// maxRestarts bounds how often git is started again after an object at which
// it gave up.
const maxRestarts = 100

// fallback reads what failed so far, and what only git knows of.
func (w *blobWalk) fallback() error {
	todo := make([]pack.ID, 0, len(w.failed))
	for id, err := range w.failed {
		if !errors.Is(err, errLimit) {
			todo = append(todo, id)
		}
	}
	if w.r.broken {
		todo = append(todo, w.unknown()...)
	}
	if len(todo) == 0 {
		return nil
	}
	return w.viaGit(0, w.deferred(todo))
}

// unknown lists the blobs that git finds and we do not.
func (w *blobWalk) unknown() (ids []pack.ID) {
	err := w.r.gitObjects(w.ctx, func(id pack.ID, kind pack.Kind, _ int64) {
		if kind == pack.Blob && !w.r.has(id) {
			ids = append(ids, id)
		}
	})
	if err != nil && w.ctx.Err() == nil {
		w.problem("object store", fmt.Errorf("git could not be asked what else there is: %w", err))
	}
	return ids
}

// has says whether an object is in a pack or loose.
func (r *Repository) has(id pack.ID) bool {
	if packed(r.packs, id) {
		return true
	}
	for _, s := range r.stores {
		if hasLoose(s.dir, id) {
			return true
		}
	}
	return false
}

// deferred reads natively the deltas that a walk could not hold together with
// their base, and returns the objects that are left for git.
func (w *blobWalk) deferred(ids []pack.ID) (left []pack.ID) {
	rd := w.r.reader()
	defer rd.release()
	for _, id := range ids {
		if !errors.Is(w.failed[id], errDeferred) {
			left = append(left, id)
			continue
		}
		kind, data, err := rd.read(w.ctx, id, maxBlobRead)
		if err != nil || kind != pack.Blob {
			left = append(left, id)
			continue
		}
		delete(w.failed, id)
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		if err := w.deliver(0, id, data, int64(len(data)), open); err != nil {
			w.cancel(err)
		}
	}
	return left
}

// deliver gives a blob to Visit or Large, by its size; data may be nil for a
// large one.
func (w *blobWalk) deliver(worker int, id pack.ID, data []byte, size int64, open func() (io.ReadCloser, error)) error {
	if size > w.o.MaxMaterialised {
		return w.large(worker, id, size, open)
	}
	w.count(worker, size, false)
	return w.o.Visit(worker, &Blob{id: id, Data: data, Worker: worker})
}

// viaGit reads objects through one git process after the other, and visits
// those that are blobs. What git cannot read either stays failed.
func (w *blobWalk) viaGit(worker int, ids []pack.ID) error {
	g := &gitWalker{w: w, n: worker}
	defer g.stop()
	for _, id := range ids {
		if w.ctx.Err() != nil {
			break
		}
		if err := g.object(id); err != nil {
			return err
		}
	}
	return context.Cause(w.ctx)
}

// A gitWalker reads blobs through git for one worker.
type gitWalker struct {
	w      *blobWalk
	n      int
	git    *catFile
	starts int
	buf    bytes.Buffer
}

func (g *gitWalker) stop() {
	if g.git != nil {
		g.git.Close()
		g.git = nil
	}
}

// start makes sure that a git process is there.
func (g *gitWalker) start() (err error) {
	if g.git != nil && g.git.err != nil {
		g.stop()
	}
	if g.git != nil {
		return nil
	}
	if g.starts++; g.starts > maxRestarts {
		return errors.New("git gave up too often")
	}
	g.git, err = g.w.r.catFile(g.w.ctx, "--batch")
	return err
}

// object reads one object and visits it if it is a blob.
func (g *gitWalker) object(id pack.ID) error {
	if err := g.start(); err != nil {
		g.failed(id, err)
		return nil
	}
	kind, size, err := g.git.next(id)
	if err == nil && kind == pack.Blob && size <= g.w.o.MaxMaterialised {
		g.buf.Reset()
		if _, err = g.buf.ReadFrom(g.git); err == nil {
			err = g.verify(id)
		}
	}
	if err != nil {
		g.failed(id, err)
		return nil
	}
	g.w.recovered(id)
	if kind != pack.Blob {
		return nil
	}
	g.w.counts[g.n].fallback++
	return g.w.deliver(g.n, id, g.buf.Bytes(), size, func() (io.ReadCloser, error) { return g.w.r.gitStream(g.w.ctx, id) })
}

// verify compares a blob with its name, which git cat-file does not do.
func (g *gitWalker) verify(id pack.ID) error {
	h := newHash(g.w.r.idSize)
	fmt.Fprintf(h, "blob %d\x00", g.buf.Len())
	h.Write(g.buf.Bytes())
	if !bytes.Equal(h.Sum(nil), id.Append(nil)) {
		return errBlobHash
	}
	return nil
}

var errBlobHash = errors.New("the object is corrupt: its contents do not have its name")

// failed notes that git could not read an object, unless it is known why.
func (g *gitWalker) failed(id pack.ID, err error) {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	if _, known := g.w.failed[id]; !known {
		g.w.failed[id] = err
	}
}

// gitStream streams an object from a git process of its own.
func (r *Repository) gitStream(ctx context.Context, id pack.ID) (io.ReadCloser, error) {
	c, err := r.catFile(ctx, "--batch")
	if err != nil {
		return nil, err
	}
	if _, _, err := c.next(id); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// allViaGit visits all blobs through git, several processes at a time.
func (w *blobWalk) allViaGit() error {
	var ids []pack.ID
	err := w.r.gitObjects(w.ctx, func(id pack.ID, kind pack.Kind, _ int64) {
		if kind == pack.Blob {
			ids = append(ids, id)
		}
	})
	if err != nil {
		return fmt.Errorf("listing objects: %w", err)
	}
	var workers sync.WaitGroup
	part := (len(ids) + w.o.Workers - 1) / w.o.Workers
	for n := range w.o.Workers {
		mine := ids[min(n*part, len(ids)):min((n+1)*part, len(ids))]
		workers.Go(func() {
			if err := w.viaGit(n, mine); err != nil {
				w.cancel(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(w.ctx)
}
