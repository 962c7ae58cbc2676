package detectors

import "sort"

// FindNear appends to dst those matches of Find(data) whose evidence, that is
// data[From:To], overlaps or adjoins one of the changed spans, and returns it
// ascending by Start. It may append more of Find's matches, never others.
// Changed spans are [start,end), ascending and not overlapping; start == end
// marks a place where bytes became neighbours, or where data was cut.
//
// Together with the matches that [Matcher.Inherit] takes over from the
// data that was changed, these are all matches of Find(data), unless Inherit
// says otherwise. Its cost is that of the changed spans with [Matcher.Reach]
// bytes around them and the words these touch, not of the whole data.
func (m *Matcher) FindNear(dst []Match, data []byte, changed [][2]int) []Match {
	s := search{m: m, data: data, dst: dst, near: true}
	n := len(dst)
	lo, hi := -1, -1 // the window that is not yet looked at
	for _, c := range changed {
		from, to := m.extend(data, c[0]-m.back, c[1]+m.ahead, hi)
		if lo >= 0 && from > hi {
			s.window(lo, hi)
			lo = -1
		}
		if lo < 0 {
			lo = from
		}
		hi = max(hi, to)
	}
	if lo >= 0 {
		s.window(lo, hi)
	}
	return s.finish(n)
}

// extend widens a window over the bytes of tokens on both sides, so that a
// token which the window touches lies in it. To the left it goes no further
// than what is already in a window.
func (m *Matcher) extend(data []byte, from, to, done int) (lo, hi int) {
	lo = max(0, from)
	hi = min(len(data), max(to, done))
	for stop := max(0, lo-m.longest, done); lo > stop && m.wide.has(data[lo-1]); {
		lo--
	}
	for stop := min(len(data), to+m.longest); hi < stop && m.wide.has(data[hi]); {
		hi++
	}
	return lo, hi
}

func (s *search) window(lo, hi int) {
	s.floor, s.wound = lo, false
	s.m.filter.scan(s, lo, hi)
}

// Inherit appends to dst the matches of base that stand in changed data too,
// moved to their place in it, ascending by Start, and returns them. Each copy
// {to, from, len} says that data[to:to+len] are the bytes base[from:from+len];
// copies are ascending by to. base must be what [Matcher.Find] returns for the
// base, whose length is baseLen; dataLen is the length of the changed data.
//
// A match is taken over when all it was accepted on was copied. With complete
// set, these and the matches of [Matcher.FindNear] are those of Find on the
// changed data. It is not set when a match of a format that is
// [Matcher.Wide] was copied in part only: then the caller must run Find.
func (m *Matcher) Inherit(dst, base []Match, copies [][3]int, baseLen, dataLen int) (out []Match, complete bool) {
	out, complete = dst, true
	if len(base) == 0 {
		return out, true
	}
	n := len(dst)
	for i := 0; i < len(copies); {
		c := copies[i]
		for i++; i < len(copies) && copies[i][0] == c[0]+c[2] && copies[i][1] == c[1]+c[2]; i++ {
			c[2] += copies[i][2] // no joint: one copy
		}
		first := sort.Search(len(base), func(k int) bool { return base[k].Start >= c[1] })
		for _, x := range base[first:] {
			if x.Start >= c[1]+c[2] {
				break
			}
			if copied(x, c, baseLen, dataLen) {
				d := c[0] - c[1]
				out = append(out, Match{x.Format, x.Grade, x.Start + d, x.End + d, x.From + d, x.To + d})
			} else if m.Wide(x.Format) {
				complete = false
			}
		}
		complete = complete && !m.cut(base[:first], c)
	}
	// Copies may take the same bytes twice and overlapping tokens in turn.
	return out[:n+len(unique(out[n:]))], complete
}

// copied reports whether the copy c holds all that x was accepted on.
func copied(x Match, c [3]int, baseLen, dataLen int) bool {
	to, from, size := c[0], c[1], c[2]
	if x.From < 0 && (from > 0 || to > 0) || x.To > baseLen && (from+size < baseLen || to+size < dataLen) {
		return false
	}
	return max(x.From, 0) >= from && min(x.To, baseLen) <= from+size
}

// cut reports whether the copy c starts inside a Wide match of those before.
func (m *Matcher) cut(before []Match, c [3]int) bool {
	for k := len(before) - 1; k >= 0 && before[k].Start > c[1]-2*maxMatch; k-- {
		if m.Wide(before[k].Format) && before[k].To > c[1] {
			return true
		}
	}
	return false
}
