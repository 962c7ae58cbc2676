package detectorstest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"patwatch/detectors"
)

// Accept runs every format, alone and among the others, through the places and
// the damage in which tokens are met: at the edges of the input, twice, next to
// each other, glued to other text, cut between two windows of a stream, among
// broken UTF-8 and NUL bytes, with one character changed, without its context
// word. A format that passes is found wherever its tokens stand and nowhere
// else. Accept reports failures on t, by format; none of them holds a token.
func Accept(t *testing.T, formats []detectors.Format) {
	all, err := detectors.Compile(formats, detectors.Options{Unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range formats {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			for _, fault := range faults(f, all, i) {
				t.Error(fault)
			}
		})
	}
}

// faults lists what is wrong with f, which is format number index of all.
func faults(f detectors.Format, all *detectors.Matcher, index int) []string {
	var list []string
	for seed := range uint64(3) {
		s, err := newSubject(f, seed)
		if err != nil {
			return append(list, err.Error())
		}
		s.places()
		s.neighbours()
		s.glued()
		s.windows()
		s.change()
		s.nearMiss()
		s.context()
		s.among(all, index)
		list = append(list, s.faults...)
	}
	return list
}

// subject is one made-up token under test.
type subject struct {
	f      detectors.Format
	r      *rand.Rand
	mint   *detectors.Minter
	m      *detectors.Matcher // returns everything
	text   []byte             // what the pattern matches
	token  []byte
	lead   []byte // context word and operator, empty when none is needed
	grade  detectors.Grade
	faults []string
}

func newSubject(f detectors.Format, seed uint64) (*subject, error) {
	m, err := detectors.Compile([]detectors.Format{f}, detectors.Options{Unverified: true})
	if err != nil {
		return nil, err
	}
	mint, err := detectors.NewMinter(f)
	if err != nil {
		return nil, err
	}
	s := &subject{f: f, mint: mint, r: rand.New(rand.NewPCG(seed, 7)), m: m, grade: fullGrade(f.Tier)}
	if s.text, s.token, err = mint.Match(s.r); err != nil {
		return nil, err
	}
	if len(f.Context) > 0 && s.grade != detectors.Verified {
		s.lead = []byte(f.Context[0] + " = ")
	}
	return s, nil
}

// fullGrade is the grade of a token of a tier that is all it should be.
func fullGrade(t detectors.Tier) detectors.Grade {
	switch t {
	case detectors.Checked:
		return detectors.Verified
	case detectors.Shape:
		return detectors.Likely
	case detectors.Context:
		return detectors.Possible
	}
	return detectors.Unverified
}

func (s *subject) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// whole is the text with what must stand before it.
func (s *subject) whole() []byte { return slices.Concat(s.lead, s.text) }

// expect fails unless the tokens found in data are exactly those that stand at
// the given places of the subject's token.
func (s *subject) expect(what string, data []byte, at ...int) {
	if got := s.found(data); !slices.Equal(got, at) {
		s.fault("%s: found at %v; want %v", what, got, at)
	}
}

// found returns where in data the subject's token is found as a whole.
func (s *subject) found(data []byte) (at []int) {
	for _, x := range s.m.Find(nil, data) {
		if bytes.Equal(data[x.Start:x.End], s.token) && x.Grade >= s.grade {
			at = append(at, x.Start)
		}
	}
	return at
}

// offset is where the token stands in s.whole().
func (s *subject) offset() int { return len(s.lead) + bytes.Index(s.text, s.token) }

// places tests the edges of the input and what surrounds a token there.
func (s *subject) places() {
	frames := []struct{ name, before, after string }{
		{"alone", "", ""},
		{"at the start", "", "\nmore text\n"},
		{"at the end", "some text\n", ""},
		{"in the middle", "some text\n", "\nmore text\n"},
		{"between line ends of two bytes", "some text\r\n", "\r\nmore text\r\n"},
		{"in broken UTF-8", "\xff\xfe\xc3\n", "\xc3\x28\xff"},
		{"among NUL bytes", "\x00\x00\n\x00", "\x00\x00"},
		{"after a byte order mark", "\xef\xbb\xbf", "\n"},
		{"far in", strings.Repeat("some text, and more\n", 500), "\n"},
		{"after a thousand blanks", string(bytes.Repeat([]byte(" "), 1000)), "\n"},
	}
	for _, f := range frames {
		data := slices.Concat([]byte(f.before), s.whole(), []byte(f.after))
		s.expect(f.name, data, len(f.before)+s.offset())
	}
	if len(s.f.Context) == 0 && len(s.text) == len(s.token) {
		data := slices.Concat([]byte(`{"key": "`), s.token, []byte(`"}`))
		s.expect("in quotes", data, len(`{"key": "`))
	}
}

// neighbours tests the same token more than once.
func (s *subject) neighbours() {
	one, at := s.whole(), s.offset()
	two := slices.Concat(one, []byte("\n"), one)
	s.expect("on two lines", two, at, len(one)+1+at)
	if s.canGlue() && s.fixed() {
		s.expect("back to back", slices.Concat(s.token, s.token), 0, len(s.token))
	}
}

