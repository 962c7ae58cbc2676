package pack

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand"
	"testing"
)

// deflated returns data compressed at the level.
func deflated(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// samples are texts of several kinds and sizes.
func samples() map[string][]byte {
	r := rand.New(rand.NewSource(1))
	noise := make([]byte, 70000)
	r.Read(noise)
	words := []byte{}
	for len(words) < 200000 {
		words = append(words, []string{"static int ", "return ", "(struct object *)", "\n\t", "if (x) ", "hash", "0x1f"}[r.Intn(7)]...)
		words = append(words, byte('a'+r.Intn(26)))
	}
	skewed := make([]byte, 100000)
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	return map[string][]byte{
		"empty": {}, "one": []byte("x"), "short": []byte("hello, hello, hello"),
		"zeros": make([]byte, 100000), "noise": noise, "words": words, "skewed": skewed,
		"pairs": bytes.Repeat([]byte("ab"), 5000), "sevens": bytes.Repeat([]byte("abcdefg"), 3000),
		"nines": bytes.Repeat([]byte("abcdefghi"), 3000),
	}
}

func TestInflateRoundTrip(t *testing.T) {
	f := NewInflater()
	for name, want := range samples() {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			src := append(deflated(t, want, level), "trailing bytes that are not the stream's"...)
			for _, spare := range []int{0, 1, 100, 400} {
				dst := make([]byte, len(want), len(want)+spare)
				n, err := f.Inflate(dst, src)
				if err != nil || n != len(src)-40 || !bytes.Equal(dst, want) {
					t.Errorf("%s, level %d, spare %d: %d of %d bytes taken, %v", name, level, spare, n, len(src)-40, err)
				}
			}
		}
	}
}

func TestInflateWrongSize(t *testing.T) {
	f := NewInflater()
	src := deflated(t, []byte("hello, hello, hello"), 9)
	for n := range 40 {
		_, err := f.Inflate(make([]byte, n, n+400), src)
		if (err == nil) != (n == 19) {
			t.Errorf("output of %d bytes: %v", n, err)
		}
	}
}

// reference inflates with the standard library and says how many bytes the
// stream takes.
func reference(src []byte, limit int) ([]byte, int, bool) {
	in := bytes.NewReader(src)
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(limit)+1))
	return out, len(src) - in.Len(), err == nil && len(out) <= limit
}

func FuzzInflate(f *testing.F) {
	for _, data := range samples() {
		f.Add(deflated(f, data[:min(len(data), 3000)], 9))
	}
	f.Add([]byte{0xed, 0xfd, 0x01, 0x02})
	inflater := NewInflater()
	f.Fuzz(func(t *testing.T, src []byte) {
		want, taken, ok := reference(src, 1<<20)
		if len(want) > 1<<20 {
			t.Skip()
		}
		for _, spare := range []int{0, 400} {
			dst := make([]byte, len(want), len(want)+spare)
			n, err := inflater.Inflate(dst, src)
			if (err == nil) != ok {
				t.Fatalf("error %v, the standard library's verdict: %v", err, ok)
			}
			if ok && (n != taken || !bytes.Equal(dst, want)) {
				t.Fatalf("took %d bytes, the standard library %d; same output: %v", n, taken, bytes.Equal(dst, want))
			}
		}
	})
}

func TestInflateMutations(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	f := NewInflater()
	for name, data := range samples() {
		for range 300 {
			src := deflated(t, data[:min(len(data), 2000)], 1+r.Intn(9))
			for range 1 + r.Intn(3) {
				src[r.Intn(len(src))] ^= 1 << r.Intn(8)
			}
			want, taken, ok := reference(src, 1<<20)
			dst := make([]byte, len(want), len(want)+400)
			n, err := f.Inflate(dst, src)
			if (err == nil) != ok || ok && (n != taken || !bytes.Equal(dst, want)) {
				t.Fatalf("%s: error %v, took %d; the standard library: %v, %d", name, err, n, ok, taken)
			}
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	data := samples()["words"]
	src := deflated(b, data, 6)
	b.Run("own", func(b *testing.B) {
		f, dst := NewInflater(), make([]byte, len(data), len(data)+400)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := f.Inflate(dst, src); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("standard", func(b *testing.B) {
		r := flate.NewReader(nil)
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			_ = r.(flate.Resetter).Reset(bytes.NewReader(src), nil)
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
