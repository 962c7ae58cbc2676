package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// catFile returns what git says about every object: type, size and bytes, by
// name.
func catFile(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := git(t, dir, "", "cat-file", "--batch-all-objects", "--batch", "--unordered")
	objects := map[string]string{}
	for out != "" {
		head, rest, _ := strings.Cut(out, "\n")
		var id, kind string
		var size int
		if _, err := fmt.Sscan(head, &id, &kind, &size); err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		objects[id] = kind + " " + rest[:size]
		out = rest[size+1:]
	}
	return objects
}

// walked returns what a walk visits, in the form of catFile.
func walked(t *testing.T, p *Pack, o WalkOptions) map[string]string {
	t.Helper()
	var mu sync.Mutex
	objects := map[string]string{}
	o.Visit = func(_ int, ob *Object) error {
		mu.Lock()
		defer mu.Unlock()
		objects[p.ID(ob.Index).String()] = ob.Kind.String() + " " + string(ob.Data)
		return nil
	}
	if err := p.Walk(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return objects
}

func TestWalkAgainstGit(t *testing.T) {
	dir := repository(t, nil)
	want := catFile(t, dir)
	p := openPack(t, onlyPack(t, dir), 20)
	for _, workers := range []int{0, 1, 2, 7} {
		if got := walked(t, p, WalkOptions{Workers: workers, Kinds: allKinds}); !maps.Equal(got, want) {
			t.Errorf("%d workers: %d objects, git has %d; or other ones", workers, len(got), len(want))
		}
	}
	for _, k := range allKinds {
		got := walked(t, p, WalkOptions{Workers: 2, Kinds: []Kind{k}})
		n := 0
		for id, o := range want {
			if strings.HasPrefix(o, k.String()+" ") {
				n++
				if got[id] != o {
					t.Errorf("%s %s is missing or another", k, id)
				}
			}
		}
		if len(got) != n || n == 0 {
			t.Errorf("%d objects of type %s, git has %d", len(got), k, n)
		}
	}
	if got := walked(t, p, WalkOptions{}); len(got) != 0 {
		t.Errorf("%d objects of no type", len(got))
	}
}

// TestWalkOrder checks what Object.Depth promises, and that each worker's
// visits come one after the other.
func TestWalkOrder(t *testing.T) {
	p := openPack(t, onlyPack(t, repository(t, nil)), 20)
	for _, workers := range []int{1, 3} {
		stacks, deepest := make([][]*Object, workers), make([]int, workers)
		bytesOf := make([][][]byte, workers)
		err := p.Walk(t.Context(), WalkOptions{Workers: workers, Kinds: []Kind{Blob, Tree}, Visit: func(n int, o *Object) error {
			if o.Depth > len(stacks[n]) {
				return fmt.Errorf("depth %d after %d", o.Depth, len(stacks[n])-1)
			}
			stacks[n], bytesOf[n] = stacks[n][:o.Depth], bytesOf[n][:o.Depth]
			if o.Depth > 0 {
				if base := stacks[n][o.Depth-1]; base.Index != p.Base(o.Index) || !bytes.Equal(bytesOf[n][o.Depth-1], o.Base) || base.Kind != o.Kind {
					return fmt.Errorf("object %d: base %d, not %d, or other bytes", o.Index, base.Index, p.Base(o.Index))
				}
			} else if p.Base(o.Index) != -1 || o.Base != nil || o.Delta != nil || o.Changed != nil {
				return fmt.Errorf("object %d has a base at depth 0", o.Index)
			}
			c := *o
			stacks[n], bytesOf[n] = append(stacks[n], &c), append(bytesOf[n], bytes.Clone(o.Data))
			deepest[n] = max(deepest[n], o.Depth)
			return nil
		}})
		if err != nil || slices.Max(deepest) < 5 {
			t.Errorf("%d workers: deepest %v, %v", workers, deepest, err)
		}
	}
}

func TestWalkEnds(t *testing.T) {
	p := openPack(t, onlyPack(t, repository(t, nil)), 20)
	stop := errors.New("stop")
	for _, workers := range []int{1, 3} {
		err := p.Walk(t.Context(), WalkOptions{Workers: workers, Kinds: allKinds, Visit: func(_ int, o *Object) error {
			if o.Depth == 2 {
				return stop
			}
			return nil
		}})
		if !errors.Is(err, stop) {
			t.Errorf("%d workers, Visit's error: %v", workers, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = p.Walk(ctx, WalkOptions{Workers: workers, Kinds: allKinds, Visit: func(int, *Object) error { cancel(); return nil }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers, cancelled: %v", workers, err)
		}
		err = p.Walk(ctx, WalkOptions{Workers: workers, Kinds: allKinds, Visit: func(int, *Object) error {
			t.Error("a visit after the end")
			return nil
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d workers, cancelled before: %v", workers, err)
		}
	}
}

// TestWalkWithoutCallbacks: without Large, what is too large is given to Fail;
// without Fail, the first failure ends the walk.
func TestWalkWithoutCallbacks(t *testing.T) {
	fakes := []fake{baseFake, {name: "big", kind: Blob, data: someBytes(5000)}, {name: "of big", kind: offsetDelta, back: 1, data: deltaOf(5000, 3, copyOp(0, 3))}}
	p := openFakes(t, fakes)
	if err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds}); err != nil {
		t.Error(err)
	}
	err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds, MaxSize: 100})
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "object") {
		t.Errorf("neither Large nor Fail: %v", err)
	}
	failed := 0
	err = p.Walk(t.Context(), WalkOptions{Kinds: allKinds, MaxSize: 100, Fail: func(_, _ int, err error) {
		if failed++; !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
	}})
	if err != nil || failed != 2 {
		t.Errorf("no Large: %d failed, %v", failed, err)
	}
	fakes[1].crc = 1
	p = openFakes(t, fakes)
	if err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no Fail: %v", err)
	}
}

