package history

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// checkAll compares everything that is read of a repository with git.
func checkAll(t *testing.T, dir string) {
	t.Helper()
	r := open(t, dir)
	noProblems(t, r.Problems())
	checkWalk(t, r, dir)
	brute := bruteForce(t, dir)
	compare(t, attributed(t, r, keys(brute)), brute)
}

func TestIndexVersionOne(t *testing.T) {
	dir := sample(t)
	p := packsOf(t, dir)[0]
	idx := strings.TrimSuffix(p, ".pack") + ".idx"
	if err := os.Remove(idx); err != nil {
		t.Fatal(err)
	}
	gitIn(t, dir, "", "index-pack", "--index-version=1", p)
	if b := readFile(t, idx); strings.HasPrefix(b, "\xfftOc") {
		t.Fatal("the index is not of version 1")
	}
	checkAll(t, dir)
}

func TestMultiPackIndexes(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := newRepo(t, "--object-format="+format)
		for i := range 4 {
			commit(t, dir, fmt.Sprint(i), map[string]string{"a.txt": strings.Repeat("line\n", 100+i), fmt.Sprint("f", i): fmt.Sprint(i)})
			gitIn(t, dir, "", "repack", "-q", "-d")
		}
		gitIn(t, dir, "", "multi-pack-index", "write", "--bitmap")
		gitIn(t, dir, "", "commit-graph", "write", "--reachable")
		commit(t, dir, "loose", map[string]string{"loose": "loose"})
		checkAll(t, dir)
	}
}

func TestMultiPackIndexDamage(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a"})
	gitIn(t, dir, "", "repack", "-q", "-d")
	gitIn(t, dir, "", "multi-pack-index", "write")
	file := filepath.Join(dir, ".git", "objects", "pack", "multi-pack-index")
	good := readFile(t, file)
	for _, bad := range []string{"", "MIDX", good[:20], "XIDM" + good[4:], strings.Replace(good, "PNAM", "MANP", 1), strings.Replace(good, "PNAM\x00\x00", "PNAM\xff\xff", 1)} {
		overwrite(t, file, bad)
		r := open(t, dir)
		hasProblem(t, r.Problems(), "multi-pack-index", "malformed")
		if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 1 { // the packs themselves are there
			t.Errorf("%+v", got.stats)
		}
	}
}

// TestAlternateForms has object directories named in every way that git takes.
func TestAlternateForms(t *testing.T) {
	source := sample(t)
	objects := filepath.Join(source, ".git", "objects")
	for name, line := range map[string]func(from string) string{
		"absolute": func(string) string { return objects },
		"relative": func(from string) string {
			rel, err := filepath.Rel(from, objects)
			if err != nil {
				t.Fatal(err)
			}
			return filepath.ToSlash(rel)
		},
		"quoted":   func(string) string { return fmt.Sprintf("%q", objects) },
		"twice":    func(string) string { return objects + "\n" + objects },
		"comments": func(string) string { return "# first\n\n" + objects },
	} {
		t.Run(name, func(t *testing.T) {
			dir := newRepo(t)
			write(t, dir, map[string]string{".git/objects/info/alternates": line(filepath.Join(dir, ".git", "objects")) + "\n"})
			gitIn(t, dir, "", "fetch", "-q", source, "main:theirs")
			commit(t, dir, "own", map[string]string{"own": "own"})
			if r := open(t, dir); len(r.stores) != 2 {
				t.Errorf("%d stores", len(r.stores))
			}
			checkAll(t, dir)
		})
	}
}

func TestAlternatesByLink(t *testing.T) {
	needsLinks(t)
	source := sample(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(source, ".git", "objects"), link); err != nil {
		t.Fatal(err)
	}
	dir := newRepo(t)
	write(t, dir, map[string]string{".git/objects/info/alternates": link + "\n" + filepath.Join(source, ".git", "objects") + "\n"})
	gitIn(t, dir, "", "fetch", "-q", source, "main:theirs")
	if r := open(t, dir); len(r.stores) != 2 {
		t.Errorf("%d stores: one is counted twice", len(r.stores))
	}
	checkAll(t, dir)
}

// TestNestedAlternates has each repository borrow from the one before.
func TestNestedAlternates(t *testing.T) {
	chain := []string{sample(t)}
	for i := range maxAlternateDepth + 2 {
		next := filepath.Join(t.TempDir(), "next")
		gitIn(t, chain[i], "", "init", "-q", next)
		write(t, next, map[string]string{".git/objects/info/alternates": filepath.Join(chain[i], ".git", "objects") + "\n"})
		blob := gitIn(t, next, fmt.Sprint("blob ", i), "hash-object", "-w", "--stdin")
		chain = append(chain, next)
		r := open(t, next)
		if i < maxAlternateDepth {
			noProblems(t, r.Problems())
			if got := walk(t, r, BlobOptions{}); !maps.Equal(got.blobs, gitBlobs(t, next)) || got.blobs[blob] == 0 {
				t.Errorf("depth %d: %d blobs", i+1, len(got.blobs))
			}
			continue
		}
		hasProblem(t, r.Problems(), "alternate", "nested more than")
	}
}

