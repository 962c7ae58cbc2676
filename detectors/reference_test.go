package detectors

import (
	"bytes"
	"regexp/syntax"
	"slices"
	"testing"
)

// reference finds what Find must find, in the plainest way: for every format
// and every start, every end is computed from the definition of a match. It
// shares with the engine only what judges a token, what looks for context
// words, and what reads an armored block from its header on.
type reference struct {
	m     *Matcher
	parts [][3]*syntax.Regexp // before, token, after; nil for nothing

	prefix [][]byte // what every token begins with
}

func newReference(t testing.TB, m *Matcher) *reference {
	t.Helper()
	ref := &reference{m: m}
	for i := range m.formats {
		re, err := syntax.Parse(m.formats[i].Pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		before, token, after, err := splitGroup(re)
		if err != nil {
			t.Fatal(err)
		}
		ref.parts = append(ref.parts, [3]*syntax.Regexp{concatOf(before), concatOf(token), concatOf(after)})
		var prefix string
		if re := token[0]; re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
			prefix = string(re.Rune)
		}
		ref.prefix = append(ref.prefix, []byte(prefix))
	}
	return ref
}

func concatOf(parts []*syntax.Regexp) *syntax.Regexp {
	if len(parts) == 0 {
		return nil
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: parts}
}

// endings says where in one data matches may end. It is the definition of a
// match put into sets: the ends of "ab" from some places are the ends of b
// from the ends of a. A set has a bit for each place.
type endings struct {
	data  []byte
	where map[whereKey][]uint64
	base  int // the sets under way begin at place 64*base
}

// whereKey is a character class, or one character of a literal.
type whereKey struct {
	re *syntax.Regexp
	i  int
}

func newEndings(data []byte) *endings {
	return &endings{data: data, where: map[whereKey][]uint64{}}
}

// from lists, descending, where matches of re that start at start end, none of
// them after limit.
func (e *endings) from(re *syntax.Regexp, start, limit int) (ends []int) {
	limit = min(limit, len(e.data))
	e.base = start / 64
	set := make([]uint64, limit/64-e.base+1)
	set[0] = 1 << (start % 64)
	set = e.step(re, set)
	for at := limit; at >= start; at-- {
		if set[at/64-e.base]>>(at%64)&1 != 0 {
			ends = append(ends, at)
		}
	}
	return ends
}

// anywhere reports whether there is a match of re at all.
func (e *endings) anywhere(re *syntax.Regexp) bool {
	e.base = 0
	set := make([]uint64, len(e.data)/64+1)
	for k := range set {
		set[k] = 1<<64 - 1
	}
	return !none(e.step(re, set))
}

func (e *endings) step(re *syntax.Regexp, from []uint64) []uint64 {
	if none(from) {
		return from
	}
	switch re.Op {
	case syntax.OpLiteral:
		for i := range re.Rune {
			from = e.next(whereKey{re, i}, from)
		}
		return from
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return e.next(whereKey{re, 0}, from)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			from = e.step(sub, from)
		}
		return from
	case syntax.OpAlternate:
		var all []uint64
		for _, sub := range re.Sub {
			all = union(all, e.step(sub, from))
		}
		return all
	case syntax.OpStar:
		return e.repeat(re.Sub[0], 0, -1, from)
	case syntax.OpPlus:
		return e.repeat(re.Sub[0], 1, -1, from)
	case syntax.OpQuest:
		return e.repeat(re.Sub[0], 0, 1, from)
	case syntax.OpRepeat:
		return e.repeat(re.Sub[0], re.Min, re.Max, from)
	}
	return from // OpEmptyMatch; Compile refuses the others
}

func (e *endings) repeat(sub *syntax.Regexp, least, most int, from []uint64) []uint64 {
	for range least {
		from = e.step(sub, from)
	}
	all := slices.Clone(from)
	for n := least; n != most && !none(from); n++ {
		from = e.step(sub, from)
		if most < 0 { // what was reached before leads nowhere new
			for k := range from {
				from[k] &^= all[k]
			}
		}
		all = union(all, from)
	}
	return all
}

// next moves a set over one byte.
func (e *endings) next(key whereKey, from []uint64) []uint64 {
	where, ok := e.where[key]
	if !ok {
		where = make([]uint64, len(e.data)/64+1)
		for i, c := range e.data {
			if takes(key, c) {
				where[i/64] |= 1 << (i % 64)
			}
		}
		e.where[key] = where
	}
	to := make([]uint64, len(from))
	var carry uint64
	for k := range from {
		x := from[k] & where[e.base+k]
		to[k], carry = x<<1|carry, x>>63
	}
	return to
}

