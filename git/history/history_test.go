package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// sample makes a repository with a packed and a loose part.
func sample(t *testing.T, args ...string) string {
	t.Helper()
	dir := newRepo(t, args...)
	for i := range 12 {
		commit(t, dir, fmt.Sprint("commit ", i), map[string]string{
			"log.txt":                        strings.Repeat("one line of many\n", 20+i),
			fmt.Sprintf("dir/file%d.txt", i): fmt.Sprint("file ", i),
		})
	}
	gitIn(t, dir, "", "repack", "-q", "-adf")
	commit(t, dir, "loose", map[string]string{"loose.txt": "loose", "big.txt": strings.Repeat("big ", 3000)})
	return dir
}

func TestOpenKinds(t *testing.T) {
	dir := sample(t)
	bare := filepath.Join(t.TempDir(), "bare.git")
	gitIn(t, dir, "", "clone", "-q", "--bare", "--no-local", dir, bare)
	linked := filepath.Join(t.TempDir(), "linked")
	gitIn(t, dir, "", "worktree", "add", "-q", "-b", "side", linked)
	commit(t, linked, "in the linked work tree", map[string]string{"linked.txt": "linked"})
	for _, tc := range []struct{ name, path, workTree string }{
		{"work tree", dir, dir},
		{"git directory", filepath.Join(dir, ".git"), dir},
		{"bare", bare, ""},
		{"linked work tree", linked, linked},
		{"git file", filepath.Join(linked, ".git"), linked},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := open(t, tc.path)
			noProblems(t, r.Problems())
			if r.Path() != tc.path || !sameFile(r.WorkTree(), tc.workTree) || r.idSize != 20 {
				t.Errorf("path %s, work tree %s, %d bytes", r.Path(), r.WorkTree(), r.idSize)
			}
			checkWalk(t, r, tc.path[:len(tc.path)-len(suffixOf(tc.path))])
			id, ok := r.ref("HEAD")
			if want := gitIn(t, tc.path[:len(tc.path)-len(suffixOf(tc.path))], "", "rev-parse", "HEAD"); !ok || id.String() != want {
				t.Errorf("HEAD is %s, want %s", id, want)
			}
		})
	}
}

// suffixOf is what to cut off a path to get a directory that git runs in.
func suffixOf(path string) string {
	if filepath.Base(path) == ".git" {
		return string(filepath.Separator) + ".git"
	}
	return ""
}

