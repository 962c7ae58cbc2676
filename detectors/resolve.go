package detectors

import (
	"cmp"
	"slices"
)

// Resolve reduces ms, in place, to one candidate for one span: of matches that
// overlap, the surest stays (by Grade), then the longest, then the one whose
// format has more literal bytes, then the first by Start and Format. The
// result is ascending by Start, overlaps nowhere, and does not depend on the
// order of ms. It is safe for concurrent use on different slices.
func (m *Matcher) Resolve(ms []Match) []Match {
	ranked := slices.Clone(ms)
	slices.SortFunc(ranked, func(a, b Match) int {
		return cmp.Or(
			int(b.Grade)-int(a.Grade),
			(b.End-b.Start)-(a.End-a.Start),
			m.literals(b.Format)-m.literals(a.Format),
			a.Start-b.Start,
			a.Format-b.Format,
		)
	})
	out := ms[:0]
	for _, x := range ranked {
		i, _ := slices.BinarySearchFunc(out, x.Start, func(y Match, start int) int { return y.Start - start })
		if i > 0 && out[i-1].End > x.Start || i < len(out) && out[i].Start < x.End {
			continue
		}
		out = slices.Insert(out, i, x)
	}
	return out
}

// literals returns how many literal bytes every match of a format has.
func (m *Matcher) literals(format int) int {
	if r := m.rules[format]; r != nil {
		return r.literals
	}
	return 0
}