// takes reports whether a class, or a character of a literal, takes c. What is
// not ASCII nothing takes.
func takes(key whereKey, c byte) bool {
	re, r := key.re, rune(c)
	switch {
	case c >= 0x80:
		return false
	case re.Op == syntax.OpAnyChar, re.Op == syntax.OpAnyCharNotNL:
		return re.Op == syntax.OpAnyChar || c != '\n'
	case re.Op == syntax.OpLiteral:
		x := re.Rune[key.i]
		return x == r || re.Flags&syntax.FoldCase != 0 && lowerByte(c) == lowerByte(byte(x)) && x < 0x80
	}
	for i := 0; i+1 < len(re.Rune); i += 2 {
		if re.Rune[i] <= r && r <= re.Rune[i+1] {
			return true
		}
	}
	return false
}

func none(set []uint64) bool {
	for _, x := range set {
		if x != 0 {
			return false
		}
	}
	return true
}

func union(a, b []uint64) []uint64 {
	out := slices.Clone(b)
	for k := range a {
		out[k] |= a[k]
	}
	return out
}

func (ref *reference) find(data []byte) []Match {
	var out []Match
	e := newEndings(data)
	for i, r := range ref.m.rules {
		switch {
		case r == nil:
		case r.armor:
			out = append(out, ref.armored(r, data)...)
		case e.anywhere(ref.parts[i][1]):
			for start := range data {
				if x, ok := ref.at(i, r, e, start); ok {
					out = append(out, x)
				}
			}
		}
	}
	return unique(out)
}

// at returns the match of format i that starts at start.
func (ref *reference) at(i int, r *rule, e *endings, start int) (Match, bool) {
	data := e.data
	if !bytes.HasPrefix(data[start:], ref.prefix[i]) {
		return Match{}, false
	}
	ends, budget := ref.ends(i, r, e, start)
	left := ref.parts[i][0] == nil && start > 0 && r.boundary.has(data[start-1])
	best := Match{}
	for k, e := range ends {
		if k > 0 && (budget < 0 || !r.proof && best.Grade != 0) {
			break
		}
		closed := !left && (ref.parts[i][2] != nil || e == len(data) || !r.boundary.has(data[e]))
		if !closed && !r.glued {
			continue
		}
		if len(r.words) > 0 && !r.proof {
			if _, _, ok := r.near(data, start, e); !ok {
				continue
			}
		}
		budget -= e - start
		grade, ok := r.format.judge(data[start:e], ref.m.scratch.unverified)
		if !ok || !closed && !(r.glued && grade == Verified) {
			continue
		}
		if len(r.words) > 0 && r.proof && grade != Verified {
			if _, _, ok := r.near(data, start, e); !ok {
				continue
			}
		}
		if x := (Match{Format: i, Grade: grade, Start: start, End: e}); best.Grade == 0 || r.proof && grade == Verified && best.Grade != Verified {
			best = x
		}
	}
	return best, best.Grade != 0 && ref.beside(i, e, best)
}

// ends lists where a token that starts at start may end, the longest first,
// without those that are not tried for their cost.
func (ref *reference) ends(i int, r *rule, e *endings, start int) (ends []int, budget int) {
	ends = e.from(ref.parts[i][1], start, start+r.maxLen)
	if len(ends) < 2 {
		return ends, 0
	}
	longest := ends[0]
	cut := longest
	if k := bytes.Index(e.data[start+1:cut], e.data[start:start+min(4, r.minLen)]); k >= 0 {
		cut = start + 1 + k
	}
	return slices.DeleteFunc(ends, func(e int) bool { return e != longest && e > cut }), effort * (cut - start)
}

func (ref *reference) beside(i int, e *endings, x Match) bool {
	before, after := ref.parts[i][0], ref.parts[i][2]
	if after != nil && len(e.from(after, x.End, len(e.data))) == 0 {
		return false
	}
	if before == nil {
		return true
	}
	for from := x.Start; from >= max(0, x.Start-maxGroup); from-- {
		if slices.Contains(e.from(before, from, x.Start), x.Start) {
			return true
		}
	}
	return false
}

// armored tries every place where a header may end.
func (ref *reference) armored(r *rule, data []byte) []Match {
	s := search{m: ref.m, data: data}
	for h := len(beginMark); h <= len(data); h++ {
		if bytes.HasSuffix(data[:h], []byte(dashes)) {
			s.tryBlock(h)
		}
	}
	return slices.DeleteFunc(s.dst, func(x Match) bool { return x.Format != r.index })
}

// sameMatches compares what two ways found, without the evidence.
func sameMatches(a, b []Match) bool {
	return slices.EqualFunc(a, b, func(x, y Match) bool {
		return x.Format == y.Format && x.Grade == y.Grade && x.Start == y.Start && x.End == y.End
	})
}
