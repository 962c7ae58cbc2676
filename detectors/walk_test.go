package detectors

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"testing"
)

// allEnds lists, ascending, where a match of a pattern at the start of data
// may end, by package regexp.
func allEnds(t testing.TB, pattern string, data []byte) []int {
	t.Helper()
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	exact := regexp.MustCompile(`\A(?:` + onlyASCII(re).String() + `)\z`)
	var out []int
	for e := range len(data) + 1 {
		if exact.Match(data[:e]) {
			out = append(out, e)
		}
	}
	return out
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

// walkEnds lists the same by walk.
func walkEnds(p *pattern, data []byte, w *walk) []int {
	w.reset(data)
	var out []int
	for _, s := range merged(slices.Clone(w.ends(p.token, 0, len(data)))) {
		for e := s.lo; e <= s.hi; e++ {
			out = append(out, e)
		}
	}
	return out
}

func TestWalk(t *testing.T) {
	patterns := []string{
		"abc", "a{2,5}", "a{2,5}b{0,3}", "[ab]{1,4}b{2}", "[ab]{0,3}[bc]{0,3}c", "(?:ab|a)b?", "(?:ab){2,3}", "(?:a|ab|abc){1,4}",
		"a(?:b{1,3}|c{2}){2}c", "(?i)aBc{2}", "[^a]{3}", ".{2}c", "(?:a{0,2}b|c){3}", "(?:[abc]{2}){0,3}a", "a*b", "(?:ab)+c?", "[ab]+[bc]+",
		"(?:x|a[ab]{0,60}|[abc]{50,90})b", "a(?:b|)c", "(?s).{1,3}",
	}
	r := rand.New(rand.NewPCG(3, 3))
	w := new(walk)
	for _, src := range patterns {
		re, err := syntax.Parse(src, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		n, err := parseNode(re, 0)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		for range 200 {
			data := make([]byte, r.IntN(12))
			if r.IntN(20) == 0 {
				data = make([]byte, r.IntN(120))
			}
			for i := range data {
				data[i] = "aaabbbccAx\n\xc3"[r.IntN(12)]
			}
			if got, want := walkEnds(&pattern{token: n}, data, w), allEnds(t, src, data); !slices.Equal(got, want) {
				t.Fatalf("%s on %q: got %v, want %v", src, data, got, want)
			}
		}
	}
}

// TestWalkRemembers: ends from one start do not change what is found from the
// next.
func TestWalkRemembers(t *testing.T) {
	re, _ := syntax.Parse("a[ab]{48,90}c?[bc]{0,60}", syntax.Perl)
	n, err := parseNode(re, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		data := make([]byte, 300)
		for i := range data {
			data[i] = "aaaaaaaaaaaabbbbbbbbbbbbbbbc"[r.IntN(28)]
		}
		w := new(walk)
		w.reset(data)
		for i := range data {
			got := slices.Clone(merged(slices.Clone(w.ends(n, i, min(len(data), i+200)))))
			fresh := new(walk)
			fresh.reset(data)
			if want := merged(slices.Clone(fresh.ends(n, i, min(len(data), i+200)))); !slices.Equal(got, want) {
				t.Fatalf("at %d: %v, want %v", i, got, want)
			}
		}
	}
}

// FuzzCompile gives any pattern and boundary: an error or a matcher, and what
// the matcher finds is what the reference finds.
func FuzzCompile(f *testing.F) {
	f.Add("abcd_[a-z]{20,30}", "[a-z]", "abcd_aaaaaaaaaaaaaaaaaaaaaaa abcd_")
	f.Add(`ab\.[0-9a-f]{32}(?:-[0-9])?`, "[A-Za-z0-9_-]", "xab.0123456789abcdef0123456789abcdef-1")
	f.Add(`key=([a-z]{16,20});`, "", "key=aaaaaaaaaaaaaaaaaaaa;")
	f.Add(`(?i)(?:one|two)_[^_]{3}[a-z_]{16}`, "[0-9]", "ONE_abcaaaaaaaaaaaaaaaa")
	f.Add(`(?:abc|[x-z]{3}_){2,4}[A-Z]{9,20}x{0,3}`, "", "abcxyz_abcABCDEFGHIJKLMNOx")
	f.Fuzz(func(t *testing.T, pattern, boundary, data string) {
		if len(pattern) > 60 || len(data) > 200 {
			return
		}
		m, err := Compile([]Format{{ID: "x", Tier: Shape, Pattern: pattern, Boundary: boundary, Placeholders: "allow", MinEntropy: -1}}, Options{})
		if err != nil {
			return
		}
		if got, want := m.Find(nil, []byte(data)), newReference(t, m).find([]byte(data)); !sameMatches(got, want) {
			t.Errorf("%q with boundary %q on %q:\n got %s\nwant %s", pattern, boundary, data, describe(m, got), describe(m, want))
		}
	})
}
