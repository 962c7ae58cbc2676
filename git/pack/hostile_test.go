package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// readAll walks a pack with one worker and returns what each object reads as,
// and why those that do not read fail, by their names in words.
func readAll(t *testing.T, p *Pack, fakes []fake, maxSize int64) (data map[string]string, failed map[string]error, large map[string]int64) {
	t.Helper()
	names := map[int]string{}
	for _, f := range fakes {
		names[numberOf(t, p, f.name)] = f.name
	}
	data, failed, large = map[string]string{}, map[string]error{}, map[string]int64{}
	err := p.Walk(t.Context(), WalkOptions{
		Kinds: allKinds, MaxSize: maxSize,
		Visit: func(_ int, o *Object) error { data[names[o.Index]] = string(o.Data); return nil },
		Large: func(_, i int, size int64) { large[names[i]] = size },
		Fail:  func(_, i int, err error) { failed[names[i]] = err },
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(data) + len(failed) + len(large); n != p.Len() {
		t.Errorf("%d of %d objects are accounted for", n, p.Len())
	}
	r := p.NewReader()
	r.MaxSize = maxSize
	for i, name := range names {
		_, got, err := r.Read(i)
		if want, ok := data[name]; ok != (err == nil) || ok && string(got) != want {
			t.Errorf("%s: a reader says %d bytes, %v; the walk: %v", name, len(got), err, ok)
		}
	}
	return data, failed, large
}

// base is a whole object of ten bytes.
var baseFake = fake{name: "base", kind: Blob, data: []byte("0123456789")}

func TestBrokenObjects(t *testing.T) {
	right := deltaOf(10, 4, copyOp(3, 4))
	zlibOf := func(s string) []byte { return deflatedZlib([]byte(s)) }
	cases := []struct {
		name  string
		fakes []fake // the second one is bad
		says  string
	}{
		{"a declared size too large", []fake{baseFake, {name: "x", kind: Blob, data: []byte("abc"), size: 4}}, "bad deflate"},
		{"a declared size too small", []fake{baseFake, {name: "x", kind: Blob, data: []byte("abc"), size: 2}}, "bad deflate"},
		{"a bomb's declaration", []fake{baseFake, {name: "x", kind: Blob, data: []byte("abc"), size: 1 << 58}}, "cannot come from"},
		{"no stream", []fake{baseFake, {name: "x", kind: Blob, size: 1, stream: []byte{0x78}}}, "cannot come|zlib|deflate|cut"},
		{"a stream that is cut", []fake{baseFake, {name: "x", kind: Blob, size: 3, stream: zlibOf("abc")[:6]}, {name: "y", kind: Blob, data: []byte("def")}}, "deflate|cut"},
		{"a stream without its checksum", []fake{baseFake, {name: "x", kind: Blob, size: 3, stream: zlibOf("abc")[:len(zlibOf("abc"))-4]}, {name: "y", kind: Blob, data: []byte("def")}}, "cut off"},
		{"no zlib header", []fake{baseFake, {name: "x", kind: Blob, size: 3, stream: append([]byte("PK"), zlibOf("abc")[2:]...)}}, "not a zlib stream"},
		{"a wrong CRC-32", []fake{baseFake, {name: "x", kind: Blob, data: []byte("abc"), crc: 1}}, "CRC-32"},
		{"a delta's wrong CRC-32", []fake{baseFake, {name: "x", kind: offsetDelta, back: 1, data: right, crc: 1 << 31}}, "CRC-32"},
		{"a delta for another base", []fake{baseFake, {name: "x", kind: offsetDelta, back: 1, data: deltaOf(11, 4, copyOp(3, 4))}}, "base has another size"},
		{"a delta out of bounds", []fake{baseFake, {name: "x", kind: offsetDelta, back: 1, data: deltaOf(10, 4, copyOp(7, 4))}}, "out of bounds"},
		{"a delta with a wrong result", []fake{baseFake, {name: "x", kind: nameDelta, base: "base", data: deltaOf(10, 5, copyOp(3, 4))}}, "another size"},
		{"a delta that is cut", []fake{baseFake, {name: "x", kind: nameDelta, base: "base", data: right[:3]}}, "another size|out of bounds"},
		{"a delta's bomb", []fake{baseFake, {name: "x", kind: nameDelta, base: "base", data: deltaOf(10, 1<<50, copyOp(3, 4))}}, "another size"},
		{"a base in the middle of an entry", []fake{baseFake, {name: "x", kind: offsetDelta, back: 1, shift: -1, data: right}}, "its base is not in the pack"},
		{"a base before the pack", []fake{baseFake, {name: "x", kind: offsetDelta, back: 1, shift: 1000, data: right}}, "its base is not in the pack"},
		{"a base that is itself", []fake{baseFake, {name: "x", kind: nameDelta, base: "x", data: right}}, "its base is not in the pack"},
		{"a base that is not there", []fake{baseFake, {name: "x", kind: nameDelta, base: "elsewhere", data: right}}, "its base is not in the pack"},
		{"an unknown type", []fake{baseFake, {name: "x", kind: 5, data: right}}, "its base is not in the pack"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := openFakes(t, c.fakes)
			data, failed, _ := readAll(t, p, c.fakes, 0)
			if len(failed) != 1 || data["base"] != "0123456789" {
				t.Fatalf("read %q, failed %v", data, failed)
			}
			err := failed["x"]
			named := strings.Contains(err.Error(), p.ID(numberOf(t, p, "x")).String()) && strings.Contains(err.Error(), p.Path()) &&
				strings.Contains(err.Error(), fmt.Sprint("offset ", p.records[numberOf(t, p, "x")].offset))
			says := false
			for part := range strings.SplitSeq(c.says, "|") {
				says = says || strings.Contains(err.Error(), part)
			}
			if !named || !says {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestBrokenBase has deltas above a damaged object: all of them fail, and say
// which one it was.
func TestBrokenBase(t *testing.T) {
	d := deltaOf(10, 10, copyOp(0, 10))
	bad := baseFake
	bad.crc = 1
	fakes := []fake{bad, {name: "1", kind: offsetDelta, back: 1, data: d}, {name: "2", kind: offsetDelta, back: 1, data: d},
		{name: "3", kind: offsetDelta, back: 3, data: d}, {name: "other", kind: Blob, data: []byte("other")}}
	p := openFakes(t, fakes)
	data, failed, _ := readAll(t, p, fakes, 0)
	if len(data) != 1 || data["other"] != "other" || len(failed) != 4 {
		t.Fatalf("read %q, failed %v", data, failed)
	}
	for name, err := range failed {
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), p.ID(numberOf(t, p, "base")).String()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCycles(t *testing.T) {
	d := deltaOf(10, 10, copyOp(0, 10))
	fakes := []fake{baseFake,
		{name: "a", kind: nameDelta, base: "b", data: d}, {name: "b", kind: nameDelta, base: "c", data: d}, {name: "c", kind: nameDelta, base: "a", data: d},
		{name: "onto the cycle", kind: nameDelta, base: "b", data: d}, {name: "good", kind: nameDelta, base: "base", data: d}}
	p := openFakes(t, fakes)
	data, failed, _ := readAll(t, p, fakes, 0)
	if len(failed) != 4 || data["good"] != "0123456789" || failed["good"] != nil {
		t.Errorf("read %q, failed %v", data, failed)
	}
	for name := range failed {
		if i := numberOf(t, p, name); p.Kind(i) != 0 || p.Base(i) < 0 {
			t.Errorf("%s: a %s against %d", name, p.Kind(i), p.Base(i))
		}
	}
}

// TestDeepChain has a chain of more links than are followed: those above the
// limit are too large, all others are read.
func TestDeepChain(t *testing.T) {
	const over = 3
	d := deltaOf(10, 10, copyOp(0, 10))
	fakes := []fake{baseFake}
	for i := range maxDepth + over {
		fakes = append(fakes, fake{name: fmt.Sprint(i), kind: offsetDelta, back: 1, data: d})
	}
	p := openFakes(t, fakes)
	last := numberOf(t, p, fmt.Sprint(maxDepth+over-1))
	visited, large := 0, 0
	err := p.Walk(t.Context(), WalkOptions{Workers: 2, Kinds: allKinds,
		Visit: func(_ int, o *Object) error { visited++; return nil },
		Large: func(_, _ int, size int64) {
			if size == -1 {
				large++
			}
		},
	})
	if err != nil || visited != maxDepth+1 || large != over {
		t.Errorf("%d visited, %d too large, %v", visited, large, err)
	}
	r := p.NewReader()
	if _, _, err := r.Read(last); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the last one: %v", err)
	}
	if _, data, err := r.Read(numberOf(t, p, fmt.Sprint(maxDepth-1))); err != nil || len(data) != 10 {
		t.Errorf("the one at the limit: %v", err)
	}
}

// TestDeclaredSizes checks that what a pack declares is not allocated before
// there is evidence for it.
func TestDeclaredSizes(t *testing.T) {
	fakes := []fake{baseFake}
	for i := range 200 {
		fakes = append(fakes, fake{name: fmt.Sprint(i), kind: Blob, data: []byte("x"), size: 1 << 40},
			fake{name: fmt.Sprint("delta ", i), kind: nameDelta, base: "base", data: deltaOf(10, 1<<30, copyOp(0, 10))})
	}
	p := openFakes(t, fakes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	failed := 0
	if err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds, Fail: func(int, int, error) { failed++ }}); err != nil || failed != 400 {
		t.Fatalf("%d failed, %v", failed, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

func TestMaxSize(t *testing.T) {
	fakes := []fake{baseFake, {name: "big", kind: Blob, data: someBytes(5000)},
		{name: "small of big", kind: offsetDelta, back: 1, data: deltaOf(5000, 3, copyOp(0, 3))},
		{name: "big of small", kind: nameDelta, base: "base", data: deltaOf(10, 400, bytes.Repeat(copyOp(0, 10), 40))},
		{name: "above that", kind: offsetDelta, back: 1, data: deltaOf(400, 2, copyOp(0, 2))},
		{name: "good", kind: nameDelta, base: "base", data: deltaOf(10, 20, copyOp(0, 10), copyOp(0, 10))}}
	data, failed, large := readAll(t, openFakes(t, fakes), fakes, 300)
	want := map[string]int64{"big": 5000, "small of big": -1, "big of small": -1, "above that": -1}
	if len(failed) != 0 || len(data) != 2 || data["good"] != "01234567890123456789" || fmt.Sprint(large) != fmt.Sprint(want) {
		t.Errorf("read %q, failed %v, large %v", data, failed, large)
	}
}

func TestOpenDamage(t *testing.T) {
	good, rows := fakePack([]fake{baseFake, {name: "x", kind: Blob, data: []byte("abc")}})
	sum := good[len(good)-20:]
	idx := fakeIndex2(rows, sum, 1<<31)
	set := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	same, outside := []indexRow{rows[0], rows[1]}, []indexRow{rows[0], rows[1]}
	same[1].offset, outside[1].offset = same[0].offset, uint64(len(good)-20)
	before := []indexRow{rows[0], rows[1]}
	before[0].offset = 11
	cases := []struct {
		name, says string
		data, idx  []byte
	}{
		{"no magic", "not a packfile", set(0, 0), idx},
		{"version 4", "version 4", set(4, 4), idx},
		{"another count", "3 objects", set(8, 3), idx},
		{"cut off", "cut off", good[:len(good)-1], idx},
		{"shorter than a header", "not a packfile", good[:20], idx},
		{"another pack's index", "belongs to another", good, fakeIndex2(rows, make([]byte, 20), 1<<31)},
		{"two objects in one place", "two objects", good, fakeIndex2(same, sum, 1<<31)},
		{"an object behind the end", "outside", good, fakeIndex2(outside, sum, 1<<31)},
		{"an object in the header", "outside", good, fakeIndex2(before, sum, 1<<31)},
		{"an empty pack file", "has 0 bytes", nil, idx},
		{"an empty index", "has 0 bytes", good, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := writePack(t, c.data, c.idx)
			p, err := Open(path, 20)
			if err == nil || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
}

func TestOpenWrongly(t *testing.T) {
	data, rows := fakePack([]fake{baseFake})
	path := writePack(t, data, fakeIndex2(rows, data[len(data)-20:], 1<<31))
	for _, size := range []int{0, 16, 21, 64} {
		if _, err := Open(path, size); !errors.Is(err, errIDSize) {
			t.Errorf("names of %d bytes: %v", size, err)
		}
	}
	if _, err := Open(path, 32); err == nil {
		t.Error("a SHA-1 pack opens as SHA-256")
	}
	if _, err := Open(strings.TrimSuffix(path, ".pack"), 20); err == nil {
		t.Error("a path without .pack opens")
	}
	idx := filepath.Join(filepath.Dir(path), "p.idx")
	if err := os.Remove(idx); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 20); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without an index: %v", err)
	}
	if err := os.Mkdir(idx, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 20); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a folder as index: %v", err)
	}
}
