package detectors

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestResolve(t *testing.T) {
	m, err := Compile([]Format{
		{ID: "plain", Tier: Shape, Pattern: "abc_[a-z0-9]{20,60}"},
		{ID: "specific", Tier: Shape, Pattern: "abc_def_[a-z0-9_]{16,60}"},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		in, want []Match
	}{
		{"none", nil, nil},
		{"apart", []Match{{Start: 30, End: 50}, {Start: 0, End: 30}}, []Match{{Start: 0, End: 30}, {Start: 30, End: 50}}},
		{
			"the surer one",
			[]Match{{Grade: Likely, Start: 0, End: 40}, {Grade: Verified, Start: 10, End: 30}},
			[]Match{{Grade: Verified, Start: 10, End: 30}},
		},
		{
			"the longer one",
			[]Match{{Grade: Likely, Start: 5, End: 30}, {Grade: Likely, Start: 0, End: 40}},
			[]Match{{Grade: Likely, Start: 0, End: 40}},
		},
		{
			"the more specific one",
			[]Match{{Grade: Likely, Start: 0, End: 40}, {Format: 1, Grade: Likely, Start: 0, End: 40}},
			[]Match{{Format: 1, Grade: Likely, Start: 0, End: 40}},
		},
		{
			"what the loser hid",
			[]Match{{Grade: Likely, Start: 0, End: 40}, {Grade: Verified, Start: 20, End: 60}, {Grade: Possible, Start: 60, End: 90}},
			[]Match{{Grade: Verified, Start: 20, End: 60}, {Grade: Possible, Start: 60, End: 90}},
		},
	} {
		if got := m.Resolve(slices.Clone(test.in)); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

func TestResolveDependsOnNoOrder(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 21)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		ms := m.Find(nil, s.data(2000))
		want := m.Resolve(slices.Clone(ms))
		for i := 1; i < len(want); i++ {
			if want[i].Start < want[i-1].End {
				t.Fatal("two that overlap")
			}
		}
		r.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		if got := m.Resolve(ms); !slices.Equal(got, want) {
			t.Fatalf("\n got %s\nwant %s", describe(m, got), describe(m, want))
		}
	}
}
