package detectors

import (
	"slices"
	"sync"
	"testing"
)

// rounds returns how often a test that draws at random is to draw: a tenth of n
// with -short, and under the race detector, which looks for other faults than
// what these tests count.
func rounds(n int) int {
	if testing.Short() || raceDetector {
		return max(1, n/10)
	}
	return n
}

// TestConcurrentUse lets searches share a matcher: each must find what it finds
// alone.
func TestConcurrentUse(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 71)
	type job struct {
		base, data []byte
		copies     [][3]int
		changed    [][2]int
	}
	var jobs []job
	for range 40 {
		j := job{base: s.data(2000)}
		j.data, j.copies, j.changed = s.edit(j.base)
		jobs = append(jobs, j)
	}
	run := func(j job) [][]Match {
		was, all := m.Find(nil, j.base), m.Find(nil, j.data)
		taken, _ := m.Inherit(nil, was, j.copies, len(j.base), len(j.data))
		near, _ := m.FindNear(nil, j.data, j.changed)
		return [][]Match{was, all, taken, near, m.Resolve(slices.Clone(all))}
	}
	alone := make([][][]Match, len(jobs))
	for i, j := range jobs {
		alone[i] = run(j)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range jobs {
				i := (k + g*7) % len(jobs)
				for n, got := range run(jobs[i]) {
					if !slices.Equal(got, alone[i][n]) {
						t.Errorf("job %d, result %d: %d matches, alone %d", i, n, len(got), len(alone[i][n]))
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestConcurrentCompile lets matchers be made of the same formats at once: a
// Format may be shared.
func TestConcurrentCompile(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := newSoup(t, mustBuiltin(t), 72)
	data := s.data(1000)
	want := mustBuiltin(t).Find(nil, data)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m, err := Compile(formats, Options{Unverified: true})
			if err != nil {
				t.Error(err)
				return
			}
			if got := m.Find(nil, data); !slices.Equal(got, want) {
				t.Errorf("%d matches, want %d", len(got), len(want))
			}
		})
	}
	wg.Wait()
}
