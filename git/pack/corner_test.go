package pack

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A bitWriter makes deflate streams by hand.
type bitWriter struct {
	b   []byte
	buf uint64
	n   uint
}

// bits writes the n low bits of v, the lowest first.
func (w *bitWriter) bits(v uint64, n uint) *bitWriter {
	w.buf |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.buf))
		w.buf >>= 8
	}
	return w
}

// code writes a Huffman code of n bits, the highest first.
func (w *bitWriter) code(v uint64, n uint) *bitWriter {
	for n > 0 {
		n--
		w.bits(v>>n&1, 1)
	}
	return w
}

// fixed writes a symbol of the fixed code for literals and lengths.
func (w *bitWriter) fixed(symbol uint64) *bitWriter {
	switch {
	case symbol < 144:
		return w.code(symbol+0x30, 8)
	case symbol < 256:
		return w.code(symbol-144+0x190, 9)
	case symbol < 280:
		return w.code(symbol-256, 7)
	}
	return w.code(symbol-280+0xc0, 8)
}

// raw writes bytes from the next byte on.
func (w *bitWriter) raw(s string) *bitWriter {
	if w.n > 0 {
		w.bits(0, 8-w.n)
	}
	w.b = append(w.b, s...)
	return w
}

// stored writes a stored block.
func (w *bitWriter) stored(final uint64, s string) *bitWriter {
	w.bits(final, 1).bits(0, 2).raw("")
	n := uint16(len(s))
	w.b = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(w.b, n), ^n)
	return w.raw(s)
}

func (w *bitWriter) done() []byte { return w.raw("").b }

// lengthsCode starts a dynamic block with nlit and ndist code lengths. Their
// own code gives two bits to each of 0, 1, 16 and 18.
func lengthsCode(nlit, ndist uint64) *bitWriter {
	w := new(bitWriter).bits(1, 1).bits(2, 2).bits(nlit-257, 5).bits(ndist-1, 5).bits(14, 4)
	for _, symbol := range preOrder[:18] {
		n := uint64(0)
		if symbol == 0 || symbol == 1 || symbol == 16 || symbol == 18 {
			n = 2
		}
		w.bits(n, 3)
	}
	return w
}

// zeros writes n zero lengths.
func (w *bitWriter) zeros(n uint64) *bitWriter {
	for n > 0 {
		run := min(n, 138)
		if run < 11 {
			w.code(0, 2)
			n--
			continue
		}
		w.code(3, 2).bits(run-11, 7)
		n -= run
	}
	return w
}

// length1 writes that a symbol has a code of one bit.
func (w *bitWriter) length1() *bitWriter { return w.code(1, 2) }

// again repeats the last length n times, 3 to 6.
func (w *bitWriter) again(n uint64) *bitWriter { return w.code(2, 2).bits(n-3, 2) }