func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func TestOpenNoRepository(t *testing.T) {
	plain := t.TempDir()
	write(t, plain, map[string]string{"file": "x", "a/.git": "gitdir: ../nowhere\n", "b/.git": "nonsense", "c/.git": "gitdir: x\x00y",
		"d/.git/HEAD": "ref: refs/heads/main\n"})
	for _, p := range []string{"", "file", "a", "b", "c", "d"} {
		r, err := Open(filepath.Join(plain, p))
		if !errors.Is(err, ErrNotRepository) {
			t.Errorf("%q: %v", p, err)
		}
		if r != nil {
			t.Errorf("%q: a repository beside an error", p)
		}
	}
	if _, err := Open(filepath.Join(plain, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestObjectFormats(t *testing.T) {
	dir := sample(t, "--object-format=sha256")
	r := open(t, dir)
	if r.idSize != 32 {
		t.Fatalf("names have %d bytes", r.idSize)
	}
	noProblems(t, r.Problems())
	checkWalk(t, r, dir)
	compare(t, attributed(t, r, keys(bruteForce(t, dir))), bruteForce(t, dir))

	gitIn(t, dir, "", "config", "extensions.objectformat", "sha512")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "sha512") {
		t.Errorf("unknown format: %v", err)
	}
}

func keys[V any](m map[string]V) (k []string) {
	for s := range m {
		k = append(k, s)
	}
	slices.Sort(k)
	return k
}

func TestEmptyRepository(t *testing.T) {
	dir := newRepo(t)
	r := open(t, dir)
	noProblems(t, r.Problems())
	checkWalk(t, r, dir)
	a, err := r.Attribute(t.Context(), []pack.ID{parseID(t, strings.Repeat("1", 40))}, AttributeOptions{})
	if err != nil || len(a.Introductions) != 0 {
		t.Errorf("%v, %v", a, err)
	}
}

func TestManyPacks(t *testing.T) {
	dir := newRepo(t)
	for i := range 7 {
		commit(t, dir, fmt.Sprint(i), map[string]string{"a.txt": strings.Repeat("line\n", 100+i), fmt.Sprint("f", i): fmt.Sprint(i)})
		gitIn(t, dir, "", "repack", "-q", "-d")
	}
	head := gitIn(t, dir, "", "rev-parse", "HEAD~3")
	gitIn(t, dir, head+"\n", "pack-objects", "-q", "--revs", filepath.Join(".git", "objects", "pack", "pack")) // copies
	gitIn(t, dir, "", "multi-pack-index", "write")
	r := open(t, dir)
	noProblems(t, r.Problems())
	checkWalk(t, r, dir)
	if got := walk(t, r, BlobOptions{}); got.stats.Packs != 8 || got.stats.Copies == 0 {
		t.Errorf("stats %+v", got.stats)
	}
	compare(t, attributed(t, r, keys(bruteForce(t, dir))), bruteForce(t, dir))
}

func TestMissingPackOfMultiPackIndex(t *testing.T) {
	dir := newRepo(t)
	for i := range 3 {
		commit(t, dir, fmt.Sprint(i), map[string]string{fmt.Sprint("f", i): fmt.Sprint(i)})
		gitIn(t, dir, "", "repack", "-q", "-d")
	}
	gitIn(t, dir, "", "multi-pack-index", "write")
	packs := packsOf(t, dir)
	for _, ext := range []string{".pack", ".idx"} {
		os.Remove(strings.TrimSuffix(packs[0], ".pack") + ext)
	}
	os.Remove(strings.TrimSuffix(packs[1], ".pack") + ".idx")
	r := open(t, dir)
	hasProblem(t, r.Problems(), filepath.Base(packs[0]), "multi-pack-index")
	hasProblem(t, r.Problems(), filepath.Base(packs[1]), "no index")
}

func TestAlternates(t *testing.T) {
	dir := sample(t)
	shared := filepath.Join(t.TempDir(), "shared")
	gitIn(t, dir, "", "clone", "-q", "--shared", dir, shared)
	commit(t, shared, "own", map[string]string{"own.txt": "own", "loose.txt": "loose again"})
	third := filepath.Join(t.TempDir(), "third")
	gitIn(t, dir, "", "clone", "-q", "--shared", shared, third)
	commit(t, third, "third", map[string]string{"third.txt": "third"})
	r := open(t, third)
	noProblems(t, r.Problems())
	checkWalk(t, r, third)
	compare(t, attributed(t, r, keys(bruteForce(t, third))), bruteForce(t, third))
}

func TestAlternatesCycleAndAbsence(t *testing.T) {
	a, b := newRepo(t), newRepo(t)
	commit(t, a, "a", map[string]string{"a": "a"})
	commit(t, b, "b", map[string]string{"b": "b"})
	rel, err := filepath.Rel(filepath.Join(a, ".git", "objects"), filepath.Join(b, ".git", "objects"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, a, map[string]string{".git/objects/info/alternates": "# comment\n" + filepath.ToSlash(rel) + "\n\nabsent/objects\n"})
	write(t, b, map[string]string{".git/objects/info/alternates": filepath.Join(a, ".git", "objects") + "\n"})
	r := open(t, a)
	if len(r.stores) != 2 {
		t.Errorf("%d stores", len(r.stores))
	}
	if p := r.Problems(); len(p) != 1 {
		t.Errorf("problems %v", p)
	}
	hasProblem(t, r.Problems(), "alternate", "absent")
	if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 2 || got.stats.Loose != 2 {
		t.Errorf("stats %+v", got.stats)
	}
}

func TestLargeBlobs(t *testing.T) {
	dir := newRepo(t)
	base := strings.Repeat("0123456789abcdef\n", 4000)
	commit(t, dir, "large", map[string]string{"a": base, "b": base + "more", "small": "small"})
	commit(t, dir, "less", map[string]string{"a": base[:1000], "c": base + "more of it"})
	for _, packed := range []bool{false, true} {
		if packed {
			gitIn(t, dir, "", "repack", "-q", "-adf")
		}
		r := open(t, dir)
		got := walk(t, r, BlobOptions{MaxMaterialised: 2000})
		noProblems(t, got.stats.Problems)
		if len(got.blobs) != 5 || got.stats.Blobs != 5 {
			t.Errorf("packed %v: %+v", packed, got)
		}
		s, err := r.WalkBlobs(t.Context(), BlobOptions{MaxMaterialised: 2000, Visit: func(int, *Blob) error { return nil }})
		if err != nil || s.Blobs != 2 || len(s.Problems) != 3 {
			t.Errorf("packed %v, without Large: %+v, %v", packed, s, err)
		}
		hasProblem(t, s.Problems, "limit")
	}
}

func TestWalkEndsEarly(t *testing.T) {
	dir := sample(t)
	stop := errors.New("stop")
	for _, viaGit := range []bool{false, true} {
		r := open(t, dir)
		if viaGit {
			r = onlyGit(t, dir)
		}
		_, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return stop }})
		if !errors.Is(err, stop) {
			t.Errorf("Visit's error: %v", err)
		}
		_, err = r.WalkBlobs(t.Context(), BlobOptions{MaxMaterialised: 1, Visit: func(int, *Blob) error { return nil },
			Large: func(int, pack.ID, int64, func() (io.ReadCloser, error)) error { return stop }})
		if !errors.Is(err, stop) {
			t.Errorf("Large's error: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = r.WalkBlobs(ctx, BlobOptions{Visit: func(int, *Blob) error { return nil }}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if _, err := r.Attribute(ctx, []pack.ID{parseID(t, strings.Repeat("1", 40))}, AttributeOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Attribute, cancelled: %v", err)
		}
	}
}

