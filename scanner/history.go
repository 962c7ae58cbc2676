package scanner

import (
	"context"
	"fmt"
	"io"
	"slices"

	"patwatch/detectors"
	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
)

// Selection says which part of a repository's history counts. The zero value
// is everything in its object store.
type Selection struct {
	Include []string // revisions: their ancestors and they themselves count; empty: everything
	Exclude []string // revisions: what they reach does not count
}

func (sel Selection) all() bool { return len(sel.Include) == 0 && len(sel.Exclude) == 0 }

// History scans every blob of the repository's object store and reports each
// token at the places that brought it in: the commits of which no parent has
// the token at that path. Objects that no ref reaches are read too; what only
// stands in them is reported with source leak.Unreachable, and what no commit
// holds at all without commit and path.
//
// With a Selection only places of its commits are reported. When ctx ends
// before the places are known, what was found is reported with its object only.
func (s *Scanner) History(ctx context.Context, repo *history.Repository, sel Selection, emit Emit) (Tally, error) {
	var t Tally
	var only *history.CommitSet
	if !sel.all() {
		var err error
		if only, err = repo.Reachable(ctx, sel.Include, sel.Exclude); err != nil {
			return t, fmt.Errorf("selecting commits: %w", err)
		}
	}
	for _, p := range repo.Problems() {
		t.missed("%s", p)
	}
	blobs, err := s.walkBlobs(ctx, repo, only, &t)
	if err != nil {
		return t, err
	}
	whole := sel.all() && len(t.Incomplete) == 0 && ctx.Err() == nil
	places, err := s.attribute(ctx, s.newTracer(repo, blobs, whole, only != nil), &t)
	if err != nil {
		return t, err
	}
	if err := ctx.Err(); err != nil {
		t.missed("%s: %s", repo.Path(), reason(err))
	}
	for _, p := range places {
		if only != nil && (p.commit == nil || !only.Has(p.commit.ID)) {
			continue
		}
		if err := emit(s.candidate(p.hit, p.leak(repo))); err != nil {
			return t, err
		}
	}
	return t, nil
}

// walkBlobs returns what stands in each blob that has something, at least of
// those that the commits of only brought in; nil stands for all blobs.
func (s *Scanner) walkBlobs(ctx context.Context, repo *history.Repository, only *history.CommitSet, t *Tally) (map[pack.ID][]hit, error) {
	workers := make([]*blobWorker, s.opts.Jobs)
	for i := range workers {
		workers[i] = &blobWorker{s: s, found: map[pack.ID][]hit{}, vault: vault{}}
	}
	stats, err := repo.WalkBlobs(ctx, history.BlobOptions{
		Workers: s.opts.Jobs,
		Commits: only,
		Expect:  s.opts.Progress.setTotal,
		Visit: func(w int, b *history.Blob) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return workers[w].visit(b)
		},
		Large: func(w int, id pack.ID, size int64, open func() (io.ReadCloser, error)) error {
			return workers[w].large(ctx, id, size, open)
		},
	})
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	t.Packs, t.Blobs, t.Bytes = t.Packs+int64(stats.Packs), t.Blobs+stats.Blobs, t.Bytes+stats.Bytes
	for _, p := range stats.Problems {
		t.missed("%s", p)
	}
	all := map[pack.ID][]hit{}
	for _, w := range workers {
		t.Incomplete = append(t.Incomplete, w.missed...)
		for id, hits := range w.found {
			all[id] = hits
		}
	}
	return all, nil
}

// looked is what was seen in a blob.
type looked struct {
	matches []detectors.Match // raw: before they are resolved
	far     bool              // see [detectors.Matcher.FindNear]
}

// A blobWorker is what one goroutine of a history scan needs.
type blobWorker struct {
	s        *Scanner
	stack    []looked // the blob last visited at each depth
	copies   []pack.Copy
	spans    [][3]int
	resolved []detectors.Match
	window   *window
	vault    vault
	found    map[pack.ID][]hit
	missed   []string
}

// visit finds the tokens of one blob. Of a blob stored as a delta only what is
// new is looked at; what stands in the bytes that it copies from its base is
// inherited from the base's matches.
func (w *blobWorker) visit(b *history.Blob) error {
	for len(w.stack) <= b.Depth {
		w.stack = append(w.stack, looked{})
	}
	ms, far := w.stack[b.Depth].matches[:0], false
	if max := w.s.opts.MaxBlob; max > 0 && int64(len(b.Data)) > max {
		w.missed = append(w.missed, (&tooLargeError{"blob " + b.ID().String(), int64(len(b.Data)), max}).Error())
		w.stack[b.Depth] = looked{matches: ms}
		w.s.opts.Progress.read(1, 0)
		return nil
	}
	if b.Depth == 0 || w.s.opts.FullScan || w.skippedBase(b) || w.stack[b.Depth-1].far {
		ms, far = w.whole(ms, b)
	} else {
		ms, far = w.delta(ms, w.stack[b.Depth-1].matches, b)
	}
	w.stack[b.Depth] = looked{ms, far}
	if len(ms) > 0 {
		w.note(b.ID(), b.Data, ms)
	}
	w.s.opts.Progress.read(1, len(b.Data))
	return nil
}

