package scanner

import (
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"patwatch/leak"
)

// placeList writes candidates as "path:line:column", sorted.
func placeList(cs []leak.Candidate) string {
	var out []string
	for _, c := range cs {
		out = append(out, fmt.Sprintf("%s:%d:%d", c.Place.Path, c.Place.Line, c.Place.Column))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestWorkTree(t *testing.T) {
	r := rand.New(rand.NewSource(41))
	tok := func() string { return token(r) }
	s := newSandbox(t)
	s.commit("committed", tok(), "changed", "x\n", "deleted", tok(), ".gitignore", "*.log\n", "sub/kept", "x\n")
	write(t, filepath.Join(s.dir, "changed"), "x\n"+tok())
	write(t, filepath.Join(s.dir, "new"), tok())
	write(t, filepath.Join(s.dir, "sub", "new"), "\n "+tok())
	write(t, filepath.Join(s.dir, "debug.log"), tok())
	if err := os.Remove(filepath.Join(s.dir, "deleted")); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(filepath.Join(s.dir, "committed"), filepath.Join(s.dir, "link")); err != nil {
			t.Fatal(err)
		}
	}
	emit, got := collect()
	tally, err := newScanner(t, Options{Jobs: 2}).WorkTree(t.Context(), s.open(), emit)
	if err != nil || len(tally.Incomplete) > 0 {
		t.Fatal(tally.Incomplete, err)
	}
	if list := placeList(*got); list != "changed:2:1 new:1:1 sub/new:2:2" {
		t.Errorf("found %s", list)
	}
	for _, c := range *got {
		if c.Place.Source != leak.WorkTree || c.Place.Repository != s.dir || c.Place.Commit != "" {
			t.Errorf("place %+v", c.Place)
		}
	}
}

func TestBareRepositoryHasNoWorkTree(t *testing.T) {
	s := &sandbox{t, t.TempDir()}
	s.git("init", "-q", "--bare", ".")
	if tally, err := newScanner(t, Options{}).WorkTree(t.Context(), s.open(), nil); err != nil || tally.Files != 0 || len(tally.Incomplete) > 0 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestStaged(t *testing.T) {
	r := rand.New(rand.NewSource(42))
	old, added, moved, loose := token(r), token(r), token(r), token(r)
	s := newSandbox(t)
	s.commit("a", old+"\n", "b", moved+"\n", "gone", old+"\n")
	write(t, filepath.Join(s.dir, "a"), "first\n"+old+"\n"+added+"\n") // one stays, one comes
	write(t, filepath.Join(s.dir, "c"), moved+"\n")                    // known, but not there
	s.git("rm", "-q", "gone")
	s.git("add", "-A")
	write(t, filepath.Join(s.dir, "c"), loose) // not staged
	emit, got := collect()
	tally, err := newScanner(t, Options{}).Staged(t.Context(), s.open(), emit)
	if err != nil || len(tally.Incomplete) > 0 || tally.Files != 2 {
		t.Fatal(tally, err)
	}
	if list := placeList(*got); list != "a:3:1 c:1:1" {
		t.Errorf("found %s", list)
	}
	for _, c := range *got {
		if tok := string(c.Secret.Reveal()); tok == old || tok == loose || c.Place.Source != leak.Staged || c.Place.Object == "" {
			t.Errorf("%+v", c.Place)
		}
	}
}

func TestStagedBeforeTheFirstCommit(t *testing.T) {
	s := newSandbox(t)
	write(t, filepath.Join(s.dir, "a"), token(rand.New(rand.NewSource(43))))
	s.git("add", "a")
	emit, got := collect()
	if _, err := newScanner(t, Options{}).Staged(t.Context(), s.open(), emit); err != nil || placeList(*got) != "a:1:1" {
		t.Errorf("found %s, %v", placeList(*got), err)
	}
}

// TestStagedThatCannotBeRead removes the blob that is staged, and HEAD's.
func TestStagedThatCannotBeRead(t *testing.T) {
	r := rand.New(rand.NewSource(44))
	tok := token(r)
	s := newSandbox(t)
	s.commit("a", tok, "b", tok)
	lose := func(rev string) {
		id := s.git("rev-parse", rev)
		if err := os.Remove(filepath.Join(s.dir, ".git", "objects", id[:2], id[2:])); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(s.dir, "a"), "more\n"+tok)
	write(t, filepath.Join(s.dir, "b"), "other\n"+tok)
	s.git("add", "-A")
	lose(":a")
	lose("HEAD:b")
	emit, got := collect()
	tally, err := newScanner(t, Options{}).Staged(t.Context(), s.open(), emit)
	if err != nil || len(tally.Incomplete) != 1 || !strings.HasPrefix(tally.Incomplete[0], "a: ") {
		t.Errorf("%v, %v", tally.Incomplete, err)
	}
	if list := placeList(*got); list != "b:2:1" {
		t.Errorf("found %s: rather too much than too little", list)
	}
}

func TestStagedLeavesOutWhatIsTooLarge(t *testing.T) {
	s := newSandbox(t)
	write(t, filepath.Join(s.dir, "a"), token(rand.New(rand.NewSource(60)))+strings.Repeat("x", 100))
	s.git("add", "-A")
	emit, got := collect()
	tally, err := newScanner(t, Options{MaxBlob: 50}).Staged(t.Context(), s.open(), emit)
	if err != nil || len(*got) != 0 || len(tally.Incomplete) != 1 || !strings.Contains(tally.Incomplete[0], "a: blob") {
		t.Errorf("%d found, %v, %v", len(*got), tally.Incomplete, err)
	}
}

func TestStagedEndsEarly(t *testing.T) {
	s := newSandbox(t)
	for i := range 3 {
		write(t, filepath.Join(s.dir, fmt.Sprint(i)), token(rand.New(rand.NewSource(int64(45+i)))))
	}
	s.git("add", "-A")
	stop := errors.New("stop")
	if _, err := newScanner(t, Options{}).Staged(t.Context(), s.open(), func(leak.Candidate) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	repo := s.open()
	for n := range 40 {
		ctx := &countdown{Context: t.Context(), n: n}
		emit, _ := collect()
		tally, err := newScanner(t, Options{}).Staged(ctx, repo, emit)
		if err == nil && ctx.asked > n && len(tally.Incomplete) == 0 {
			t.Errorf("interrupted after %d steps, and complete", n)
		}
	}
}

// TestFilesOfAllKinds scans a folder of what can stand in one.
func TestFilesOfAllKinds(t *testing.T) {
	r := rand.New(rand.NewSource(46))
	tok := token(r)
	dir := t.TempDir()
	names := []string{"plain", "sp ace", "ünï", "=x", "-rf", "deep/a/b/c/d/e/f", ".hidden", ".git2/x", "a/.github/w.yml"}
	if runtime.GOOS != "windows" {
		names = append(names, "new\nline", "esc\x1b[2J", "back\\slash")
	}
	if runtime.GOOS == "linux" {
		names = append(names, "\xff\xfe")
	}
	for _, n := range names {
		write(t, filepath.Join(dir, n), tok)
	}
	write(t, filepath.Join(dir, "empty"), "")
	write(t, filepath.Join(dir, ".git", "config"), tok)
	write(t, filepath.Join(dir, "deep", ".git"), "gitdir: "+tok) // a file of that name is not a folder
	emit, got := collect()
	tally, err := newScanner(t, Options{}).Files(t.Context(), dir, emit)
	if err != nil || len(tally.Incomplete) > 0 || tally.Files != int64(len(names)+2) {
		t.Fatal(tally, err)
	}
	if len(*got) != len(names)+1 {
		t.Errorf("%d found, want %d: %s", len(*got), len(names)+1, placeList(*got))
	}
	for _, c := range *got {
		if c.Place.Path != "deep/.git" && !slices.Contains(names, c.Place.Path) {
			t.Errorf("path %q", c.Place.Path)
		}
	}
}

func TestFilesOfOneFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), token(rand.New(rand.NewSource(47))))
	emit, got := collect()
	if _, err := newScanner(t, Options{}).Files(t.Context(), filepath.Join(dir, "f"), emit); err != nil || placeList(*got) != "f:1:1" {
		t.Errorf("found %s, %v", placeList(*got), err)
	}
	t.Chdir(dir)
	emit, got = collect()
	if _, err := newScanner(t, Options{}).Files(t.Context(), "f", emit); err != nil || placeList(*got) != "f:1:1" {
		t.Errorf("found %s, %v", placeList(*got), err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Symlink("f", "link"); err != nil {
		t.Fatal(err)
	}
	emit, got = collect()
	if _, err := newScanner(t, Options{}).Files(t.Context(), "link", emit); err != nil || placeList(*got) != "link:1:1" {
		t.Errorf("a link that was named: %s, %v", placeList(*got), err)
	}
}

// TestFilesInterrupted ends a scan after every number of steps.
func TestFilesInterrupted(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), token(rand.New(rand.NewSource(int64(50+i)))))
	}
	for n := range 30 {
		ctx := &countdown{Context: t.Context(), n: n}
		emit, got := collect()
		tally, err := newScanner(t, Options{Jobs: 1}).Files(ctx, dir, emit)
		if err != nil || len(*got) > 5 || len(tally.Incomplete) == 0 && len(*got) != 5 {
			t.Errorf("after %d steps: %d found, %v, %v", n, len(*got), tally.Incomplete, err)
		}
	}
}

