package detectors

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// fuzzGroup is a handful of formats with what is needed to compare ways of
// finding their tokens: few enough that the reference is fast.
type fuzzGroup struct {
	m    *Matcher
	ref  *reference
	soup *soup
}

// groupSize is how many formats a group has.
const groupSize = 4

// fuzzGroups returns a function from any number to a group. Between them the
// groups have every built-in format, and those whose matches span text with
// spaces stand in more than one.
func fuzzGroups(t testing.TB) func(pick uint8) *fuzzGroup {
	t.Helper()
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	all := mustBuiltin(t)
	n := (len(formats) + groupSize - 1) / groupSize
	groups := make([]*fuzzGroup, n)
	for g := range groups {
		var some []Format
		for i := g; i < len(formats); i += n {
			some = append(some, formats[i])
		}
		for i, f := range formats {
			if all.Wide(i) && i%3 == g%3 {
				some = append(some, f)
			}
		}
		m, err := Compile(some, Options{Unverified: true})
		if err != nil {
			t.Fatal(err)
		}
		s := newSoup(t, m, uint64(g))
		s.words = append(s.words, "word")
		groups[g] = &fuzzGroup{m: m, ref: newReference(t, m), soup: s}
	}
	return func(pick uint8) *fuzzGroup { return groups[int(pick)%n] }
}

// with returns the group's soup, stirred by r.
func (g *fuzzGroup) with(r *rand.Rand) *soup {
	s := *g.soup
	s.r = r
	return &s
}

// choices is a source of random numbers that are the bytes of a fuzz input, so
// that a change of the input is a change of one choice. When they are used up
// the choices go on by chance, but are the same for the same length.
type choices struct {
	input []byte
	then  *rand.PCG
}

func newChoices(input []byte) *rand.Rand {
	return rand.New(&choices{input: input, then: rand.NewPCG(uint64(len(input)), 1)})
}

func (c *choices) Uint64() uint64 {
	if len(c.input) < 2 {
		return c.then.Uint64()
	}
	x := uint64(c.input[0])<<8 | uint64(c.input[1])
	c.input = c.input[2:]
	return x * 0x0001000100010001
}

// FuzzFind compares Find with the reference on any data, for a few formats at
// a time.
func FuzzFind(f *testing.F) {
	groups := fuzzGroups(f)
	for pick := range uint8(3) {
		s := groups(pick).soup
		for range 4 {
			f.Add(pick, s.data(200))
		}
	}
	f.Fuzz(func(t *testing.T, pick uint8, data []byte) {
		if len(data) > 600 {
			return
		}
		g := groups(pick)
		if got, want := g.m.Find(nil, data), g.ref.find(data); !sameMatches(got, want) {
			t.Errorf("\n got %s\nwant %s", describe(g.m, got), describe(g.m, want))
		}
	})
}

// FuzzFindNear makes up a base and a chain of deltas by the choices that the
// input says, and compares Inherit and FindNear with Find.
func FuzzFindNear(f *testing.F) {
	groups := fuzzGroups(f)
	r := rand.New(rand.NewPCG(51, 52))
	for pick := range uint8(4) {
		f.Add(pick, randomBytes(r, 40+50*int(pick)))
	}
	f.Fuzz(func(t *testing.T, pick uint8, input []byte) {
		if len(input) > 1000 {
			return
		}
		g := groups(pick)
		s := g.with(newChoices(input))
		base := s.data(s.r.IntN(1500))
		for range 3 {
			data, copies, changed := s.edit(base)
			if err := g.m.sameByDelta(base, data, copies, changed); err != nil {
				t.Fatal(err)
			}
			base = data
		}
	})
}

// sameByDelta reports how what FindNear finds, together with what Inherit
// takes over, differs from what Find finds. Neither may ever invent a match.
func (m *Matcher) sameByDelta(base, data []byte, copies [][3]int, changed [][2]int) error {
	was, want := m.Find(nil, base), m.Find(nil, data)
	near, _ := m.FindNear(nil, data, changed)
	got, complete := m.Inherit(slices.Clone(near), was, copies, len(base), len(data))
	got = unique(got)
	for _, x := range got {
		if !contains(want, x) {
			return fmt.Errorf("%d changed spans: invented %s; found near them %s",
				len(changed), describe(m, []Match{x}), describe(m, near))
		}
	}
	if !complete || m.far(base) {
		return nil
	}
	if !sameMatches(got, want) {
		return fmt.Errorf("%d changed spans:\n got %s\nwant %s", len(changed), describe(m, got), describe(m, want))
	}
	return nil
}
