package detectors

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// one compiles a format for tests, whose bodies are not judged.
func one(t *testing.T, f Format) *Matcher {
	t.Helper()
	f.ID = "x"
	if f.Tier == 0 {
		f.Tier = Shape
	}
	f.Placeholders, f.MinEntropy = "allow", -1
	m, err := Compile([]Format{f}, Options{Unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// where lists "start-end" of what is found.
func where(ms []Match) (out [][2]int) {
	for _, x := range ms {
		out = append(out, [2]int{x.Start, x.End})
	}
	return out
}

// TestFindBoundaries: TOKEN stands for a token in the text.
func TestFindBoundaries(t *testing.T) {
	token := "abcd_" + strings.Repeat("k7", 12)
	shape := one(t, Format{Pattern: "abcd_[a-z0-9]{24}", Boundary: "[A-Za-z0-9_]"})
	open := one(t, Format{Pattern: "abcd_[a-z0-9]{24}"})
	for _, c := range []struct {
		text         string
		fenced, bare int // how many are found with and without a boundary
	}{
		{"TOKEN", 1, 1}, {"(TOKEN)", 1, 1}, {"xTOKEN", 0, 1}, {"TOKENx", 0, 1}, {"_TOKEN", 0, 1}, {"TOKEN_", 0, 1},
		{"-TOKEN-", 1, 1}, {"TOKEN TOKEN", 2, 2}, {"TOKEN,TOKEN;TOKEN", 3, 3}, {"TOKENTOKEN", 0, 2}, {"\xffTOKEN\xff", 1, 1},
		{"\x00TOKEN\x00", 1, 1}, {"\u00e9TOKEN\u00e9", 1, 1}, {"TOKE N", 0, 0}, {"", 0, 0}, {"TOKEN\n", 1, 1}, {`\nTOKEN`, 0, 1},
	} {
		data := []byte(strings.ReplaceAll(c.text, "TOKEN", token))
		if got := len(shape.Find(nil, data)); got != c.fenced {
			t.Errorf("%q: %d with a boundary, want %d", c.text, got, c.fenced)
		}
		if got := len(open.Find(nil, data)); got != c.bare {
			t.Errorf("%q: %d without, want %d", c.text, got, c.bare)
		}
	}
}

// TestFindLongest: for a start there is one match, the longest that is
// accepted.
func TestFindLongest(t *testing.T) {
	for _, c := range []struct {
		name string
		f    Format
		text string
		want [][2]int
	}{
		{"as long as it goes", Format{Pattern: "abcd_[a-z]{20,40}"}, "abcd_" + strings.Repeat("k", 30), [][2]int{{0, 35}}},
		{"no longer than it may be", Format{Pattern: "abcd_[a-z]{20,40}"}, "abcd_" + strings.Repeat("k", 60), [][2]int{{0, 45}}},
		{"too long for its boundary", Format{Pattern: "abcd_[a-z]{20,40}", Boundary: "[a-z]"}, "abcd_" + strings.Repeat("k", 60), nil},
		{"too short", Format{Pattern: "abcd_[a-z]{20,40}"}, "abcd_" + strings.Repeat("k", 19), nil},
		{"up to a fixed end", Format{Pattern: "abcd_[a-z0-9]{20,40}z9"}, "abcd_" + strings.Repeat("k", 20) + "z9kz9k", [][2]int{{0, 30}}},
		{"cut by max_length", Format{Pattern: "abcd_[a-z]{20,}", MaxLength: 30}, "abcd_" + strings.Repeat("k", 60), [][2]int{{0, 30}}},
		{"the longest alternative", Format{Pattern: "abcd_(?:[a-z]{20}|[a-z]{26})"}, "abcd_" + strings.Repeat("k", 30), [][2]int{{0, 31}}},
		{"two starts", Format{Pattern: "abcd_[a-z_]{20,40}"}, "abcd_abcd_" + strings.Repeat("k", 20), [][2]int{{0, 30}, {5, 30}}},
	} {
		if got := where(one(t, c.f).Find(nil, []byte(c.text))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestFindGroup: what stands round the group must stand there, and is not part
// of the token.
func TestFindGroup(t *testing.T) {
	token := strings.Repeat("k7", 12)
	m := one(t, Format{Pattern: `key\s{0,3}=\s{0,3}"([a-z0-9]{24})"`, Boundary: "[a-z0-9]"})
	for _, c := range []struct {
		text string
		want bool
	}{
		{`key="TOKEN"`, true}, {`key = "TOKEN"`, true}, {`key   =   "TOKEN"`, true}, {`key    ="TOKEN"`, false}, {`kex="TOKEN"`, false},
		{`key="TOKEN`, false}, {`key=TOKEN"`, false}, {`key="TOKEN "`, false}, {`xkey="TOKEN"x`, true}, {"key=\n\"TOKEN\"", true},
	} {
		data := []byte(strings.ReplaceAll(c.text, "TOKEN", token))
		got := m.Find(nil, data)
		if (len(got) == 1) != c.want {
			t.Errorf("%q: %s", c.text, describe(m, got))
		}
		if len(got) == 1 && string(data[got[0].Start:got[0].End]) != token {
			t.Errorf("%q: found %q", c.text, data[got[0].Start:got[0].End])
		}
	}
}

// TestFindProved: a token whose sum is right needs neither boundary nor word;
// one whose sum is wrong needs both.
func TestFindProved(t *testing.T) {
	sum := &Checksum{Family: "crc32", Cover: "5:-6", Encoding: "base62", Digits: 6}
	f := Format{Tier: Checked, Pattern: "acme_[A-Za-z0-9]{36}", Boundary: "[A-Za-z0-9_]", Checksum: sum, Mismatch: "lower", Context: []string{"acmecorp"}}
	m := one(t, f)
	s, err := sum.compile()
	if err != nil {
		t.Fatal(err)
	}
	right := []byte("acme_" + body36)
	if !s.seal(right) {
		t.Fatal("not sealed")
	}
	wrong := bytes.Clone(right)
	wrong[10] = sibling(wrong[10]+1, newChoices(nil))
	for _, c := range []struct {
		text  string
		token []byte
		want  Grade // 0: not found
	}{
		{"TOKEN", right, Verified}, {"xTOKENx", right, Verified}, {`\nTOKEN`, right, Verified}, {"acmecorp TOKEN", right, Verified},
		{"TOKENTOKEN", right, Verified}, {"TOKEN", wrong, 0}, {"acmecorp: TOKEN", wrong, Possible}, {"acmecorp: xTOKEN", wrong, 0},
		{"acmecorp: TOKENx", wrong, 0}, {"acmecorp" + strings.Repeat(" ", 100) + "TOKEN", wrong, 0},
	} {
		data := bytes.ReplaceAll([]byte(c.text), []byte("TOKEN"), c.token)
		got := m.Find(nil, data)
		if c.want == 0 != (len(got) == 0) || c.want != 0 && got[0].Grade != c.want {
			t.Errorf("%q: %s, want %v", c.text, describe(m, got), c.want)
		}
	}
}

// TestFindAppends: dst keeps what it had, and its room is used.
func TestFindAppends(t *testing.T) {
	m := one(t, Format{Pattern: "abcd_[a-z0-9]{24}", Boundary: "[a-z0-9]"})
	data := []byte("abcd_" + strings.Repeat("k7", 12))
	kept := Match{Start: 77}
	dst := append(make([]Match, 0, 8), kept)
	got := m.Find(dst, data)
	if len(got) != 2 || got[0] != kept || &got[0] != &dst[0] {
		t.Errorf("%v", got)
	}
	if got := m.Find(nil, nil); got != nil {
		t.Errorf("in nothing: %v", got)
	}
	if got := m.Find(dst[:1], []byte("nothing")); len(got) != 1 {
		t.Errorf("nothing found: %v", got)
	}
}

// TestFindLeavesItsData: neither the data nor what is behind it is touched.
func TestFindLeavesItsData(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 131)
	for range 50 {
		data := s.data(1500)
		room := append(bytes.Clone(data), bytes.Repeat([]byte("A"), 200)...)
		got, want := m.Find(nil, room[:len(data):len(data)]), m.Find(nil, data)
		if !slices.Equal(got, want) {
			t.Fatalf("depends on what is behind:\n got %s\nwant %s", describe(m, got), describe(m, want))
		}
		if !bytes.Equal(room[:len(data)], data) || !bytes.Equal(room[len(data):], bytes.Repeat([]byte("A"), 200)) {
			t.Fatal("the data are changed")
		}
	}
}

// TestEvidenceIsTight: a change of any byte outside the evidence, at the same
// length, leaves a match as it is.
func TestEvidenceIsTight(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 132)
	for range rounds(150) {
		data := s.data(800)
		for _, x := range m.Find(nil, data) {
			from, to := max(x.From, 0), min(x.To, len(data))
			other := bytes.Clone(data)
			for i := range other {
				if i < from || i >= to {
					other[i] = '#'
				}
			}
			if !contains(m.Find(nil, other), x) {
				t.Fatalf("%s rests on more than its evidence", describe(m, []Match{x}))
			}
		}
	}
}

// TestOverlapIsEnough: a stream read in windows that share Overlap bytes has
// every match wholly inside one of them.
func TestOverlapIsEnough(t *testing.T) {
	m := one(t, Format{Tier: Context, Pattern: "abcd_[a-z0-9]{24,60}", Boundary: "[a-z0-9]", Context: []string{"acmecorp"}})
	token := "acmecorp = \"abcd_" + strings.Repeat("k7", 20) + "\"\n"
	filler := strings.Repeat("filler text\n", m.Overlap()/12+1)
	data := []byte(filler + token + filler)
	want := m.Find(nil, data)
	if len(want) != 1 {
		t.Fatal(describe(m, want))
	}
	for cut := len(filler) - 5; cut < len(filler)+len(token)+5; cut++ {
		first, second := data[:cut], data[cut-m.Overlap():]
		found := 0
		for _, x := range m.Find(nil, first) {
			if x.To <= len(first) {
				found++
			}
		}
		for _, x := range m.Find(nil, second) {
			if x.From >= 0 && x.Start+cut-m.Overlap() == want[0].Start {
				found++
			}
		}
		if found == 0 {
			t.Errorf("cut %d bytes into the text: lost", cut-len(filler))
		}
	}
}

func TestReachAndOverlap(t *testing.T) {
	small := one(t, Format{Pattern: "abcd_[a-z0-9]{24}"})
	words := one(t, Format{Pattern: "abcd_[a-z0-9]{24}", Context: []string{"acmecorp"}, Tier: Context, Within: 100})
	long := one(t, Format{Pattern: "abcd_[a-z0-9]{24,900}"})
	if small.Reach() < 1 || words.Reach() < 100+len("acmecorp") || words.Reach() <= small.Reach() {
		t.Errorf("reach %d, and %d with words", small.Reach(), words.Reach())
	}
	if small.Overlap() < 29 || long.Overlap() < 905 || long.Overlap() <= small.Overlap() {
		t.Errorf("overlap %d, and %d of a long token", small.Overlap(), long.Overlap())
	}
}

// TestUnverifiedOption: what is left out unless it is asked for.
func TestUnverifiedOption(t *testing.T) {
	sum := &Checksum{Family: "crc32", Cover: "5:-6", Encoding: "base62", Digits: 6}
	formats := []Format{
		{ID: "wrong", Tier: Checked, Pattern: "acme_[A-Za-z0-9]{36}", Checksum: sum},
		{ID: "name", Tier: Identifier, Pattern: "name_[A-Za-z0-9]{36}"},
		{ID: "pair", Tier: Identifier, Pattern: "pair_[A-Za-z0-9]{36}", Context: []string{"acmecorp"}},
	}
	text := []byte("acme_" + body36 + " name_" + body36 + " acmecorp pair_" + body36 + "\n")
	for unverified, want := range map[bool]string{false: "pair possible; ", true: "wrong unverified; name unverified; pair possible; "} {
		m, err := Compile(formats, Options{Unverified: unverified})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, x := range m.Find(nil, text) {
			got += m.Formats()[x.Format].ID + " " + x.Grade.String() + "; "
		}
		if got != want {
			t.Errorf("%v: %s, want %s", unverified, got, want)
		}
	}
}