func TestInflateByHand(t *testing.T) {
	a := func() *bitWriter { return new(bitWriter).bits(1, 1).bits(1, 2).fixed('a') } // a fixed block that starts with "a"
	long := strings.Repeat("0123456789abcdef", 4000)
	cases := []struct {
		name string
		in   []byte
		out  string
		ok   bool
	}{
		{"an empty stored block", new(bitWriter).stored(1, "").done(), "", true},
		{"stored blocks", new(bitWriter).stored(0, "ab").stored(0, "").stored(1, "c").done(), "abc", true},
		{"a long stored block", new(bitWriter).stored(0, long).stored(1, "x").done(), long + "x", true},
		{"a stored block behind a fixed one", new(bitWriter).bits(0, 1).bits(1, 2).fixed('a').fixed(256).stored(1, "b").done(), "ab", true},
		{"a stored block with another complement", []byte{1, 1, 0, 0xff, 0xff, 'a'}, "a", false},
		{"a stored block that is cut", new(bitWriter).stored(1, "abc").done()[:7], "abc", false},
		{"a stored block without a length", []byte{1, 1, 0, 0xfe}, "a", false},
		{"nothing", nil, "", false},
		{"the reserved type", []byte{7}, "", false},
		{"no last block", new(bitWriter).stored(0, "a").done(), "a", false},
		{"an empty fixed block", new(bitWriter).bits(1, 1).bits(1, 2).fixed(256).done(), "", true},
		{"no end", a().fixed('b').fixed('c').done()[:3], "abc", false},
		{"the nearest match", a().fixed(257).code(0, 5).fixed(256).done(), "aaaa", true},
		{"the longest match", a().fixed(285).code(0, 5).fixed(256).done(), strings.Repeat("a", 259), true},
		{"length 258 the long way", a().fixed(284).bits(31, 5).code(0, 5).fixed(256).done(), strings.Repeat("a", 259), true},
		{"a match before the start", a().fixed(257).code(1, 5).fixed(256).done(), "aaaa", false},
		{"a match far before the start", a().fixed(257).code(29, 5).bits(8191, 13).fixed(256).done(), "aaaa", false},
		{"length symbol 286", a().fixed(286).code(0, 5).fixed(256).done(), "a", false},
		{"length symbol 287", a().fixed(287).code(0, 5).fixed(256).done(), "a", false},
		{"distance symbol 30", a().fixed(257).code(30, 5).fixed(256).done(), "aaaa", false},
		{"distance symbol 31", a().fixed(257).code(31, 5).fixed(256).done(), "aaaa", false},
		{"literals of two codes", lengthsCode(257, 1).zeros('a').length1().zeros(256-'a'-1).length1().zeros(1).code(0, 1).code(0, 1).code(1, 1).done(), "aa", true},
		{"one code of one bit", lengthsCode(257, 1).zeros(256).length1().zeros(1).code(0, 1).done(), "", true},
		{"the other half of one code", lengthsCode(257, 1).zeros(256).length1().zeros(1).code(1, 1).done(), "", false},
		{"no codes", lengthsCode(257, 1).zeros(258).code(0, 8).done(), "", false},
		{"three codes of one bit", lengthsCode(257, 1).zeros(254).length1().length1().length1().zeros(1).code(0, 8).done(), "", false},
		{"a repeat with nothing before", lengthsCode(257, 1).again(3).zeros(255).done(), "", false},
		{"a repeat past the end", lengthsCode(257, 1).zeros(256).length1().again(3).done(), "", false},
		{"zeros past the end", lengthsCode(257, 1).zeros(200).code(3, 2).bits(127, 7).done(), "", false},
		{"a repeat from lengths into distances", lengthsCode(257, 3).zeros(255).length1().again(4).code(0, 1).done(), "", false},
		{"287 lengths", lengthsCode(287, 1).zeros(288).done(), "", false},
		{"31 distances", lengthsCode(257, 31).zeros(288).done(), "", false},
		{"a cut header", lengthsCode(257, 1).done()[:5], "", false},
		{"cut lengths", lengthsCode(257, 1).zeros(138).done(), "", false},
		{"a match without distance codes", lengthsCode(258, 1).zeros('a').length1().zeros(257-'a'-1).length1().zeros(1).code(0, 1).code(1, 1).code(0, 5).done(), "aaaa", false},
	}
	f := NewInflater()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, spare := range []int{0, 400} {
				for _, tail := range []string{"", strings.Repeat("\xff", 40)} {
					dst := make([]byte, len(c.out), len(c.out)+spare)
					n, err := f.Inflate(dst, append(bytes.Clone(c.in), tail...))
					if c.ok && (err != nil || n != len(c.in) || string(dst) != c.out) || !c.ok && err == nil && tail == "" {
						t.Errorf("spare %d, tail %d: %q, %d of %d bytes, %v", spare, len(tail), dst[:min(len(dst), 20)], n, len(c.in), err)
					}
				}
			}
			if _, _, ok := reference(c.in, 1<<20); ok != c.ok {
				t.Errorf("the standard library's verdict: %v", ok)
			}
		})
	}
}

// TestInflateEveryCut cuts streams at each byte: never an output, never a read
// behind the end.
func TestInflateEveryCut(t *testing.T) {
	f := NewInflater()
	for name, data := range samples() {
		data = data[:min(len(data), 700)]
		src := deflated(t, data, 9)
		for n := range src {
			dst := make([]byte, len(data), len(data)+400)
			if taken, err := f.Inflate(dst, src[:n:n]); err == nil {
				t.Errorf("%s: cut at %d of %d, took %d", name, n, len(src), taken)
			}
		}
	}
}

// TestInflateStart takes streams up to each length.
func TestInflateStart(t *testing.T) {
	f := NewInflater()
	for name, data := range samples() {
		data = data[:min(len(data), 3000)]
		for _, level := range []int{flate.HuffmanOnly, 0, 9} {
			src := deflated(t, data, level)
			for enough := 1; enough <= len(data)+2; enough += 1 + enough/7 {
				dst := make([]byte, len(data), len(data)+400)
				out, taken, err := f.inflate(dst, src, enough)
				if err != nil || out < min(enough, len(data)) || taken > len(src) || !bytes.Equal(dst[:out], data[:out]) {
					t.Fatalf("%s, level %d: %d of %d bytes, took %d, %v", name, level, out, enough, taken, err)
				}
				if level == 9 && name != "noise" && out > enough+maxMatch { // noise is stored
					t.Errorf("%s: %d bytes, %d are enough", name, out, enough)
				}
			}
		}
	}
}