// onlyGit opens a repository as if none of its packs could be read natively.
func onlyGit(t *testing.T, dir string) *Repository {
	r := open(t, dir)
	for _, p := range r.packs {
		p.Close()
	}
	r.packs, r.broken = nil, true
	return r
}

func TestCorruptLoose(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": strings.Repeat("a", 500), "b": "b", "c": "c"})
	damage := map[string]func(path string){
		gitIn(t, dir, "", "rev-parse", "HEAD:a"): func(p string) { os.Truncate(p, 14) },
		gitIn(t, dir, "", "rev-parse", "HEAD:b"): func(p string) { os.WriteFile(p, []byte("no zlib at all"), 0o666) },
	}
	other := looseFile(dir, gitIn(t, dir, "", "rev-parse", "HEAD:c"))
	wrong := strings.Repeat("12", 20)
	write(t, dir, map[string]string{".git/objects/12/" + wrong[2:]: readFile(t, other)}) // a good object under a wrong name
	for id, f := range damage {
		p := looseFile(dir, id)
		os.Chmod(p, 0o666)
		f(p)
	}
	r := open(t, dir)
	s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return nil }})
	if err != nil || s.Blobs != 1 || len(s.Problems) != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	for id := range damage {
		hasProblem(t, s.Problems, id, "corrupt")
	}
	hasProblem(t, s.Problems, wrong, "do not have its name")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGoodCopyOfACorruptObject(t *testing.T) {
	dir := sample(t)
	other := filepath.Join(t.TempDir(), "other")
	gitIn(t, dir, "", "clone", "-q", "--no-local", dir, other)
	write(t, dir, map[string]string{".git/objects/info/alternates": filepath.Join(other, ".git", "objects") + "\n"})
	id := gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt")
	os.Chmod(looseFile(dir, id), 0o666)
	os.WriteFile(looseFile(dir, id), nil, 0o666)
	r := open(t, dir)
	got := walk(t, r, BlobOptions{})
	noProblems(t, got.stats.Problems)
	if _, ok := got.blobs[id]; !ok {
		t.Error("the good copy was not read")
	}
	if data, err := r.ReadBlob(t.Context(), parseID(t, id)); err != nil || string(data) != "loose" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestTruncatedPack(t *testing.T) {
	dir := sample(t)
	p := packsOf(t, dir)[0]
	os.Chmod(p, 0o666)
	if err := os.Truncate(p, 300); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	hasProblem(t, r.Problems(), filepath.Base(p), "cannot be read")
	s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return nil }})
	if err != nil || s.Loose != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestFlippedBytesInPack damages a pack in many places: what is left out must
