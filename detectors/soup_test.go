package detectors

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// builtinMatcher compiles all built-in formats, once for all tests.
var builtinMatcher = sync.OnceValues(func() (*Matcher, error) {
	formats, err := Builtin()
	if err != nil {
		return nil, err
	}
	return Compile(formats, Options{Unverified: true})
})

func mustBuiltin(t testing.TB) *Matcher {
	t.Helper()
	m, err := builtinMatcher()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// soup makes up data that is as full of tokens, halves of tokens, glue and
// context words as can be, so that rare cases are not rare in it.
type soup struct {
	r      *rand.Rand
	texts  []string // each holds a token as it is found
	tokens []string
	words  []string
}

// newSoup plants two tokens of each of m's formats.
func newSoup(t testing.TB, m *Matcher, seed uint64) *soup {
	t.Helper()
	s := &soup{r: rand.New(rand.NewPCG(seed, 1))}
	for i, f := range m.Formats() {
		if m.rules[i] == nil {
			continue
		}
		for range 2 {
			text, token, err := Plant(f, s.r)
			if err != nil {
				t.Fatal(err)
			}
			s.texts = append(s.texts, string(text))
			s.tokens = append(s.tokens, string(token))
		}
		s.words = append(s.words, f.Context...)
	}
	return s
}

const soupClass = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+/=.%~"

var soupGlue = []string{
	"", "", "\n", "\n\n", " ", `\n`, `\n\n`, `"`, "'", "=", ": ", " = \"", "=>", "(", ",", "a", "Z", "0", "_", "-", ".", "/", "\x00",
	"\xff\xc3", "\r\n", "\t", "https://", "user:", "@", "?sig=", ";", "-----", "-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----",
	"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n",
}

func (s *soup) pick(from []string) string { return from[s.r.IntN(len(from))] }

// piece returns one ingredient.
func (s *soup) piece() string {
	switch s.r.IntN(10) {
	case 0, 1:
		return s.pick(s.texts)
	case 2:
		return s.pick(s.tokens)
	case 3:
		x := s.pick(s.tokens)
		return x[:s.r.IntN(len(x)+1)]
	case 4:
		x := s.pick(s.tokens)
		return x[s.r.IntN(len(x)+1):]
	case 5:
		return s.pick(s.words)
	case 6:
		return s.class(s.r.IntN(90))
	case 7:
		x := s.pick(s.tokens)
		return strings.Repeat(x[:min(len(x), 1+s.r.IntN(8))], s.r.IntN(20))
	}
	return s.pick(soupGlue)
}

func (s *soup) class(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = soupClass[s.r.IntN(len(soupClass))]
	}
	return string(b)
}

// data returns a soup of about n bytes.
func (s *soup) data(n int) []byte {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(s.piece())
		b.WriteString(s.pick(soupGlue))
	}
	return []byte(b.String())
}

// edit makes a changed copy of base out of copies and inserts, with what the
// reader of packs says about it.
func (s *soup) edit(base []byte) (data []byte, copies [][3]int, changed [][2]int) {
	at := 0
	for range 1 + s.r.IntN(4) {
		if s.r.IntN(8) == 0 { // a copy from anywhere
			at = s.r.IntN(len(base) + 1)
		}
		if n := s.r.IntN(len(base)-at+1) >> (s.r.IntN(4)); n > 0 {
			copies = append(copies, [3]int{len(data), at, n})
			data = append(data, base[at:at+n]...)
			at += n
		}
		switch s.r.IntN(4) {
		case 0: // a cut
			at = min(len(base), at+s.r.IntN(40))
		case 1, 2:
			data = append(data, s.piece()...)
			at = min(len(base), at+s.r.IntN(4))
		}
	}
	if s.r.IntN(3) > 0 && at < len(base) {
		copies = append(copies, [3]int{len(data), at, len(base) - at})
		data = append(data, base[at:]...)
	}
	return data, copies, changes(copies, len(base), len(data))
}

// changes derives the changed spans from the copies.
func changes(copies [][3]int, baseLen, dataLen int) (changed [][2]int) {
	to, from := 0, 0
	add := func(a, b int) { changed = append(changed, [2]int{a, b}) }
	for _, c := range copies {
		if c[0] != to || c[1] != from {
			add(to, c[0])
		}
		to, from = c[0]+c[2], c[1]+c[2]
	}
	if to != dataLen || from != baseLen {
		add(to, dataLen)
	}
	return changed
}
