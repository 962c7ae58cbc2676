package history

import (
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
	// for a blob that was not read from a pack.
	Depth       int
	Data        []byte
	Base, Delta []byte
	Changed     [][2]int
	Worker      int
	// Again says that another copy of the same blob was visited before. It is
	// visited again because others may be stored as deltas against this copy.
	Again bool

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
	ViaGit          bool  // read everything through git cat-file: slower, same blobs, no deltas

	// Visit is called for each blob, and again for each further copy of it in
	// another pack.
	Visit func(worker int, b *Blob) error
	// Large is called once for each blob above MaxMaterialised. open may be called
	// during the call only. When Large is nil such blobs are problems.
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
	r      *Repository
	o      BlobOptions
	ctx    context.Context
	cancel context.CancelCauseFunc
	counts []walkCount

	mu     sync.Mutex
	failed map[pack.ID]error // no copy of it could be read so far
	stats  Stats
}

// A walkCount is what one worker counts, on a cache line of its own.
type walkCount struct {
	blobs, bytes, copies, loose, fallback int64
	_                                     [3]int64
}

// WalkBlobs visits every blob of the object store and its alternates, whether
// or not anything refers to it: packs first, then loose objects, then through
// git what could not be read. It returns nil when it got to the end; what it
// could not read on the way is in Stats.Problems. When ctx or a callback ends
// it early, Stats says how far it came.
func (r *Repository) WalkBlobs(ctx context.Context, o BlobOptions) (Stats, error) {
	o.Workers = defaultWorkers(o.Workers)
	if o.MaxMaterialised <= 0 {
		o.MaxMaterialised = DefaultMaxMaterialised
	}
	w := &blobWalk{r: r, o: o, counts: make([]walkCount, o.Workers), failed: map[pack.ID]error{}}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	defer w.cancel(nil)
	err := w.run()
	return w.result(), err
}

func (w *blobWalk) run() error {
	if w.o.ViaGit {
		return w.allViaGit()
	}
	if err := w.walkPacks(); err != nil {
		return err
	}
	if err := w.walkLoose(); err != nil {
		return err
	}
	if err := w.fallback(); err != nil {
		return err
	}
	return w.absent()
}

// result adds up the counts and makes sentences of what failed.
func (w *blobWalk) result() Stats {
	s := w.stats
	for i := range w.counts {
		c := &w.counts[i]
		s.Blobs, s.Bytes, s.Copies = s.Blobs+c.blobs, s.Bytes+c.bytes, s.Copies+c.copies
		s.Loose, s.Fallback = s.Loose+c.loose, s.Fallback+c.fallback
	}
	named := 0
	for id, err := range w.failed {
		if named == maxProblems {
			s.Problems = append(s.Problems, Problem{"object store", fmt.Errorf("%d more objects could not be read", len(w.failed)-named)})
			break
		}
		s.Problems = append(s.Problems, Problem{"blob " + id.String(), err})
		named++
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

// recovered says whether all earlier copies of a blob failed, and forgets that
// they did: this one is good.
func (w *blobWalk) recovered(id pack.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, was := w.failed[id]
	delete(w.failed, id)
	return was
}

// count counts a blob that was read; again says that there was another copy.
func (w *blobWalk) count(worker int, size int64, again bool) {
	c := &w.counts[worker]
	if again {
		c.copies++
		return
	}
	c.blobs++
	c.bytes += size
}

func (w *blobWalk) walkPacks() error {
	seen := w.newSeen()
	for _, p := range w.r.packs {
		again := seen.enter(p)
		if err := w.walkPack(p, again); err != nil {
			return err
		}
		w.stats.Packs++
	}
	return nil
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
			b := &blobs[n]
			*b = Blob{o.Depth, o.Data, o.Base, o.Delta, o.Changed, n, again.has(o.Index), pack.ID{}, p, o.Index}
			if b.Again && w.recovered(b.ID()) {
				b.Again = false
			}
			w.count(n, int64(len(o.Data)), b.Again)
			return w.o.Visit(n, b)
		},
		Large: func(n, i int, size int64) { w.largePacked(p, n, i, size, again.has(i)) },
		Fail: func(_, i int, err error) {
			if !again.has(i) {
				w.fail(p.ID(i), err)
			}
		},
	})
}

var (
	errDeferred = errors.New("is stored as a delta against a blob that is not held in memory")
	errLimit    = errors.New("is above the size limit and was not read")
)

// largePacked gives a large blob of a pack to Large. A delta against a large
// blob cannot be streamed from the pack: it is left for the fallback.
func (w *blobWalk) largePacked(p *pack.Pack, worker, i int, size int64, again bool) {
	id := p.ID(i)
	if again && !w.recovered(id) {
		w.count(worker, 0, true)
		return
	}
	if size < 0 {
		w.fail(id, errDeferred)
		return
	}
	open := func() (io.ReadCloser, error) {
		s, _, err := p.Stream(i)
		return s, err
	}
	if err := w.large(worker, id, size, open); err != nil {
		w.cancel(err)
	}
}

// large gives a large blob to the caller.
func (w *blobWalk) large(worker int, id pack.ID, size int64, open func() (io.ReadCloser, error)) error {
	if w.o.Large == nil {
		w.fail(id, fmt.Errorf("%w: %d bytes", errLimit, size))
		return nil
	}
	w.count(worker, size, false)
	return w.o.Large(worker, id, size, open)
}

// Volume returns the number of blobs that packs hold, each copy counted. It is
// a cheap measure of how long a walk will take; loose objects do not count.
func (r *Repository) Volume() int64 {
	n := int64(0)
	for _, p := range r.packs {
		for i := range p.Len() {
			if p.Kind(i) == pack.Blob {
				n++
			}
		}
	}
	return n
}
