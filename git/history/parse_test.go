package history

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// tree makes a tree of entries "MODE NAME" with names of 20 equal bytes.
func tree(entries ...string) (b []byte) {
	for i, e := range entries {
		b = append(b, e...)
		b = append(b, 0)
		b = append(b, bytes.Repeat([]byte{byte(i + 1)}, 20)...)
	}
	return b
}

func TestTreeScanner(t *testing.T) {
	good := tree("100644 a", "100755 with space", "120000 link", "40000 dir", "040000 old", "160000 module", "777 odd", "100644 \xff")
	want := "[{a 2} {with space 2} {link 2} {dir 1} {old 1} {module 0} {odd 0} {\xff 2}]"
	got, whole := scanTree(good, 20)
	if fmt.Sprint(got) != want || !whole {
		t.Errorf("%v %v, want %s", got, whole, want)
	}
	for cut := 1; cut < len(good); cut++ {
		got, _ := scanTree(good[:cut], 20)
		if len(got) > 8 {
			t.Errorf("cut at %d: %v", cut, got)
		}
	}
	for _, bad := range []string{" a\x00", "100644\x00", "100644 a", "9999999999999 a\x00" + strings.Repeat("x", 20), "\x00"} {
		if got, whole := scanTree([]byte(bad), 20); len(got) > 0 || whole {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// scanned is an entry as a scanner saw it.
type scanned struct {
	name string
	kind entryKind
}

func scanTree(data []byte, idSize int) (out []scanned, whole bool) {
	s := treeScanner{data: data, idSize: idSize}
	for s.next() {
		if len(s.id) != idSize {
			panic("an id has the wrong length")
		}
		out = append(out, scanned{string(s.name), s.kind})
	}
	return out, s.whole()
}

func FuzzTree(f *testing.F) {
	f.Add(tree("100644 a", "40000 b"), false)
	f.Add([]byte("100644 a\x00"), true)
	f.Fuzz(func(t *testing.T, data []byte, long bool) {
		size := 20
		if long {
			size = 32
		}
		var again []byte
		s := treeScanner{data: data, idSize: size}
		for s.next() {
			if bytes.IndexByte(s.name, 0) >= 0 {
				t.Fatal("a name with NUL")
			}
			again = append(again, data[len(again):s.pos]...)
		}
		if s.whole() != bytes.Equal(again, data) {
			t.Fatal("whole, and not read to the end")
		}
	})
}

const hexA, hexB, hexC = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccccccccccccc"

func TestCommitLinks(t *testing.T) {
	for _, tc := range []struct {
		in    string
		links int
	}{
		{"tree " + hexA + "\nauthor", 1},
		{"tree " + hexA + "\nparent " + hexB + "\nparent " + hexC + "\nauthor\nparent " + hexC + "\n", 3},
		{"tree " + hexA + "\n", 1},
		{"tree " + hexA, -1},
		{"tree " + hexA[1:] + "x\n", -1},
		{"tree " + hexA + "\nparent x\n", -1},
		{"parent " + hexA + "\n", -1},
		{"", -1},
	} {
		raw, err := commitLinks(nil, []byte(tc.in), 20)
		if (err != nil) != (tc.links < 0) || err == nil && len(raw) != 20*tc.links {
			t.Errorf("%q: %x, %v", tc.in, raw, err)
		}
	}
}

func TestCommitDetails(t *testing.T) {
	head := "tree " + hexA + "\n"
	for name, tc := range map[string]struct{ in, want string }{
		"plain":     {"author A <a@x> 1700000000 +0130\ncommitter C <c@x> 1 +0000\n\nSubject\n\nBody\n", `A|a@x|2023-11-14T23:43:20+01:30|Subject`},
		"two lines": {"author A <a@x> 0 -0800\n\n\n\nOne\ntwo\r\n\nBody", `A|a@x|1969-12-31T16:00:00-08:00|One two`},
		"latin":     {"author J\xf6rg <j@x> 1 +0000\nencoding ISO-8859-1\n\ngr\xfc\xdfe", `Jörg|j@x|1970-01-01T00:00:01Z|grüße`},
		"unknown":   {"author J\xf6rg <j@x> 1 +0000\nencoding koi8\n\nx", "J\xf6rg|j@x|1970-01-01T00:00:01Z|x"},
		"signed":    {"author A <a@x> 1 +0000\ngpgsig -----BEGIN\n author B <b@x> 2 +0000\n -----END\n\nx", `A|a@x|1970-01-01T00:00:01Z|x`},
		"no mail":   {"author nobody\n\nx", `nobody||0001-01-01T00:00:00Z|x`},
		"odd mail":  {"author A <a<b>> x\n\nx", `A|a<b>|0001-01-01T00:00:00Z|x`},
		"odd time":  {"author A <a@x> -5 +0000\n\nx", `A|a@x|0001-01-01T00:00:00Z|x`},
		"odd zone":  {"author A <a@x> 1 +9x\n\nx", `A|a@x|1970-01-01T00:00:01Z|x`},
		"nothing":   {"", `||0001-01-01T00:00:00Z|`},
		"long":      {"\n" + strings.Repeat("ü", 3000), `||0001-01-01T00:00:00Z|` + strings.Repeat("ü", 500)},
	} {
		d := commitDetails([]byte(head + tc.in))
		if got := strings.Join([]string{d.author, d.email, d.time.Format("2006-01-02T15:04:05Z07:00"), d.subject}, "|"); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzCommit(f *testing.F) {
	f.Add([]byte("tree " + hexA + "\nparent " + hexB + "\nauthor A <a@x> 1700000000 +0130\nencoding latin1\n\nSubject\n"))
	f.Add([]byte("tree " + hexA + "\nauthor <\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := commitLinks(nil, data, 20)
		if err == nil && (len(raw) == 0 || len(raw)%20 != 0) {
			t.Fatalf("%d bytes of names", len(raw))
		}
		if d := commitDetails(data); len(d.subject) > 2*maxSubject {
			t.Fatalf("a subject of %d bytes", len(d.subject))
		}
	})
}

func TestLooseHeader(t *testing.T) {
	for _, tc := range []struct {
		in   string
		kind pack.Kind
		size int64
		n    int
	}{
		{"blob 0\x00", pack.Blob, 0, 7},
		{"commit 12345\x00tree", pack.Commit, 12345, 13},
		{"tag 9\x00", pack.Tag, 9, 6},
		{"blob 007\x00", 0, 0, 0},
		{"blob -1\x00", 0, 0, 0},
		{"blob +1\x00", 0, 0, 0},
		{"blob \x00", 0, 0, 0},
		{"blob\x00", 0, 0, 0},
		{"blobs 1\x00", 0, 0, 0},
		{"blob 99999999999999999999\x00", 0, 0, 0},
		{"blob 1", 0, 0, 0},
		{"", 0, 0, 0},
	} {
		kind, size, n, err := parseLooseHeader([]byte(tc.in))
		if kind != tc.kind || size != tc.size || n != tc.n || (err == nil) != (tc.kind != 0) {
			t.Errorf("%q: %v %d %d %v", tc.in, kind, size, n, err)
		}
	}
}

func FuzzLooseHeader(f *testing.F) {
	f.Add([]byte("blob 12\x00"))
	f.Add([]byte("tree 007\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, size, n, err := parseLooseHeader(b)
		if err == nil && fmt.Sprintf("%s %d\x00", kind, size) != string(b[:n]) {
			t.Fatalf("%q read as %s %d", b[:n], kind, size)
		}
	})
}

func FuzzPackedRefs(f *testing.F) {
	f.Add([]byte("# pack-refs\n" + hexA + " refs/heads/main\n^" + hexB + "\n"))
	f.Add([]byte(hexA + " \n\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		bad := parsePackedRefs(b, 20, func(name string, id pack.ID) {
			if n++; !plainName(name) || id.IsZero() {
				t.Fatalf("ref %q", name)
			}
		})
		if lines := bytes.Count(b, []byte("\n")) + 1; n+bad > lines {
			t.Fatalf("%d refs and %d bad lines of %d", n, bad, lines)
		}
	})
}

func TestParseAlternates(t *testing.T) {
	got := parseAlternates([]byte("/a/objects\n# no\n\n../b\n\"/with\\nnewline\"\n\"broken\nx\x00y\n/last"))
	want := []string{"/a/objects", "../b", "/with\nnewline", `"broken`, "/last"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzAlternates(f *testing.F) {
	f.Add([]byte("/a/objects\n# no\n\"/with\\nnewline\"\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range parseAlternates(b) {
			if p == "" || strings.Contains(p, "\x00") && !bytes.Contains(b, []byte(`\`)) {
				t.Fatalf("path %q", p)
			}
		}
	})
}

func FuzzGitFile(f *testing.F) {
	f.Add([]byte("gitdir: ../.git/worktrees/x\n"))
	f.Add([]byte("gitdir: \x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseGitFile(b); err == nil && (p == "" || strings.ContainsAny(p, "\x00\r\n")) {
			t.Fatalf("path %q", p)
		}
	})
}

func FuzzMidx(f *testing.F) {
	f.Add([]byte("MIDX\x01\x01\x01\x00\x00\x00\x00\x01PNAM\x00\x00\x00\x00\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x28a.b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := midxPacks(b)
		if err != nil && names != nil {
			t.Fatal("names beside an error")
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("[core]\n\tbare = true\n[remote \"o\"]\n\turl = x\n[extensions]\n\tobjectformat = sha256\n"))
	f.Add([]byte("[core\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, _ := parseConfig(b)
		s := &settings{idSize: 20}
		if err := s.take(c); err == nil && s.idSize != 20 && s.idSize != 32 {
			t.Fatalf("names of %d bytes", s.idSize)
		}
	})
}

func FuzzBatchHeader(f *testing.F) {
	f.Add([]byte(hexA + " blob 12\n"))
	f.Add([]byte(hexA + " missing\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, kind, size, err := parseBatchHeader(b, 20)
		if err == nil && (id.IsZero() || kind == 0 || size < 0) {
			t.Fatalf("%v %v %d", id, kind, size)
		}
	})
}

func TestIDSet(t *testing.T) {
	s := newIDSet(20, 0)
	name := func(i int) []byte { return fmt.Appendf(nil, "%020d", i*i) }
	for i := range 5000 {
		if n, added := s.add(name(i)); !added || int(n) != i {
			t.Fatalf("name %d: %d, %v", i, n, added)
		}
	}
	for i := range 5000 {
		if n, added := s.add(name(i)); added || int(n) != i || int(s.find(name(i))) != i || !bytes.Equal(s.at(n), name(i)) {
			t.Fatalf("name %d: %d, %v", i, n, added)
		}
	}
	if s.len() != 5000 || s.find(name(6000)) != -1 {
		t.Errorf("%d names", s.len())
	}
}