func TestReplacedAndGraftedObjects(t *testing.T) {
	dir := newRepo(t)
	first := commit(t, dir, "first", map[string]string{"a": "hidden by a replacement"})
	second := commit(t, dir, "second", map[string]string{"a": "second"})
	third := commit(t, dir, "third", map[string]string{"a": "third"})
	hidden, second1 := gitIn(t, dir, "", "rev-parse", first+":a"), gitIn(t, dir, "", "rev-parse", second+":a")
	gitIn(t, dir, "", "replace", hidden, second1)
	gitIn(t, dir, "", "replace", "--graft", third)                     // as if it had no parents
	write(t, dir, map[string]string{".git/info/grafts": third + "\n"}) // the same, in the old way
	for name, r := range map[string]*Repository{"native": open(t, dir), "git": onlyGit(t, dir)} {
		data, err := r.ReadBlob(t.Context(), parseID(t, hidden))
		if err != nil || string(data) != "hidden by a replacement" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
		a, err := r.Attribute(t.Context(), []pack.ID{parseID(t, hidden)}, AttributeOptions{})
		if in := a.Introductions[parseID(t, hidden)]; err != nil || len(in) != 1 || in[0].Commit.ID.String() != first {
			t.Errorf("%s: %v, %v", name, in, err)
		}
		set, err := r.Reachable(t.Context(), []string{third}, nil)
		if err != nil || set.Len() != 3 {
			t.Errorf("%s: %v, %v", name, set, err)
		}
	}
}

// looseObject is the file of an object with a header of one's own.
func looseObject(header, content string) (id string, file []byte) {
	sum := sha1.Sum([]byte(header + content))
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(header + content))
	z.Close()
	return fmt.Sprintf("%x", sum), b.Bytes()
}

// TestLooseObjects has loose objects of all kinds, right and wrong.
func TestLooseObjects(t *testing.T) {
	long := strings.Repeat("many bytes that compress well ", 10_000)
	for name, tc := range map[string]struct {
		header, content string
		damage          func(file []byte) []byte
		says            string // the problem; "": none
	}{
		"blob":            {"blob 3\x00", "abc", nil, ""},
		"empty blob":      {"blob 0\x00", "", nil, ""},
		"long blob":       {fmt.Sprintf("blob %d\x00", len(long)), long, nil, ""},
		"tree":            {"tree 0\x00", "", nil, ""},
		"unknown kind":    {"blub 3\x00", "abc", nil, "header is malformed"},
		"no size":         {"blob \x00", "abc", nil, "header is malformed"},
		"size too small":  {"blob 2\x00", "abc", nil, "size is not"},
		"size too large":  {"blob 4\x00", "abc", nil, "size is not"},
		"negative size":   {"blob -3\x00", "abc", nil, "header is malformed"},
		"leading zero":    {"blob 03\x00", "abc", nil, "header is malformed"},
		"endless header":  {"blob " + strings.Repeat("1", 40) + "\x00", "abc", nil, "header is malformed"},
		"empty file":      {"blob 3\x00", "abc", func([]byte) []byte { return nil }, "header is malformed"},
		"no zlib":         {"blob 3\x00", "abc", func([]byte) []byte { return []byte("blob 3\x00abc") }, "header is malformed"},
		"cut":             {fmt.Sprintf("blob %d\x00", len(long)), long, func(b []byte) []byte { return b[:len(b)/2] }, "cannot be read"},
		"checksum":        {"blob 3\x00", "abc", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "cannot be read"},
		"another's name":  {"blob 3\x00", "abc", func([]byte) []byte { _, b := looseObject("blob 3\x00", "abd"); return b }, "do not have its name"},
		"bytes after end": {"blob 3\x00", "abc", func(b []byte) []byte { return append(b, "more"...) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := newRepo(t)
			id, file := looseObject(tc.header, tc.content)
			if tc.damage != nil {
				file = tc.damage(file)
			}
			write(t, dir, map[string]string{".git/objects/" + id[:2] + "/" + id[2:]: string(file)})
			r := open(t, dir)
			got := walk(t, r, BlobOptions{})
			data, err := r.ReadBlob(t.Context(), parseID(t, id))
			switch isBlob := strings.HasPrefix(tc.header, "blob"); {
			case tc.says != "":
				hasProblem(t, got.stats.Problems, id, tc.says)
				if err == nil || got.stats.Blobs != 0 {
					t.Errorf("%q, %+v", data, got.stats)
				}
			case !isBlob:
				noProblems(t, got.stats.Problems)
			default:
				noProblems(t, got.stats.Problems)
				if err != nil || string(data) != tc.content || got.stats.Loose != 1 {
					t.Errorf("%d bytes, %v, %+v", len(data), err, got.stats)
				}
			}
		})
	}
}

