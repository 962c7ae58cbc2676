package scanner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"patwatch/git/history"
	"patwatch/git/pack"
)

// attribute finds the places of the hits. A commit that only carries a token
// on, in a new version of a file that had it before, is not a place.
func (s *Scanner) attribute(ctx context.Context, repo *history.Repository, blobs map[pack.ID][]hit, t *Tally) ([]placed, error) {
	if len(blobs) == 0 {
		return nil, nil
	}
	ids := make([]pack.ID, 0, len(blobs))
	for id := range blobs {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b pack.ID) int { return strings.Compare(a.String(), b.String()) })
	found, err := repo.Attribute(ctx, ids, history.AttributeOptions{Workers: s.opts.Jobs})
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("attributing finds: %w", err)
	}
	t.Commits += found.Commits
	for _, p := range found.Problems {
		t.missed("%s", p)
	}
	var out []placed
	for _, id := range ids {
		places, err := s.places(ctx, repo, blobs, id, found.Introductions[id])
		if err != nil {
			return nil, err
		}
		out = append(out, places...)
	}
	return out, nil
}

// places returns the places of the hits of one blob.
func (s *Scanner) places(ctx context.Context, repo *history.Repository, blobs map[pack.ID][]hit,
	id pack.ID, in []history.Introduction) ([]placed, error) {
	var out []placed
	if len(in) == 0 {
		for _, h := range blobs[id] {
			out = append(out, placed{hit: h, blob: id})
		}
		return out, nil
	}
	for _, i := range in {
		had, err := carried(ctx, repo, blobs, i)
		if err != nil {
			return nil, err
		}
		for _, h := range blobs[id] {
			if !had[h.secret.Fingerprint()] {
				out = append(out, placed{h, id, i.Commit, i.Path})
			}
		}
	}
	return out, nil
}

// carried returns the fingerprints of the tokens that a parent of the commit
// already has at the path.
func carried(ctx context.Context, repo *history.Repository, blobs map[pack.ID][]hit, i history.Introduction) (map[string]bool, error) {
	had := map[string]bool{}
	for _, parent := range i.Commit.Parents {
		old, ok, err := repo.PathBlob(ctx, parent, i.Path)
		if ctx.Err() != nil {
			return had, nil
		}
		if err != nil || !ok {
			continue // a parent that cannot be read cannot take a place away
		}
		for _, h := range blobs[old] {
			had[h.secret.Fingerprint()] = true
		}
	}
	return had, nil
}
