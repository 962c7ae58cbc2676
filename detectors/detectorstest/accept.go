// Package detectorstest is the acceptance suite that every format must pass,
// the built-in ones and those a user adds. It makes tokens of a format up,
// plants them in the places where tokens stand in real files, and looks whether
// a matcher finds them there and nowhere else.
package detectorstest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"patwatch/detectors"
)

// Mint makes up one token of f that counts in full: random, right in pattern,
// checksum and structure, and nobody's. Equal formats and equally seeded
// generators give equal tokens. It is an error when no token of f can be made.
func Mint(f detectors.Format, r *rand.Rand) ([]byte, error) { return detectors.Mint(f, r) }

// NearMiss returns a copy of token with one character of its body changed to
// another of the same class and its checksum left as it was. It returns nil
// when f has no checksum, or is not valid.
func NearMiss(f detectors.Format, token []byte, r *rand.Rand) []byte {
	m, err := detectors.NewMinter(f)
	if err != nil {
		return nil
	}
	near, ok := m.NearMiss(token, r)
	if !ok {
		return nil
	}
	return near
}

// Accept runs the suite over each of formats, as a subtest named by its id.
// Each format is looked for twice, by a matcher of its own and by one of all
// formats together, so that formats which hide each other are told too. The
// tokens are the same in every run.
func Accept(t *testing.T, formats []detectors.Format) {
	t.Helper()
	o := detectors.Options{Unverified: true}
	all, err := detectors.Compile(formats, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range formats {
		t.Run(f.ID, func(t *testing.T) {
			own, err := detectors.Compile(formats[i:i+1], o)
			if err != nil {
				t.Fatal(err)
			}
			s := suite{t: t, f: f, own: own, all: all, index: i, r: rand.New(rand.NewPCG(uint64(i), 1))}
			for range rounds {
				s.run()
			}
		})
	}
}

// rounds is how many tokens of each format are tried.
const rounds = 2

// suite is the acceptance of one format.
type suite struct {
	t     *testing.T
	f     detectors.Format
	own   *detectors.Matcher
	all   *detectors.Matcher
	index int // of f in all
	r     *rand.Rand

	text  []byte // the planted text, with a context word if f needs one
	token []byte
	at    int // where token stands in text
}

func (s *suite) run() {
	s.t.Helper()
	var err error
	if s.text, s.token, err = detectors.Plant(s.f, s.r); err != nil {
		s.t.Fatal(err)
	}
	if s.at = bytes.LastIndex(s.text, s.token); s.at < 0 {
		s.t.Fatal("the planted text does not hold its token")
	}
	s.places()
	s.repeats()
	s.cuts()
	s.near()
	s.glued()
	s.nearMiss()
	s.noWord()
}

// prose stands around tokens: text in which no format finds anything.
const prose = "# See the manual.\n// then (or else) we go on; nothing is here\n"

// places puts the token at the start, in the middle and at the end of a file,
// beside line ends of other systems, and beside bytes that are not UTF-8.
func (s *suite) places() {
	for _, c := range []struct{ name, before, after string }{
		{"alone", "", ""},
		{"at the start", "", prose},
		{"in the middle", prose, prose},
		{"at the end", prose, ""},
		{"between CRLF", "one\r\ntwo\r\n", "\r\nthree\r\n"},
		{"after a byte order mark", "\xef\xbb\xbf", "\n"},
		{"in broken UTF-8", "\xff\xfe\xc3 ", "\n\xc3\x28\xff"},
		{"between zero bytes", "\x00\x00", "\x00\x00"},
		{"far in", strings.Repeat(prose, 200), prose},
	} {
		text := s.text
		if c.after == "" || c.after[0] != '\n' {
			text = bytes.TrimSuffix(text, []byte("\n"))
		}
		if c.after == prose {
			c.after = "\n" + prose
		}
		data := []byte(c.before + string(text) + c.after)
		s.want(c.name, data, len(c.before)+s.at)
	}
}

// repeats puts the token twice in one file, close and apart. Of a format for
// whole files, whose tokens have lines, the first may run on to the second.
func (s *suite) repeats() {
	for _, gap := range []string{"", "\n", prose} {
		data := []byte(string(s.text) + gap + string(s.text))
		second := len(s.text) + len(gap) + s.at
		if !bytes.Contains(s.token, []byte("\n")) {
			s.want("the first of two", data, s.at)
		}
		s.want("the second of two", data, second)
	}
}

// cuts reads a file in two windows that share Overlap bytes, cut before, in
// and after the token: one of the two must hold it.
func (s *suite) cuts() {
	overlap := s.own.Overlap()
	pad := []byte(strings.Repeat(prose, 1+(overlap+64)/len(prose)))
	data := bytes.Join([][]byte{pad, s.text, pad}, nil)
	at := len(pad) + s.at
	step := max(1, (len(s.text)+overlap)/cutsTried)
	for cut := len(pad); cut < len(pad)+len(s.text)+overlap; cut += step {
		left := found(s.own, 0, data[:cut], at, len(s.token))
		from := cut - overlap
		right := found(s.own, 0, data[from:], at-from, len(s.token))
		if !left && !right {
			s.t.Errorf("lost when windows meet %d bytes behind the start of the token", cut-at)
			return
		}
	}
}

// cutsTried bounds how many places are cut in one text.
const cutsTried = 24

// near asks for the matches beside a change of the token's first byte. Those of
// wide formats may be far from it.
func (s *suite) near() {
	if s.own.Wide(0) {
		return
	}
	for _, m := range s.own.FindNear(nil, s.text, [][2]int{{s.at, s.at + 1}}) {
		if m.Start == s.at && m.End == s.at+len(s.token) {
			return
		}
	}
	s.t.Error("not found near a change of its first byte")
}

// glued puts a byte of the boundary in front of the token: it is not one then,
// unless a checksum can prove that it is.
func (s *suite) glued() {
	if s.f.Boundary == "" || s.f.Checksum != nil || s.at > 0 && !isBlank(s.text[s.at-1]) {
		return
	}
	data := []byte(string(s.text[:s.at]) + "a" + string(s.text[s.at:]))
	if bytes.ContainsAny([]byte(s.f.Boundary), "a") && found(s.own, 0, data, s.at+1, len(s.token)) {
		s.t.Errorf("found behind a byte of its boundary %s", s.f.Boundary)
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\n' }

// nearMiss changes one character and leaves the checksum.
func (s *suite) nearMiss() {
	near := NearMiss(s.f, s.token, s.r)
	if near == nil {
		if s.f.Checksum != nil {
			s.t.Error("no character could be changed without the checksum")
		}
		return
	}
	data := []byte(string(s.text[:s.at]) + string(near) + string(s.text[s.at+len(s.token):]))
	for _, m := range s.own.Find(nil, data) {
		if m.Start == s.at && m.Grade == detectors.Verified {
			s.t.Errorf("a token with a wrong checksum is %v", m.Grade)
		}
	}
}

// noWord takes the context word away.
func (s *suite) noWord() {
	if s.f.Tier != detectors.Context || len(s.f.Context) == 0 {
		return
	}
	text := bytes.TrimPrefix(s.text, []byte(s.f.Context[0]+" = "))
	low := strings.ToLower(string(text))
	for _, word := range s.f.Context {
		if strings.Contains(low, strings.ToLower(word)) {
			return // the pattern itself brings a word
		}
	}
	for _, m := range s.own.Find(nil, text) {
		if m.Grade > detectors.Unverified {
			s.t.Errorf("found without a context word, %v", m.Grade)
		}
	}
}

// want reports an error unless both matchers find the token at data[at:].
func (s *suite) want(name string, data []byte, at int) {
	s.t.Helper()
	for _, c := range []struct {
		by    string
		m     *detectors.Matcher
		index int
	}{{"by itself", s.own, 0}, {"among all", s.all, s.index}} {
		if !found(c.m, c.index, data, at, len(s.token)) {
			s.t.Errorf("%s: not found %s; %s", name, c.by, spans(c.m, data, at, len(s.token)))
		}
	}
}

// found reports whether m finds a token of the format, n bytes from at on.
func found(m *detectors.Matcher, format int, data []byte, at, n int) bool {
	for _, x := range m.Find(nil, data) {
		if x.Format == format && x.Start == at && x.End == at+n {
			return true
		}
	}
	return false
}

// spans says what m found instead, in positions alone.
func spans(m *detectors.Matcher, data []byte, at, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "want [%d:%d], found", at, at+n)
	for _, x := range m.Find(nil, data) {
		fmt.Fprintf(&b, " %s[%d:%d]", m.Formats()[x.Format].ID, x.Start, x.End)
	}
	return b.String()
}
