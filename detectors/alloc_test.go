//go:build !race

package detectors

import "testing"

func TestFindAllocatesNothing(t *testing.T) {
	m := mustBuiltin(t)
	data := sourceLike(1 << 16)
	changed := [][2]int{{100, 200}, {5000, 5000}, {30000, 31000}}
	var dst []Match
	if n := testing.AllocsPerRun(10, func() { dst = m.Find(dst[:0], data) }); n > 0 {
		t.Errorf("Find allocates %v times", n)
	}
	if n := testing.AllocsPerRun(10, func() { dst, _ = m.FindNear(dst[:0], data, changed) }); n > 0 {
		t.Errorf("FindNear allocates %v times", n)
	}
}
