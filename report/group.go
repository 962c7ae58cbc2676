package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"patwatch/leak"
)

// Group makes one Finding of all candidates with the same token and format.
// Equal places count once. The result depends only on the set of candidates,
// not on their order:
//
// Places are ordered by source: history, staged, work tree, files, streams,
// and last objects that no ref reaches. In one source the oldest comes first,
// so the first place of history is the commit that brought the token in; then
// path, line, and commit.
//
// Findings are ordered by confidence, surest first; then what is not committed
// yet, then by the time of the first place, newest first; then by path.
func Group(candidates []leak.Candidate) []Finding {
	hide := newRedactor()
	byToken := map[[2]string]*Finding{}
	seen := map[placeKey]bool{}
	for _, c := range candidates {
		print := c.Secret.Fingerprint()
		key := [2]string{print, c.Format.ID}
		f := byToken[key]
		if f == nil {
			f = &Finding{Format: c.Format, Secret: c.Secret, hide: hide}
			byToken[key] = f
			hide.add(c.Secret)
		}
		f.Confidence = max(f.Confidence, c.Confidence)
		if k := keyOf(key, c.Place); !seen[k] {
			seen[k] = true
			f.Places = append(f.Places, c.Place)
		}
	}
	return ordered(byToken)
}

func ordered(byToken map[[2]string]*Finding) []Finding {
	type entry struct {
		print string
		*Finding
	}
	entries := make([]entry, 0, len(byToken))
	for key, f := range byToken {
		slices.SortFunc(f.Places, comparePlaces)
		entries = append(entries, entry{key[0], f})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(compareFindings(a.Finding, b.Finding), strings.Compare(a.print, b.print))
	})
	out := make([]Finding, len(entries))
	for i, e := range entries {
		out[i] = *e.Finding
	}
	return out
}

// placeKey is what makes two places of one token the same.
type placeKey struct {
	token                            [2]string
	repository, commit, object, path string
	source                           leak.Source
	line, column, endLine, endColumn int
}

func keyOf(token [2]string, p leak.Place) placeKey {
	return placeKey{token, p.Repository, p.Commit, p.Object, p.Path, p.Source,
		p.Line, p.Column, p.EndLine, p.EndColumn}
}

func rank(s leak.Source) int {
	order := []leak.Source{leak.History, leak.Staged, leak.WorkTree, leak.File, leak.Stream, leak.Unreachable}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

func comparePlaces(a, b leak.Place) int {
	return cmp.Or(
		cmp.Compare(rank(a.Source), rank(b.Source)),
		a.Time.Compare(b.Time),
		strings.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		strings.Compare(a.Commit, b.Commit),
		strings.Compare(a.Object, b.Object),
		strings.Compare(a.Repository, b.Repository),
		cmp.Compare(a.EndLine, b.EndLine),
		cmp.Compare(a.EndColumn, b.EndColumn),
	)
}

func compareFindings(a, b *Finding) int {
	p, q := a.Places[0], b.Places[0]
	return cmp.Or(
		cmp.Compare(b.Confidence, a.Confidence),
		newest(p.Time, q.Time),
		strings.Compare(p.Path, q.Path),
		cmp.Compare(p.Line, q.Line),
		cmp.Compare(p.Column, q.Column),
		strings.Compare(a.Format.ID, b.Format.ID),
	)
}

// newest orders the later time first, and no time at all before any.
func newest(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return -1
	case b.IsZero():
		return 1
	}
	return b.Compare(a)
}
