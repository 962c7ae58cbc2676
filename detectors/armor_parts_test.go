package detectors

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestSeparator(t *testing.T) {
	for _, c := range []struct {
		text string
		want int // where it ends
	}{
		{"", 0}, {"AAAA", 0}, {"\nAAAA", 1}, {"\r\nAAAA", 2}, {`\nAAAA`, 2}, {`\r\nAAAA`, 4}, {`\\nAAAA`, 3},
		{"\",\n  \"AAAA", 6}, {"\" +\n\t\"AAAA", 6}, {"\n# AAAA", 3}, {"\n * AAAA", 4}, {"\n+AAAA", 2}, {"\n-AAAA", 2},
		{"\n-----END", 1}, {"\n--", 1}, {"-", 1}, {"--", 0}, {"x", 0}, {strings.Repeat(" ", 40), armorGap}, {".", 0}, {"\x00", 0}, {"\xff", 0},
		{strings.Repeat(" ", armorGap-1) + `\n`, armorGap}, // an escape is not cut
	} {
		if got := separator([]byte(c.text), 0); got != c.want {
			t.Errorf("%q: ends at %d, want %d", c.text, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	for text, want := range map[string]int{"": 0, "AAAA": 4, "aZ09+/=": 7, "AA AA": 2, "AA\n": 2, "-": 0, "AA-": 2, "\x80": 0, "AA_": 2} {
		if got := line([]byte(text), 0); got != want {
			t.Errorf("%q: ends at %d, want %d", text, got, want)
		}
	}
}

// TestFirstLine: where the lines of a block start behind its header, of which
// nothing stands in the text.
func TestFirstLine(t *testing.T) {
	row := strings.Repeat("A", armorLine)
	for _, c := range []struct {
		name, text string
		want       int // -1: it has none
	}{
		{"a line end", "\n" + row, 1},
		{"an escaped line end", `\n` + row, 2},
		{"blanks", "  " + row, 2},
		{"at once", row, -1},
		{"a line too short", "\n" + row[1:], -1},
		{"header lines", "\nProc-Type: 4,ENCRYPTED\n\n" + row, 25},
		{"header lines, escaped", `\nProc-Type: 4,ENCRYPTED\n\n` + row, 28},
		{"header lines of two bytes at their ends", "\r\nVersion: 1\r\n\r\n" + row, 16},
		{"header lines without a blank one", "\nProc-Type: 4,ENCRYPTED\n" + row, -1},
		{"a header too long", "\n" + strings.Repeat("x: y\n", armorText/5) + "\n" + row, -1},
		{"more dashes", "-\n" + row, -1},
		{"the end", "", -1},
		{"a line end at the end", "\n", -1},
		{"far away", strings.Repeat("\n", armorGap+1) + row, armorGap + 1}, // as behind a blank line
		{"too far away", strings.Repeat("\n", armorText+2) + row, -1},
		{"prose", "\nhere stands your own private key\n", -1},
	} {
		start, ok := firstLine([]byte(c.text), 0)
		if c.name == "far away" {
			if ok && c.text[start] != 'A' {
				t.Errorf("%s: at %d", c.name, start)
			}
			continue
		}
		if ok != (c.want >= 0) || ok && start != c.want {
			t.Errorf("%s: %d, %v; want %d", c.name, start, ok, c.want)
		}
	}
}

func TestEndLine(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
	}{
		{"-----END X-----", 15}, {"-----END RSA PRIVATE KEY-----\n", 29}, {"-----END X----", 0}, {"-----END\nX-----", 0}, {"-----END X\n-----", 0},
		{"-----BEGIN X-----", 0}, {"----END X-----", 0}, {"", 0}, {"-----END " + strings.Repeat("x", armorLabel) + "-----", 0},
		{"-----END -----", 14}, {"-----END X-----Y-----", 15},
	} {
		if got := endLine([]byte(c.text), 0); got != c.want {
			t.Errorf("%q: %d, want %d", c.text, got, c.want)
		}
	}
}

// TestBlockEnd: how far a block reaches behind its header.
func TestBlockEnd(t *testing.T) {
	row := strings.Repeat("Ab0+", 16)
	const end = "-----END X-----"
	for _, c := range []struct {
		name, text string
		want       int // -1: it is none
	}{
		{"one line", "\n" + row + "\n" + end, 1 + 64 + 1 + 15},
		{"a short last line", "\n" + row + "\nAAAA\n" + end, 1 + 64 + 5 + 1 + 15},
		{"two short lines", "\n" + row + "\nAAAA\n=AAA\n" + end, 1 + 64 + 5 + 5 + 1 + 15},
		{"three short lines", "\n" + row + "\nAAAA\nAAAA\nAAAA\n" + end, 1 + 64 + 5 + 5},
		{"no end line", "\n" + row + "\n" + row + "\n!prose", 1 + 64 + 1 + 64},
		{"a word behind", "\n" + row + "\nword more words", 1 + 64 + 1 + 4 + 1 + 4},
		{"cut", "\n" + row, 1 + 64},
		{"a short first line", "\nAAAA\n" + row + "\n" + end, -1},
		{"nothing", "", -1},
		{"longer than a block may be", strings.Repeat("\n"+row, armorMax/65+10), armorMax / 65 * 65},
	} {
		got, far, ok := block([]byte(c.text), 0)
		if ok != (c.want >= 0) || ok && c.name != "longer than a block may be" && got != c.want {
			t.Errorf("%s: ends at %d, %v; want %d", c.name, got, ok, c.want)
		}
		if ok && (far < got || far > len(c.text)+1) {
			t.Errorf("%s: looked at %d of %d, ends at %d", c.name, far, len(c.text), got)
		}
		if got > armorMax {
			t.Errorf("%s: %d bytes", c.name, got)
		}
	}
}

func TestArmorPrefix(t *testing.T) {
	for _, c := range []struct {
		pattern string
		prefix  int
		ok      bool
	}{
		{"-----BEGIN X-----", 0, true},
		{"(?:RSA )?-----BEGIN X-----", 4, true},
		{"-----BEGIN (?:A|B)-----(?:[^-]{64,90}-----END X-----)?", 0, true},
		{`"k":"(-----BEGIN X-----)`, 0, true}, // outside the token
		{"----BEGIN X-----", 0, false},
		{"(?:-----BEGIN X|-----BIGIN X)-----", 0, false},
		{"[a-z]{300}-----BEGIN X-----", 300, false},
		{"-----BEGIN[ ]X-----", 0, true},
		{"abcd_[a-z]{20}", 0, false},
	} {
		p := parsed(t, c.pattern)
		prefix, ok := armorPrefix(p.shapes())
		if ok != c.ok || ok && prefix != c.prefix {
			t.Errorf("%s: %d, %v", c.pattern, prefix, ok)
		}
	}
}

// TestBlocksBeside: blocks next to each other and inside each other's reach are
// each found once, whole.
func TestBlocksBeside(t *testing.T) {
	m := armorMatcher(t)
	r := rand.New(rand.NewPCG(5, 1))
	key := func() string { return rsaBegin + "\n" + strings.Join(keyLines(r, 600, 64), "\n") + "\n" + rsaEnd }
	a, b, c := key(), key(), key()
	for name, text := range map[string]string{
		"on lines":         a + "\n" + b + "\n" + c,
		"without a line":   a + b + c,
		"in prose":         "first " + a + " then " + b + " and " + c + ".",
		"far apart":        a + strings.Repeat("\nfiller text", 3000) + b + "\n\n" + c,
		"a header between": a + "\n" + rsaBegin + "\n" + b + "\n" + rsaEnd + "\n" + c,
		"NUL bytes":        a + "\x00" + b + "\x00" + c,
	} {
		got := m.Find(nil, []byte(text))
		if len(got) != 3 {
			t.Errorf("%s: %s", name, describe(m, got))
			continue
		}
		for i, want := range []string{a, b, c} {
			if text[got[i].Start:got[i].End] != want {
				t.Errorf("%s: block %d is %d bytes at %d", name, i, got[i].End-got[i].Start, got[i].Start)
			}
		}
	}
}

// TestFoldedWords has what looks for context words.
func TestFoldedWords(t *testing.T) {
	for _, c := range []struct {
		text, word string
		want       int
	}{
		{"the Acme key", "acme", 4}, {"ACME", "acme", 0}, {"acm", "acme", -1}, {"", "acme", -1}, {"xacme", "acme", 1}, {"acacme", "acme", 2},
		{"AC\x8dE", "acme", -1}, {"key@", "key`", -1}, {"x-api-KEY", "x-api-key", 0}, {"[", "{", -1},
	} {
		if got := indexFold([]byte(c.text), c.word); got != c.want {
			t.Errorf("%q in %q: %d, want %d", c.word, c.text, got, c.want)
		}
		if got := equalFold([]byte(c.text), c.word); got != (c.want == 0 && len(c.text) == len(c.word)) {
			t.Errorf("%q is %q: %v", c.text, c.word, got)
		}
	}
}

func TestIsAlnum(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte(base62, byte(c)) >= 0
		if got := isAlnum(byte(c)); got != want {
			t.Errorf("%#x: %v", c, got)
		}
		if got := isBase64(byte(c)); got != (want || c == '+' || c == '/' || c == '=') {
			t.Errorf("%#x in base64: %v", c, got)
		}
	}
}

func TestMergedSpans(t *testing.T) {
	for _, c := range []struct{ in, want []span }{
		{nil, nil},
		{[]span{{1, 2}}, []span{{1, 2}}},
		{[]span{{5, 6}, {1, 2}}, []span{{1, 2}, {5, 6}}},
		{[]span{{1, 2}, {3, 4}}, []span{{1, 4}}},
		{[]span{{1, 9}, {2, 3}}, []span{{1, 9}}},
		{[]span{{1, 2}, {4, 5}}, []span{{1, 2}, {4, 5}}},
		{[]span{{4, 5}, {1, 3}, {9, 9}, {1, 1}}, []span{{1, 5}, {9, 9}}},
	} {
		got := merged(append([]span(nil), c.in...))
		if len(got) != len(c.want) {
			t.Errorf("%v: %v, want %v", c.in, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v: %v, want %v", c.in, got, c.want)
			}
		}
	}
}

// TestVariants: a pattern is written out into each way to match it.
func TestVariants(t *testing.T) {
	for _, c := range []struct {
		pattern         string
		n               int // ways
		literals        int // of the first
		shortest, least int // bytes of the shortest, and the fewest of all
	}{
		{"abc", 1, 3, 3, 3}, {"(?:a|bc)d", 2, 2, 2, 2}, {"(?:a|b)(?:c|d)(?:e|f)", 1, 0, 3, 3}, {"ab?c", 1, 2, 2, 2}, {"(?:ab){3}", 1, 6, 6, 6},
		{"(?i)ab", 1, 2, 2, 2}, {"[a-z]{4}x", 1, 1, 5, 5}, {"x(?:ab|cd){2}", 4, 5, 5, 5}, {"(?:aa|bb|cc)(?:dd|ee)(?:ff|gg)", 12, 6, 6, 6},
	} {
		vs := parsed(t, c.pattern).token.variants()
		if len(vs) == 0 {
			t.Errorf("%s: no way", c.pattern)
			continue
		}
		least := endless
		for _, v := range vs {
			lo, _ := v.length()
			least = min(least, lo)
		}
		if least != c.least {
			t.Errorf("%s: at least %d bytes, want %d", c.pattern, least, c.least)
		}
		if c.pattern == "(?:a|b)(?:c|d)(?:e|f)" {
			continue // one class each: see the sets
		}
		if len(vs) != c.n || vs[0].literals() != c.literals {
			t.Errorf("%s: %d ways, %d literals; want %d, %d", c.pattern, len(vs), vs[0].literals(), c.n, c.literals)
		}
	}
	many := parsed(t, strings.Repeat("(?:aa|bb|cc|dd)", 8)).token.variants()
	if len(many) > maxVariants {
		t.Errorf("%d ways", len(many))
	}
}

// TestLongestRun: how many bytes of a class stand together in every match.
func TestLongestRun(t *testing.T) {
	class := setOf(base62 + "_-")
	for pattern, want := range map[string]int{
		"abc": 3, "a.c": 1, "ab[a-z]{5,9}": 7, "ab [a-z]{5}": 5, "a{3}b?c{3}": 6, "[a-z!]{9}ab": 2, "[!]x": 1, "(?:ab){4}": 8,
	} {
		if got := parsed(t, pattern).token.variants()[0].longestRun(&class); got != want {
			t.Errorf("%s: %d, want %d", pattern, got, want)
		}
	}
}

// TestResolveTies: what decides when two cover the same bytes.
func TestResolveTies(t *testing.T) {
	m, err := Compile([]Format{
		{ID: "plain", Tier: Shape, Pattern: "abc_[a-z0-9]{20,60}"},
		{ID: "specific", Tier: Shape, Pattern: "abc_def_[a-z0-9_]{16,60}"},
		{ID: "unused", Tier: Identifier, Pattern: "xyz_[a-z0-9]{20,60}"},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := func(format int, g Grade, start, end int) Match {
		return Match{Format: format, Grade: g, Start: start, End: end}
	}
	for _, c := range []struct {
		name string
		in   []Match
		want []Match
	}{
		{"the grade before the length", []Match{x(0, Likely, 0, 90), x(0, Verified, 10, 20)}, []Match{x(0, Verified, 10, 20)}},
		{"the length before the literals", []Match{x(1, Likely, 0, 40), x(0, Likely, 0, 41)}, []Match{x(0, Likely, 0, 41)}},
		{"the literals before the start", []Match{x(0, Likely, 0, 40), x(1, Likely, 1, 41)}, []Match{x(1, Likely, 1, 41)}},
		{"the start before the format", []Match{x(0, Likely, 5, 45), x(0, Likely, 0, 40)}, []Match{x(0, Likely, 0, 40)}},
		{"one that is not compiled has no literals", []Match{x(2, Likely, 0, 40), x(0, Likely, 0, 40)}, []Match{x(0, Likely, 0, 40)}},
		{"three in a row", []Match{x(0, Possible, 0, 20), x(0, Likely, 15, 35), x(0, Possible, 30, 50)}, []Match{x(0, Likely, 15, 35)}},
		{"neighbours", []Match{x(0, Possible, 0, 20), x(0, Likely, 20, 40), x(0, Possible, 40, 60)}, []Match{x(0, Possible, 0, 20), x(0, Likely, 20, 40), x(0, Possible, 40, 60)}},
		{"twice the same", []Match{x(0, Likely, 0, 20), x(0, Likely, 0, 20)}, []Match{x(0, Likely, 0, 20)}},
	} {
		got := m.Resolve(append([]Match(nil), c.in...))
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	}
}
