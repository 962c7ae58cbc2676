package detectors

import (
	"slices"
	"testing"
)

// far reports whether data has a part of a token of a wide format.
func (m *Matcher) far(data []byte) bool {
	_, far := m.FindNear(nil, data, [][2]int{{0, len(data)}})
	return far
}

// TestFindNearAndInheritAreFind is the promise that lets a scan of a history
// read only what is new.
func TestFindNearAndInheritAreFind(t *testing.T) {
	m := mustBuiltin(t)
	n := rounds(30000)
	inherited, near, wide, distant := 0, 0, 0, 0
	for seed := range uint64(4) {
		s := newSoup(t, m, seed)
		for range n / 40 {
			base := s.data(s.r.IntN(3000))
			far := m.far(base)
			for range 10 { // a chain of deltas
				var complete bool
				was := m.Find(nil, base)
				data, copies, changed := s.edit(base)
				want := m.Find(nil, data)
				if far { // a scan looks at all of it
					base, far = data, m.far(data)
					distant++
					continue
				}
				var got []Match
				got, far = m.FindNear(nil, data, changed)
				near += len(got)
				if i := slices.IndexFunc(got, func(x Match) bool { return !contains(want, x) }); i >= 0 {
					t.Fatalf("FindNear invents a match of %s", m.formats[got[i].Format].ID)
				}
				k := len(got)
				if got, complete = m.Inherit(got, was, copies, len(base), len(data)); !complete {
					wide++
					base = data
					continue
				}
				inherited += len(got) - k
				if got = unique(got); !sameMatches(got, want) {
					t.Fatalf("seed %d: %d changed spans:\n got %s\nwant %s", seed, len(changed), describe(m, got), describe(m, want))
				}
				base = data
			}
		}
	}
	t.Logf("%d inherited, %d found near changes, %d times a wide match was cut, %d times there was a part of one", inherited, near, wide, distant)
	if inherited < n || near < n/2 || wide == 0 || distant == 0 {
		t.Errorf("the made-up data are too poor: %d, %d, %d, %d", inherited, near, wide, distant)
	}
}

func contains(ms []Match, x Match) bool {
	return slices.ContainsFunc(ms, func(y Match) bool { return sameMatches([]Match{x}, []Match{y}) })
}

// TestFindNearAtOnce: with the whole data changed, FindNear is Find.
func TestFindNearAtOnce(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 99)
	for range 300 {
		data := s.data(s.r.IntN(3000))
		got, _ := m.FindNear(nil, data, [][2]int{{0, len(data)}})
		if want := m.Find(nil, data); !sameMatches(got, want) {
			t.Fatalf("\n got %s\nwant %s", describe(m, got), describe(m, want))
		}
	}
}

func TestFindNearNothingChanged(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 98)
	if got, _ := m.FindNear(nil, s.data(3000), nil); len(got) != 0 {
		t.Errorf("%d matches near no change", len(got))
	}
}

// TestFindNearRepairs takes a few bytes out of a text that holds a token, or
// puts some in, and undoes that in an edit: the token that appears must be seen
// from the place of the edit, wherever in the text that is.
func TestFindNearRepairs(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 5)
	s.texts = append(s.texts, s.wordAfter()...)
	for range 3 {
		for _, text := range s.texts {
			s.repair(t, m, text)
		}
	}
}

// TestFindNearRepairsAlone is the same for each format by itself, when no
// other widens what FindNear looks at.
func TestFindNearRepairsAlone(t *testing.T) {
	all := mustBuiltin(t)
	for i := range all.formats {
		m, err := Compile(all.formats[i:i+1], Options{Unverified: true})
		if err != nil {
			t.Fatal(err)
		}
		s := newSoup(t, m, uint64(i))
		if len(s.words) == 0 {
			s.words = []string{"word"}
		}
		n := rounds(10)
		if m.Wide(0) {
			n = rounds(1000)
		}
		for range n {
			for _, text := range s.texts {
				s.repair(t, m, text)
			}
		}
	}
}

func (s *soup) repair(t *testing.T, m *Matcher, text string) {
	t.Helper()
	before, after := s.data(s.r.IntN(200)), s.data(s.r.IntN(200))
	data := slices.Concat(before, []byte(text), after)
	at := len(before) + s.r.IntN(len(text)+1)
	n := min(s.r.IntN(20), len(before)+len(text)-at)
	// In the base, data[at:at+n] is missing, and there is junk instead.
	junk := []byte(s.pick(soupGlue))
	base := slices.Concat(data[:at], junk, data[at+n:])
	copies := [][3]int{{0, 0, at}, {at + n, at + len(junk), len(data) - at - n}}
	got, _ := m.FindNear(nil, data, changes(copies, len(base), len(data)))
	got, complete := m.Inherit(got, m.Find(nil, base), copies, len(base), len(data))
	if !complete || m.far(base) {
		return
	}
	if got, want := unique(got), m.Find(nil, data); !sameMatches(got, want) {
		t.Fatalf("edit at %d, text at %d of %d bytes:\n got %s\nwant %s", at, len(before), len(text), describe(m, got), describe(m, want))
	}
}

// wordAfter makes texts in which the context word stands behind the token.
func (s *soup) wordAfter() (texts []string) {
	for range 200 {
		texts = append(texts, "x = \""+s.pick(s.tokens)+"\" # "+s.pick(s.words))
	}
	return texts
}
