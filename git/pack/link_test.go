package pack

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"
)

func TestSortOffsets(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	for _, end := range []uint64{1, 2047, 2048, 1 << 22, 1<<22 + 1, 1 << 33, 1 << 50} {
		for _, n := range []int{0, 1, 2, 1000} {
			offsets, rows := make([]uint64, n), make([]uint32, n)
			for i := range offsets {
				offsets[i], rows[i] = uint64(r.Int63n(int64(end))), uint32(i)
			}
			before := slices.Clone(offsets)
			sortOffsets(offsets, rows, end)
			if !slices.IsSorted(offsets) {
				t.Errorf("end %d, %d offsets: not sorted", end, n)
			}
			seen := map[uint32]bool{}
			for i, row := range rows {
				if seen[row] || before[row] != offsets[i] {
					t.Errorf("end %d: row %d is at %d, was %d", end, row, offsets[i], before[row])
				}
				seen[row] = true
			}
		}
	}
}

// TestAt looks for every offset of a pack: only where an object starts is one.
func TestAt(t *testing.T) {
	for _, n := range []int{1, 2, 60} {
		var fakes []fake
		for i := range n {
			fakes = append(fakes, fake{name: fmt.Sprint(i), kind: Blob, data: someBytes(i * i % 97)})
		}
		p := openFakes(t, fakes)
		starts := map[uint64]int{}
		for i := range p.Len() {
			starts[p.records[i].offset] = i
		}
		for o := range uint64(len(p.data) + 100) {
			want, ok := starts[o]
			if !ok {
				want = -1
			}
			if got := p.at(o); got != want {
				t.Errorf("%d objects, offset %d: %d, want %d", n, o, got, want)
			}
		}
		if got := p.at(1 << 60); got != -1 {
			t.Errorf("an offset far behind the end: %d", got)
		}
	}
}

// TestFamilies checks the lists of children of random delta trees: complete,
// the heaviest last, and all kinds those of the roots.
func TestFamilies(t *testing.T) {
	r := rand.New(rand.NewSource(6))
	for range 20 {
		fakes := []fake{{name: "0", kind: Tree, data: []byte("0123456789")}, {name: "1", kind: Blob, data: []byte("0123456789")}}
		parent := map[string]string{}
		for i := 2; i < 100; i++ {
			f := fake{name: fmt.Sprint(i), kind: nameDelta, base: fmt.Sprint(r.Intn(i)), data: deltaOf(10, 10, copyOp(0, 10))}
			parent[f.name] = f.base
			fakes = append(fakes, f)
		}
		r.Shuffle(len(fakes), func(i, j int) { fakes[i], fakes[j] = fakes[j], fakes[i] })
		p := openFakes(t, fakes)
		children := map[int][]int{}
		for name, base := range parent {
			i, b := numberOf(t, p, name), numberOf(t, p, base)
			children[b] = append(children[b], i)
			root := base
			for parent[root] != "" {
				root = parent[root]
			}
			if p.Base(i) != b || p.Kind(i) != map[string]Kind{"0": Tree, "1": Blob}[root] {
				t.Errorf("%s is a %s against %d, want one against %d", name, p.Kind(i), p.Base(i), b)
			}
		}
		for i := range p.Len() {
			checkFamily(t, p, i, children[i])
		}
	}
}

func checkFamily(t *testing.T, p *Pack, i int, want []int) {
	t.Helper()
	var got []int
	sum, heaviest, last := int32(1), int32(0), int32(0)
	for c := p.records[i].first; c >= 0; c = p.records[c].next {
		got = append(got, int(c))
		last = p.weight[c]
		sum, heaviest = sum+last, max(heaviest, last)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || p.weight[i] != sum || last != heaviest {
		t.Errorf("object %d: children %v, want %v; weight %d, want %d; the last weighs %d of %d", i, got, want, p.weight[i], sum, last, heaviest)
	}
}

// TestUnits checks that the portions of a walk hold every whole object of the
// wanted kinds once, and the heavy ones alone and first.
func TestUnits(t *testing.T) {
	d := deltaOf(10, 10, copyOp(0, 10))
	var fakes []fake
	for i := range 5 * chunk / 2 {
		fakes = append(fakes, fake{name: fmt.Sprint(i), kind: []Kind{Blob, Tree}[i%2], data: []byte("0123456789")})
	}
	for i, n := range map[string]int{"10": heavy, "12": heavy + 1, "14": heavy + 50} {
		for k := range n {
			fakes = append(fakes, fake{name: fmt.Sprint(i, " ", k), kind: nameDelta, base: i, data: d})
		}
	}
	p := openFakes(t, fakes)
	units := p.units([]Kind{Blob})
	seen := map[int32]bool{}
	for k, u := range units {
		if k < 3 && len(u) != 1 || len(u) > chunk {
			t.Errorf("portion %d holds %d", k, len(u))
		}
		for _, i := range u {
			if seen[i] || p.Kind(int(i)) != Blob || p.Base(int(i)) >= 0 {
				t.Errorf("object %d: a %s against %d, seen: %v", i, p.Kind(int(i)), p.Base(int(i)), seen[i])
			}
			seen[i] = true
		}
	}
	if len(seen) != 5*chunk/4 || units[0][0] != int32(numberOf(t, p, "14")) {
		t.Errorf("%d objects, the first is %d", len(seen), units[0][0])
	}
}
