package pack

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"testing"
)

// naiveApply carries out a delta's instructions one byte at a time. from says
// for each byte of the result where it stood in base, -1 for an inserted one.
func naiveApply(base, ops []byte) (out []byte, from []int, ok bool) {
	for i := 0; i < len(ops); {
		op := ops[i]
		i++
		if op == 0 {
			return nil, nil, false
		}
		if op&0x80 == 0 {
			for range op {
				if i == len(ops) {
					return nil, nil, false
				}
				out, from = append(out, ops[i]), append(from, -1)
				i++
			}
			continue
		}
		var args [7]int
		for k := range args {
			if op>>k&1 == 0 {
				continue
			}
			if i == len(ops) {
				return nil, nil, false
			}
			args[k] = int(ops[i])
			i++
		}
		off, n := args[0]|args[1]<<8|args[2]<<16|args[3]<<24, args[4]|args[5]<<8|args[6]<<16
		if n == 0 {
			n = 0x10000
		}
		for k := off; k < off+n; k++ {
			if k >= len(base) {
				return nil, nil, false
			}
			out, from = append(out, base[k]), append(from, k)
		}
	}
	return out, from, true
}

// naiveSpans is what Object.Changed must be for a result whose bytes stood at
// from in a base of size bytes.
func naiveSpans(from []int, size int) (spans [][2]int) {
	for i := 0; i <= len(from); i++ {
		left, right := -1, size
		if i > 0 {
			left = from[i-1]
		}
		if i < len(from) {
			right = from[i]
		}
		switch {
		case right < 0 && i > 0 && left < 0:
			spans[len(spans)-1][1] = i + 1
		case right < 0:
			spans = append(spans, [2]int{i, i + 1})
		case i > 0 && left < 0: // the end of an insert
		case left+1 != right:
			spans = append(spans, [2]int{i, i})
		}
	}
	return spans
}

// roomy returns a copy of b with spare capacity.
func roomy(b []byte, spare int) []byte {
	return append(make([]byte, 0, len(b)+spare), b...)
}

// checkApply compares apply with naiveApply, with and without room to spare.
func checkApply(t *testing.T, base, ops []byte) {
	t.Helper()
	want, from, ok := naiveApply(base, ops)
	for _, spare := range []int{0, 63, 64, 400} {
		dst := make([]byte, len(want), len(want)+spare)
		spans, err := apply(dst, roomy(base, spare), roomy(ops, spare), make([][2]int, 0, spare/8))
		if (err == nil) != ok {
			t.Fatalf("spare %d: %v; right: %v", spare, err, ok)
		}
		if !ok {
			continue
		}
		if !bytes.Equal(dst, want) {
			t.Fatalf("spare %d: other bytes", spare)
		}
		if len(want) > 0 && !slices.Equal(spans, naiveSpans(from, len(base))) {
			t.Fatalf("spare %d: spans %v, want %v", spare, spans, naiveSpans(from, len(base)))
		}
		if n, err := deltaLength(ops, int64(len(want))); err != nil || n != int64(len(want)) {
			t.Fatalf("length %d, %v; want %d", n, err, len(want))
		}
		for _, size := range []int{len(want) - 1, len(want) + 1} {
			if size < 0 {
				continue
			}
			if _, err := apply(make([]byte, size, size+spare), roomy(base, spare), roomy(ops, spare), nil); err == nil {
				t.Fatalf("spare %d: no error for a result of %d instead of %d bytes", spare, size, len(want))
			}
		}
	}
}

// someBytes are n bytes without repetition.
func someBytes(n int) []byte {
	b := make([]byte, n)
	rand.New(rand.NewSource(int64(n))).Read(b)
	return b
}

func TestApplyRandomDeltas(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for range 2000 {
		base := someBytes(1 + r.Intn(200_000)>>(r.Intn(10)))
		var ops []byte
		at := 0
		for range r.Intn(30) {
			n := min(1+r.Intn(1<<(1+r.Intn(16))), 0x10000)
			switch r.Intn(4) {
			case 0:
				ops = append(ops, insertOp(string(someBytes(1+n%127)))...)
			case 1: // go on where the last copy ended
				n = min(n, len(base)-at)
				if n > 0 {
					ops = append(ops, copyOp(at, n)...)
					at += n
				}
			default:
				n = min(n, len(base))
				at = r.Intn(len(base) - n + 1)
				ops = append(ops, copyOp(at, n)...)
				at += n
			}
		}
		checkApply(t, base, ops)
		if len(ops) > 0 {
			checkApply(t, base, ops[:r.Intn(len(ops))])
		}
	}
}