// TestWalkStart checks that what is cut is the start of the object and long
// enough, and that nothing is cut whose end somebody needs.
func TestWalkStart(t *testing.T) {
	dir := repository(t, nil)
	for _, version := range []string{"1", "2"} {
		path := onlyPack(t, dir)
		git(t, dir, "", "index-pack", "--index-version="+version, "-o", strings.TrimSuffix(path, ".pack")+".idx", path)
		p := openPack(t, path, 20)
		want := catFile(t, dir)
		for _, start := range []int{0, 1, 50, 149, 1 << 20} {
			cut, whole := 0, 0
			err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds, Start: start, Visit: func(_ int, o *Object) error {
				_, all, _ := strings.Cut(want[p.ID(o.Index).String()], " ")
				if o.Cut != (len(o.Data) < len(all)) || o.Cut && len(o.Data) < start || !strings.HasPrefix(all, string(o.Data)) {
					t.Errorf("start %d: %d of %d bytes, cut: %v, or other ones", start, len(o.Data), len(all), o.Cut)
				}
				if o.Cut {
					cut++
				} else {
					whole++
				}
				if o.Cut && (o.Depth > 0 || p.records[o.Index].first >= 0) {
					t.Error("an object is cut that a delta needs")
				}
				return nil
			}})
			if err != nil || cut+whole != len(want) {
				t.Errorf("start %d: %d and %d of %d, %v", start, cut, whole, len(want), err)
			}
			if maybe := version == "2" && start > 0 && start < 1<<20; (cut > 0) != maybe {
				t.Errorf("index version %s, start %d: %d objects cut", version, start, cut)
			}
		}
		_ = p.Close()
	}
}

// TestStartIsChecked: damage behind the start is found, too.
func TestStartIsChecked(t *testing.T) {
	text := []byte(strings.Repeat("some text 0123 ", 400) + string(someBytes(300)))
	z := deflatedZlib(text)
	for _, at := range []int{1, 2, 30, len(z) - 100, len(z) - 1} {
		data, rows := fakePack([]fake{{name: "x", kind: Commit, data: text}})
		data[len(data)-20-len(z)+at] ^= 4
		p := openPack(t, writePack(t, data, fakeIndex2(rows, data[len(data)-20:], 1<<31)), 20)
		failed := 0
		err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds, Start: 10, Fail: func(_, _ int, err error) {
			if failed++; !errors.Is(err, ErrCorrupt) {
				t.Error(err)
			}
		}})
		if err != nil || failed != 1 {
			t.Errorf("a bit flipped at %d: %d failed, %v", at, failed, err)
		}
	}
	for name, stream := range map[string][]byte{"no header": []byte("abcdefgh"), "bad blocks": append([]byte{0x78, 0x9c}, bytes.Repeat([]byte{0xff}, 20)...)} {
		p := openFakes(t, []fake{{name: "x", kind: Commit, size: 200, stream: stream}})
		failed := 0
		_ = p.Walk(t.Context(), WalkOptions{Kinds: allKinds, Start: 10, Fail: func(_, _ int, err error) { failed++ }})
		if failed != 1 {
			t.Errorf("%s: %d failed", name, failed)
		}
	}
}

// TestWalkKeepsLittle walks a fan and a comb of deltas: what a worker holds
// does not grow with the number of objects.
func TestWalkKeepsLittle(t *testing.T) {
	const size = 10_000
	base := fake{name: "base", kind: Blob, data: someBytes(size)}
	d := deltaOf(size, size, copyOp(0, size))
	fan, comb := []fake{base}, []fake{base}
	for i := range 300 {
		fan = append(fan, fake{name: fmt.Sprint(i), kind: nameDelta, base: "base", data: d})
		name := fmt.Sprint("spine ", i)
		comb = append(comb, fake{name: name, kind: nameDelta, base: comb[max(0, len(comb)-2)].name, data: d},
			fake{name: fmt.Sprint("tooth ", i), kind: nameDelta, base: name, data: d})
	}
	for name, fakes := range map[string][]fake{"fan": fan, "comb": comb} {
		p := openFakes(t, fakes)
		w := &walker{p: p, inflater: NewInflater(), o: &WalkOptions{Kinds: allKinds}}
		most := int64(0)
		w.o.Visit = func(_ int, o *Object) error { most = max(most, w.buffers.held); return nil }
		p.complete(w.o, func(err error) { t.Error(err) })
		if err := w.tree(t.Context(), int32(numberOf(t, p, "base"))); err != nil {
			t.Fatal(err)
		}
		if w.buffers.held != 0 || most > 5*2*size {
			t.Errorf("%s: %d bytes held at most, %d at the end", name, most, w.buffers.held)
		}
	}
}
