package scanner

import (
	"errors"
	"io"
	"math/rand"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"patwatch/leak"
)

// TestProgressOfAHistory wants a count that ends where it said it would, and
// each token counted once though it stands in many versions of a file.
func TestProgressOfAHistory(t *testing.T) {
	r := rand.New(rand.NewSource(31))
	a, b := token(r), token(r)
	s := newSandbox(t)
	text := ""
	for i := range 20 {
		text += strings.Repeat("line ", i+1) + "\n"
		s.commit("a.txt", a+"\n"+text, "b.txt", text+b+"\n"+a)
	}
	s.git("repack", "-q", "-a", "-d")
	for _, jobs := range []int{1, 4} {
		var p Progress
		emit, _ := collect()
		tally, err := newScanner(t, Options{Jobs: jobs, Progress: &p}).History(t.Context(), s.open(), Selection{}, emit)
		if err != nil {
			t.Fatal(err)
		}
		if p.Done.Load() != p.Total.Load() || p.Done.Load() != 40 || p.Bytes.Load() != tally.Bytes || p.Found.Load() != 2 {
			t.Errorf("%d jobs: %d of %d done, %d bytes of %d, %d found", jobs, p.Done.Load(), p.Total.Load(), p.Bytes.Load(), tally.Bytes, p.Found.Load())
		}
		if p.Tracing.Load() {
			t.Error("tracing has no end")
		}
		if tally.Packs != 1 || tally.Blobs != 40 {
			t.Errorf("tally %+v", tally)
		}
	}
}

// TestProgressCountsWhatIsLeftOut keeps the count right when blobs are skipped.
func TestProgressCountsWhatIsLeftOut(t *testing.T) {
	s := newSandbox(t)
	s.commit("small", "x", "large", strings.Repeat("y", 1000))
	s.git("repack", "-q", "-a", "-d")
	var p Progress
	emit, _ := collect()
	tally, err := newScanner(t, Options{MaxBlob: 100, Progress: &p}).History(t.Context(), s.open(), Selection{}, emit)
	if err != nil || len(tally.Incomplete) != 1 || !strings.Contains(tally.Incomplete[0], "1000 bytes, more than --max-blob allows (100)") {
		t.Fatal(tally.Incomplete, err)
	}
	if p.Done.Load() != 2 || p.Total.Load() != 2 {
		t.Errorf("%d of %d done", p.Done.Load(), p.Total.Load())
	}
}

func TestProgressOfFiles(t *testing.T) {
	r := rand.New(rand.NewSource(32))
	dir, tok := t.TempDir(), token(r)
	for _, name := range []string{"a", "b", "c/d"} {
		write(t, filepath.Join(dir, name), tok+"\n"+tok+"\n")
	}
	var p Progress
	emit, got := collect()
	tally, err := newScanner(t, Options{Progress: &p}).Files(t.Context(), dir, emit)
	if err != nil || len(*got) != 6 {
		t.Fatal(len(*got), err)
	}
	if p.Done.Load() != 3 || p.Total.Load() != 0 || p.Bytes.Load() != tally.Bytes || p.Found.Load() != 1 {
		t.Errorf("%d done, total %d, %d bytes, %d found", p.Done.Load(), p.Total.Load(), p.Bytes.Load(), p.Found.Load())
	}
}

func TestNoProgressIsNoProblem(t *testing.T) {
	var p *Progress
	p.read(1, 2)
	p.saw([]hit{{}})
	p.setTotal(3)
	p.tracing(true)
}

// TestProgressIsSharedSafely is for the race detector.
func TestProgressIsSharedSafely(t *testing.T) {
	var p Progress
	h := []hit{{secret: leak.NewSecret([]byte("a"))}, {secret: leak.NewSecret([]byte("b"))}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				p.saw(h)
				p.read(1, 1)
			}
		})
	}
	all.Wait()
	if p.Found.Load() != 2 || p.Done.Load() != 800 {
		t.Errorf("%d found, %d done", p.Found.Load(), p.Done.Load())
	}
}

func TestTalliesAddUp(t *testing.T) {
	sum := Tally{Commits: 1, Packs: 2, Blobs: 3, Files: 4, Bytes: 5, Incomplete: []string{"a"}}
	sum.Add(Tally{Commits: 10, Packs: 20, Blobs: 30, Files: 40, Bytes: 50, Incomplete: []string{"b", "c"}})
	if sum.Commits != 11 || sum.Packs != 22 || sum.Blobs != 33 || sum.Files != 44 || sum.Bytes != 55 || strings.Join(sum.Incomplete, "") != "abc" {
		t.Errorf("%+v", sum)
	}
}