// TestInflateReuse: what a stream leaves behind does not change the next one.
func TestInflateReuse(t *testing.T) {
	f := NewInflater()
	sets := samples()
	for round := range 3 {
		for name, data := range sets {
			src := deflated(t, data, []int{1, 9, flate.HuffmanOnly}[round])
			bad := bytes.Clone(src)
			bad[len(bad)/2] ^= 0x55
			_, _ = f.Inflate(make([]byte, len(data), len(data)+400), bad)
			dst := make([]byte, len(data), len(data)+400)
			if _, err := f.Inflate(dst, src); err != nil || !bytes.Equal(dst, data) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestZlib(t *testing.T) {
	text := []byte("hello, hello")
	good := deflatedZlib(text)
	with := func(change func(b []byte)) []byte {
		b := bytes.Clone(good)
		change(b)
		return b
	}
	last := len(good) - 1
	cases := []struct {
		name       string
		in         []byte
		check, any bool // with and without comparing the checksum
	}{
		{"good", good, true, true},
		{"with bytes behind", append(bytes.Clone(good), 1, 2, 3), true, true},
		{"another window", with(func(b []byte) { b[0], b[1] = 0x08, 0x1d }), true, true},
		{"a window too large", with(func(b []byte) { b[0], b[1] = 0x88, 0x1c }), false, false},
		{"another method", with(func(b []byte) { b[0], b[1] = 0x79, 0xbb }), false, false},
		{"a dictionary", with(func(b []byte) { b[0], b[1] = 0x78, 0xbb }), false, false},
		{"a wrong header check", with(func(b []byte) { b[1]++ }), false, false},
		{"a wrong checksum", with(func(b []byte) { b[last]++ }), false, true},
		{"no checksum", good[:last-3], false, false},
		{"a cut checksum", good[:last], false, false},
		{"two bytes", good[:2], false, false},
		{"nothing", nil, false, false},
	}
	f := NewInflater()
	for _, c := range cases {
		for check, ok := range map[bool]bool{true: c.check, false: c.any} {
			dst := make([]byte, len(text), len(text)+400)
			n, err := f.Zlib(dst, c.in, check)
			if (err == nil) != ok || ok && (n != len(good) || !bytes.Equal(dst, text)) || !ok && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, check %v: %d bytes, %v", c.name, check, n, err)
			}
		}
	}
}

// TestTables compares tables for all symbols of random complete codes with the
// codes that RFC 1951, 3.2.2 gives.
func TestTables(t *testing.T) {
	f := NewInflater()
	for longest := uint8(1); longest <= 15; longest++ {
		lens := make([]uint8, 288)
		for i := range longest { // one code of each length, two of the longest
			lens[int(i)*17] = i + 1
		}
		lens[287] = longest
		c := count(lens)
		width, ok := f.build(f.own.lit[:], lens, &c, f.litSymbols[:], litBits)
		if !ok || width != min(uint(longest), litBits) {
			t.Fatalf("longest %d: width %d, %v", longest, width, ok)
		}
		f.own.mask = 1<<width - 1
		code := uint64(0)
		for n := uint8(1); n <= longest; n++ {
			for symbol, l := range lens {
				if l != n {
					continue
				}
				in := new(bitWriter).code(code, uint(n)).raw("\x00\x00\x00\x00").b
				r := bitReader{src: in}
				r.refill()
				if e, want := lookup(&r, f.own.lit[:], f.own.mask), f.litSymbols[symbol]; e&^0xfff != want&^0xfff {
					t.Errorf("longest %d, symbol %d: entry %x, want %x", longest, symbol, e, want)
				}
				code++
			}
			code <<= 1
		}
	}
}

func FuzzZlib(f *testing.F) {
	for i := range 3 {
		f.Add(deflatedZlib(bytes.Repeat([]byte(fmt.Sprint("text ", i)), 1+i*50)), 100*i)
	}
	inflater := NewInflater()
	f.Fuzz(func(t *testing.T, src []byte, size int) {
		size = size & 0xffff
		whole := make([]byte, size, size+400)
		if _, err := inflater.Zlib(whole, src, true); err != nil {
			return
		}
		dst := make([]byte, size, size+400)
		out, _, err := inflater.inflate(dst, src[2:], size/2+1)
		if err != nil || out < size/2 || !bytes.Equal(dst[:out], whole[:out]) {
			t.Fatalf("the start: %d of %d bytes, %v", out, size, err)
		}
	})
}
