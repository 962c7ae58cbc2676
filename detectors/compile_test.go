package detectors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCompileRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		f    Format
		want string
	}{
		{"not a pattern", Format{Pattern: "abc["}, "missing closing ]"},
		{"empty", Format{Pattern: ""}, "empty string"},
		{"may be empty", Format{Pattern: "(?:abcd)?"}, "empty string"},
		{"no longest match", Format{Pattern: "abcd_[a-z]{20,}"}, "set max_length"},
		{"too long", Format{Pattern: "abcd_[a-z]{20,}", MaxLength: 1 << 20}, "lower the counts"},
		{"max_length too small", Format{Pattern: "abcd_[a-z]{20,}", MaxLength: 10}, "longer than max_length"},
		{"too short", Format{Pattern: "abcd_[a-z]{10}"}, "is 15 bytes, and 16 are needed"},
		{"no run", Format{Pattern: "abcd (?:[a-z]{5} ){9}"}, "is 5 bytes"},
		{"no anchor", Format{Pattern: "[a-z0-9]{40}", Boundary: "[a-z0-9]"}, "no usable anchor"},
		{"no anchor nor boundary", Format{Pattern: "[a-z0-9]{40}", Tier: Context, Context: []string{"w"}}, "no usable anchor"},
		{"context without words", Format{Pattern: "abcd_[a-z]{20}", Tier: Context}, "no context words"},
		{"a word too long", Format{Pattern: "abcd_[a-z]{20}", Context: []string{strings.Repeat("w", 65)}}, "has 65 bytes"},
		{"too far", Format{Pattern: "abcd_[a-z]{20}", Context: []string{"w"}, Within: 4000}, "160 is the most"},
		{"a boundary that is no class", Format{Pattern: "abcd_[a-z]{20}", Boundary: "[a-z]+"}, "not one character class"},
		{"two groups", Format{Pattern: "(abcd_)([a-z]{20})"}, "more than one group"},
		{"a group inside", Format{Pattern: "abcd_(?:x([a-z]{20})|y)"}, "more than one group"},
		{"an assertion", Format{Pattern: `\babcd_[a-z]{20}\b`}, "say with boundary"},
		{"not ASCII", Format{Pattern: "abcdé_[a-z]{20}"}, "not ASCII"},
		{"repeats nothing", Format{Pattern: "abcd_[a-z]{20}(?:x?y?){1,9}"}, "may be empty"},
		{"an unknown structure", Format{Pattern: "abcd_[a-z]{20}", Structure: "nonesuch"}, "not known"},
	} {
		f := test.f
		f.ID = "id-of-it"
		if f.Tier == 0 {
			f.Tier = Shape
		}
		m, err := Compile([]Format{{ID: "good", Tier: Shape, Pattern: "good_[a-z]{20}"}, f}, Options{})
		if err == nil || m != nil {
			t.Errorf("%s: compiled", test.name)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "id-of-it") || strings.Contains(err.Error(), `"good"`) {
			t.Errorf("%s: error is %q, want %q", test.name, err, test.want)
		}
	}
	if _, err := Compile(nil, Options{}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("the empty set: %v", err)
	}
}

func TestCompileNamesEveryBadFormat(t *testing.T) {
	_, err := Compile([]Format{{ID: "one", Tier: Shape, Pattern: "a+"}, {ID: "two", Tier: Shape, Pattern: "b+"}}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"one"`) || !strings.Contains(err.Error(), `"two"`) {
		t.Error(err)
	}
}

// TestRoutes: how the filter is laid out follows from the formats.
func TestRoutes(t *testing.T) {
	for _, test := range []struct {
		pattern, boundary string
		run, tail, lead   int
		class             string
	}{
		{"abcd_[a-z]{20}", "", 25, 24, 0, ""},
		{"(?:ab|cd)_x[a-z]{20,30}", "", 24, 24, 0, ""},
		{`ab\.[a-z]{30}`, "", 30, 33, 3, ""},                  // the dot before the run costs nothing
		{`abc_[a-z.]{30}`, "", 34, 34, 0, "."},                // in the run it must be of the class
		{`[a-z]{30}_abc[0-9]{9}`, "", 43, 13, 0, ""},          // the gram near the end
		{`[a-z0-9]{30}_mmk`, "[a-z0-9_]", 34, 1 << 20, 0, ""}, // too near: by its length
	} {
		m, err := Compile([]Format{{ID: "x", Tier: Shape, Pattern: test.pattern, Boundary: test.boundary}}, Options{})
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		f := &m.filter
		if f.run != test.run || f.tail != test.tail || f.lead != test.lead {
			t.Errorf("%s: run %d, tail %d, lead %d", test.pattern, f.run, f.tail, f.lead)
		}
		if extra := setOf(test.class); !extra.within(&m.class) || m.class.len() != 64+extra.len() {
			t.Errorf("%s: class %s", test.pattern, m.class.bytes())
		}
	}
}

// TestEveryFormatIsFoundAlone: each built-in format, compiled by itself, finds
// what is planted, and what it routes by is in every token.
func TestEveryFormatIsFoundAlone(t *testing.T) {
	all := mustBuiltin(t)
	r := rand.New(rand.NewPCG(5, 6))
	for i, f := range all.formats {
		m, err := Compile(all.formats[i:i+1], Options{Unverified: true})
		if err != nil {
			t.Fatal(err)
		}
		for range rounds(20) {
			text, token, err := Plant(f, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range [][]Match{m.Find(nil, text), all.Find(nil, text)} {
				if !slices.ContainsFunc(x, func(x Match) bool { return x.End-x.Start == len(token) }) {
					t.Fatalf("%s: not found", f.ID)
				}
			}
		}
	}
}

// synthetic makes n formats with prefixes of five letters.
func synthetic(n int) []Format {
	r := rand.New(rand.NewPCG(9, 9))
	var out []Format
	for i := range n {
		b := make([]byte, 5)
		for k := range b {
			b[k] = 'a' + byte(r.IntN(26))
		}
		out = append(out, Format{ID: fmt.Sprint("synthetic-", i), Tier: Shape, Pattern: string(b) + "_[A-Za-z0-9]{24,40}", Boundary: "[A-Za-z0-9_-]", Placeholders: "allow", MinEntropy: -1})
	}
	return out
}

func TestTenThousandFormats(t *testing.T) {
	m, err := Compile(append(synthetic(10000), mustBuiltin(t).formats...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("x = " + strings.TrimSuffix(m.formats[1234].Pattern, "[A-Za-z0-9]{24,40}") + strings.Repeat("aB3", 10))
	if got := m.Find(nil, data); len(got) != 1 || got[0].Format != 1234 {
		t.Error(describe(m, got))
	}
}
