package pack

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

func TestID(t *testing.T) {
	for _, n := range []int{20, 32} {
		raw := someBytes(n)
		id, err := NewID(raw)
		if err != nil || id.IsZero() || !bytes.Equal(id.Append(nil), raw) || id.Key() != binary.LittleEndian.Uint64(raw) {
			t.Errorf("%x: %s, %v", raw, id, err)
		}
		again, err := ParseID(id.String())
		if err != nil || again != id || len(id.String()) != 2*n {
			t.Errorf("%s: %s, %v", id, again, err)
		}
		upper, err := ParseID(strings.ToUpper(id.String()))
		if err != nil || upper != id {
			t.Errorf("in capitals: %s, %v", upper, err)
		}
		raw[0]++
		if bytes.Equal(id.Append(nil), raw) {
			t.Error("an ID shares the caller's bytes")
		}
		if got := id.Append([]byte("x")); len(got) != n+1 || got[0] != 'x' {
			t.Errorf("appended: %x", got)
		}
	}
	var zero ID
	if !zero.IsZero() || zero.String() != "" || len(zero.Append(nil)) != 0 {
		t.Errorf("the zero value: %q", zero)
	}
}

func TestIDRefuses(t *testing.T) {
	for _, n := range []int{0, 1, 19, 21, 31, 33, 64} {
		if id, err := NewID(make([]byte, n)); err == nil || !id.IsZero() {
			t.Errorf("%d bytes: %s", n, id)
		}
	}
	for _, s := range []string{"", "0", strings.Repeat("0", 39), strings.Repeat("0", 41), strings.Repeat("0", 20), strings.Repeat("g", 40), strings.Repeat("0", 39) + " "} {
		if id, err := ParseID(s); err == nil || !id.IsZero() {
			t.Errorf("%q: %s", s, id)
		}
	}
}

func TestKind(t *testing.T) {
	for k, want := range map[Kind]string{Commit: "commit", Tree: "tree", Blob: "blob", Tag: "tag", 0: "unknown", 5: "unknown", offsetDelta: "unknown"} {
		if k.String() != want {
			t.Errorf("%d is a %s", k, k)
		}
	}
}

func TestPool(t *testing.T) {
	var p pool
	var out [][]byte
	for _, n := range []int{0, 1, 100, 5000, 1 << 20} {
		b := p.get(n)
		if len(b) != n || cap(b) < n+spare {
			t.Errorf("%d bytes: %d of %d", n, len(b), cap(b))
		}
		out = append(out, b)
	}
	held := int64(0)
	for _, b := range out {
		held += int64(cap(b))
	}
	if p.held != held || p.kept != 0 {
		t.Errorf("held %d, want %d; kept %d", p.held, held, p.kept)
	}
	for _, b := range out {
		p.put(b)
	}
	if p.held != 0 || p.kept != held {
		t.Errorf("held %d; kept %d, want %d", p.held, p.kept, held)
	}
	last := out[len(out)-1]
	if b := p.get(10); &b[:1][0] != &last[:1][0] {
		t.Error("not the buffer given back last")
	}
	if b := p.get(4000); &b[:1][0] != &out[3][:1][0] {
		t.Error("not a buffer that is large enough")
	}
	b := p.get(2 << 20)
	if len(b) != 2<<20 || len(p.free) != 2 {
		t.Errorf("%d bytes; %d buffers left, all too small", len(b), len(p.free))
	}
}

func TestPoolKeepsLittle(t *testing.T) {
	var p pool
	for range 3 * maxFree {
		p.put(make([]byte, 1000))
	}
	if len(p.free) != maxFree || p.kept != 1000*maxFree {
		t.Errorf("%d buffers, %d bytes", len(p.free), p.kept)
	}
	p = pool{}
	for range 5 {
		p.put(make([]byte, maxKept/2))
	}
	if p.kept > maxKept || len(p.free) != 2 {
		t.Errorf("%d buffers, %d bytes", len(p.free), p.kept)
	}
}