// TestHugeSparseFile reads a file of 300 MB of zeros with a token at its end.
func TestHugeSparseFile(t *testing.T) {
	const size = 300 << 20
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("\n"+token(rand.New(rand.NewSource(55)))), size); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	emit, got := collect()
	tally, err := newScanner(t, Options{}).Files(t.Context(), name, emit)
	runtime.ReadMemStats(&after)
	if err != nil || placeList(*got) != "sparse:2:1" || tally.Bytes < size {
		t.Errorf("found %s, %+v, %v", placeList(*got), tally, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("allocated %d MB", used>>20)
	}
}

// TestLargeBlob is a blob that the walk does not hold in memory: its tokens are
// found, and its place like that of any other.
func TestLargeBlob(t *testing.T) {
	tok := token(rand.New(rand.NewSource(56)))
	s := newSandbox(t)
	commit := s.commit("large.bin", strings.Repeat("zeros and ones\n", 70<<20/15)+tok+"\n", "small", "x\n")
	s.git("repack", "-q", "-a", "-d")
	got := s.scan(Selection{}, Options{})[tok]
	if len(got) != 1 || got[0].Commit != commit || got[0].Path != "large.bin" || got[0].Line != 70<<20/15+1 || got[0].Standing != leak.InHead {
		t.Errorf("%+v", got)
	}
	emit, found := collect()
	tally, err := newScanner(t, Options{MaxBlob: 1 << 20}).History(t.Context(), s.open(), Selection{}, emit)
	if err != nil || len(*found) != 0 || len(tally.Incomplete) != 1 || !strings.Contains(tally.Incomplete[0], "--max-blob") {
		t.Errorf("left out: %d found, %v, %v", len(*found), tally.Incomplete, err)
	}
}