// TestLiveStream writes line by line, and waits each time until what the line
// holds was reported: a stream that waited for more would never end this.
func TestLiveStream(t *testing.T) {
	r := rand.New(rand.NewSource(33))
	in, out := io.Pipe()
	found := make(chan leak.Candidate)
	done := make(chan error, 1)
	var tally Tally
	go func() {
		var err error
		tally, err = newScanner(t, Options{Live: true}).Stream(t.Context(), "log", in, func(c leak.Candidate) error {
			found <- c
			return nil
		})
		done <- err
	}()
	var size int64
	for line := 1; line <= 50; line++ {
		tok := token(r)
		n, err := io.WriteString(out, "time "+tok+" rest\n")
		if err != nil {
			t.Fatal(err)
		}
		size += int64(n)
		if c := <-found; string(c.Secret.Reveal()) != tok || c.Place.Line != line || c.Place.Column != 6 || c.Place.Path != "log" {
			t.Fatalf("line %d: %+v", line, c.Place)
		}
	}
	out.Close()
	if err := <-done; err != nil || tally.Bytes != size || tally.Files != 1 {
		t.Errorf("tally %+v of %d bytes, %v", tally, size, err)
	}
}

// chunks is a reader that gives a text in pieces of set sizes.
type chunks struct {
	text  []byte
	sizes []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := len(c.text)
	if len(c.sizes) > 0 {
		n, c.sizes = int(c.sizes[0])+1, c.sizes[1:]
	}
	n = copy(p, c.text[:min(n, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}

// FuzzLiveStream wants the same finds from a live stream, however it is cut, as
// from the whole text.
func FuzzLiveStream(f *testing.F) {
	f.Add([]byte("x\n"), []byte{3, 200, 1, 1, 40}, 5, int64(1))
	f.Add([]byte("\n\n"), []byte{}, 9, int64(2))
	s := newScanner(f, Options{})
	f.Fuzz(func(t *testing.T, filler, sizes []byte, n int, seed int64) {
		r := rand.New(rand.NewSource(seed))
		var text []byte
		for range n & 15 {
			text = append(append(text, filler...), " "+token(r)+"\n"...)
		}
		whole := s.matcher.Resolve(s.matcher.Find(nil, text))
		w := s.newWindow()
		w.live = true
		w.buf = make([]byte, s.matcher.Overlap()+64)
		hits, size, err := w.all(t.Context(), &chunks{text, sizes})
		if err != nil || size != int64(len(text)) || len(hits) != len(whole) {
			t.Fatalf("%d found live, %d in the whole: %v", len(hits), len(whole), err)
		}
		for i, h := range hits {
			if string(h.secret.Reveal()) != string(text[whole[i].Start:whole[i].End]) {
				t.Fatalf("find %d is another one", i)
			}
		}
	})
}

// TestSettle holds settle to its promise with made-up matches: what it settles
// overlaps nothing that starts later, not even through others.
func TestSettle(t *testing.T) {
	r := rand.New(rand.NewSource(34))
	for range 2000 {
		var found []sighting
		for range r.Intn(12) {
			var s sighting
			s.match.Start = r.Intn(100)
			s.match.End = s.match.Start + 1 + r.Intn(30)
			found = append(found, s)
		}
		end := r.Intn(120)
		n := settle(found, end)
		for _, s := range found[:n] {
			if s.match.End > end {
				t.Fatalf("settles %d-%d before %d", s.match.Start, s.match.End, end)
			}
			for _, o := range found[n:] {
				if o.match.Start < s.match.End {
					t.Fatalf("settles %d-%d, but not %d-%d", s.match.Start, s.match.End, o.match.Start, o.match.End)
				}
			}
		}
		if n < len(found) && found[n].match.End <= end { // it is held back for a reason: a chain that goes on
			reach := found[n].match.End
			for _, o := range found[n:] {
				if o.match.Start < reach {
					reach = max(reach, o.match.End)
				}
			}
			if reach <= end {
				t.Fatalf("holds back %d-%d of a chain to %d, before %d", found[n].match.Start, found[n].match.End, reach, end)
			}
		}
	}
}

// TestStreamStopsWhenItIsTold reads no further than to the window in which emit
// refused.
func TestStreamStopsWhenItIsTold(t *testing.T) {
	s := newScanner(t, Options{})
	r := rand.New(rand.NewSource(35))
	stop := errors.New("stop")
	endless := io.MultiReader(strings.NewReader(token(r)+"\n"), zeros{})
	if _, err := s.Stream(t.Context(), "", endless, func(leak.Candidate) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestStandardInputHasAName(t *testing.T) {
	tally, err := newScanner(t, Options{}).Stream(t.Context(), "", broken{}, nil)
	if err != nil || len(tally.Incomplete) != 1 || tally.Incomplete[0] != "standard input: the plug was pulled" {
		t.Errorf("%v, %v", tally.Incomplete, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the plug was pulled") }
