package history

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/git/pack"
)

func TestRevisions(t *testing.T) {
	dir := newRepo(t)
	randomHistory(t, dir, 9, 60)
	gitIn(t, dir, "", "checkout", "-q", "-f", "b1")
	gitIn(t, dir, "", "tag", "-a", "-m", "annotated", "v1", "b2")
	gitIn(t, dir, "", "tag", "-a", "-m", "of a tag", "v2", "v1")
	gitIn(t, dir, "", "tag", "light", "b3")
	gitIn(t, dir, "", "update-ref", "refs/remotes/origin/main", "b3")
	gitIn(t, dir, "", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	gitIn(t, dir, "", "pack-refs", "--all")
	merge := strings.Fields(gitIn(t, dir, "", "rev-list", "--all", "--min-parents=2", "--max-count=1"))[0]
	r := open(t, dir)
	full := gitIn(t, dir, "", "rev-parse", "b2")
	for _, rev := range []string{"HEAD", "@", "b1", "heads/b2", "refs/heads/b2", "v1", "v2", "v2^{}", "tags/v1", "light", "origin/main", "origin",
		full, full[:9], strings.ToUpper(full), "b1~0", merge + "^2", merge + "^1^{commit}", merge + "^", merge + "^0", merge + "~1^0"} {
		want := strings.Fields(gitIn(t, dir, "", "rev-list", rev))
		set, err := r.Reachable(t.Context(), []string{rev}, nil)
		if err != nil {
			t.Errorf("%s: %v", rev, err)
			continue
		}
		checkSet(t, rev, set, want)
	}
	set, err := r.Reachable(t.Context(), []string{"b1", "b2"}, []string{"b3", "v1~1"})
	if err != nil {
		t.Fatal(err)
	}
	checkSet(t, "b1 b2 ^b3 ^v1~1", set, strings.Fields(gitIn(t, dir, "", "rev-list", "b1", "b2", "^b3", "^v1~1")))
	set, err = r.Reachable(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSet(t, "--all", set, strings.Fields(gitIn(t, dir, "", "rev-list", "--all", "HEAD")))
	if set.Has(pack.ID{}) || set.Has(parseID(t, strings.Repeat("0", 40))) {
		t.Error("the set has what is no commit")
	}
}

func checkSet(t *testing.T, rev string, set *CommitSet, want []string) {
	t.Helper()
	if set.Len() != len(want) {
		t.Errorf("%s: %d commits, want %d", rev, set.Len(), len(want))
	}
	for _, id := range want {
		if !set.Has(parseID(t, id)) {
			t.Errorf("%s: %s is missing", rev, id)
		}
	}
}

func TestRevisionsThatAreNone(t *testing.T) {
	dir := newRepo(t)
	first := commit(t, dir, "x", map[string]string{"a": "a"})
	tree := gitIn(t, dir, "", "rev-parse", "HEAD^{tree}")
	r := open(t, dir)
	for _, rev := range []string{"", "nothing", "HEAD~1", "HEAD^2", "HEAD^{tree}", "HEAD~x", first[:3], tree, "zz" + first[:9], "HEAD@{1}",
		strings.Repeat("0", 40), "HEAD~99999999999999999999", "../../etc/passwd", "HEAD^{", "~1", strings.Repeat("a", 500)} {
		_, err := r.Reachable(t.Context(), []string{rev}, nil)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%.200q", rev)) {
			t.Errorf("%q: %v", rev, err)
		}
		if _, err := r.Reachable(t.Context(), nil, []string{rev}); err == nil {
			t.Errorf("exclude %q: no error", rev)
		}
	}
}

func TestRefs(t *testing.T) {
	dir := newRepo(t)
	id := commit(t, dir, "x", map[string]string{"a": "a"})
	write(t, dir, map[string]string{
		".git/packed-refs":        "# pack-refs with: peeled\n" + id + " refs/heads/packed\n" + id + " refs/heads/../../../evil\n" + id + " refs/heads/bell\a\nnonsense\n^" + id + "\n" + strings.Repeat("0", 40) + " refs/heads/main\n",
		".git/refs/heads/loop":    "ref: refs/heads/pool\n",
		".git/refs/heads/pool":    "ref: refs/heads/loop\n",
		".git/refs/heads/outside": "ref: ../../../etc/passwd\n",
		".git/refs/heads/bad":     "no name\n",
	})
	if runtime.GOOS != "windows" {
		if err := os.Symlink("/etc/hostname", filepath.Join(dir, ".git", "refs", "heads", "link")); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, dir)
	var names []string
	for _, ref := range r.Refs() {
		names = append(names, ref.Name)
		if ref.ID.String() != id {
			t.Errorf("%s is %s", ref.Name, ref.ID)
		}
	}
	want := []string{"HEAD", "refs/heads/../../../evil", "refs/heads/main", "refs/heads/packed"}
	if !slices.Equal(names, want) {
		t.Errorf("refs %q, want %q", names, want)
	}
	hasProblem(t, r.Problems(), "packed-refs", "2 lines")
	hasProblem(t, r.Problems(), "refs/heads/bad")
	if runtime.GOOS != "windows" {
		hasProblem(t, r.Problems(), "refs/heads/link", "regular")
	}
}

func TestRemotes(t *testing.T) {
	dir := newRepo(t)
	gitIn(t, dir, "", "remote", "add", "origin", "https://example.com/a/b.git")
	gitIn(t, dir, "", "config", "--add", "remote.origin.url", "git@example.com:a/b.git")
	gitIn(t, dir, "", "remote", "add", "other.name", "../x")
	want := "[{origin [https://example.com/a/b.git git@example.com:a/b.git]} {other.name [../x]}]"
	if got := fmt.Sprint(open(t, dir).Remotes()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestBrokenConfig(t *testing.T) {
	dir := sample(t)
	write(t, dir, map[string]string{".git/config": "[core\nnonsense"})
	r := open(t, dir)
	hasProblem(t, r.Problems(), "configuration")
	if got := walk(t, r, BlobOptions{}); got.stats.Blobs != 26 {
		t.Errorf("%+v", got.stats)
	}
}

func TestStaged(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"same": "same", "changed": "old", "removed": "removed", "deep/er/file": "old"})
	write(t, dir, map[string]string{"changed": "new", "deep/er/file": "new too", "added": "added", "planned": "planned", "not staged": "x"})
	gitIn(t, dir, "", "add", "changed", "deep", "added")
	gitIn(t, dir, "", "add", "-N", "planned")
	gitIn(t, dir, "", "rm", "-q", "removed")
	gitIn(t, dir, "", "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	for _, mode := range []string{"version 2", "version 4", "split", "many"} {
		switch mode {
		case "version 4":
			gitIn(t, dir, "", "update-index", "--index-version=4")
		case "split":
			gitIn(t, dir, "", "update-index", "--index-version=2", "--split-index")
		case "many":
			gitIn(t, dir, "", "update-index", "--no-split-index")
		}
		r := open(t, dir)
		got, err := r.Staged(t.Context())
		if err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		want := []StagedFile{{"added", hashOf(r, []byte("added")), pack.ID{}},
			{"changed", hashOf(r, []byte("new")), hashOf(r, []byte("old"))},
			{"deep/er/file", hashOf(r, []byte("new too")), hashOf(r, []byte("old"))}}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", mode, got, want)
		}
	}
}

