package pack

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// packed returns the bytes of a repository's one pack.
func packBytes(t testing.TB, dir string) []byte {
	t.Helper()
	b, err := os.ReadFile(onlyPack(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parsed(t testing.TB, data []byte, idSize int, l Limits) *Pack {
	t.Helper()
	p, err := Parse(data, idSize, l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestParseAgreesWithGit checks that a pack read from memory has the objects,
// names and types that git's own index says.
func TestParseAgreesWithGit(t *testing.T) {
	cases := []struct {
		name   string
		deltas string // repack.useDeltaBaseOffset
		init   []string
		idSize int
	}{
		{"offset deltas", "true", nil, 20},
		{"name deltas", "false", nil, 20},
		{"SHA-256", "true", []string{"--object-format=sha256"}, 32},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := repository(t, nil, c.init...)
			git(t, dir, "", "config", "repack.useDeltaBaseOffset", c.deltas)
			git(t, dir, "", "repack", "-q", "-a", "-d", "-f")
			p := parsed(t, packBytes(t, dir), c.idSize, Limits{})
			if err := p.Incomplete(); err != nil {
				t.Fatal(err)
			}
			if err := p.Identify(t.Context()); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(git(t, dir, "", "cat-file", "--batch-check=%(objectname) %(objecttype)", "--batch-all-objects")), "\n")
			if len(lines) != p.Len() {
				t.Fatalf("%d objects, git has %d", p.Len(), len(lines))
			}
			for _, line := range lines {
				name, kind, _ := strings.Cut(line, " ")
				id, err := ParseID(name)
				if err != nil {
					t.Fatal(err)
				}
				i, ok := p.Find(id)
				if !ok || p.Kind(i).String() != kind || p.ID(i) != id {
					t.Fatalf("%s is %d, %v", line, i, ok)
				}
			}
			checkAll(t, p)
		})
	}
}

// TestParsePrefix checks that of a pack that is cut off anywhere the objects
// before the cut are there, and that it says so.
func TestParsePrefix(t *testing.T) {
	data := packBytes(t, repository(t, nil))
	whole := parsed(t, data, 20, Limits{})
	for n := headerSize; n < len(data); n += 97 {
		p := parsed(t, data[:n], 20, Limits{})
		if err := p.Incomplete(); !errors.Is(err, ErrTruncated) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		want := 0
		for want < whole.Len() && whole.records[want+1].offset <= uint64(n) {
			want++
		}
		if p.Len() != want {
			t.Fatalf("cut at %d: %d objects, want %d", n, p.Len(), want)
		}
	}
}

func TestParseLimits(t *testing.T) {
	data := packBytes(t, repository(t, nil))
	all := parsed(t, data, 20, Limits{}).Len()
	cases := []struct {
		name string
		l    Limits
		want func(n int) bool
	}{
		{"objects", Limits{Objects: 7}, func(n int) bool { return n == 7 }},
		{"total", Limits{Total: 20_000}, func(n int) bool { return 0 < n && n < all }},
	}
	for _, c := range cases {
		p := parsed(t, data, 20, c.l)
		if err := p.Incomplete(); !errors.Is(err, ErrTooLarge) || !c.want(p.Len()) {
			t.Errorf("%s: %d objects, %v", c.name, p.Len(), err)
		}
	}
	p := parsed(t, data, 20, Limits{Object: 500})
	if err := p.Incomplete(); err != nil || p.Len() != all {
		t.Fatalf("%d objects, %v: objects that are too large are passed over", p.Len(), err)
	}
	large := 0
	err := p.Walk(t.Context(), WalkOptions{Kinds: allKinds, MaxSize: 500, Large: func(int, int, int64) { large++ }, Fail: func(int, int, error) { large++ }})
	if err != nil || large == 0 {
		t.Errorf("%d are too large, %v", large, err)
	}
}

func TestParseRefuses(t *testing.T) {
	data := packBytes(t, repository(t, nil))
	for name, b := range map[string][]byte{"nothing": nil, "short": []byte("PACK"), "other": []byte("KCAP\x00\x00\x00\x02\x00\x00\x00\x00"), "version": []byte("PACK\x00\x00\x00\x09\x00\x00\x00\x00")} {
		if _, err := Parse(b, 20, Limits{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(data, 7, Limits{}); err == nil {
		t.Error("names of 7 bytes are taken")
	}
	damaged := bytes.Clone(data)
	damaged[len(damaged)-1] ^= 1
	if err := parsed(t, damaged, 20, Limits{}).Incomplete(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a wrong checksum: %v", err)
	}
	if err := parsed(t, append(bytes.Clone(data), 0), 20, Limits{}).Incomplete(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("bytes after the end: %v", err)
	}
}

func TestIdentifyIsCancelled(t *testing.T) {
	p := parsed(t, packBytes(t, repository(t, nil)), 20, Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Identify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

func FuzzParse(f *testing.F) {
	data, _ := fakePack([]fake{baseFake, {name: "x", kind: offsetDelta, back: 1, data: deltaOf(10, 6, copyOp(2, 3), insertOp("abc"))},
		{name: "y", kind: nameDelta, base: "x", data: deltaOf(6, 6, copyOp(0, 6))}, {name: "t", kind: Tree, data: []byte("a tree")}})
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01\x30\x78\x9c\x03\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data, 20, Limits{Objects: 1000, Object: 1 << 16, Total: 1 << 20})
		if err != nil {
			return
		}
		if err := p.Identify(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = p.Walk(t.Context(), WalkOptions{Kinds: allKinds, MaxSize: 1 << 16,
			Visit: func(_ int, o *Object) error {
				if len(o.Data) > 1<<16 {
					t.Fatal("an object beyond the limit")
				}
				return nil
			},
			Fail: func(int, int, error) {}, Large: func(int, int, int64) {}})
		if err != nil {
			t.Fatal(err)
		}
	})
}