// be told.
func TestFlippedBytesInPack(t *testing.T) {
	dir := sample(t)
	want := gitBlobs(t, dir)
	p := packsOf(t, dir)[0]
	os.Chmod(p, 0o666)
	good := readFile(t, p)
	for at := 12; at < len(good)-20; at += len(good)/25 + 1 {
		bad := []byte(good)
		bad[at] ^= 0x41
		if err := os.WriteFile(p, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(_ int, b *Blob) error {
			if hashOf(r, b.Data) != b.ID() {
				t.Errorf("byte %d: blob %s has other contents", at, b.ID())
			}
			return nil
		}})
		if err != nil {
			t.Errorf("byte %d: %v", at, err)
		}
		if s.Blobs < int64(len(want)) && len(s.Problems)+len(r.Problems()) == 0 {
			t.Errorf("byte %d: %d blobs of %d, and no problem", at, s.Blobs, len(want))
		}
		r.Close()
	}
}

func TestShallowClone(t *testing.T) {
	dir := sample(t)
	shallow := filepath.Join(t.TempDir(), "shallow")
	gitIn(t, dir, "", "clone", "-q", "--depth=3", "file://"+dir, shallow)
	r := open(t, shallow)
	hasProblem(t, r.Problems(), "shallow")
	checkWalk(t, r, shallow)
	blob := parseID(t, gitIn(t, shallow, "", "rev-parse", "HEAD~2:dir/file0.txt"))
	a, err := r.Attribute(t.Context(), []pack.ID{blob}, AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	noProblems(t, a.Problems)
	in := a.Introductions[blob]
	if len(in) != 1 || !in[0].Commit.Shallow || in[0].Commit.ID.String() != gitIn(t, shallow, "", "rev-parse", "HEAD~2") {
		t.Errorf("introductions %+v", in)
	}
}

func TestPartialClone(t *testing.T) {
	dir := sample(t)
	gitIn(t, dir, "", "config", "uploadpack.allowFilter", "true")
	partial := filepath.Join(t.TempDir(), "partial")
	gitIn(t, dir, "", "clone", "-q", "--no-checkout", "--filter=blob:none", "file://"+dir, partial)
	missing := len(gitBlobs(t, dir))
	pwned := filepath.Join(t.TempDir(), "pwned")
	gitIn(t, partial, "", "config", "remote.origin.uploadpack", "touch "+pwned)
	gitIn(t, partial, "", "config", "core.sshCommand", "touch "+pwned)
	r := open(t, partial)
	s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return nil }})
	if err != nil || s.Blobs != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	hasProblem(t, s.Problems, fmt.Sprint(missing, " blobs"), "partial clone")
	blob := parseID(t, gitIn(t, dir, "", "rev-parse", "HEAD:loose.txt"))
	r.broken = true // so that git is asked too
	if _, err := r.ReadBlob(t.Context(), blob); !errors.Is(err, errMissing) {
		t.Errorf("missing blob: %v", err)
	}
	a, err := r.Attribute(t.Context(), []pack.ID{blob}, AttributeOptions{})
	if err != nil || len(a.Introductions[blob]) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := os.Stat(pwned); err == nil {
		t.Error("a command of the configuration was run")
	}
	if got := len(gitBlobs(t, partial)); got != 0 {
		t.Errorf("%d blobs were fetched", got)
	}
}

