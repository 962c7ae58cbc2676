package scanner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patwatch/git/history"
	"patwatch/git/pack"
)

// attribute finds the places of the hits. A commit that only carries a token
// on, in a new version of a file that had it before, is not a place. When ctx
// ends before a place is found, the hit is returned with its blob alone.
func (s *Scanner) attribute(ctx context.Context, tr *tracer, t *Tally) ([]placed, error) {
	if len(tr.blobs) == 0 {
		return nil, nil
	}
	ids := slices.SortedFunc(maps.Keys(tr.blobs), func(a, b pack.ID) int { return strings.Compare(a.String(), b.String()) })
	found := &history.Attribution{}
	if ctx.Err() == nil {
		s.opts.Progress.tracing(true)
		defer s.opts.Progress.tracing(false)
		var err error
		found, err = tr.repo.Attribute(ctx, ids, history.AttributeOptions{Workers: s.opts.Jobs})
		if err != nil && ctx.Err() == nil {
			return nil, fmt.Errorf("attributing finds: %w", err)
		}
	}
	t.Commits += found.Commits
	for _, p := range found.Problems {
		t.missed("%s", p)
	}
	var out []placed
	for _, id := range ids {
		out = append(out, tr.places(ctx, id, found.Introductions[id])...)
	}
	return out, nil
}

// places returns the places of the hits of one blob.
func (t *tracer) places(ctx context.Context, id pack.ID, in []history.Introduction) []placed {
	var out []placed
	for _, i := range in {
		had := t.carried(ctx, i)
		for _, h := range t.blobs[id] {
			print := h.secret.Fingerprint()
			if had[print] {
				continue
			}
			p := placed{hit: h, blob: id, commit: i.Commit, path: i.Path}
			if i.Commit.Reachable {
				p.standing, p.branch = t.standing(ctx, i.Path, print)
			}
			out = append(out, p)
		}
	}
	interrupted := ctx.Err() != nil // what was looked up last may be wrong
	if len(in) > 0 && !interrupted {
		return out
	}
	out = out[:0]
	for _, h := range t.blobs[id] {
		out = append(out, placed{hit: h, blob: id, untraced: interrupted})
	}
	return out
}

// carried returns the fingerprints of the tokens that a parent of the commit
// already has at the path.
func (t *tracer) carried(ctx context.Context, i history.Introduction) map[string]bool {
	had := map[string]bool{}
	for _, parent := range i.Commit.Parents {
		old, ok, err := t.repo.PathBlob(ctx, parent, i.Path)
		if ctx.Err() != nil {
			return had
		}
		if err != nil || !ok {
			continue // a parent that cannot be read cannot take a place away
		}
		hits, err := t.hits(ctx, old)
		if err != nil {
			continue
		}
		for _, h := range hits {
			had[h.secret.Fingerprint()] = true
		}
	}
	return had
}
