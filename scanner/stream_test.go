package scanner

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"patwatch/detectors"
	"patwatch/leak"
)

// testFormat is a made-up format: nothing of it is anybody's token.
const testFormat = `
issuer = "Test"
[[format]]
id = "test-token"
name = "Test token"
kind = "pat"
tier = "shape"
pattern = 'tstkey_[A-Za-z0-9]{24}'
boundary = '[A-Za-z0-9_]'
`

func newScanner(t testing.TB, o Options) *Scanner {
	t.Helper()
	formats, err := detectors.Parse("test.toml", []byte(testFormat))
	if err != nil {
		t.Fatal(err)
	}
	m, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return New(m, o)
}

// token returns a random token of the test format.
func token(r *rand.Rand) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := []byte("tstkey_")
	for range 24 {
		b = append(b, digits[r.Intn(len(digits))])
	}
	return string(b)
}

// collect returns an Emit and what it has taken.
func collect() (Emit, *[]leak.Candidate) {
	var got []leak.Candidate
	return func(c leak.Candidate) error { got = append(got, c); return nil }, &got
}

func TestStreamFindsAtEveryCut(t *testing.T) {
	s := newScanner(t, Options{})
	r := rand.New(rand.NewSource(1))
	filler := strings.Repeat("nothing to see here\n", windowSize/20+10)
	for _, at := range []int{0, 1, 500, windowSize - 40, windowSize - 20, windowSize - 1, windowSize, windowSize + 1, len(filler)} {
		for shift := range 3 {
			tok := token(r)
			at := min(at+shift*11, len(filler))
			text := filler[:at] + " " + tok + " " + filler[at:]
			emit, got := collect()
			tally, err := s.Stream(t.Context(), "in", iotest.HalfReader(strings.NewReader(text)), emit)
			if err != nil || len(*got) != 1 || string((*got)[0].Secret.Reveal()) != tok {
				t.Fatalf("at %d: %d found, %v", at, len(*got), err)
			}
			p := (*got)[0].Place
			line := 1 + strings.Count(text[:at+1], "\n")
			column := at + 1 - strings.LastIndexByte(text[:at+1], '\n')
			if p.Line != line || p.Column != column || p.EndLine != line || p.EndColumn != column+len(tok) {
				t.Errorf("at %d: place %d:%d-%d:%d, want %d:%d", at, p.Line, p.Column, p.EndLine, p.EndColumn, line, column)
			}
			if tally.Bytes != int64(len(text)) || tally.Files != 1 || len(tally.Incomplete) != 0 {
				t.Errorf("tally %+v of %d bytes", tally, len(text))
			}
		}
	}
}

func TestStreamErrorIsSaid(t *testing.T) {
	s := newScanner(t, Options{})
	tok := token(rand.New(rand.NewSource(2)))
	emit, got := collect()
	in := io.MultiReader(strings.NewReader(tok+"\n"), iotest.ErrReader(errors.New("disk on fire")))
	tally, err := s.Stream(t.Context(), "in", in, emit)
	if err != nil || len(*got) != 1 || len(tally.Incomplete) != 1 || !strings.Contains(tally.Incomplete[0], "disk on fire") {
		t.Errorf("%d found, tally %+v, %v", len(*got), tally, err)
	}
}

func TestEmitErrorEndsTheScan(t *testing.T) {
	s := newScanner(t, Options{Jobs: 2})
	r := rand.New(rand.NewSource(3))
	stop := errors.New("stop")
	calls := 0
	emit := func(leak.Candidate) error { calls++; return stop }
	if _, err := s.Stream(t.Context(), "in", strings.NewReader(token(r)+"\n"+token(r)), emit); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("stream: %v after %d calls", err, calls)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), token(r))
	if _, err := s.Files(t.Context(), dir, emit); !errors.Is(err, stop) {
		t.Errorf("files: %v", err)
	}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	dir := t.TempDir()
	want := map[string]string{"a.txt": token(r), "sub/b.bin": token(r), "sub/deep/c": token(r)}
	for name, tok := range want {
		write(t, filepath.Join(dir, name), "\x00\xff\n"+tok+"\r\n")
	}
	write(t, filepath.Join(dir, ".git", "x"), token(r))
	if runtime.GOOS != "windows" {
		if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
			t.Fatal(err)
		}
	}
	emit, got := collect()
	tally, err := newScanner(t, Options{Jobs: 3}).Files(t.Context(), dir, emit)
	if err != nil || tally.Files != 3 || len(tally.Incomplete) != 0 || len(*got) != len(want) {
		t.Fatalf("%d found, tally %+v, %v", len(*got), tally, err)
	}
	for _, c := range *got {
		if want[c.Place.Path] != string(c.Secret.Reveal()) || c.Place.Line != 2 || c.Place.Column != 1 {
			t.Errorf("place %+v", c.Place)
		}
	}
}

func TestFilesSaysWhatItLeftOut(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "big"), strings.Repeat("x", 5000))
	emit, _ := collect()
	tally, err := newScanner(t, Options{MaxBlob: 4096}).Files(t.Context(), dir, emit)
	if err != nil || len(tally.Incomplete) != 1 || tally.Files != 0 {
		t.Errorf("too large: %+v, %v", tally, err)
	}
	tally, err = newScanner(t, Options{}).Files(t.Context(), filepath.Join(dir, "none"), emit)
	if err != nil || len(tally.Incomplete) != 1 {
		t.Errorf("missing: %+v, %v", tally, err)
	}
	if os.Getuid() > 0 {
		if err := os.Chmod(filepath.Join(dir, "big"), 0); err != nil {
			t.Fatal(err)
		}
		tally, err = newScanner(t, Options{}).Files(t.Context(), dir, emit)
		if err != nil || len(tally.Incomplete) != 1 {
			t.Errorf("unreadable: %+v, %v", tally, err)
		}
	}
}

func FuzzStreamWindows(f *testing.F) {
	f.Add([]byte("x tstkey_ y"), 3, int64(5))
	s := newScanner(f, Options{})
	f.Fuzz(func(t *testing.T, filler []byte, n int, seed int64) {
		r := rand.New(rand.NewSource(seed))
		var text bytes.Buffer
		for range n & 15 {
			text.Write(filler)
			text.WriteString(" " + token(r) + " ")
		}
		whole := s.matcher.Resolve(s.matcher.Find(nil, text.Bytes()))
		w := s.newWindow()
		w.buf = make([]byte, s.matcher.Overlap()+64) // many windows even of a short text
		hits, size, err := w.all(t.Context(), bytes.NewReader(text.Bytes()))
		if err != nil || size != int64(text.Len()) || len(hits) != len(whole) {
			t.Fatalf("%d found in windows, %d in the whole: %v", len(hits), len(whole), err)
		}
	})
}