func TestUnreachable(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "first", map[string]string{"a": "a"})
	commit(t, dir, "dropped", map[string]string{"gone.txt": "gone"})
	gitIn(t, dir, "", "reset", "-q", "--hard", "HEAD~1")
	dangling := gitIn(t, dir, "nobody refers to me", "hash-object", "-w", "--stdin")
	write(t, dir, map[string]string{"a": "stashed"})
	gitIn(t, dir, "", "stash", "-q")
	r := open(t, dir)
	checkWalk(t, r, dir)
	ids := map[string]pack.ID{}
	for name, content := range map[string]string{"dropped": "gone", "stash": "stashed", "first": "a"} {
		ids[name] = hashOf(r, []byte(content))
	}
	ids["dangling"] = parseID(t, dangling)
	a, err := r.Attribute(t.Context(), []pack.ID{ids["dropped"], ids["stash"], ids["first"], ids["dangling"]}, AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dropped": "[gone.txt false]", "stash": "[a true]", "first": "[a true]", "dangling": "[]"} {
		got := []any{}
		for _, i := range a.Introductions[ids[name]] {
			got = append(got, i.Path, i.Commit.Reachable)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
}

func TestMissingBlobIsNoObstacle(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a", "b": "b"})
	id := gitIn(t, dir, "", "rev-parse", "HEAD:a")
	os.Remove(looseFile(dir, id))
	r := open(t, dir)
	if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 1 {
		t.Errorf("%+v", got.stats)
	}
	if _, err := r.ReadBlob(t.Context(), parseID(t, id)); !errors.Is(err, errMissing) || !strings.Contains(err.Error(), id) {
		t.Errorf("%v", err)
	}
	if got, ok, err := r.PathBlob(t.Context(), parseID(t, gitIn(t, dir, "", "rev-parse", "HEAD")), "a"); err != nil || !ok || got.String() != id {
		t.Errorf("%v %v %v", got, ok, err)
	}
}

func TestNothingIsWritten(t *testing.T) {
	dir := sample(t)
	before := listing(t, dir)
	walk(t, open(t, dir), BlobOptions{})
	r := onlyGit(t, dir)
	walk(t, r, BlobOptions{})
	if _, err := r.Attribute(t.Context(), []pack.ID{hashOf(r, []byte("loose"))}, AttributeOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.ChangedFiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	scratch := r.scratch
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(scratch); err == nil || scratch == "" {
		t.Errorf("scratch directory %q is left", scratch)
	}
	if after := listing(t, dir); !slices.Equal(before, after) {
		t.Error("files of the repository changed")
	}
}

// listing lists all files with size and time.
func listing(t *testing.T, dir string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		out = append(out, fmt.Sprint(p, st.Size(), st.ModTime()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWithoutGit(t *testing.T) {
	dir := sample(t)
	t.Setenv("PATH", t.TempDir())
	got := walk(t, open(t, dir), BlobOptions{})
	noProblems(t, got.stats.Problems)
	got = walk(t, onlyGit(t, dir), BlobOptions{})
	hasProblem(t, got.stats.Problems, "git could not be asked")
}

func TestThroughGit(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := sample(t, "--object-format="+format)
		r := onlyGit(t, dir)
		want := gitBlobs(t, dir)
		for _, limit := range []int64{0, 100} {
			got := walk(t, r, BlobOptions{MaxMaterialised: limit})
			noProblems(t, got.stats.Problems)
			if !maps.Equal(got.blobs, want) || got.stats.Fallback == 0 || got.stats.Loose == 0 {
				t.Errorf("%s: %d blobs of %d, %+v", format, len(got.blobs), len(want), got.stats)
			}
		}
		brute := bruteForce(t, dir)
		compare(t, attributed(t, r, keys(brute)), brute)
	}
}
