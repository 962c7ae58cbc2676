package scanner

import (
	"context"
	"errors"
	"slices"
	"strings"

	"patwatch/git/history"
	"patwatch/git/pack"
	"patwatch/leak"
)

const (
	maxTips    = 1000    // branches that are asked whether they still have a token
	maxLookups = 200_000 // paths looked up in their trees
)

// A tracer finds the places of the hits of one history scan, and whether the
// tokens are still there. It belongs to one goroutine.
type tracer struct {
	s     *Scanner
	repo  *history.Repository
	blobs map[pack.ID][]hit
	whole bool // a blob that is not in blobs has no token
	part  bool // only a part of the history was asked for: other blobs may be read

	tips    []tip
	allTips bool // tips are all branches that there are
	lookups int
	at      map[tipPath]pack.ID // blobs at paths; zero: none
	vault   vault
}

// A tip is the newest commit of a branch.
type tip struct {
	commit pack.ID
	branch string
}

type tipPath struct {
	commit pack.ID
	path   string
}

func (s *Scanner) newTracer(repo *history.Repository, blobs map[pack.ID][]hit, whole, part bool) *tracer {
	t := &tracer{s: s, repo: repo, blobs: blobs, whole: whole, part: part, at: map[tipPath]pack.ID{}, vault: vault{}}
	t.tips, t.allTips = tips(repo.Refs())
	return t
}

// tips returns HEAD, then the branches, the stash and the branches of remotes,
// each commit once, and whether that is all of them.
func tips(refs []history.Ref) (list []tip, all bool) {
	had := map[pack.ID]bool{}
	for _, kind := range []string{"HEAD", "refs/heads/", "refs/stash", "refs/remotes/"} {
		for _, r := range refs {
			name, ok := strings.CutPrefix(r.Name, kind)
			if !ok || (name == "") == strings.HasSuffix(kind, "/") || had[r.ID] {
				continue
			}
			if len(list) == maxTips {
				return list, false
			}
			had[r.ID] = true
			if name == "" {
				name = kind
			}
			list = append(list, tip{r.ID, name})
		}
	}
	return list, true
}

// standing says whether the token with the fingerprint is still at path, and
// on which branch.
func (t *tracer) standing(ctx context.Context, path, fingerprint string) (leak.Standing, string) {
	known := t.allTips
	for _, tip := range t.tips {
		blob, ok := t.blobAt(ctx, tip.commit, path)
		if !ok {
			known = false
			continue
		}
		if blob.IsZero() {
			continue
		}
		has, ok := t.has(ctx, blob, fingerprint)
		switch {
		case has && tip.branch == "HEAD":
			return leak.InHead, ""
		case has:
			return leak.OnBranch, tip.branch
		case !ok:
			known = false
		}
	}
	if known {
		return leak.Gone, ""
	}
	return "", ""
}

// blobAt returns the blob at path in the commit's tree, zero when there is
// none, and whether that could be found out.
func (t *tracer) blobAt(ctx context.Context, commit pack.ID, path string) (pack.ID, bool) {
	key := tipPath{commit, path}
	if id, ok := t.at[key]; ok {
		return id, true
	}
	if t.lookups++; t.lookups > maxLookups {
		return pack.ID{}, false
	}
	id, _, err := t.repo.PathBlob(ctx, commit, path)
	if err != nil {
		return pack.ID{}, false
	}
	t.at[key] = id
	return id, true
}

// has says whether the blob holds the token, and whether that could be found
// out.
func (t *tracer) has(ctx context.Context, blob pack.ID, fingerprint string) (has, ok bool) {
	hits, err := t.hits(ctx, blob)
	if err != nil {
		return false, false
	}
	return slices.ContainsFunc(hits, func(h hit) bool { return h.secret.Fingerprint() == fingerprint }), true
}

var errLeftOut = errors.New("the scan left it out")

// hits returns what stands in a blob, which is read when the scan need not have
// done so. What it should have read and could not is an error.
func (t *tracer) hits(ctx context.Context, blob pack.ID) ([]hit, error) {
	hits, scanned := t.blobs[blob]
	if scanned || t.whole {
		return hits, nil
	}
	if !t.part {
		return nil, errLeftOut
	}
	hits, _, err := t.s.blobHits(ctx, t.repo, t.vault, blob)
	if err == nil {
		t.blobs[blob] = hits
	}
	return hits, err
}
