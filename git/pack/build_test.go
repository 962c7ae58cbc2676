package pack

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A fake is an entry of a pack that a test makes by hand. What is zero is made
// right; the rest may lie.
type fake struct {
	name   string // of the object, in words; its ID follows from it
	kind   Kind
	back   int    // offsetDelta: how many entries before the base stands
	shift  int    // offsetDelta: added to the distance
	base   string // nameDelta: name of the base
	data   []byte // what the stream yields
	size   int64  // declared size, when not len(data)
	stream []byte // the stream, when not data compressed
	crc    uint32 // XORed with the right CRC-32
}

// fakeID is the ID of the object with a name in words.
func fakeID(name string) []byte {
	sum := sha1.Sum([]byte(name))
	return sum[:]
}

// deflatedZlib is a zlib stream of data.
func deflatedZlib(data []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// entryHeader is the header of an entry without its base.
func entryHeader(kind Kind, size int64) []byte {
	b := []byte{byte(kind)<<4 | byte(size&15)}
	for size >>= 4; size > 0; size >>= 7 {
		b[len(b)-1] |= 0x80
		b = append(b, byte(size&0x7f))
	}
	return b
}

// backDistance is the distance to a base as packs have it.
func backDistance(v uint64) []byte {
	b := []byte{byte(v & 0x7f)}
	for v >>= 7; v > 0; v >>= 7 {
		v--
		b = append(b, byte(v&0x7f)|0x80)
	}
	slices.Reverse(b)
	return b
}

// encode is the entry that f is at offset at; offsets are those of the entries
// before it.
func (f *fake) encode(at int, offsets []int) []byte {
	size := f.size
	if size == 0 {
		size = int64(len(f.data))
	}
	b := entryHeader(f.kind, size)
	switch f.kind {
	case offsetDelta:
		b = append(b, backDistance(uint64(at-offsets[len(offsets)-f.back]+f.shift))...)
	case nameDelta:
		b = append(b, fakeID(f.base)...)
	}
	if f.stream != nil {
		return append(b, f.stream...)
	}
	return append(b, deflatedZlib(f.data)...)
}

// An indexRow is an object in an index.
type indexRow struct {
	id     []byte
	offset uint64
	crc    uint32
}

// fakePack is the pack of the entries, and the rows of its index by name.
func fakePack(fakes []fake) ([]byte, []indexRow) {
	b := []byte("PACK\x00\x00\x00\x02")
	b = binary.BigEndian.AppendUint32(b, uint32(len(fakes)))
	var offsets []int
	var rows []indexRow
	for _, f := range fakes {
		at := len(b)
		b = append(b, f.encode(at, offsets)...)
		offsets = append(offsets, at)
		rows = append(rows, indexRow{fakeID(f.name), uint64(at), crc32.ChecksumIEEE(b[at:]) ^ f.crc})
	}
	sum := sha1.Sum(b)
	slices.SortFunc(rows, func(a, b indexRow) int { return bytes.Compare(a.id, b.id) })
	return append(b, sum[:]...), rows
}

// fanout is the table that an index of the rows starts with.
func fanout(rows []indexRow) (b []byte) {
	for i := range 256 {
		n := 0
		for _, r := range rows {
			if int(r.id[0]) <= i {
				n++
			}
		}
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return b
}

// fakeIndex1 is a version 1 index.
func fakeIndex1(rows []indexRow, checksum []byte) []byte {
	b := fanout(rows)
	for _, r := range rows {
		b = append(binary.BigEndian.AppendUint32(b, uint32(r.offset)), r.id...)
	}
	b = append(b, checksum...)
	return append(b, make([]byte, len(checksum))...)
}

// fakeIndex2 is a version 2 index. Offsets from large on are in the table of
// large offsets.
func fakeIndex2(rows []indexRow, checksum []byte, large uint64) []byte {
	b := append([]byte("\xfftOc\x00\x00\x00\x02"), fanout(rows)...)
	for _, r := range rows {
		b = append(b, r.id...)
	}
	for _, r := range rows {
		b = binary.BigEndian.AppendUint32(b, r.crc)
	}
	var big []byte
	for _, r := range rows {
		o := uint32(r.offset)
		if r.offset >= large {
			o = 0x80000000 | uint32(len(big)/8)
			big = binary.BigEndian.AppendUint64(big, r.offset)
		}
		b = binary.BigEndian.AppendUint32(b, o)
	}
	b = append(append(b, big...), checksum...)
	return append(b, make([]byte, len(checksum))...)
}

// writePack writes a pack and its index to a new folder and returns the pack's
// path.
func writePack(t testing.TB, data, idx []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.pack")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "p.idx"), idx, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// openFakes opens a pack of the entries under a version 2 index.
func openFakes(t testing.TB, fakes []fake) *Pack {
	t.Helper()
	data, rows := fakePack(fakes)
	return openPack(t, writePack(t, data, fakeIndex2(rows, data[len(data)-20:], 1<<31)), 20)
}

// numberOf is the number of the object with a name in words.
func numberOf(t testing.TB, p *Pack, name string) int {
	t.Helper()
	id, err := NewID(fakeID(name))
	if err != nil {
		t.Fatal(err)
	}
	i, ok := p.Find(id)
	if !ok {
		t.Fatalf("%s is not in the pack", name)
	}
	return i
}

// size62 is a number as deltas have it.
func size62(v int) (b []byte) {
	for ; v > 0x7f; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// copyOp is an instruction that copies n bytes from offset from.
func copyOp(from, n int) []byte {
	op, args := byte(0x80), []byte(nil)
	if n == 0x10000 {
		n = 0
	}
	for i := range 4 {
		if c := byte(from >> (8 * i)); c != 0 {
			op, args = op|1<<i, append(args, c)
		}
	}
	for i := range 3 {
		if c := byte(n >> (8 * i)); c != 0 {
			op, args = op|0x10<<i, append(args, c)
		}
	}
	return append([]byte{op}, args...)
}

// insertOp is an instruction that inserts s, of 1 to 127 bytes.
func insertOp(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// deltaOf is a delta with the given sizes and instructions.
func deltaOf(base, result int, ops ...[]byte) []byte {
	return append(append(size62(base), size62(result)...), bytes.Join(ops, nil)...)
}
