package detectors

import (
	"bytes"
	"fmt"
	"regexp/syntax"
)

// sum is a checksum that can be tested and made.
type sum interface {
	// holds reports whether token carries its right checksum. It changes
	// nothing and returns false for a token of any other layout.
	holds(token []byte) bool
	// seal writes the right checksum into token, in place, and reports
	// whether token had room for it.
	seal(token []byte) bool
}

// proof is what of a format is worked out once: its checksum, its structure,
// and where the bodies of its tokens begin.
type proof struct {
	sum       sum                      // nil: none
	structure func(token []byte) bool  // nil: none
	rejects   []func(body []byte) bool // any of which rules a body out
	heads     []string                 // what tokens begin with, longest first
	fold      bool                     // heads are matched in any case
}

// prepare works out what judge needs, so that it need not do so for each
// token. It must not run at the same time as anything else on f.
func (f *Format) prepare() error {
	p, err := f.compileProof()
	if err != nil {
		return err
	}
	f.proof = p
	return nil
}

func (f *Format) compileProof() (*proof, error) {
	p := &proof{}
	if f.Checksum != nil {
		s, err := f.Checksum.compile()
		if err != nil {
			return nil, fmt.Errorf("checksum: %w", err)
		}
		p.sum = s
	}
	if f.Structure != "" {
		known := structures()
		s, ok := known[f.Structure]
		if !ok {
			return nil, fmt.Errorf("structure %q is not known; use %s", clip(f.Structure), orList(keysOf(known)))
		}
		p.structure = s
	}
	for _, kind := range f.Reject {
		reject, err := rejectKind(kind)
		if err != nil {
			return nil, err
		}
		p.rejects = append(p.rejects, reject)
	}
	p.heads, p.fold = headsOf(f.Pattern)
	return p, nil
}

// holds reports whether token's checksum and structure, if any, are right.
func (p *proof) holds(token []byte) bool {
	return (p.sum == nil || p.sum.holds(token)) && (p.structure == nil || p.structure(token))
}

// body returns token without the fixed text it begins with.
func (p *proof) body(token []byte) []byte {
	for _, h := range p.heads {
		if len(token) <= len(h) {
			continue
		}
		head := token[:len(h)]
		if string(head) == h || p.fold && bytes.EqualFold(head, []byte(h)) {
			return token[len(h):]
		}
	}
	return token
}

// maxHeads bounds how many beginnings of one pattern are told apart.
const maxHeads = 64

// headsOf returns the texts that tokens of pattern begin with, longest first;
// none when the pattern is too varied. fold says that their case is open.
func headsOf(pattern string) (heads []string, fold bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, false
	}
	if g := group(re, 1); g != nil {
		re = g.Sub[0]
	}
	h := headWalk{heads: []string{""}}
	h.walk(re)
	// Longest first, so that "ab_" is not taken for "a".
	for i := 1; i < len(h.heads); i++ {
		for j := i; j > 0 && len(h.heads[j]) > len(h.heads[j-1]); j-- {
			h.heads[j], h.heads[j-1] = h.heads[j-1], h.heads[j]
		}
	}
	return h.heads, h.fold
}

// group returns the capture group number n of re, nil when there is none.
func group(re *syntax.Regexp, n int) *syntax.Regexp {
	if re.Op == syntax.OpCapture && re.Cap == n {
		return re
	}
	for _, sub := range re.Sub {
		if g := group(sub, n); g != nil {
			return g
		}
	}
	return nil
}

// headWalk collects the beginnings that one pattern allows.
type headWalk struct {
	heads []string
	fold  bool
}

// walk adds what re matches to every head, and reports whether all of re was
// fixed text, so that what follows re belongs to the head too.
func (h *headWalk) walk(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		h.fold = h.fold || re.Flags&syntax.FoldCase != 0
		return h.cross([]string{string(re.Rune)})
	case syntax.OpCharClass:
		return h.cross(classTexts(re))
	case syntax.OpCapture:
		return h.walk(re.Sub[0])
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpWordBoundary:
		return true
	case syntax.OpQuest:
		return h.branch([]*syntax.Regexp{re.Sub[0], {Op: syntax.OpEmptyMatch}})
	case syntax.OpAlternate:
		return h.branch(re.Sub)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !h.walk(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// branch follows each of subs from the same heads.
func (h *headWalk) branch(subs []*syntax.Regexp) bool {
	var all []string
	whole := true
	for _, sub := range subs {
		b := headWalk{heads: h.heads}
		whole = b.walk(sub) && whole
		all = append(all, b.heads...)
		h.fold = h.fold || b.fold
		if len(all) > maxHeads {
			return false
		}
	}
	h.heads = all
	return whole
}

// cross appends each of texts to each head.
func (h *headWalk) cross(texts []string) bool {
	if len(texts) == 0 || len(texts)*len(h.heads) > maxHeads {
		return false
	}
	all := make([]string, 0, len(texts)*len(h.heads))
	for _, head := range h.heads {
		for _, t := range texts {
			all = append(all, head+t)
		}
	}
	h.heads = all
	return true
}

// classTexts returns the characters of a small class; none of a large one,
// which is body.
func classTexts(re *syntax.Regexp) []string {
	var texts []string
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if len(texts) == 10 {
				return nil
			}
			texts = append(texts, string(r))
		}
	}
	return texts
}