func TestApplyBounds(t *testing.T) {
	base := someBytes(0x10020)
	cases := []struct {
		name string
		ops  [][]byte
		err  error
	}{
		{"nothing", nil, nil},
		{"all", [][]byte{copyOp(0, 0x10000), copyOp(0x10000, 0x20)}, nil},
		{"the last byte", [][]byte{copyOp(0x1001f, 1)}, nil},
		{"behind the last byte", [][]byte{copyOp(0x10020, 1)}, errDeltaBounds},
		{"a byte too many", [][]byte{copyOp(0x1001f, 2)}, errDeltaBounds},
		{"no length, which is 64 KiB", [][]byte{{0x81, 0x20}}, nil},
		{"no length, too far behind", [][]byte{{0x81, 0x21}}, errDeltaBounds},
		{"the farthest offset", [][]byte{{0x9f, 0xff, 0xff, 0xff, 0xff, 1}}, errDeltaBounds},
		{"the longest copy", [][]byte{{0xf0, 0xff, 0xff, 0xff}}, errDeltaBounds},
		{"the longest insert", [][]byte{insertOp(string(someBytes(127)))}, nil},
		{"the reserved instruction", [][]byte{{0}}, errDeltaOp},
		{"the reserved instruction later", [][]byte{insertOp("abc"), copyOp(5, 50), {0, 1}}, errDeltaOp},
		{"a cut insert", [][]byte{{5, 'a', 'b'}}, errDeltaBounds},
		{"a cut copy", [][]byte{copyOp(3, 40), {0x93, 1, 2}}, errDeltaBounds},
		{"only the low byte of the offset left out", [][]byte{{0x92, 0x01, 0x30}}, nil},
		{"only the middle byte of the length", [][]byte{{0xa1, 0x10, 0x02}}, nil},
		{"one copy in two, then back", [][]byte{copyOp(5, 10), copyOp(15, 10), copyOp(5, 10)}, nil},
		{"two inserts in a row", [][]byte{insertOp("ab"), insertOp("cd"), copyOp(0, 9), insertOp("e")}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ops := bytes.Join(c.ops, nil)
			checkApply(t, base, ops)
			for _, spare := range []int{0, 400} {
				dst := make([]byte, 0x20000, 0x20000+spare)
				_, err := apply(dst, roomy(base, spare), roomy(ops, spare), make([][2]int, 0, 9))
				if c.err != nil && err != c.err {
					t.Errorf("spare %d: %v, want %v", spare, err, c.err)
				}
			}
		})
	}
}

// TestApplyStaysInside checks that no byte behind the capacities is touched,
// nor any of base and delta.
func TestApplyStaysInside(t *testing.T) {
	base, ops := someBytes(300), bytes.Join([][]byte{copyOp(1, 200), insertOp("hello"), copyOp(290, 10), copyOp(0, 65)}, nil)
	want, _, _ := naiveApply(base, ops)
	for spare := range 3 * 130 {
		room := [3]int{400, 400, 400} // of one of the three there is less
		room[spare%3] = spare / 3
		memory := bytes.Repeat([]byte{0xa5}, len(want)+room[0]+64)
		dst := memory[: len(want) : len(want)+room[0]]
		b, d := roomy(base, room[1]), roomy(ops, room[2])
		if _, err := apply(dst, b, d, make([][2]int, 0, 9)); err != nil || !bytes.Equal(dst, want) {
			t.Fatalf("room %v: %v", room, err)
		}
		if !bytes.Equal(memory[len(want)+room[0]:], bytes.Repeat([]byte{0xa5}, 64)) {
			t.Fatalf("room %v: bytes behind it are written to", room)
		}
		if !bytes.Equal(b, base) || !bytes.Equal(d, ops) {
			t.Fatalf("room %v: base or delta are written to", room)
		}
	}
}

func TestApplyTooManySpans(t *testing.T) {
	base := someBytes(64)
	ops := bytes.Repeat(append(copyOp(7, 1), insertOp("x")...), maxSpans)
	for _, spare := range []int{0, 400} {
		dst := make([]byte, 2*maxSpans, 2*maxSpans+spare)
		spans, err := apply(dst, roomy(base, spare), roomy(ops, spare), nil)
		if err != nil || len(spans) != maxSpans || spans[maxSpans-1][1] != len(dst) {
			t.Errorf("spare %d: %d spans, %v", spare, len(spans), err)
		}
		for i := 1; i < len(spans); i++ {
			if spans[i][0] < spans[i-1][1] {
				t.Fatalf("spare %d: spans %v and %v", spare, spans[i-1], spans[i])
			}
		}
	}
}

