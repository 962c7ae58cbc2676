package pack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// someRows are rows whose names start with few different bytes, so that they
// crowd in some places of the fanout and leave others empty.
func someRows(n, idSize int) []indexRow {
	r := rand.New(rand.NewSource(int64(n)))
	rows := make([]indexRow, n)
	for i := range rows {
		id := make([]byte, idSize)
		r.Read(id)
		id[0] = []byte{0, 1, 0x7f, 0x80, 0xff}[r.Intn(5)]
		rows[i] = indexRow{id, uint64(12 + 10*i), r.Uint32()}
	}
	slices.SortFunc(rows, func(a, b indexRow) int { return bytes.Compare(a.id, b.id) })
	return rows
}

func TestIndexLookups(t *testing.T) {
	for _, idSize := range []int{20, 32} {
		for _, n := range []int{0, 1, 2, 100} {
			rows := someRows(n, idSize)
			sum := bytes.Repeat([]byte{7}, idSize)
			for name, raw := range map[string][]byte{
				"version 1": fakeIndex1(rows, sum), "version 2": fakeIndex2(rows, sum, 1<<31), "large offsets": fakeIndex2(rows, sum, 300),
			} {
				t.Run(fmt.Sprintf("%s, %d names of %d", name, n, idSize), func(t *testing.T) {
					x, err := parseIndex(raw, idSize)
					if err != nil || x.n != n || !bytes.Equal(x.pack, sum) {
						t.Fatalf("%+v, %v", x, err)
					}
					checkIndex(t, x, rows, name != "version 1")
				})
			}
		}
	}
}

// checkIndex compares an index with its rows, and looks for names next to
// theirs.
func checkIndex(t *testing.T, x *index, rows []indexRow, crcs bool) {
	t.Helper()
	for i, r := range rows {
		o, err := x.offset(i)
		if err != nil || o != r.offset || !bytes.Equal(x.name(i), r.id) {
			t.Errorf("row %d: %x at %d, %v", i, x.name(i), o, err)
		}
		if want := r.crc; crcs && x.crc(i) != want || !crcs && x.crc(i) != 0 {
			t.Errorf("row %d: CRC %x", i, x.crc(i))
		}
		if at, ok := x.find(r.id); !ok || at != i {
			t.Errorf("row %d is found at %d, %v", i, at, ok)
		}
		for _, step := range []byte{1, 0xff} {
			other := bytes.Clone(r.id)
			other[len(other)-1] += step
			if at, ok := x.find(other); ok {
				t.Errorf("a name that is not there is found at %d", at)
			}
		}
	}
	for c := range 256 {
		if _, ok := x.find(bytes.Repeat([]byte{byte(c)}, x.idSize)); ok {
			t.Errorf("the name of all %02x is found", c)
		}
	}
}

func TestIndexDamage(t *testing.T) {
	rows := someRows(50, 20)
	sum := make([]byte, 20)
	v1, v2 := fakeIndex1(rows, sum), fakeIndex2(rows, sum, 1<<31)
	set := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	cases := []struct {
		name, says string
		raw        []byte
	}{
		{"empty", "too short", nil},
		{"magic only", "unknown version", v2[:4]},
		{"version 3", "unknown version", set(v2, 4, 3)},
		{"cut in the fanout", "too short", v2[:8+500]},
		{"fanout only", "too short", v2[:8+1024]},
		{"version 1, cut in the fanout", "too short", v1[:1000]},
		{"counts that go down", "go down", set(v2, 8+4*0x80, 1)},
		{"version 1, counts that go down", "go down", set(v1, 4*0x80, 1)},
		{"one object more", "too short", set(v2, 8+4*255, 51+100)},
		{"version 1, one object more", "do not fill", set(v1, 4*255, 51)},
		{"as many objects as there can be", "too short", set(v2, 8+4*255, 1<<32-1)},
		{"version 1, as many objects as there can be", "do not fill", set(v1, 4*255, 1<<32-1)},
		{"cut by a byte", "too short", v2[:len(v2)-1]},
		{"a byte too many", "odd table", append(bytes.Clone(v2), 0)},
		{"version 1, cut by a byte", "do not fill", v1[:len(v1)-1]},
		{"cut by an offset", "too short", append(bytes.Clone(v2[:len(v2)-60]), v2[len(v2)-40:]...)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x, err := parseIndex(c.raw, 20)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("taken for an index: %v, error: %v", x != nil, err)
			}
		})
	}
}

func TestIndexLargeOffsets(t *testing.T) {
	rows := []indexRow{{bytes.Repeat([]byte{1}, 20), 12, 0}, {bytes.Repeat([]byte{2}, 20), 1<<40 + 5, 0}}
	raw := fakeIndex2(rows, make([]byte, 20), 1<<31)
	x, err := parseIndex(raw, 20)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := x.offset(1); err != nil || o != 1<<40+5 {
		t.Errorf("offset %d, %v", o, err)
	}
	for _, k := range []uint32{1, 2, 1 << 30, 1<<31 - 1} {
		binary.BigEndian.PutUint32(x.offsets[4:], 0x80000000|k)
		if o, err := x.offset(1); err == nil {
			t.Errorf("large offset %d of one: %d", k, o)
		}
	}
}

func FuzzIndex(f *testing.F) {
	rows := someRows(3, 20)
	f.Add(fakeIndex1(rows, make([]byte, 20)), rows[1].id)
	f.Add(fakeIndex2(rows, make([]byte, 20), 20), rows[1].id)
	f.Add(fakeIndex2(nil, make([]byte, 20), 20), []byte("12345678901234567890"))
	f.Fuzz(func(t *testing.T, raw, name []byte) {
		x, err := parseIndex(raw, 20)
		if err != nil {
			return
		}
		for i := range min(x.n, 1000) {
			_, _ = x.offset(i)
			_ = x.crc(i)
			if len(x.name(i)) != 20 {
				t.Fatalf("a name of %d bytes", len(x.name(i)))
			}
		}
		if len(name) == 20 {
			if at, ok := x.find(name); ok && !bytes.Equal(x.name(at), name) {
				t.Fatal("found where it is not")
			}
		}
	})
}
