package pack

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseEntry(t *testing.T) {
	name := strings.Repeat("n", 20)
	cases := []struct {
		in   string
		kind Kind
		size int64
		back uint64
		name string
		body string
	}{
		{"\x10body", Commit, 0, 0, "", "body"},
		{"\x2fbody", Tree, 15, 0, "", "body"},
		{"\xb0\x01body", Blob, 16, 0, "", "body"},
		{"\xcf\xff\x7f", Tag, 0x3ffff, 0, "", ""},
		{"\xb0\x80\x80\x80\x80\x80\x80\x80\x01", Blob, 1 << 53, 0, "", ""},
		{"\x65\x05body", offsetDelta, 5, 5, "", "body"},
		{"\x65\x80\x00body", offsetDelta, 5, 128, "", "body"},
		{"\x65\x80\x80\x00", offsetDelta, 5, 128*128 + 128, "", ""},
		{"\xf5\x02" + name + "body", nameDelta, 0x25, 0, name, "body"},
	}
	for _, c := range cases {
		e, err := parseEntry([]byte(c.in), 20)
		if err != nil || e.kind != c.kind || e.size != c.size || e.back != c.back || string(e.name) != c.name || string(e.body) != c.body {
			t.Errorf("%x: %+v, %v", c.in, e, err)
		}
	}
}

func TestParseEntryDamage(t *testing.T) {
	name := strings.Repeat("n", 19)
	for why, in := range map[string]string{
		"nothing": "", "a size that is cut": "\x90", "a longer one that is cut": "\xb0\x80\x80",
		"a size of more than 63 bits": "\xb0" + strings.Repeat("\x80", 9) + "\x01", "type 0": "\x05abc", "type 5": "\x55abc",
		"no distance": "\x65", "a distance that is cut": "\x65\x80", "a distance of more than 63 bits": "\x65" + strings.Repeat("\xff", 9) + "\x01",
		"no name": "\x75", "a name that is cut": "\x75" + name,
	} {
		if e, err := parseEntry([]byte(in), 20); err != errEntry {
			t.Errorf("%s: %+v, %v", why, e, err)
		}
	}
	if e, err := parseEntry([]byte("\x75"+name+name), 32); err == nil && len(e.name) != 32 {
		t.Errorf("a name of %d bytes", len(e.name))
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(uint8(3), int64(70000), uint64(1), []byte("body"))
	f.Add(uint8(6), int64(0), uint64(1<<40), []byte(""))
	f.Add(uint8(7), int64(1<<58), uint64(0), []byte("x"))
	f.Fuzz(func(t *testing.T, kind uint8, size int64, back uint64, body []byte) {
		k := Kind(kind & 7)
		in := entryHeader(k, max(size, 0)&(1<<59-1))
		switch k {
		case offsetDelta:
			in = append(in, backDistance(back>>8)...)
		case nameDelta:
			in = append(in, fakeID("base")...)
		}
		in = append(in, body...)
		e, err := parseEntry(in, 20)
		if k == 0 || k == 5 {
			if err == nil {
				t.Fatalf("type %d: no error", k)
			}
			return
		}
		if err != nil || e.kind != k || e.size != max(size, 0)&(1<<59-1) || !bytes.Equal(e.body, body) || k == offsetDelta && e.back != back>>8 {
			t.Fatalf("%x: %+v, %v", in, e, err)
		}
		_, _ = parseEntry(body, 20)
	})
}
