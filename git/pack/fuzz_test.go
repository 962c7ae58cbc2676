package pack

import (
	"bytes"
	"testing"
)

// FuzzPack opens, walks and reads packs of any bytes under indexes of any
// bytes. Whatever is in them: every object is accounted for, and a walk and a
// Reader agree. A version 1 index has no checksums that would stop the fuzzer
// at the first bit.
func FuzzPack(f *testing.F) {
	data, rows := fakePack([]fake{baseFake, {name: "x", kind: offsetDelta, back: 1, data: deltaOf(10, 6, copyOp(2, 3), insertOp("abc"))},
		{name: "y", kind: nameDelta, base: "x", data: deltaOf(6, 6, copyOp(0, 6))}, {name: "t", kind: Tree, data: []byte("a tree")}})
	sum := data[len(data)-20:]
	f.Add(data, fakeIndex1(rows, sum))
	f.Add(data, fakeIndex2(rows, sum, 1<<31))
	f.Add(data, fakeIndex2(rows, sum, 0))
	f.Fuzz(func(t *testing.T, data, idx []byte) {
		p := &Pack{data: data}
		var err error
		if p.index, err = parseIndex(idx, 20); err != nil || p.checkHeader() != nil || p.link() != nil {
			return
		}
		const limit = 1 << 20
		seen := make([]int, p.Len())
		read := map[int][]byte{}
		err = p.Walk(t.Context(), WalkOptions{
			Kinds: allKinds, MaxSize: limit,
			Visit: func(_ int, o *Object) error { seen[o.Index]++; read[o.Index] = bytes.Clone(o.Data); return nil },
			Large: func(_, i int, _ int64) { seen[i]++ },
			Fail:  func(_, i int, _ error) { seen[i]++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		r := p.NewReader()
		r.MaxSize = limit
		for i, n := range seen {
			_, got, err := r.Read(i)
			if want, ok := read[i]; n != 1 || ok != (err == nil) || ok && !bytes.Equal(got, want) {
				t.Fatalf("object %d: %d times in the walk, read: %v; the reader: %v", i, n, ok, err)
			}
		}
	})
}
