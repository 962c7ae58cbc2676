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

// DefaultMaxMaterialised is the size in bytes above which a walk streams a blob
// instead of holding it in memory, when [BlobOptions] does not say.
const DefaultMaxMaterialised = 64 << 20

// A Blob is one copy of a blob as a walk visits it. The slices are valid during
// the visit only, and must not be changed.
type Blob struct {
	// Depth, Base, Delta and Changed are those of [pack.Object]: at a Depth above
	// 0 the worker's last visit with Depth-1 was the base's. They are 0 and nil
	// for a blob that was not read in the order of a pack.
	Depth       int
	Data        []byte
	Base, Delta []byte
	Changed     [][2]int

	id    pack.ID    // when pack is nil
	pack  *pack.Pack // where it was read from
	index int        // its number there
}

// ID returns the blob's name. Looking it up costs more than the rest of a small
// blob's visit, and few visits need it.
func (b *Blob) ID() pack.ID {
	if b.pack == nil {
		return b.id
	}
	return b.pack.ID(b.index)
}

// BlobOptions say how a walk reads. Callbacks are called from several
// goroutines at once, with the number of the worker, from 0 to Workers-1; those
// of one worker are called one after the other. An error from one ends the walk
// and is returned from it.
type BlobOptions struct {
	Workers         int   // 0: one for each CPU that the process may use
	MaxMaterialised int64 // bytes; larger blobs go to Large; 0: DefaultMaxMaterialised

	// Commits, if not nil, are the only ones whose blobs matter: what their trees
	// have and the trees of their parents have not at the same path. Other blobs
	// may be visited too: all of them are when Commits are more than one in
	// [selectiveShare] of the repository's, since single blobs are dearer to read
	// than all in the order of their packs, and when a tree that tells which blobs
	// matter cannot be read, which is a problem.
	Commits *CommitSet

	// Expect, if not nil, is called once before the first visit with the number of
	// visits to come. Loose objects are not in it.
	Expect func(blobs int64)
	// Visit is called for each blob, and again for each further copy of it in
	// another pack, since others may be stored as deltas against that copy.
	Visit func(worker int, b *Blob) error
	// Large is called once for each blob above MaxMaterialised. open may be called
	// once, during the call. When Large is nil such blobs are problems.
	Large func(worker int, id pack.ID, size int64, open func() (io.ReadCloser, error)) error
}

// Stats say what a walk read. Blobs and Bytes count each blob once, as "git
// cat-file --batch-all-objects" does; large ones count too.
type Stats struct {
	Blobs    int64
	Bytes    int64
	Copies   int64 // further copies, in other packs
	Packs    int
	Loose    int64 // blobs that are loose objects
	Fallback int64 // blobs that could only be read through git
	Problems []Problem
}

// maxProblems bounds the sentences about single objects; the rest is counted.
const maxProblems = 200

// A blobWalk is one call of WalkBlobs.
type blobWalk struct {
	r       *Repository
	o       BlobOptions
	ctx     context.Context
	cancel  context.CancelCauseFunc
	counts  []walkCount
	buffers [][]byte // by worker
	later   *idSet   // blobs of the packs from the second on, as far as they were walked

	mu     sync.Mutex
	failed map[pack.ID]error // could not be read so far
	stats  Stats
}

// A walkCount is what one worker counts, on a cache line of its own.
type walkCount struct {
	blobs, bytes, copies, loose, fallback int64
	_                                     [3]int64
}