func TestStagedElsewhere(t *testing.T) {
	dir := newRepo(t, "--object-format=sha256")
	write(t, dir, map[string]string{"a": "a"})
	gitIn(t, dir, "", "add", "a")
	r := open(t, dir)
	got, err := r.Staged(t.Context()) // no commit yet, and names that are read through git
	if err != nil || len(got) != 1 || got[0].Blob != hashOf(r, []byte("a")) || !got[0].Head.IsZero() {
		t.Errorf("%v, %v", got, err)
	}
	os.Rename(filepath.Join(dir, ".git", "index"), filepath.Join(dir, ".git", "other"))
	if got, err := r.Staged(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("without an index: %v, %v", got, err)
	}
	r.UseIndex(filepath.Join(dir, ".git", "other"))
	if got, err := r.Staged(t.Context()); err != nil || len(got) != 1 {
		t.Errorf("other index: %v, %v", got, err)
	}
}

func TestChangedFiles(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{
		"same": "same", "longer": "short", "equal length": "abc", "touched": "touched", "build/tracked.log": "kept", "removed": "x",
		".gitignore": "*.log\n!keep.log\n/build/\n", "sub/.gitignore": "local\n"})
	gitIn(t, dir, "", "add", "-f", "build/tracked.log")
	gitIn(t, dir, "", "commit", "-q", "-m", "y")
	write(t, dir, map[string]string{".git/info/exclude": "# comment\nexcluded\n"})
	// Everything was written in the same moment as the index: contents decide.
	noChanges := changed(t, dir)
	if len(noChanges) > 0 {
		t.Errorf("changed: %q", noChanges)
	}
	write(t, dir, map[string]string{
		"longer": "longer than before", "equal length": "xyz", "new": "new", "a.log": "x", "keep.log": "x", "sub/local": "x", "sub/other": "x",
		"local": "x", "build/tracked.log": "changed", "build/new": "x", "excluded": "x", "nested/file": "x", "nested/.git/HEAD": "x"})
	os.Remove(filepath.Join(dir, "removed"))
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "touched"), past, past); err != nil {
		t.Fatal(err)
	}
	want := []string{"build/tracked.log", "equal length", "keep.log", "local", "longer", "new", "sub/other", "touched"}
	if got := changed(t, dir); !slices.Equal(got, want) {
		t.Errorf("changed %q, want %q", got, want)
	}
	_, problems, err := open(t, dir).ChangedFiles(t.Context())
	if err != nil || len(problems) != 1 {
		t.Errorf("%v, %v", problems, err)
	}
	hasProblem(t, problems, "nested", "repository of its own")
}

func changed(t *testing.T, dir string) []string {
	t.Helper()
	got, _, err := open(t, dir).ChangedFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestChangedFilesFollowsNoLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
	outside := t.TempDir()
	write(t, outside, map[string]string{"secret": "x", ".gitignore": "*"})
	dir := newRepo(t)
	for from, to := range map[string]string{"dir": outside, "file": filepath.Join(outside, "secret"), ".gitignore": filepath.Join(outside, ".gitignore")} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, map[string]string{"own": "own"})
	got, problems, err := open(t, dir).ChangedFiles(t.Context())
	if err != nil || !slices.Equal(got, []string{"own"}) {
		t.Errorf("%q, %v", got, err)
	}
	hasProblem(t, problems, ".gitignore", "not ignored")
}

func TestChangedFilesWithoutIndex(t *testing.T) {
	dir := newRepo(t)
	commit(t, dir, "x", map[string]string{"a": "a", "b": "b"})
	write(t, dir, map[string]string{".git/index": "DIRC nonsense"})
	got, problems, err := open(t, dir).ChangedFiles(t.Context())
	if err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q, %v", got, err)
	}
	hasProblem(t, problems, "index", "all files")
}