func TestCopyArguments(t *testing.T) {
	args := []byte{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}
	for op := 0x80; op < 0x100; op++ {
		from, n, used := 0, 0, 0
		for bit := range 7 {
			if op>>bit&1 == 0 {
				continue
			}
			if bit < 4 {
				from |= int(args[used]) << (8 * bit)
			} else {
				n |= int(args[used]) << (8 * (bit - 4))
			}
			used++
		}
		if n == 0 {
			n = 0x10000
		}
		for _, d := range [][]byte{args[:used:used], args[:used]} {
			gotFrom, gotN, gotUsed := copyArguments(byte(op), window(d, 0))
			if gotFrom != from || gotN != n || gotUsed != used {
				t.Errorf("instruction %x: %x, %x, %d; want %x, %x, %d", op, gotFrom, gotN, gotUsed, from, n, used)
			}
		}
	}
}

func TestDeltaSizes(t *testing.T) {
	for _, v := range []int{0, 1, 127, 128, 16383, 16384, 1 << 31, 1<<32 + 3, 1<<62 - 1} {
		d := append(append(size62(v), size62(v/2)...), 0x90)
		base, result, start, err := deltaSizes(d)
		if err != nil || base != int64(v) || result != int64(v/2) || start != len(d)-1 {
			t.Errorf("%d: %d, %d, %d, %v", v, base, result, start, err)
		}
	}
	for _, d := range [][]byte{nil, {0x80}, {1}, {1, 0x80}, bytes.Repeat([]byte{0xff}, 9), append([]byte{1}, bytes.Repeat([]byte{0x80}, 20)...)} {
		if _, _, _, err := deltaSizes(d); err == nil {
			t.Errorf("%x: no error", d)
		}
	}
}

func TestAppendCopies(t *testing.T) {
	d := deltaOf(1000, 0, copyOp(0, 10), copyOp(10, 20), insertOp("abc"), copyOp(30, 5), copyOp(90, 1), copyOp(91, 0x10000))
	before := []Copy{{0, 0, 33}}
	got, err := AppendCopies(before, d)
	want := []Copy{{0, 0, 33}, {0, 0, 30}, {33, 30, 5}, {38, 90, 0x10001}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, d := range map[string][]byte{
		"no sizes": {0x80}, "reserved": deltaOf(1, 1, []byte{0}), "cut insert": deltaOf(1, 3, []byte{3, 'a'}), "cut copy": deltaOf(1, 3, []byte{0x91, 0}),
	} {
		if _, err := AppendCopies(nil, d); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestUndelta(t *testing.T) {
	base := []byte("0123456789")
	cases := []struct {
		name  string
		delta []byte
		max   int64
		want  string
		err   error
	}{
		{"right", deltaOf(10, 6, copyOp(2, 3), insertOp("abc")), 0, "234abc", nil},
		{"at the limit", deltaOf(10, 3, copyOp(2, 3)), 3, "234", nil},
		{"above the limit", deltaOf(10, 4, copyOp(2, 4)), 3, "", ErrTooLarge},
		{"another base", deltaOf(11, 3, copyOp(2, 3)), 0, "", errDeltaBase},
		{"too short a result", deltaOf(10, 4, copyOp(2, 3)), 0, "", errDeltaResult},
		{"too long a result", deltaOf(10, 2, copyOp(2, 3)), 0, "", errDeltaBounds},
		{"a huge result that is a lie", deltaOf(10, 1<<60, copyOp(2, 3)), 0, "", errDeltaResult},
		{"empty", nil, 0, "", errDeltaHeader},
		{"to nothing", deltaOf(10, 0), 0, "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var buffers pool
			var spans [][2]int
			got, err := undelta(&buffers, base, c.delta, &spans, c.max)
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%q, %v", got, err)
			}
			if err != nil && buffers.held != 0 {
				t.Errorf("%d bytes are still held", buffers.held)
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	f.Add([]byte("0123456789"), bytes.Join([][]byte{copyOp(2, 3), insertOp("abc"), copyOp(0, 10)}, nil))
	f.Add(someBytes(1000), bytes.Join([][]byte{copyOp(0x100, 600), copyOp(0, 64), copyOp(64, 65), {0xb1, 0, 0, 1}}, nil))
	f.Fuzz(func(t *testing.T, base, ops []byte) {
		if n, err := deltaLength(ops, 1<<20); err != nil || n > 1<<20 {
			return
		}
		checkApply(t, base, ops)
	})
}

func BenchmarkApply(b *testing.B) {
	base := roomy(someBytes(40_000), spare)
	var ops []byte
	for i := range 100 {
		ops = append(append(ops, copyOp(i*397, 20+i*3)...), insertOp(fmt.Sprint("inserted", i))...)
	}
	want, _, _ := naiveApply(base, ops)
	dst, d := make([]byte, len(want), len(want)+spare), roomy(ops, spare)
	var spans [][2]int
	b.SetBytes(int64(len(want)))
	for b.Loop() {
		spans, _ = apply(dst, base, d, spans[:0])
	}
}