// canGlue reports whether the format's tokens prove themselves and carry
// literal bytes, so that they need no boundary.
func (s *subject) canGlue() bool {
	if s.grade != detectors.Verified || len(s.text) != len(s.token) {
		return false
	}
	re, err := syntax.Parse(s.f.Pattern, syntax.Perl)
	return err == nil && literals(re) >= 3
}

// literals counts the fixed bytes that every match of re has.
func literals(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpConcat, syntax.OpCapture:
		n := 0
		for _, sub := range re.Sub {
			n += literals(sub)
		}
		return n
	case syntax.OpAlternate:
		n := literals(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			n = min(n, literals(sub))
		}
		return n
	}
	return 0
}

// fixed reports whether nothing that follows could belong to the token.
func (s *subject) fixed() bool {
	re := regexp.MustCompile("^(?:" + s.f.Pattern + ")$")
	for _, c := range "xX0-_=/+." {
		if re.Match(append(slices.Clone(s.token), byte(c))) || re.Match(append([]byte{byte(c)}, s.token...)) {
			return false
		}
	}
	return true
}

// glued tests a token that touches other text.
func (s *subject) glued() {
	for _, g := range []struct{ name, before, after string }{
		{"after a letter", "x", ""}, {"before a letter", "", "x"},
		{"inside a word", "x", "x"}, {"after an escaped line end", `"key":\n`, ""},
	} {
		data := slices.Concat(s.lead, []byte(g.before), s.text, []byte(g.after), []byte("\n"))
		at := len(g.before) + s.offset()
		switch {
		case s.canGlue() && s.fixed():
			s.expect(g.name, data, at)
		case s.f.Boundary != "" && len(s.text) == len(s.token) && !s.canGlue():
			s.expect(g.name, data)
		}
	}
}

// windows tests that a stream read in two windows, which share what Overlap
// says, loses no token and adds none, wherever the cut falls.
func (s *subject) windows() {
	overlap := s.m.Overlap()
	before := bytes.Repeat([]byte("filler text\n"), overlap/12+2)
	data := slices.Concat(before, s.whole(), []byte("\n"), before)
	at := len(before) + s.offset()
	step := max(1, len(s.token)/100)
	for cut := at - 2; cut <= at+len(s.token)+2; cut += step {
		first, second := data[:cut], data[cut-overlap:]
		found := false
		for _, x := range s.m.Find(nil, first) {
			found = found || x.To <= len(first) && x.Start == at && x.End == at+len(s.token)
		}
		for _, x := range s.m.Find(nil, second) {
			from := cut - overlap
			found = found || x.From >= 0 && x.Start+from == at && x.End+from == at+len(s.token)
		}
		if !found {
			s.fault("cut %d bytes into the token: lost", cut-at)
			return
		}
	}
}

// change tests that a token is found by looking near a change in it. Those of
// wide formats may be far from it.
func (s *subject) change() {
	if s.m.Wide(0) {
		return
	}
	data, at := s.whole(), s.offset()
	near, _ := s.m.FindNear(nil, data, [][2]int{{at, at + 1}})
	if !slices.ContainsFunc(near, func(x detectors.Match) bool { return x.Start == at && x.End == at+len(s.token) }) {
		s.fault("not found near a change of its first byte")
	}
}

// nearMiss tests that one changed character costs a token its proof.
func (s *subject) nearMiss() {
	near, ok := s.mint.NearMiss(s.token, s.r)
	if !ok {
		if s.f.Checksum != nil {
			s.fault("no near miss could be made")
		}
		return
	}
	text := bytes.Replace(s.text, s.token, near, 1)
	for _, x := range s.m.Find(nil, slices.Concat(s.lead, text, []byte("\n"))) {
		if x.Grade >= s.grade {
			s.fault("one character changed: still %v", x.Grade)
		}
	}
}

// context tests that a word is needed where the format says so.
func (s *subject) context() {
	if len(s.lead) == 0 || s.wordInside() {
		return
	}
	s.expect("without a context word", slices.Concat([]byte("some = "), s.text, []byte("\n")))
	far := bytes.Repeat([]byte("far away\n"), 100)
	s.expect("with the context word far away", slices.Concat(s.lead, far, s.text, []byte("\n")))
}

// wordInside reports whether the text brings a context word of its own.
func (s *subject) wordInside() bool {
	low := bytes.ToLower(s.text)
	return slices.ContainsFunc(s.f.Context, func(w string) bool { return bytes.Contains(low, bytes.ToLower([]byte(w))) })
}

// among tests that the format is found by the matcher of all formats, too, and
// that one span keeps one format.
func (s *subject) among(all *detectors.Matcher, index int) {
	data := slices.Concat([]byte("text\n"), s.whole(), []byte("\n"))
	at := len("text\n") + s.offset()
	matches := all.Find(nil, data)
	if !slices.ContainsFunc(matches, func(x detectors.Match) bool {
		return x.Format == index && x.Start == at && x.End == at+len(s.token)
	}) {
		s.fault("among all formats: not found")
	}
	covered := 0
	for _, x := range all.Resolve(matches) {
		if x.Start < at+len(s.token) && at < x.End {
			covered++
		}
	}
	if covered != 1 {
		s.fault("among all formats: the token resolves to %d findings; want 1", covered)
	}
}
