package detectors

import (
	"bytes"
	"sort"
)

// FindNear appends to dst those matches of Find(data) whose evidence, that is
// data[From:To], overlaps or adjoins one of the changed spans, and returns it
// ascending by Start. It may append more of Find's matches, never others.
// Changed spans are [start,end), ascending and not overlapping; start == end
// marks a place where bytes became neighbours, or where data was cut.
//
// Together with the matches that [Matcher.Inherit] takes over from the
// data that was changed, these are all matches of Find(data), unless Inherit
// says otherwise, or FindNear returned far for the data that was changed. Far
// says that near a change there is a part of a token of a [Matcher.Wide] format,
// whether it is one yet or not: a later change far from here may make it one, so
// whoever has data that this data is a base of must run Find on it. What was
// found far is so for all data that come from it by changes. Its cost is that of the changed spans, of the lines around
// them within [Matcher.Reach], and of the words these touch, not of the whole
// data.
func (m *Matcher) FindNear(dst []Match, data []byte, changed [][2]int) (ms []Match, far bool) {
	s := search{m: m, data: data, dst: dst, near: true}
	n := len(dst)
	done := 0 // all before this was looked at
	for len(changed) > 0 {
		from, to := changed[0][0], changed[0][1]
		for changed = changed[1:]; len(changed) > 0 && changed[0][0]-to < together; changed = changed[1:] {
			to = changed[0][1]
		}
		from, to = m.around(data, from, to)
		from, to = m.extend(data, from, to, done)
		s.window(from, to)
		done = to
	}
	return s.finish(n), s.far
}

// together is how near to each other changes are looked at as one: reading what
// is between them costs no more than a new start.
const together = 128

// around returns where a token may start and end that depends on data[from:to].
func (m *Matcher) around(data []byte, from, to int) (lo, hi int) {
	if len(m.filter.armor) > 0 && m.inArmor(data, from, to) {
		return from - m.back, to + m.ahead
	}
	return min(from-m.beside.back, lineBefore(data, from, m.context.back)),
		max(to+m.beside.ahead, lineAfter(data, to, m.context.ahead))
}

// inArmor reports whether data[from:to] may be in an armored block or beside
// it: there is a header near, or a long line of base64 before.
func (m *Matcher) inArmor(data []byte, from, to int) bool {
	near := data[max(0, from-m.header.back):min(len(data), to+m.header.ahead)]
	return bytes.Contains(near, []byte("BEGIN ")) || m.afterLine(data, from)
}

// afterLine reports whether only separators and short lines stand between the
// last long line of base64 and i.
func (m *Matcher) afterLine(data []byte, i int) bool {
	length := 0
	for lo := max(0, i-armorBack); i > lo && length < armorLine; i-- {
		switch m.armorPart[data[i-1]] {
		case lineByte:
			length++
		case separatorByte:
			length = 0
		default:
			return false
		}
	}
	return length == armorLine
}

// lineBefore returns the start of the line that ends at i, but none further
// away than most.
func lineBefore(data []byte, i, most int) int {
	lo := max(0, i-most)
	return lo + 1 + bytes.LastIndexByte(data[lo:min(i, len(data))], '\n')
}

// lineAfter returns the end of the last line that a word at i may be the
// context of, but none further away than most.
func lineAfter(data []byte, i, most int) int {
	rest := data[min(i, len(data)):min(i+most, len(data))]
	at := 0
	for range contextBreaks + 1 {
		k := bytes.IndexByte(rest[at:], '\n')
		if k < 0 {
			return i + len(rest)
		}
		at += k + 1
	}
	return i + at
}

// extend widens a window over the bytes of tokens on both sides, so that a
// token which the window touches lies in it. To the left it goes no further
// than what was looked at before.
func (m *Matcher) extend(data []byte, from, to, done int) (lo, hi int) {
	lo, hi = max(from, done), min(len(data), to)
	for stop := max(done, lo-m.longest); lo > stop && m.wide[data[lo-1]]; {
		lo--
	}
	for stop := min(len(data), hi+m.longest); hi < stop && m.wide[data[hi]]; {
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
