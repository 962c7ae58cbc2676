package detectors

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

func minter(t *testing.T, f Format) *Minter {
	t.Helper()
	m, err := NewMinter(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDrawFollowsThePattern: whatever a pattern is made of, what is drawn
// matches it.
func TestDrawFollowsThePattern(t *testing.T) {
	r := rand.New(rand.NewPCG(101, 102))
	for _, pattern := range []string{
		"abc", "a.c", "(?s)a.c", "[a-c]{3}", "[^a-z]{4}", `\s{2}\d{3}\w{4}`, "a*b+c?d", "(?:ab|cd|e){2,3}", "a{2,}", "x(?:y{0,2}z){3}",
		"(?i)abc", "(?:|a)b", `[\x00-\x1f]`, "[ !\"]{3}", `a(b[0-9]{3})c`, "a{0}b", `[\n]x`, "(?:a{1,80}){2}",
	} {
		m := minter(t, Format{ID: "x", Tier: Shape, Pattern: pattern})
		whole := regexp.MustCompile(`^(?s:` + pattern + `)$`)
		for range 200 {
			text, token, ok := m.draw(r)
			if !ok || !whole.Match(text) {
				t.Fatalf("%s: drew %q", pattern, text)
			}
			if !bytes.Contains(text, token) {
				t.Fatalf("%s: %q is not in %q", pattern, token, text)
			}
		}
	}
}

// TestDrawIsVaried: every alternative and every length is met.
func TestDrawIsVaried(t *testing.T) {
	r := rand.New(rand.NewPCG(103, 104))
	m := minter(t, Format{ID: "x", Tier: Shape, Pattern: "(?:a|b|c)[x-z]{2,5}"})
	first, lengths, chars := map[byte]bool{}, map[int]bool{}, map[byte]bool{}
	for range 500 {
		text, _, _ := m.draw(r)
		first[text[0]], lengths[len(text)] = true, true
		for _, c := range text[1:] {
			chars[c] = true
		}
	}
	if len(first) != 3 || len(lengths) != 4 || len(chars) != 3 {
		t.Errorf("%d beginnings, %d lengths, %d characters", len(first), len(lengths), len(chars))
	}
}

// TestDrawReachesItsLeast: what may be absent is absent at times.
func TestDrawReachesItsLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(115, 116))
	for pattern, least := range map[string]int{"xa*": 1, "xa+": 2, "xa?": 1, "xa{3,}": 4, "x(?:ab|c)": 2, "x(?:a{0,2}b){1,3}": 2} {
		m := minter(t, Format{ID: "x", Tier: Shape, Pattern: pattern})
		shortest := 1 << 20
		for range 2000 {
			text, _, _ := m.draw(r)
			shortest = min(shortest, len(text))
		}
		if shortest != least {
			t.Errorf("%s: at least %d bytes, want %d", pattern, shortest, least)
		}
	}
}

// TestDrawIsBounded: a pattern without an upper bound does not run away.
func TestDrawIsBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(105, 106))
	for _, pattern := range []string{"a*", "a+", "a{5,}", "a{5,1000}", "(?:ab)*"} {
		m := minter(t, Format{ID: "x", Tier: Shape, Pattern: pattern})
		for range 200 {
			if text, _, _ := m.draw(r); len(text) > 2*(5+spread) {
				t.Fatalf("%s: %d bytes", pattern, len(text))
			}
		}
	}
}

