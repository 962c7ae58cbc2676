package scanner

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
)

// Pushed says what a pack is that [Scanner.Push] scans.
type Pushed struct {
	Repository string // "owner/name"
	URL        string // of its web page, for permalinks; "": there are none
	Dropped    bool   // the pack holds what a ref left
}

// Push scans the pack of one push, as it came over the network (see
// [pack.Parse]): the blobs, and the messages of commits and annotated tags. Of
// objects stored as deltas only what is new is looked at. p must not be used by
// anybody else meanwhile.
//
// Commit, path and author of a find are worked out from the same pack. A token
// that an earlier commit of the pack has at the same path is reported there
// only; one that the repository had before the push, in a file that was
// changed, is reported again. What no commit of the pack holds is reported with
// its object alone. What could not be read is in the Tally.
func (s *Scanner) Push(ctx context.Context, p *pack.Pack, of Pushed, emit Emit) (Tally, error) {
	t := Tally{Packs: 1}
	if err := p.Incomplete(); err != nil {
		t.missed("the push's pack: %s", reason(err))
	}
	w := &pushWorker{blobWorker: blobWorker{s: s, vault: vault{}}, found: map[int][]hit{}, t: &t}
	err := p.Walk(ctx, pack.WalkOptions{
		Kinds:   []pack.Kind{pack.Blob, pack.Commit, pack.Tag},
		MaxSize: s.opts.MaxBlob,
		Visit:   func(_ int, o *pack.Object) error { return w.visit(o) },
		Large:   w.large,
		Fail:    func(_, _ int, err error) { t.missed("%s", reason(err)) },
	})
	if err != nil {
		t.missed("the push's pack: %s", reason(err))
		if ctx.Err() == nil {
			return t, fmt.Errorf("scanning a push of %s: %w", of.Repository, err)
		}
	}
	if len(w.found) == 0 {
		return t, nil
	}
	return t, w.report(ctx, p, of, emit)
}

// A pushWorker scans the objects of one pack.
type pushWorker struct {
	blobWorker
	found map[int][]hit // by number of the object
	t     *Tally
}

func (w *pushWorker) visit(o *pack.Object) error {
	for len(w.stack) <= o.Depth {
		w.stack = append(w.stack, looked{})
	}
	b := history.Blob{Depth: o.Depth, Data: o.Data, Base: o.Base, Delta: o.Delta, Changed: o.Changed}
	ms, far := w.stack[o.Depth].matches[:0], false
	if o.Depth == 0 || w.s.opts.FullScan || w.stack[o.Depth-1].far {
		ms, far = w.whole(ms, &b)
	} else {
		ms, far = w.delta(ms, w.stack[o.Depth-1].matches, &b)
	}
	w.stack[o.Depth] = looked{ms, far}
	if o.Kind == pack.Blob {
		w.t.Blobs++
	}
	w.t.Bytes += int64(len(o.Data))
	w.s.opts.Progress.read(1, len(o.Data))
	if len(ms) == 0 {
		return nil
	}
	w.resolved = append(w.resolved[:0], ms...)
	if hits := w.vault.hits(o.Data, w.s.matcher.Resolve(w.resolved)); len(hits) > 0 {
		w.found[o.Index] = hits
		w.s.opts.Progress.saw(hits)
	}
	return nil
}

// large notes an object that is too large.
func (w *pushWorker) large(_, _ int, size int64) {
	if size < 0 {
		w.t.missed("an object of the push: stored as a change to one that is too large")
		return
	}
	w.t.missed("%s", (&tooLargeError{"an object of the push", size, w.s.opts.MaxBlob}).Error())
}

// report works out the places of what was found, and emits it.
func (w *pushWorker) report(ctx context.Context, p *pack.Pack, of Pushed, emit Emit) error {
	places, err := w.places(ctx, p)
	if err != nil {
		w.t.missed("looking for the commits of a push: %s", reason(err))
	}
	for _, i := range slices.Sorted(maps.Keys(w.found)) {
		at := places[i]
		if len(at) == 0 {
			at = []pushPlace{{}}
		}
		for _, a := range at {
			place := a.leak(of)
			if id := p.ID(i); ctx.Err() == nil {
				place.Object = id.String()
			}
			for _, h := range w.found[i] {
				if a.carried[h.secret.Fingerprint()] {
					continue
				}
				c := w.s.candidate(h, place)
				c.Place.URL = leak.Permalink(of.URL, place.Commit, place.Path, h.span.line, h.span.endLine)
				if err := emit(c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// A pushPlace is a commit that brought an object in, and the path.
type pushPlace struct {
	commit  *pushCommit // nil: none
	path    string
	carried map[string]bool // fingerprints that the path had before
}

func (a *pushPlace) leak(of Pushed) leak.Place {
	out := leak.Place{Repository: of.Repository, Source: leak.Pushed, Path: a.path}
	if of.Dropped {
		out.Source = leak.Dropped
	}
	if c := a.commit; c != nil {
		out.Commit, out.Author, out.Email, out.Time, out.Subject = c.id.String(), c.author, c.email, c.time, c.subject
	}
	return out
}