// skippedBase says that the blob's base was too large to be looked at, so that
// nothing can be inherited from it.
func (w *blobWorker) skippedBase(b *history.Blob) bool {
	return w.s.opts.MaxBlob > 0 && int64(len(b.Base)) > w.s.opts.MaxBlob
}

// whole looks at all of a blob.
func (w *blobWorker) whole(ms []detectors.Match, b *history.Blob) ([]detectors.Match, bool) {
	return w.s.matcher.FindNear(ms, b.Data, [][2]int{{0, len(b.Data)}})
}

// delta looks at what the blob has and its base has not.
func (w *blobWorker) delta(ms, base []detectors.Match, b *history.Blob) ([]detectors.Match, bool) {
	m := w.s.matcher
	if len(base) == 0 {
		return m.FindNear(ms, b.Data, b.Changed)
	}
	copies, err := pack.AppendCopies(w.copies[:0], b.Delta)
	w.copies = copies
	if err != nil { // the delta was applied, so this cannot be; a full look is right whatever it is
		return w.whole(ms, b)
	}
	w.spans = w.spans[:0]
	for _, c := range copies {
		w.spans = append(w.spans, [3]int{c.To, c.From, c.Len})
	}
	ms, complete := m.Inherit(ms, base, w.spans, len(b.Base), len(b.Data))
	if !complete {
		return w.whole(ms[:0], b)
	}
	ms, far := m.FindNear(ms, b.Data, b.Changed)
	return sortMatches(ms), far
}

// sortMatches puts matches in order of their start and drops the second of two
// equal ones: one that was inherited may be found again near a change.
func sortMatches(ms []detectors.Match) []detectors.Match {
	slices.SortFunc(ms, func(a, b detectors.Match) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		if a.End != b.End {
			return a.End - b.End
		}
		return a.Format - b.Format
	})
	return slices.CompactFunc(ms, func(a, b detectors.Match) bool {
		return a.Start == b.Start && a.End == b.End && a.Format == b.Format
	})
}

// note resolves the raw matches of a blob and keeps its tokens. The raw ones
// stay as they are, for the blobs that are stored as deltas against this one.
func (w *blobWorker) note(id pack.ID, data []byte, raw []detectors.Match) {
	w.resolved = append(w.resolved[:0], raw...)
	if hits := w.vault.hits(data, w.s.matcher.Resolve(w.resolved)); len(hits) > 0 {
		w.found[id] = hits
		w.s.opts.Progress.saw(hits)
	}
}

// large reads a blob that is too big to be held in memory.
func (w *blobWorker) large(ctx context.Context, id pack.ID, size int64, open func() (io.ReadCloser, error)) error {
	if max := w.s.opts.MaxBlob; max > 0 && size > max {
		w.missed = append(w.missed, (&tooLargeError{"blob " + id.String(), size, max}).Error())
		return nil
	}
	if w.window == nil {
		w.window = w.s.newWindow()
	}
	r, err := open()
	if err != nil {
		w.missed = append(w.missed, fmt.Sprintf("blob %s: %s", id, reason(err)))
		return nil
	}
	defer r.Close()
	hits, _, err := w.window.all(ctx, r)
	if err != nil {
		w.missed = append(w.missed, fmt.Sprintf("blob %s: %s", id, reason(err)))
	}
	if len(hits) > 0 {
		w.found[id] = hits
	}
	return nil
}

// A placed is a hit at one place of the history.
type placed struct {
	hit    hit
	blob   pack.ID
	commit *history.Commit // nil: no commit holds the blob
	path   string

	untraced bool // the scan was interrupted before it was known who brought it in
	standing leak.Standing
	branch   string
}

func (p *placed) leak(repo *history.Repository) leak.Place {
	out := leak.Place{Repository: repo.Path(), Object: p.blob.String(), Source: leak.Unreachable}
	if p.untraced {
		out.Source = leak.History
	}
	if p.commit == nil {
		return out
	}
	c := p.commit
	if c.Reachable {
		out.Source = leak.History
	}
	out.Commit, out.Path = c.ID.String(), p.path
	out.Author, out.Email, out.Time, out.Subject = c.Author, c.Email, c.Time, c.Subject
	out.Standing, out.Branch = p.standing, p.branch
	return out
}
