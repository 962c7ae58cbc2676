package detectors

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

// parsed compiles a pattern that is right.
func parsed(t *testing.T, src string) *pattern {
	t.Helper()
	p, err := parsePattern(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

func TestPatternLengths(t *testing.T) {
	for _, c := range []struct {
		src    string
		lo, hi int
	}{
		{"abc", 3, 3}, {"a{2,5}", 2, 5}, {"a{3}b?", 3, 4}, {"a+", 1, endless}, {"ab*", 1, endless}, {"a{2,}", 2, endless},
		{"(?:ab|c)", 1, 2}, {"(?:ab|c){2,3}", 2, 6}, {"(?:ab){2}", 4, 4}, {"(?:a{2,4}){3}", 6, 12}, {"(?:a{2,4}){3,}", 6, endless},
		{"x(?:a{1,5})?", 1, 6}, {"x(?:ab)?", 1, 3}, {"(?:a|bc|def)", 1, 3}, {"a(?:|b)", 1, 2}, {"[a-z]{1000}[a-z]{1000}", 2000, 2000},
		{"(?:(?:ab){10}){10}", 200, 200}, {"(a{4})", 4, 4}, {"x(a{4})y{2}", 4, 4}, {".", 1, 1}, {`(?i)ab`, 2, 2}, {"a(?:b{0,3}c){0,2}", 1, 9},
		{"(?:(?:(?:(?:a{1000}){1,}){1,}){1,}){1,}", 1000, endless},
	} {
		p := parsed(t, c.src)
		if p.token.minLen != c.lo || p.token.maxLen != c.hi {
			t.Errorf("%s: %d to %d, want %d to %d", c.src, p.token.minLen, p.token.maxLen, c.lo, c.hi)
		}
	}
}

func TestPatternParts(t *testing.T) {
	for _, c := range []struct {
		src                  string
		before, token, after int // shortest lengths, -1 for none
	}{
		{"abc", -1, 3, -1}, {"(abc)", -1, 3, -1}, {"x(abc)", 1, 3, -1}, {"(abc)yz", -1, 3, 2}, {"x(abc)yz", 1, 3, 2},
		{"(?:x|yy)(abc)z?", 1, 3, 0}, {"(?:ab|c)d", -1, 2, -1}, {"(?P<token>abc)d", -1, 3, 1},
	} {
		p := parsed(t, c.src)
		for i, part := range []*node{p.before, p.token, p.after} {
			want := []int{c.before, c.token, c.after}[i]
			if part == nil != (want < 0) || part != nil && part.minLen != want {
				t.Errorf("%s: part %d is %+v, want %d bytes", c.src, i, part, want)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "empty string"}, {"a?", "empty string"}, {"(?:)", "empty string"}, {"x()", "empty string"},
		{"a[", "missing closing ]"}, {"a{2,1}", "invalid repeat count"}, {"(?<=a)b", "invalid"}, {`\1`, "invalid escape"}, {"a)", "unexpected )"},
		{"(a)(b)", "more than one group"}, {"(?:(a))b|c", "more than one group"}, {"((a))", "more than one group"}, {"(a)|b", "more than one group"}, {"(a)*", "more than one group"},
		{`\ba`, "say with boundary"}, {"^a", "say with boundary"}, {"a$", "say with boundary"}, {`\Aa\z`, "say with boundary"},
		{"é", "not ASCII"}, {"[é-ë]", "without ASCII"}, {`[^\x00-\x{10FFFF}]`, "matches nothing"},
		{"(?:a?){2}", "may be empty"}, {"(?:a*b*)+", "may be empty"}, {"(?:|a){2}", "may be empty"},
		{strings.Repeat("(?:a(?:b", 40) + strings.Repeat("){2,3}c){2,3}", 40), "repeat"},
	} {
		p, err := parsePattern(c.src)
		if err == nil || p != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.30s: %v, want %q", c.src, err, c.want)
		}
	}
}

// TestPatternErrorsQuoteNothing: a pattern may be an issuer's secret.
func TestPatternErrorsQuoteNothing(t *testing.T) {
	const secret = "qqwwee"
	for _, src := range []string{secret + "[", secret + "(", secret + `\8`, "[" + secret + "-a", secret + "{9999}", "(?" + secret + ")a"} {
		_, err := parsePattern(src)
		if err == nil || strings.Contains(err.Error(), "qq") {
			t.Errorf("%s: %v", src, err)
		}
	}
}

// TestPatternNodes: neighbours of one class become one node, and a node knows
// whether the one before can go into it.
func TestPatternNodes(t *testing.T) {
	for _, c := range []struct {
		src   string
		subs  int
		apart string // a 1 for each node that is apart from the one before
	}{
		{"aaa", 1, "0"}, {"[a-z]{3}[a-z]{2,5}", 1, "0"}, {"ab", 2, "01"}, {"[ab]b", 2, "00"}, {"ab{2}c", 3, "011"},
		{"a(?:b|c)", 2, "01"}, {"a?b", 2, "00"}, {"a(?:bc)?b", 3, "000"}, {"ab?c", 3, "010"}, {"[a-z]{2,9}_[a-z]", 3, "011"},
		{"a(?:a|b)", 2, "00"}, {"(?:ab)(?:cd)", 4, "0111"},
	} {
		n := parsed(t, c.src).token
		got := ""
		for _, sub := range n.subs {
			got += map[bool]string{true: "1", false: "0"}[sub.apart]
		}
		if len(n.subs) != c.subs || got != c.apart {
			t.Errorf("%s: %d nodes, %s; want %d, %s", c.src, len(n.subs), got, c.subs, c.apart)
		}
	}
}

func TestPatternSets(t *testing.T) {
	for _, c := range []struct {
		src                 string
		union, tight, first string
		empty               bool
	}{
		{"abc", "abc", "abc", "a", false},
		{"a?b", "ab", "ab", "ab", false},
		{"(?:a|b?)c", "abc", "abc", "abc", false},
		{"a?", "a", "a", "a", true},
		{"(?:ab|ba)?", "ab", "ab", "ab", true},
		{"(?:ab){0,3}", "ab", "ab", "a", true},
		{"a{2}[ x]", " ax", "a", "a", false},
		{"(?i)k", "Kk", "Kk", "Kk", false},
	} {
		re, err := syntax.Parse(c.src, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		n, err := parseNode(re, 0)
		if err != nil {
			t.Fatal(err)
		}
		union, tight := n.union(), n.tight()
		first, empty := n.first()
		if string(union.bytes()) != c.union || string(tight.bytes()) != c.tight || string(first.bytes()) != c.first || empty != c.empty {
			t.Errorf("%s: union %q, tight %q, first %q, empty %v", c.src, union.bytes(), tight.bytes(), first.bytes(), empty)
		}
	}
}

func TestEndlessArithmetic(t *testing.T) {
	for _, c := range []struct{ a, b, sum, product int }{
		{0, 0, 0, 0}, {2, 3, 5, 6}, {endless, 1, endless, endless}, {1, endless, endless, endless}, {endless, 0, endless, 0},
		{0, endless, endless, 0}, {endless, endless, endless, endless}, {1 << 20, 1 << 20, 1 << 21, endless}, {endless - 1, 1, endless, endless - 1},
	} {
		if plus(c.a, c.b) != c.sum || times(c.a, c.b) != c.product {
			t.Errorf("%d, %d: %d and %d; want %d and %d", c.a, c.b, plus(c.a, c.b), times(c.a, c.b), c.sum, c.product)
		}
	}
}

// TestEndingsAreRegexp: the reference itself is right.
func TestEndingsAreRegexp(t *testing.T) {
	patterns := []string{
		"abc", "a{2,5}b{0,3}", "[ab]{1,4}b{2}", "(?:ab|a)b?", "(?:ab){2,3}", "(?:a|ab|abc){1,4}", "a(?:b{1,3}|c{2}){2}c",
		"(?i)aBc{2}", "[^a]{3}", ".{2}c", "(?s).{1,3}", "a*b", "(?:ab)+c?", "[ab]+[bc]+", "a(?:b|)c", "(?:a{0,2}b|c){3}", "(?:a|b)*",
	}
	r := rand.New(rand.NewPCG(3, 5))
	for _, src := range patterns {
		re, err := syntax.Parse(src, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		whole := regexp.MustCompile(`\A(?:` + onlyASCII(re).String() + `)\z`)
		for range rounds(300) {
			data := make([]byte, r.IntN(90))
			for i := range data {
				data[i] = "aaabbbccAx\n\xc3"[r.IntN(12)]
			}
			e := newEndings(data)
			start := r.IntN(len(data) + 1)
			limit := start + r.IntN(len(data)-start+1)
			want := map[int]bool{}
			for at := start; at <= limit; at++ {
				if whole.Match(data[start:at]) {
					want[at] = true
				}
			}
			got := e.from(re, start, limit)
			if len(got) != len(want) {
				t.Fatalf("%s on %q[%d:%d]: %v, want %v", src, data, start, limit, got, want)
			}
			for i, at := range got {
				if !want[at] || i > 0 && at >= got[i-1] {
					t.Fatalf("%s on %q[%d:%d]: %v, want %v", src, data, start, limit, got, want)
				}
			}
			if len(got) > 0 && !e.anywhere(re) {
				t.Fatalf("%s on %q: ends at %v, but nowhere", src, data, got)
			}
		}
	}
}
