package history

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// gitStaged is what git says differs between HEAD and the index, "PATH BLOB
// HEAD'S BLOB" each.
func gitStaged(t *testing.T, dir string) (lines []string) {
	t.Helper()
	f := strings.Split(gitIn(t, dir, "", "diff-index", "--cached", "--no-renames", "-z", "--abbrev=64", "HEAD"), "\x00")
	for ; len(f) > 1; f = f[2:] { // ":MODE MODE ID ID STATUS", PATH
		m := strings.Fields(f[0])
		if m[4] != "D" && m[1] != "160000" {
			if strings.Trim(m[2], "0") == "" {
				m[2] = ""
			}
			lines = append(lines, fmt.Sprintf("%q %s %s", f[1], m[3], m[2]))
		}
	}
	slices.Sort(lines)
	return lines
}

func staged(t *testing.T, dir string) (lines []string) {
	t.Helper()
	files, err := open(t, dir).Staged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("%q %s %s", f.Path, f.Blob, f.Head))
	}
	slices.Sort(lines)
	return lines
}

// gitChanged is what git status says of regular files in the work tree.
func gitChanged(t *testing.T, dir string) (paths []string) {
	t.Helper()
	for p := range strings.SplitSeq(gitIn(t, dir, "", "ls-files", "-z", "--modified", "--others", "--exclude-standard", "--deduplicate"), "\x00") {
		if st, err := os.Lstat(filepath.Join(dir, p)); p != "" && err == nil && st.Mode().IsRegular() {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

func checkIndex(t *testing.T, dir, when string) {
	t.Helper()
	if got, want := staged(t, dir), gitStaged(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s: staged\n got %q\nwant %q", when, got, want)
	}
	got, problems, err := open(t, dir).ChangedFiles(t.Context())
	if want := gitChanged(t, dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: changed\n got %q, %v\nwant %q", when, got, err, want)
	}
	noProblems(t, problems)
}

// indexRepo makes a repository with staged, changed and new files.
func indexRepo(t *testing.T, args ...string) string {
	t.Helper()
	dir := newRepo(t, args...)
	files := map[string]string{".gitignore": "*.log\n/ignored/\n"}
	for i := range 40 {
		files[fmt.Sprintf("d%d/sub/f%02d", i%4, i)] = fmt.Sprint(i)
	}
	commit(t, dir, "files", files)
	write(t, dir, map[string]string{"d0/sub/f00": "staged", "d1/sub/f01": "staged, then changed", "d2/new": "new", "ignored/x": "x", "a.log": "x"})
	gitIn(t, dir, "", "add", "d0", "d1", "d2")
	write(t, dir, map[string]string{"d1/sub/f01": "changed again", "d3/sub/f03": "only changed", "d3/untracked": "x"})
	gitIn(t, dir, "", "rm", "-q", "--cached", "d2/sub/f02")
	return dir
}

func TestIndexVersions(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := indexRepo(t, "--object-format="+format)
		for _, version := range []string{"2", "3", "4"} {
			gitIn(t, dir, "", "update-index", "--index-version="+version)
			checkIndex(t, dir, format+" version "+version)
		}
		gitIn(t, dir, "", "update-index", "--skip-worktree", "d0/sub/f04") // which makes version 3 necessary
		gitIn(t, dir, "", "update-index", "--assume-unchanged", "d0/sub/f08")
		checkIndex(t, dir, format+" extended flags")
		gitIn(t, dir, "", "config", "index.threads", "4")
		gitIn(t, dir, "", "update-index", "--force-write-index", "--untracked-cache")
		checkIndex(t, dir, format+" more extensions")
	}
}

func TestSplitIndex(t *testing.T) {
	dir := indexRepo(t)
	gitIn(t, dir, "", "config", "splitIndex.maxPercentChange", "100")
	gitIn(t, dir, "", "update-index", "--split-index")
	shared, err := filepath.Glob(filepath.Join(dir, ".git", "sharedindex.*"))
	if err != nil || len(shared) != 1 {
		t.Fatal(shared, err)
	}
	write(t, dir, map[string]string{"d0/sub/f12": "staged after the split", "d0/later": "later"})
	gitIn(t, dir, "", "add", "d0")
	gitIn(t, dir, "", "rm", "-q", "--cached", "d1/sub/f05")
	checkIndex(t, dir, "split")
	if err := os.Remove(shared[0]); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	if _, err := r.Staged(t.Context()); err == nil || !strings.Contains(err.Error(), "index") {
		t.Errorf("without the shared index: %v", err)
	}
	_, problems, err := r.ChangedFiles(t.Context())
	if err != nil {
		t.Error(err)
	}
	hasProblem(t, problems, "index", "all files count as changed")
}

func TestSparseIndex(t *testing.T) {
	dir := indexRepo(t)
	gitIn(t, dir, "", "commit", "-q", "-m", "clean")
	gitIn(t, dir, "", "checkout", "-q", "-f", "--", ".")
	gitIn(t, dir, "", "clean", "-qfdx")
	gitIn(t, dir, "", "sparse-checkout", "set", "--cone", "--sparse-index", "d0")
	if out := gitIn(t, dir, "", "ls-files", "--sparse"); !strings.Contains(out, "d3/\n") && !strings.HasSuffix(out, "d3/") {
		t.Fatalf("the index is not sparse: %q", out)
	}
	write(t, dir, map[string]string{"d0/sub/f00": "staged in a sparse index"})
	gitIn(t, dir, "", "add", "d0/sub/f00")
	write(t, dir, map[string]string{"d0/sub/f04": "changed"})
	checkIndex(t, dir, "sparse")
}

func TestConflicts(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "base", map[string]string{"f": "base\n", "same": "same"})
	gitIn(t, dir, "", "checkout", "-q", "-b", "theirs")
	commit(t, dir, "theirs", map[string]string{"f": "theirs\n", "both": "b\n"})
	gitIn(t, dir, "", "checkout", "-q", "main")
	commit(t, dir, "ours", map[string]string{"f": "ours\n", "both": "a\n"})
	if err := gitCmd(t, dir, "merge", "-q", "theirs").Run(); err == nil {
		t.Fatal("there is no conflict")
	}
	r := open(t, dir)
	files, err := r.Staged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, f := range files {
		for _, content := range []string{"base\n", "theirs\n", "ours\n", "a\n", "b\n"} {
			if f.Blob == hashOf(r, []byte(content)) {
				got[f.Path] = append(got[f.Path], content)
			}
		}
	}
	for path, want := range map[string][]string{"f": {"base\n", "theirs\n"}, "both": {"b\n"}} { // what HEAD has is no news
		slices.Sort(got[path])
		if !slices.Equal(got[path], want) {
			t.Errorf("%s: staged %q, want %q", path, got[path], want)
		}
	}
	if got, want := changed(t, dir), []string{"both", "f"}; !slices.Equal(got, want) {
		t.Errorf("changed %q, want %q", got, want)
	}
}

func TestOddFileNames(t *testing.T) {
	dir := newRepo(t)
	names := []string{"plain", "with space", "tab\there", "quote\"and\\", "ünïcode", "-dash", "a:b"}
	if runtime.GOOS == "linux" { // others refuse some of these
		names = append(names, "new\nline", "\xff\xfe not UTF-8", "\x01control", strings.Repeat("long", 60))
	}
	if runtime.GOOS == "windows" {
		names = []string{"plain", "with space", "ünïcode", "-dash"}
	}
	files := map[string]string{}
	for i, n := range names {
		files[n], files["dir "+n+"/"+n] = fmt.Sprint(i), fmt.Sprint("in ", i)
	}
	want := commit(t, dir, "odd", files)
	for n := range files {
		files[n] += " changed"
	}
	write(t, dir, files)
	checkIndex(t, dir, "changed")
	gitIn(t, dir, "", "add", "-A")
	checkIndex(t, dir, "staged")
	for _, version := range []string{"4", "2"} {
		gitIn(t, dir, "", "update-index", "--index-version="+version)
		checkIndex(t, dir, "version "+version)
	}
	gitIn(t, dir, "", "reset", "-q", "--hard")
	r := open(t, dir)
	brute := bruteForce(t, dir)
	compare(t, attributed(t, r, keys(brute)), brute)
	for _, n := range names {
		if _, ok, err := r.PathBlob(t.Context(), parseID(t, want), "dir "+n+"/"+n); !ok || err != nil {
			t.Errorf("%q: %v, %v", n, ok, err)
		}
	}
}

func TestIndexDamage(t *testing.T) {
	dir := indexRepo(t)
	index := filepath.Join(dir, ".git", "index")
	good := readFile(t, index)
	for name, bad := range map[string]string{"empty": "", "cut": good[:len(good)/2], "version": good[:4] + "\x00\x00\x00\x09" + good[8:],
		"count": good[:8] + "\xff\xff\xff\xff" + good[12:]} {
		overwrite(t, index, bad)
		r := open(t, dir)
		files, err := r.Staged(t.Context())
		if err == nil {
			t.Errorf("%s: %d files staged, and no error", name, len(files))
		}
		got, problems, err := r.ChangedFiles(t.Context())
		if err != nil || !slices.Contains(got, "d0/sub/f00") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		hasProblem(t, problems, "index")
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(index, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Staged(t.Context()); err == nil {
		t.Error("a directory as index: no error")
	}
}

func TestSubmodules(t *testing.T) {
	inner, dir := newRepo(t), newRepo(t)
	commit(t, inner, "inner", map[string]string{"in": "inner"})
	commit(t, dir, "outer", map[string]string{"out": "outer"})
	gitIn(t, dir, "", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner, "mod")
	gitIn(t, dir, "", "commit", "-q", "-m", "a submodule")
	write(t, dir, map[string]string{"mod/new": "not looked into", "own": "own"})
	checkIndex(t, dir, "a submodule")
	if got := changed(t, dir); !slices.Equal(got, []string{"own"}) {
		t.Errorf("changed %q", got)
	}
	r := open(t, dir) // whose objects are its own
	if got := walk(t, r, BlobOptions{}); len(got.blobs) != 2 {
		t.Errorf("%d blobs", len(got.blobs))
	}
	for _, path := range []string{filepath.Join(dir, "mod"), filepath.Join(dir, ".git", "modules", "mod")} {
		r := open(t, path)
		noProblems(t, r.Problems())
		if _, ok := walk(t, r, BlobOptions{}).blobs[hashOf(r, []byte("inner")).String()]; !ok {
			t.Errorf("%s: the submodule's blob was not read", path)
		}
	}
	if got := changed(t, filepath.Join(dir, "mod")); !slices.Equal(got, []string{"new"}) {
		t.Errorf("in the submodule: %q", got)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("permissions do not hold here")
	}
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a", "closed/b": "b"})
	shut := func(path string) {
		t.Helper()
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o700) })
	}
	blob := gitIn(t, dir, "", "rev-parse", "HEAD:a")
	shut(looseFile(dir, blob))
	shut(filepath.Join(dir, "closed"))
	shut(filepath.Join(dir, ".git", "refs", "tags"))
	r := open(t, dir)
	hasProblem(t, r.Problems(), "refs/tags", "permission")
	s, err := r.WalkBlobs(t.Context(), BlobOptions{Visit: func(int, *Blob) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	hasProblem(t, s.Problems, blob, "permission")
	_, problems, err := r.ChangedFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hasProblem(t, problems, "closed", "permission")
}

func TestLinkLoops(t *testing.T) {
	needsLinks(t)
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a"})
	for _, name := range []string{"loop", ".git/refs/heads/loop", ".git/objects/pack/pack-loop.pack", ".git/packed-refs", ".git/shallow", ".git/info/exclude"} {
		p := filepath.Join(dir, filepath.FromSlash(name))
		os.Remove(p)
		if err := os.Symlink(filepath.Base(p), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("..", filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	for _, words := range [][]string{{"refs/heads/loop", "regular"}, {"pack-loop.pack", "regular"}, {"packed-refs", "regular"}, {"shallow", "regular"}} {
		hasProblem(t, r.Problems(), words...)
	}
	if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 1 {
		t.Errorf("%+v", got.stats)
	}
	got, problems, err := r.ChangedFiles(t.Context())
	if err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
	hasProblem(t, problems, "exclude", "not ignored")
	for _, name := range []string{".git", "objects"} {
		other := t.TempDir()
		write(t, other, map[string]string{"HEAD": "ref: refs/heads/main\n", "refs/heads/x": "x"})
		if err := os.Symlink(name, filepath.Join(other, name)); err != nil {
			t.Fatal(err)
		}
		if r, err := Open(other); err == nil {
			t.Errorf("%s is a loop: %v", name, r)
		}
	}
}

func TestStagedWithoutHead(t *testing.T) {
	dir := newRepo(t)
	first := commit(t, dir, "x", map[string]string{"a": "a"})
	tree := gitIn(t, dir, "", "rev-parse", "HEAD^{tree}")
	write(t, dir, map[string]string{"b": "b"})
	gitIn(t, dir, "", "add", "b")
	for _, id := range []string{tree, first} {
		if err := os.Remove(looseFile(dir, id)); err != nil {
			t.Fatal(err)
		}
		if files, err := open(t, dir).Staged(t.Context()); err == nil {
			t.Errorf("HEAD's objects are gone: %v, and no error", files)
		}
	}
	gitIn(t, dir, "", "symbolic-ref", "HEAD", "refs/heads/unborn")
	files, err := open(t, dir).Staged(t.Context())
	if want := []StagedFile{{"a", hashOf(open(t, dir), []byte("a")), pack.ID{}}, {"b", hashOf(open(t, dir), []byte("b")), pack.ID{}}}; err != nil || !slices.Equal(files, want) {
		t.Errorf("unborn branch: %v, %v", files, err)
	}
}