// TestDeltaOnASkippedBase has a small version of a file stored as a delta
// against a version that is too large to be looked at.
func TestDeltaOnASkippedBase(t *testing.T) {
	tok := token(rand.New(rand.NewSource(57)))
	s := newSandbox(t)
	var lines []string
	r := rand.New(rand.NewSource(58))
	for range 400 {
		lines = append(lines, fmt.Sprintf("line %x", r.Int63()))
	}
	body := strings.Join(lines, "\n") + "\n"
	s.commit("f", tok+"\n"+body+body[:len(body)/2])
	small := s.commit("f", tok+"\n"+body)
	s.git("repack", "-q", "-a", "-d", "-f", "--depth=50")
	emit, got := collect()
	limit := int64(len(body) + 200)
	if _, err := newScanner(t, Options{MaxBlob: limit}).History(t.Context(), s.open(), Selection{}, emit); err != nil {
		t.Fatal(err)
	}
	if len(*got) != 1 || (*got)[0].Place.Commit != small {
		t.Errorf("found %s", placeList(*got))
	}
}

// TestSelections scans parts of a history.
func TestSelections(t *testing.T) {
	r := rand.New(rand.NewSource(59))
	s := newSandbox(t)
	one, two, side := token(r), token(r), token(r)
	s.commit("one", one+"\n")
	s.git("checkout", "-q", "-b", "side")
	s.commit("side", side)
	s.git("checkout", "-q", "main")
	s.commit("two", two, "one", "carried on\n"+one+"\n")
	for _, c := range []struct {
		include, exclude string
		want             []string
	}{
		{"", "", []string{one, two, side}},
		{"main", "", []string{one, two}},
		{"side", "", []string{one, side}},
		{"main", "main~1", []string{two}},
		{"main side", "main~1", []string{two, side}},
		{"side", "main", []string{side}},
		{"main", "main", nil},
		{"", "main", []string{side}},
	} {
		got := s.scan(Selection{Include: strings.Fields(c.include), Exclude: strings.Fields(c.exclude)}, Options{})
		for _, tok := range []string{one, two, side} {
			if (len(got[tok]) > 0) != slices.Contains(c.want, tok) {
				t.Errorf("%q without %q: token %d is there: %v", c.include, c.exclude, slices.Index([]string{one, two, side}, tok), len(got[tok]) > 0)
			}
		}
	}
	emit, _ := collect()
	if _, err := newScanner(t, Options{}).History(t.Context(), s.open(), Selection{Include: []string{"nosuch"}}, emit); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("an unknown revision: %v", err)
	}
}
