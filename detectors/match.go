package detectors

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
)

// Match is one token that a [Matcher] found. It holds no bytes of it.
type Match struct {
	Format     int   // index into [Matcher.Formats]
	Grade      Grade // how sure it is
	Start, End int   // the token is data[Start:End]

	// From and To say what the match was accepted on: on data[From:To] and
	// nothing else, that is the token, the bytes beside it where a boundary
	// counts, and the context word. From is -1 when the start of the data
	// itself was looked at, To is len(data)+1 when its end was.
	From, To int
}

// Find appends to dst every token in data, overlapping ones included,
// ascending by Start, and returns it. For each format and each start there is
// at most one match: the longest that is accepted, one that is proved before
// one that is not.
//
// It reads data once and allocates nothing while nothing matches. It is safe
// for concurrent use.
func (m *Matcher) Find(dst []Match, data []byte) []Match {
	s := search{m: m, data: data, dst: dst}
	m.filter.scan(&s, 0, len(data))
	return s.finish(len(dst))
}

// search is one call of Find or FindNear.
type search struct {
	m     *Matcher
	data  []byte
	dst   []Match
	walk  *walk // nil until the first candidate
	near  bool  // the call is FindNear's
	floor int   // the window of FindNear under way starts here
	wound bool  // in this window, blocks were already followed back to their header
	far   bool  // a rule that is wide was tried
}

// pool holds what searches need once they have a candidate.
type pool struct {
	unverified bool
	walks      sync.Pool
}

func newPool(unverified bool) *pool {
	return &pool{unverified: unverified, walks: sync.Pool{New: func() any { return new(walk) }}}
}

// finish sorts what was found since dst was n long, and drops what was found
// by two routes.
func (s *search) finish(n int) []Match {
	if s.walk != nil {
		s.walk.reset(nil)
		s.m.scratch.walks.Put(s.walk)
	}
	return s.dst[:n+len(unique(s.dst[n:]))]
}

// unique sorts ms by Start, Format and End and drops doubles, in place.
func unique(ms []Match) []Match {
	if len(ms) < 2 {
		return ms
	}
	slices.SortFunc(ms, func(a, b Match) int {
		return cmp.Or(a.Start-b.Start, a.Format-b.Format, a.End-b.End, a.From-b.From, a.To-b.To)
	})
	return slices.CompactFunc(ms, func(a, b Match) bool {
		return a.Start == b.Start && a.Format == b.Format && a.End == b.End
	})
}

// walker returns the walk of this search.
func (s *search) walker() *walk {
	if s.walk == nil {
		s.walk = s.m.scratch.walks.Get().(*walk)
		s.walk.reset(s.data)
	}
	return s.walk
}

// try looks for a token of r that starts at start, and keeps the best one.
func (s *search) try(r *rule, start int) {
	s.far = s.far || r.wide
	if start < 0 || start+r.minLen > len(s.data) || !r.first.has(s.data[start]) {
		return
	}
	open := r.pattern.before == nil && start > 0 && r.boundary.has(s.data[start-1])
	if open && !r.glued {
		return
	}
	if len(r.words) > 0 && !r.anchored && !r.proof {
		if _, ok := r.assigned(s.data, start); !ok {
			return
		}
	}
	w := s.walker()
	w.far = 0
	ends := w.ends(r.pattern.token, start, start+r.maxLen)
	if len(ends) == 0 {
		return
	}
	c := candidate{rule: r, data: s.data, start: start, open: open, unverified: s.m.scratch.unverified}
	if len(ends) > 1 {
		ends = merged(ends)
	}
	c.far, c.longest = w.far, ends[len(ends)-1].hi
	if c.longest-start < r.minLen {
		return
	}
	c.single = len(ends) == 1 && ends[0].lo == ends[0].hi
	if c.single {
		c.end(c.longest)
	} else {
		c.choose(ends)
	}
	if c.best.Grade == 0 || !s.beside(&c) {
		return
	}
	s.dst = append(s.dst, c.best)
}

// beside checks what the pattern asks for outside its group, and widens the
// evidence by it.
func (s *search) beside(c *candidate) bool {
	p, w := c.rule.pattern, s.walk
	if p.after != nil {
		w.far = 0
		if len(w.ends(p.after, c.best.End, len(s.data))) == 0 {
			return false
		}
		c.best.To = max(c.best.To, w.far)
	}
	if p.before == nil {
		return true
	}
	for from := c.start - p.before.minLen; from >= max(0, c.start-p.before.maxLen); from-- {
		for _, e := range w.ends(p.before, from, c.start) {
			if e.lo <= c.start && c.start <= e.hi {
				c.best.From = min(c.best.From, from)
				return true
			}
		}
	}
	return false
}

// candidate is a place where a format's pattern matches.
type candidate struct {
	rule       *rule
	data       []byte
	start      int
	longest    int  // the last admissible end
	far        int  // the pattern looked at nothing beyond
	open       bool // the boundary is violated on the left
	single     bool // there is one admissible end
	unverified bool
	budget     int
	best       Match // Grade 0: none yet
}

// effort bounds what one candidate may cost: for each byte of the token, so
// many bytes are judged.
const effort = 128

// choose tries the ends, the longest first. Of a token that repeats its own
// first bytes, as only made-up data do, the ends beyond the repetition are
// left out, but for the longest: the next candidate will try those.
func (c *candidate) choose(ends []span) {
	cut := c.longest
	head := c.data[c.start : c.start+min(4, c.rule.minLen)]
	if i := bytes.Index(c.data[c.start+1:c.longest], head); i >= 0 {
		cut = c.start + 1 + i
	}
	c.budget = effort * (cut - c.start)
	if c.end(c.longest) {
		return
	}
	for i := len(ends) - 1; i >= 0; i-- {
		for e := min(ends[i].hi, cut, c.longest-1); e >= ends[i].lo; e-- {
			if c.budget < 0 || c.end(e) {
				return
			}
		}
	}
}

// end tries one end and reports whether no other can be better.
func (c *candidate) end(e int) bool {
	r := c.rule
	closed := !c.open && (r.pattern.after != nil || e == len(c.data) || !r.boundary.has(c.data[e]))
	if !closed && !r.glued || c.best.Grade != 0 && !r.proof {
		return false
	}
	from, to := c.start, e
	if !r.proof && len(r.words) > 0 {
		var ok bool
		if from, to, ok = r.near(c.data, c.start, e); !ok {
			return false
		}
	}
	c.budget -= e - c.start
	grade, ok := r.format.judge(c.data[c.start:e], c.unverified)
	if !ok || grade != Verified && (!closed || c.best.Grade != 0) {
		return false
	}
	if r.proof && len(r.words) > 0 && grade != Verified {
		if from, to, ok = r.near(c.data, c.start, e); !ok {
			return false
		}
	}
	c.accept(e, grade, from, to)
	return grade == Verified || !r.proof
}

// accept notes the match and what it rests on.
func (c *candidate) accept(e int, grade Grade, from, to int) {
	to = max(to, c.far)
	if !c.single && c.rule.glued {
		to = max(to, c.longest+1)
	}
	if !c.rule.glued || grade != Verified {
		from, to = min(from, c.start-1), max(to, e+1)
		if !c.single {
			to = max(to, c.longest+1)
		}
	}
	c.best = Match{Format: c.rule.index, Grade: grade, Start: c.start, End: e, From: from, To: to}
}
