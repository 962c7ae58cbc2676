package detectors

import (
	"slices"
	"testing"
)

// TestInherit: which matches of a base stand in changed data, and where.
func TestInherit(t *testing.T) {
	m, err := Compile([]Format{{ID: "x", Tier: Shape, Pattern: "abc_[a-z0-9]{20,60}"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := func(start, end int) Match {
		return Match{Grade: Likely, Start: start, End: end, From: start - 1, To: end + 1}
	}
	const baseLen = 200
	for _, c := range []struct {
		name    string
		base    []Match
		copies  [][3]int
		dataLen int
		want    []Match
	}{
		{"nothing in the base", nil, [][3]int{{0, 0, 200}}, 200, nil},
		{"nothing copied", []Match{at(10, 40)}, nil, 50, nil},
		{"all copied", []Match{at(10, 40), at(60, 90)}, [][3]int{{0, 0, 200}}, 200, []Match{at(10, 40), at(60, 90)}},
		{"moved to the right", []Match{at(10, 40)}, [][3]int{{30, 0, 200}}, 230, []Match{at(40, 70)}},
		{"moved to the left", []Match{at(60, 90)}, [][3]int{{0, 50, 150}}, 150, []Match{at(10, 40)}},
		{"the token but not the byte before", []Match{at(60, 90)}, [][3]int{{0, 60, 140}}, 140, nil},
		{"the token but not the byte behind", []Match{at(60, 90)}, [][3]int{{0, 0, 90}}, 90, nil},
		{"its evidence exactly", []Match{at(60, 90)}, [][3]int{{0, 59, 32}}, 32, []Match{at(1, 31)}},
		{"cut in two", []Match{at(60, 90)}, [][3]int{{0, 0, 70}, {75, 70, 130}}, 205, nil},
		{"two copies that are one", []Match{at(60, 90)}, [][3]int{{0, 0, 70}, {70, 70, 130}}, 200, []Match{at(60, 90)}},
		{"three copies that are one", []Match{at(60, 90)}, [][3]int{{5, 0, 65}, {70, 65, 10}, {80, 75, 125}}, 205, []Match{at(65, 95)}},
		{"twice", []Match{at(10, 40)}, [][3]int{{0, 0, 50}, {60, 0, 50}}, 110, []Match{at(10, 40), at(70, 100)}},
		{"in another order", []Match{at(10, 40), at(110, 140)}, [][3]int{{0, 100, 50}, {50, 0, 50}}, 100, []Match{at(10, 40), at(60, 90)}},
		{"the last byte of a copy", []Match{at(60, 90)}, [][3]int{{0, 0, 61}, {61, 80, 120}}, 181, nil},
	} {
		got, complete := m.Inherit(nil, c.base, c.copies, baseLen, c.dataLen)
		if !slices.Equal(got, c.want) || !complete {
			t.Errorf("%s: %v, %v; want %v", c.name, got, complete, c.want)
		}
		kept := Match{Start: -5}
		got, _ = m.Inherit([]Match{kept}, c.base, c.copies, baseLen, c.dataLen)
		if len(got) != len(c.want)+1 || got[0] != kept {
			t.Errorf("%s: what was in dst is lost: %v", c.name, got)
		}
	}
}

// TestInheritAtTheEnds: a match that rests on the start or the end of the base
// needs the data to start or end there, too.
func TestInheritAtTheEnds(t *testing.T) {
	m, err := Compile([]Format{{ID: "x", Tier: Shape, Pattern: "abc_[a-z0-9]{20,60}"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := Match{Grade: Likely, Start: 0, End: 30, From: -1, To: 31}
	last := Match{Grade: Likely, Start: 70, End: 100, From: 69, To: 101}
	for _, c := range []struct {
		name    string
		match   Match
		copies  [][3]int
		dataLen int
		want    int
	}{
		{"the start, at the start", first, [][3]int{{0, 0, 50}}, 80, 1},
		{"the start, further in", first, [][3]int{{1, 0, 50}}, 80, 0},
		{"the end, at the end", last, [][3]int{{20, 50, 50}}, 70, 1},
		{"the end, with more behind", last, [][3]int{{20, 50, 50}}, 71, 0},
		{"the end, a byte short", last, [][3]int{{20, 50, 49}}, 69, 0},
		{"the end, in all that there is", last, [][3]int{{0, 69, 31}}, 31, 1},
	} {
		got, complete := m.Inherit(nil, []Match{c.match}, c.copies, 100, c.dataLen)
		if len(got) != c.want || !complete {
			t.Errorf("%s: %v, %v", c.name, got, complete)
		}
	}
}

// TestDeltaOfEdges: edits at the first and the last byte of a token, of its
// evidence and of the data, one at a time.
func TestDeltaOfEdges(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 121)
	for range rounds(400) {
		text := s.pick(s.texts)
		data := []byte(s.pick(soupGlue) + text + s.pick(soupGlue))
		for _, x := range m.Find(nil, data) {
			for _, at := range []int{0, x.From, x.From + 1, x.Start, x.Start + 1, x.End - 1, x.End, x.To - 1, x.To, len(data)} {
				at = min(max(at, 0), len(data))
				for _, n := range []int{0, 1} {
					n = min(n, len(data)-at)
					junk := []byte(s.pick(soupGlue))
					base := slices.Concat(data[:at], junk, data[at+n:])
					copies := [][3]int{{0, 0, at}, {at + n, at + len(junk), len(data) - at - n}}
					if err := m.sameByDelta(base, data, copies, changes(copies, len(base), len(data))); err != nil {
						t.Fatalf("%s: edit at %d of %d: %v", m.formats[x.Format].ID, at, len(data), err)
					}
				}
			}
		}
	}
}

// TestFindNearInventsNothing: wherever changes are said to be, only matches of
// Find are found.
func TestFindNearInventsNothing(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 122)
	for range rounds(300) {
		data := s.data(s.r.IntN(2500))
		all := m.Find(nil, data)
		var changed [][2]int
		for at := s.r.IntN(400); at < len(data); at += 1 + s.r.IntN(600) {
			end := min(len(data), at+s.r.IntN(50))
			changed = append(changed, [2]int{at, end})
			at = end
		}
		near, _ := m.FindNear(nil, data, changed)
		for _, x := range near {
			if !contains(all, x) {
				t.Fatalf("invented: %s", describe(m, []Match{x}))
			}
		}
	}
}

// TestFindNearFindsWhatTouches: a match whose evidence a span overlaps or
// adjoins is found.
func TestFindNearFindsWhatTouches(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 123)
	for range rounds(300) {
		data := s.data(s.r.IntN(1500))
		for _, x := range m.Find(nil, data) {
			if m.Wide(x.Format) {
				continue
			}
			from, to := max(x.From, 0), min(x.To, len(data))
			for _, c := range [][2]int{{from, from}, {to, to}, {x.Start, x.End}, {from, to}} {
				if near, _ := m.FindNear(nil, data, [][2]int{c}); !contains(near, x) {
					t.Fatalf("%s is not found near %v", describe(m, []Match{x}), c)
				}
			}
		}
	}
}

// TestFindNearSortsAndAppends: the result follows dst, ascending, each once.
func TestFindNearSortsAndAppends(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 124)
	data := s.data(4000)
	kept := []Match{{Start: 9999}, {Start: 5}}
	got, _ := m.FindNear(slices.Clone(kept), data, [][2]int{{0, 1000}, {1000, 1000}, {1200, 2500}, {3000, 3001}})
	if !slices.Equal(got[:2], kept) {
		t.Errorf("dst is changed: %v", got[:2])
	}
	for i := 3; i < len(got); i++ {
		if got[i].Start < got[i-1].Start || got[i] == got[i-1] {
			t.Errorf("%v before %v", got[i-1], got[i])
		}
	}
}
