package detectors

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"testing"
)

// reference finds what Find must find, in the plainest way: for every format
// and every start, package regexp is asked for every end. It shares with the
// engine only what judges a token, what looks for context words, and what
// reads an armored block from its header on.
type reference struct {
	m     *Matcher
	parts [][3]*regexp.Regexp // before, token, after

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
		ref.parts = append(ref.parts, [3]*regexp.Regexp{
			asciiRegexp(t, before, `\z`), asciiRegexp(t, token, ""), asciiRegexp(t, after, ""),
		})
		prefix, _ := regexp.MustCompile("(?:" + onlyASCII(token[0]).String() + ")").LiteralPrefix()
		ref.prefix = append(ref.prefix, []byte(prefix))
	}
	return ref
}

// asciiRegexp compiles parts so that they match from the start and ASCII only.
func asciiRegexp(t testing.TB, parts []*syntax.Regexp, tail string) *regexp.Regexp {
	t.Helper()
	if len(parts) == 0 {
		return nil
	}
	src := `\A`
	for _, p := range parts {
		src += "(?:" + onlyASCII(p).String() + ")"
	}
	re, err := regexp.Compile(src + tail)
	if err != nil {
		t.Fatal(err)
	}
	re.Longest()
	return re
}

// onlyASCII takes from every class what is not ASCII.
func onlyASCII(re *syntax.Regexp) *syntax.Regexp {
	out := *re
	out.Sub = nil
	for _, s := range re.Sub {
		out.Sub = append(out.Sub, onlyASCII(s))
	}
	switch {
	case re.Op == syntax.OpCharClass:
		out.Rune = nil
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i] < 0x80 {
				out.Rune = append(out.Rune, re.Rune[i], min(re.Rune[i+1], 0x7f))
			}
		}
	case re.Op == syntax.OpAnyChar || re.Op == syntax.OpAnyCharNotNL:
		out.Op, out.Rune = syntax.OpCharClass, []rune{0, 0x7f}
		if re.Op == syntax.OpAnyCharNotNL {
			out.Rune = []rune{0, '\n' - 1, '\n' + 1, 0x7f}
		}
	case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase != 0:
		// Spelt out, since k and s fold to characters beyond ASCII.
		out = syntax.Regexp{Op: syntax.OpConcat, Flags: re.Flags &^ syntax.FoldCase}
		for _, r := range re.Rune {
			class := &syntax.Regexp{Op: syntax.OpCharClass, Rune: []rune{r, r}}
			if c := r | 0x20; c >= 'a' && c <= 'z' {
				class.Rune = []rune{c &^ 0x20, c &^ 0x20, c, c}
			}
			out.Sub = append(out.Sub, class)
		}
	}
	return &out
}

func (ref *reference) find(data []byte) []Match {
	var out []Match
	for i, r := range ref.m.rules {
		switch {
		case r == nil:
		case r.armor:
			out = append(out, ref.armored(r, data)...)
		default:
			for start := range data {
				if x, ok := ref.at(i, r, data, start); ok {
					out = append(out, x)
				}
			}
		}
	}
	return unique(out)
}

// at returns the match of format i that starts at start.
func (ref *reference) at(i int, r *rule, data []byte, start int) (Match, bool) {
	if !bytes.HasPrefix(data[start:], ref.prefix[i]) {
		return Match{}, false
	}
	ends, budget := ref.ends(i, r, data, start)
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
	return best, best.Grade != 0 && ref.beside(i, data, best)
}

// ends lists where a token that starts at start may end, the longest first,
// without those that are not tried for their cost.
func (ref *reference) ends(i int, r *rule, data []byte, start int) (ends []int, budget int) {
	for limit := min(len(data), start+r.maxLen); limit > start; {
		loc := ref.parts[i][1].FindIndex(data[start:limit])
		if loc == nil {
			break
		}
		ends = append(ends, start+loc[1])
		limit = start + loc[1] - 1
	}
	if len(ends) < 2 {
		return ends, 0
	}
	cut := ends[0]
	if k := bytes.Index(data[start+1:cut], data[start:start+min(4, r.minLen)]); k >= 0 {
		cut = start + 1 + k
	}
	longest := ends[0]
	return slices.DeleteFunc(ends, func(e int) bool { return e != longest && e > cut }), effort * (cut - start)
}

func (ref *reference) beside(i int, data []byte, x Match) bool {
	if re := ref.parts[i][2]; re != nil && !re.Match(data[x.End:]) {
		return false
	}
	re := ref.parts[i][0]
	if re == nil {
		return true
	}
	for from := x.Start; from >= 0; from-- {
		if re.Match(data[from:x.Start]) {
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