// TestLooseSizeThatIsALie has an object that says it is far larger than it is:
// nothing is made ready for it, and whoever reads it is told.
func TestLooseSizeThatIsALie(t *testing.T) {
	dir := newRepo(t)
	id, file := looseObject("blob 999999999999\x00", "abc")
	write(t, dir, map[string]string{".git/objects/" + id[:2] + "/" + id[2:]: string(file)})
	r := open(t, dir)
	called := false
	_, err := r.WalkBlobs(t.Context(), BlobOptions{Large: func(_ int, got pack.ID, size int64, open func() (io.ReadCloser, error)) error {
		called = got.String() == id && size == 999999999999
		in, err := open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, in)
		return err
	}})
	if !called || !errors.Is(err, errSize) {
		t.Errorf("called: %v, %v", called, err)
	}
	if _, err := r.ReadBlob(t.Context(), parseID(t, id)); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestLooseFilesThatAreNone has what may stand beside loose objects.
func TestLooseFilesThatAreNone(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a"})
	id := strings.Repeat("ab", 20)
	write(t, dir, map[string]string{".git/objects/ab/tmp_obj_x": "x", ".git/objects/ab/" + strings.Repeat("z", 38): "x", ".git/objects/zz/x": "x",
		".git/objects/ab/" + id[2:] + "/file": "an object that is a directory"})
	r := open(t, dir)
	got := walk(t, r, BlobOptions{})
	hasProblem(t, got.stats.Problems, id, "regular file")
	if len(got.stats.Problems) != 1 || got.stats.Blobs != 1 {
		t.Errorf("%+v", got.stats)
	}
}

func TestPacksWithoutTheirFiles(t *testing.T) {
	dir := sample(t)
	p := packsOf(t, dir)[0]
	idx := strings.TrimSuffix(p, ".pack") + ".idx"
	good := readFile(t, idx)
	for name, tc := range map[string]struct {
		damage func()
		words  []string
	}{
		"index cut":     {func() { overwrite(t, idx, good[:len(good)/2]) }, []string{filepath.Base(p), "cannot be read"}},
		"index empty":   {func() { overwrite(t, idx, "") }, []string{filepath.Base(p), "cannot be read"}},
		"index is gone": {func() { os.Remove(idx) }, []string{filepath.Base(p), "no index"}},
	} {
		tc.damage()
		r := open(t, dir)
		hasProblem(t, r.Problems(), tc.words...)
		s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return nil }})
		if err != nil || s.Loose != 2 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		os.WriteFile(idx, []byte(good), 0o666)
	}
	checkAll(t, dir)
	if err := os.Remove(p); err != nil {
		t.Fatal(err)
	}
	hasProblem(t, open(t, dir).Problems(), filepath.Base(idx), "without its pack")
}

func TestGitFiles(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a"})
	apart := filepath.Join(t.TempDir(), "apart")
	if err := os.Rename(filepath.Join(dir, ".git"), apart); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(dir, apart)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"gitdir: " + apart, "gitdir: " + filepath.ToSlash(rel) + "\n", "gitdir: " + apart + "\r\n"} {
		write(t, dir, map[string]string{".git": content})
		r := open(t, dir)
		if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 1 || !sameFile(r.WorkTree(), dir) {
			t.Errorf("%q: %+v, %s", content, got.stats, r.WorkTree())
		}
	}
	t.Run("link", func(t *testing.T) {
		needsLinks(t)
		other := t.TempDir()
		for _, target := range []string{filepath.Join(dir, ".git"), apart} { // to a file that says where, and to the directory
			link := filepath.Join(other, ".git")
			os.Remove(link)
			if err := os.Symlink(target, link); err != nil {
				t.Fatal(err)
			}
			if target != apart {
				write(t, dir, map[string]string{".git": "gitdir: " + apart})
			}
			r := open(t, other)
			if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 1 {
				t.Errorf("%s: %+v", target, got.stats)
			}
		}
	})
}

func TestLargeThatCannotBeHeld(t *testing.T) {
	dir := newRepo(t)
	base := strings.Repeat("a line of the large file\n", 4000)
	commit(t, dir, "large", map[string]string{"large": base, "small": "small"})
	commit(t, dir, "larger", map[string]string{"large": base + "more\n"})
	gitIn(t, dir, "", "repack", "-q", "-adf")
	r := open(t, dir)
	got := walk(t, r, BlobOptions{MaxMaterialised: 1000}) // one is a delta against the other
	noProblems(t, got.stats.Problems)
	if !maps.Equal(got.blobs, gitBlobs(t, dir)) {
		t.Errorf("%v", got.blobs)
	}
}