func TestClassChars(t *testing.T) {
	for class, want := range map[string]string{
		"[a-c]": "abc", "[^a]": "", "[ !]": " ", "[!\"]": "!", `[\n\t]`: "\n", "[a-c !]": "abc", `[é]x`: "", "[+/=.~%_-]": "%+-./=_~",
	} {
		re, err := syntax.Parse(class, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if re.Op != syntax.OpCharClass {
			continue
		}
		got := classChars(re)
		if want != "" && got != want {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
		if got == "" {
			t.Errorf("%s: nothing to pick from", class)
		}
	}
}

func TestMinterErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(107, 108))
	for _, c := range []struct {
		name string
		f    Format
		want string
	}{
		{"no RE2", Format{ID: "acme", Pattern: "a["}, "acme: the pattern is not RE2"},
		{"an unknown checksum", Format{ID: "acme", Pattern: "a", Checksum: &Checksum{Family: "none"}}, "acme: checksum"},
		{"an unknown structure", Format{ID: "acme", Pattern: "a", Structure: "none"}, "acme: structure"},
		{"an unknown reject kind", Format{ID: "acme", Pattern: "a", Reject: []string{"none"}}, "acme: reject"},
		{"no room for the sum", Format{ID: "acme", Tier: Checked, Pattern: "abc",
			Checksum: &Checksum{Family: "crc32", Cover: ":-8", Encoding: "hex", Digits: 8}}, "no drawn token counts"},
		{"a body that is refused", Format{ID: "acme", Tier: Shape, Pattern: "acme_a{36}"}, "no drawn token counts"},
		{"no alternative", Format{ID: "acme", Tier: Shape, Pattern: "acme_[0-9]{36}", Reject: []string{"hex"}}, "no drawn token counts"},
	} {
		_, err := Mint(c.f, r)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Mint: %v, want %q", c.name, err, c.want)
		}
		if _, _, err := Plant(c.f, r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Plant: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestPlant(t *testing.T) {
	r := rand.New(rand.NewPCG(109, 110))
	f := Format{ID: "acme", Tier: Context, Pattern: `key="(acme_[A-Za-z0-9]{32})"`, Context: []string{"acmecorp", "other"}}
	for range 50 {
		text, token, err := Plant(f, r)
		if err != nil {
			t.Fatal(err)
		}
		if want := `acmecorp = key="` + string(token) + "\"\n"; string(text) != want {
			t.Fatalf("planted %q, want %q", text, want)
		}
	}
}

// TestMintIsRepeatable: equal generators give equal tokens, others give others.
func TestMintIsRepeatable(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		m := minter(t, f)
		a, errA := m.Mint(rand.New(rand.NewPCG(1, 2)))
		b, errB := Mint(f, rand.New(rand.NewPCG(1, 2)))
		c, errC := m.Mint(rand.New(rand.NewPCG(1, 3)))
		if errA != nil || errB != nil || errC != nil {
			t.Fatal(errA, errB, errC)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: equal generators differ", f.ID)
		}
		if bytes.Equal(a, c) {
			t.Errorf("%s: two generators agree", f.ID)
		}
	}
}

// TestNearMissIsNear: one character of the body, of the same class.
func TestNearMissIsNear(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(111, 112))
	for _, f := range formats {
		m := minter(t, f)
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		near, ok := m.NearMiss(token, r)
		if !ok {
			continue
		}
		head := len(token) - len(m.proof.body(token))
		changed := 0
		for i := range token {
			if near[i] == token[i] {
				continue
			}
			changed++
			if i < head || kindOf(near[i]) != kindOf(token[i]) {
				t.Errorf("%s: the character at %d of %d, %q for %q", f.ID, i, len(token), near[i], token[i])
			}
		}
		if changed != 1 || len(near) != len(token) {
			t.Errorf("%s: %d characters changed", f.ID, changed)
		}
	}
}

// kindOf tells digits, small and capital letters and other characters apart.
func kindOf(c byte) int {
	for i, class := range []string{digits, lower, upper} {
		if strings.IndexByte(class, c) >= 0 {
			return i
		}
	}
	return 3
}

func TestSibling(t *testing.T) {
	r := rand.New(rand.NewPCG(113, 114))
	for _, c := range []byte("07azAZ_-\x00\xff") {
		for range 50 {
			if got := sibling(c, r); kindOf(got) != kindOf(c) || kindOf(c) == 3 && got != c {
				t.Fatalf("%q: %q", c, got)
			}
		}
	}
}

// TestHeads: what the tokens of a pattern begin with, which is no part of the
// body.
func TestHeads(t *testing.T) {
	for _, c := range []struct{ pattern, token, body string }{
		{"acme_[a-z]{4}", "acme_abcd", "abcd"},
		{"(?:ab|abc)_[a-z]{4}", "abc_abcd", "abcd"},
		{"ab(?:c_)?[d-z]{4}", "abc_defg", "defg"},
		{"[xy]_[a-z]{4}", "y_abcd", "abcd"},
		{"[a-z]{4}_x", "abcd_x", "abcd_x"},
		{`k = "(acme_[a-z]{4})"`, "acme_abcd", "abcd"},
		{"(?i)acme_[a-z]{4}", "ACME_abcd", "abcd"},
		{"acme_[a-z]{4}", "acme_", "acme_"},
		{"acme_[a-z]{4}", "other", "other"},
		{"ab[", "abcd", "abcd"},
		{"[a-z]b[a-z]{4}", "abcdef", "abcdef"}, // too many beginnings to be one
		{"(?:a|b)(?:c|d)(?:e|f)_[g-z]{3}", "bcf_ghi", "ghi"},
	} {
		p := &proof{}
		p.heads, p.fold = headsOf(c.pattern)
		if got := string(p.body([]byte(c.token))); got != c.body {
			t.Errorf("%s: body of %q is %q, want %q", c.pattern, c.token, got, c.body)
		}
		for i := 1; i < len(p.heads); i++ {
			if len(p.heads[i]) > len(p.heads[i-1]) {
				t.Errorf("%s: the heads %q are not ordered", c.pattern, p.heads)
			}
		}
	}
	heads, _ := headsOf(strings.Repeat("(?:a|b)", 10) + "c")
	if len(heads) > maxHeads {
		t.Errorf("%d heads", len(heads))
	}
}
