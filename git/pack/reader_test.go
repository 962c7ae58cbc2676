package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"
)

func TestReaderInAnyOrder(t *testing.T) {
	dir := repository(t, nil)
	want := catFile(t, dir)
	p := openPack(t, onlyPack(t, dir), 20)
	r := p.NewReader()
	order := rand.New(rand.NewSource(7))
	for range 3 * p.Len() {
		i := order.Intn(p.Len())
		kind, data, err := r.Read(i)
		if got := kind.String() + " " + string(data); err != nil || got != want[p.ID(i).String()] {
			t.Fatalf("object %s: %d bytes, %v", p.ID(i), len(data), err)
		}
	}
}

// TestReaderForgets reads more than a Reader keeps.
func TestReaderForgets(t *testing.T) {
	var fakes []fake
	for i := range 12 {
		fakes = append(fakes, fake{name: fmt.Sprint(i), kind: Blob, data: bytes.Repeat([]byte{byte(i)}, 16<<20)})
	}
	p := openFakes(t, fakes)
	r := p.NewReader()
	for range 2 {
		for i, f := range fakes {
			_, data, err := r.Read(numberOf(t, p, f.name))
			if err != nil || len(data) != 16<<20 || data[0] != byte(i) || data[len(data)-1] != byte(i) {
				t.Fatalf("%s: %d bytes, %v", f.name, len(data), err)
			}
			if r.buffers.held > readerBytes+2*20<<20 {
				t.Fatalf("%d bytes held", r.buffers.held)
			}
		}
	}
}

// TestReaderAfterErrors: an error leaves a Reader as it was.
func TestReaderAfterErrors(t *testing.T) {
	fakes := []fake{baseFake, {name: "good", kind: offsetDelta, back: 1, data: deltaOf(10, 3, copyOp(1, 3))},
		{name: "bad", kind: nameDelta, base: "good", data: deltaOf(3, 3, copyOp(1, 3))},
		{name: "above", kind: offsetDelta, back: 1, data: deltaOf(3, 3, copyOp(0, 3))},
		{name: "orphan", kind: nameDelta, base: "nowhere", data: deltaOf(3, 3, copyOp(0, 3))}}
	p := openFakes(t, fakes)
	r := p.NewReader()
	for range 3 {
		for name, ok := range map[string]bool{"good": true, "bad": false, "base": true, "above": false, "orphan": false} {
			i := numberOf(t, p, name)
			kind, data, err := r.Read(i)
			switch {
			case (err == nil) != ok:
				t.Errorf("%s: %v", name, err)
			case err != nil && !strings.Contains(err.Error(), p.ID(i).String()):
				t.Errorf("%s: %v does not name it", name, err)
			case ok && (kind != Blob || !strings.Contains("0123456789", string(data))):
				t.Errorf("%s: %s %q", name, kind, data)
			}
		}
	}
	for max, ok := range map[int64]bool{0: true, 10: true, 9: false, 3: false} {
		r := p.NewReader()
		r.MaxSize = max
		if _, _, err := r.Read(numberOf(t, p, "good")); (err == nil) != ok || !ok && !errors.Is(err, ErrTooLarge) {
			t.Errorf("at most %d bytes: %v", max, err)
		}
	}
}

func TestStream(t *testing.T) {
	text := someBytes(70_000)
	long := deflatedZlib(text)
	flipped := bytes.Clone(long)
	flipped[len(flipped)-1] ^= 1
	fakes := []fake{{name: "good", kind: Blob, data: text}, {name: "delta", kind: offsetDelta, back: 1, data: deltaOf(70_000, 3, copyOp(0, 3))},
		{name: "empty", kind: Blob},
		{name: "longer", kind: Blob, data: text, size: 69_999}, {name: "shorter", kind: Blob, data: text, size: 70_001},
		{name: "wrong checksum", kind: Blob, size: 70_000, stream: flipped}, {name: "cut", kind: Blob, size: 70_000, stream: long[:1000]},
		{name: "no stream", kind: Blob, size: 3, stream: []byte("abc")}}
	p := openFakes(t, fakes)
	for _, f := range fakes {
		in, size, err := p.Stream(numberOf(t, p, f.name))
		if err != nil {
			if f.name != "delta" && f.name != "no stream" || !strings.Contains(err.Error(), p.Path()) {
				t.Errorf("%s: %v", f.name, err)
			}
			continue
		}
		data, err := io.ReadAll(in)
		_ = in.Close()
		good := f.name == "good" || f.name == "empty"
		if good && (err != nil || size != int64(len(f.data)) || !bytes.Equal(data, f.data)) || !good && err == nil {
			t.Errorf("%s: %d of %d bytes, %v", f.name, len(data), size, err)
		}
	}
}

func TestFind(t *testing.T) {
	p := openFakes(t, []fake{baseFake, {name: "x", kind: Blob, data: []byte("abc")}})
	for i := range p.Len() {
		if j, ok := p.Find(p.ID(i)); !ok || j != i {
			t.Errorf("object %d is found at %d, %v", i, j, ok)
		}
	}
	other, err := NewID(fakeID("elsewhere"))
	if err != nil {
		t.Fatal(err)
	}
	long, err := NewID(append(fakeID("base"), make([]byte, 12)...))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []ID{{}, other, long} {
		if i, ok := p.Find(id); ok {
			t.Errorf("%s is found at %d", id, i)
		}
	}
}

func TestClose(t *testing.T) {
	p := openFakes(t, []fake{baseFake})
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if p.data != nil || p.files != nil {
		t.Error("the files are still there")
	}
}