// WalkBlobs visits every blob of the object store and its alternates, whether
// or not anything refers to it, or with o.Commits fewer: packs first, then
// loose objects, then through git what could not be read. It returns nil when
// it got to the end; what it could not read on the way is in Stats.Problems.
// When ctx or a callback ends it early, Stats says how far it came.
//
// A blob that a tree names and that is nowhere is noticed, and is a problem,
// in a partial clone, where all trees are looked at for it, and when it is one
// of the blobs that o.Commits select. Otherwise trees are not read, and it is
// not noticed: git fsck would tell.
func (r *Repository) WalkBlobs(ctx context.Context, o BlobOptions) (Stats, error) {
	o.Workers = defaultWorkers(o.Workers)
	if o.MaxMaterialised <= 0 {
		o.MaxMaterialised = DefaultMaxMaterialised
	}
	w := &blobWalk{r: r, o: o, counts: make([]walkCount, o.Workers),
		buffers: make([][]byte, o.Workers), failed: map[pack.ID]error{}, later: newIDSet(r.idSize, 0)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	err := w.run()
	return w.result(), err
}

func (w *blobWalk) run() error {
	if want := w.wanted(); want != nil {
		if err := w.walkWanted(want); err != nil {
			return err
		}
		return w.fallback()
	}
	w.expect(w.r.countKind(pack.Blob))
	for k, p := range w.r.packs {
		if err := w.walkPack(p, w.copies(k)); err != nil {
			return err
		}
		w.stats.Packs++
	}
	l := looseWalk{r: w.r, workers: w.o.Workers, visit: w.loose, fail: w.fail, problem: w.problem}
	if err := l.run(w.ctx); err != nil {
		return err
	}
	if err := w.fallback(); err != nil {
		return err
	}
	return w.absent()
}

func (w *blobWalk) expect(n int) {
	if w.o.Expect != nil {
		w.o.Expect(int64(n))
	}
}

// result adds up the counts and makes sentences of what failed.
func (w *blobWalk) result() Stats {
	s := w.stats
	for i := range w.counts {
		c := &w.counts[i]
		s.Blobs, s.Bytes, s.Copies = s.Blobs+c.blobs, s.Bytes+c.bytes, s.Copies+c.copies
		s.Loose, s.Fallback = s.Loose+c.loose, s.Fallback+c.fallback
	}
	named, missing, more := 0, 0, 0
	for id, err := range w.failed {
		switch {
		case errors.Is(err, errMissing):
			missing++
		case named < maxProblems:
			named++
			s.Problems = append(s.Problems, Problem{"blob " + id.String(), err})
		default:
			more++
		}
	}
	if missing > 0 {
		s.Problems = append(s.Problems, Problem{"object store", fmt.Errorf("%d blobs that trees refer to are not in this clone, and were not read", missing)})
	}
	if more > 0 {
		s.Problems = append(s.Problems, Problem{"object store", fmt.Errorf("%d more objects could not be read", more)})
	}
	return s
}

func (w *blobWalk) problem(object string, err error) {
	w.mu.Lock()
	w.stats.Problems = append(w.stats.Problems, Problem{object, err})
	w.mu.Unlock()
}

func (w *blobWalk) fail(id pack.ID, err error) {
	w.mu.Lock()
	w.failed[id] = err
	w.mu.Unlock()
}

// copies returns which blobs of pack k stand in an earlier one too. The first
// pack, usually by far the largest, is not entered in the table.
func (w *blobWalk) copies(k int) bitmap {
	if k == 0 {
		return nil
	}
	p := w.r.packs[k]
	again := make(bitmap, (p.Len()+63)/64)
	var raw []byte
	for i := range p.Len() {
		if p.Kind(i) != pack.Blob {
			continue
		}
		if _, was := w.r.packs[0].Find(p.ID(i)); was {
			again.set(i)
			continue
		}
		raw = p.ID(i).Append(raw[:0])
		if _, added := w.later.add(raw); !added {
			again.set(i)
		}
	}
	return again
}

// walkPack visits the blobs of a pack; again tells which of them an earlier
// pack has too.
func (w *blobWalk) walkPack(p *pack.Pack, again bitmap) error {
	blobs := make([]Blob, w.o.Workers)
	return p.Walk(w.ctx, pack.WalkOptions{
		Workers: w.o.Workers,
		Kinds:   []pack.Kind{pack.Blob},
		MaxSize: w.o.MaxMaterialised,
		Visit: func(n int, o *pack.Object) error {
			if again.has(o.Index) {
				w.counts[n].copies++
			} else {
				w.count(n, int64(len(o.Data)))
			}
			blobs[n] = Blob{o.Depth, o.Data, o.Base, o.Delta, o.Changed, pack.ID{}, p, o.Index}
			return w.o.Visit(n, &blobs[n])
		},
		Large: func(n, i int, size int64) {
			if again.has(i) {
				w.counts[n].copies++
			} else if err := w.largePacked(p, n, i, size); err != nil {
				w.cancel(err)
			}
		},
		Fail: func(_, i int, err error) {
			if !again.has(i) {
				w.fail(p.ID(i), err)
			}
		},
	})
}

func (w *blobWalk) count(worker int, size int64) {
	w.counts[worker].blobs++
	w.counts[worker].bytes += size
}

var (
	errDeferred = errors.New("is stored as a delta against a blob that is not held in memory")
	errLimit    = errors.New("is above the size limit and was not read")
)

// largePacked gives a large blob of a pack to Large. A delta against a large
// blob cannot be streamed from the pack: it is left for the fallback.
func (w *blobWalk) largePacked(p *pack.Pack, worker, i int, size int64) error {
	if size < 0 {
		w.fail(p.ID(i), errDeferred)
		return nil
	}
	return w.large(worker, p.ID(i), size, func() (io.ReadCloser, error) {
		s, _, err := p.Stream(i)
		return s, err
	})
}

func (w *blobWalk) large(worker int, id pack.ID, size int64, open func() (io.ReadCloser, error)) error {
	if w.o.Large == nil {
		w.fail(id, fmt.Errorf("%w: %d bytes", errLimit, size))
		return nil
	}
	w.count(worker, size)
	return w.o.Large(worker, id, size, open)
}

// loose visits a loose object if it is a blob.
func (w *blobWalk) loose(worker int, in *checkedReader) error {
	if in.kind != pack.Blob {
		return nil
	}
	w.counts[worker].loose++
	return w.stream(worker, in)
}

// stream visits a blob that is read from a stream.
func (w *blobWalk) stream(worker int, in *checkedReader) error {
	if in.size > w.o.MaxMaterialised {
		return w.large(worker, in.id, in.size, func() (io.ReadCloser, error) { return io.NopCloser(in), nil })
	}
	data, err := in.all(w.buffers[worker], w.o.MaxMaterialised)
	w.buffers[worker] = data
	if err != nil {
		w.fail(in.id, err)
		return nil
	}
	return w.whole(worker, in.id, data)
}

// whole visits a blob that is in memory.
func (w *blobWalk) whole(worker int, id pack.ID, data []byte) error {
	if int64(len(data)) > w.o.MaxMaterialised {
		return w.large(worker, id, int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	}
	w.count(worker, int64(len(data)))
	return w.o.Visit(worker, &Blob{id: id, Data: data})
}

// fallback reads what failed so far and what only git knows of: natively again,
// since other packs and stores may have a good copy, and a delta against a large
// blob can be had alone; then through git.
func (w *blobWalk) fallback() error {
	var todo []pack.ID
	rd := w.r.reader()
	defer rd.release()
	for id, err := range w.failed {
		if w.ctx.Err() != nil || errors.Is(err, errLimit) {
			continue
		}
		kind, data, err := rd.native(id, maxBlobRead)
		if err != nil {
			todo = append(todo, id)
			continue
		}
		if kind != pack.Blob {
			continue
		}
		delete(w.failed, id)
		if err := w.whole(0, id, data); err != nil {
			return err
		}
	}
	if w.r.broken && w.o.Commits == nil {
		o, err := w.r.others(w.ctx)
		if err != nil {
			return err
		}
		w.stats.Problems = append(w.stats.Problems, o.problems...)
		todo = append(todo, o.blobs...)
	}
	return w.viaGit(todo)
}

// viaGit reads objects through git, and visits those that are blobs. What git
// cannot read either stays failed, for the first reason.
func (w *blobWalk) viaGit(ids []pack.ID) error {
	fail := func(id pack.ID, err error) {
		if _, known := w.failed[id]; !known {
			w.failed[id] = err
		}
	}
	return w.r.gitRead(w.ctx, gitRead{ids: ids, fail: fail, visit: func(in *checkedReader) error {
		first := w.failed[in.id]
		delete(w.failed, in.id)
		if in.kind != pack.Blob {
			return nil
		}
		err := w.stream(0, in)
		switch again := w.failed[in.id]; {
		case again == nil:
			w.counts[0].fallback++
		case first != nil:
			w.failed[in.id] = first
		}
		return err
	}})
}
