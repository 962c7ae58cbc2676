package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"patwatch/git/pack"
)

// visited walks the blobs that some commits brought in, and returns their names.
func visited(t *testing.T, r *Repository, set *CommitSet) (map[string]bool, Stats) {
	t.Helper()
	got := map[string]bool{}
	var mu sync.Mutex
	expected := int64(-1)
	see := func(id pack.ID) {
		mu.Lock()
		defer mu.Unlock()
		got[id.String()] = true
	}
	s, err := r.WalkBlobs(t.Context(), BlobOptions{Workers: 3, Commits: set, MaxMaterialised: 5000,
		Expect: func(n int64) { expected = n },
		Visit: func(_ int, b *Blob) error {
			if hashOf(r, b.Data) != b.ID() {
				t.Errorf("blob %s has other contents", b.ID())
			}
			see(b.ID())
			return nil
		},
		Large: func(_ int, id pack.ID, _ int64, open func() (io.ReadCloser, error)) error {
			see(id)
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if expected < 0 {
		t.Error("Expect was not called")
	}
	return got, s
}

// broughtIn filters the introductions of all blobs by a set of commits.
func broughtIn(brute map[string][]string, set *CommitSet, t *testing.T) map[string]bool {
	want := map[string]bool{}
	for blob, in := range brute {
		for _, at := range in {
			if commit, _, _ := strings.Cut(at, " "); set.Has(parseID(t, commit)) {
				want[blob] = true
			}
		}
	}
	return want
}

func reachable(t *testing.T, r *Repository, include, exclude string) *CommitSet {
	t.Helper()
	set, err := r.Reachable(t.Context(), strings.Fields(include), strings.Fields(exclude))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestSelectedBlobs compares what small selections visit with what filtering
// everything afterwards gives, over histories with merges of all kinds.
func TestSelectedBlobs(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := newRepo(t)
			randomHistory(t, dir, 100+seed, 150)
			switch seed {
			case 0:
				gitIn(t, dir, "", "repack", "-q", "-adf", "--depth=50")
			case 1:
				for _, p := range packsOf(t, dir) {
					unpack(t, dir, p)
				}
			}
			r := open(t, dir)
			brute := bruteForce(t, dir)
			commits := strings.Fields(gitIn(t, dir, "", "rev-list", "--all"))
			small := 0
			for i := 0; i < len(commits); i += 7 {
				set := reachable(t, r, commits[i], strings.Join(strings.Fields(gitIn(t, dir, "", "rev-list", "--max-count=4", "--skip=1", commits[i])), " "))
				want := broughtIn(brute, set, t)
				got, s := visited(t, r, set)
				noProblems(t, s.Problems)
				for blob := range want {
					if !got[blob] {
						t.Errorf("%d commits to %s: blob %s was not visited", set.Len(), commits[i], blob)
					}
				}
				if set.Len()*selectiveShare <= len(commits) {
					small++
					if len(got) > 2*len(want)+10 {
						t.Errorf("%d commits to %s: %d blobs visited, %d needed", set.Len(), commits[i], len(got), len(want))
					}
				} else if len(got) < len(brute) {
					t.Errorf("%d commits to %s: only %d blobs visited", set.Len(), commits[i], len(got))
				}
			}
			if small < 5 {
				t.Errorf("only %d small selections", small)
			}
		})
	}
}

// lastOf makes a history of which the last commits are a small selection.
func lastOf(t *testing.T, args ...string) string {
	t.Helper()
	dir := newRepo(t, args...)
	for i := range 30 {
		commit(t, dir, fmt.Sprint(i), map[string]string{fmt.Sprintf("dir%d/sub/f", i%5): fmt.Sprint(i), "log": strings.Repeat("line\n", i)})
	}
	return dir
}

func TestSelectedFormats(t *testing.T) {
	dir := lastOf(t, "--object-format=sha256")
	commit(t, dir, "large", map[string]string{"large": strings.Repeat("large\n", 2000), "emptied": ""})
	gitIn(t, dir, "", "repack", "-q", "-ad")
	r := open(t, dir)
	got, s := visited(t, r, reachable(t, r, "HEAD", "HEAD~2"))
	noProblems(t, s.Problems)
	if len(got) != 4 || s.Blobs != 4 || !got[gitIn(t, dir, "", "rev-parse", "HEAD:large")] {
		t.Errorf("%d blobs, %+v", len(got), s)
	}
	r = onlyGit(t, dir)
	if got, s = visited(t, r, reachable(t, r, "HEAD", "HEAD~2")); len(got) != 4 || s.Fallback != 4 {
		t.Errorf("through git: %d blobs, %+v", len(got), s)
	}
}

// TestSelectedRootAndEmpty has a commit without parents, one without files, and
// one that takes all files away.
func TestSelectedRootAndEmpty(t *testing.T) {
	dir := lastOf(t)
	gitIn(t, dir, "", "checkout", "-q", "--orphan", "other")
	gitIn(t, dir, "", "rm", "-rfq", ".")
	commit(t, dir, "no files", nil)
	commit(t, dir, "root's child", map[string]string{"new": "new"})
	gitIn(t, dir, "", "rm", "-rfq", ".")
	commit(t, dir, "no files again", nil)
	os.Remove(looseFile(dir, gitEmptyDir))
	r := open(t, dir)
	got, s := visited(t, r, reachable(t, r, "other", ""))
	noProblems(t, s.Problems)
	if len(got) != 1 || !got[hashOf(r, []byte("new")).String()] {
		t.Errorf("%v", got)
	}
	if got, _ := visited(t, r, reachable(t, r, "other~2", "")); len(got) != 0 {
		t.Errorf("a commit without files brought %v", got)
	}
}

// TestSelectedMissing takes objects away that a selection needs.
func TestSelectedMissing(t *testing.T) {
	dir := lastOf(t)
	blob := gitIn(t, dir, "", "rev-parse", "HEAD:log")
	tree := gitIn(t, dir, "", "rev-parse", "HEAD:dir4")
	old := gitIn(t, dir, "", "rev-parse", "HEAD~1:dir4")
	if err := os.Remove(looseFile(dir, blob)); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir)
	got, s := visited(t, r, reachable(t, r, "HEAD", "HEAD~1"))
	hasProblem(t, s.Problems, "1 blobs that trees refer to")
	if len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got, s = visited(t, r, reachable(t, r, "HEAD~1", "HEAD~2")); len(s.Problems) != 0 || len(got) != 2 {
		t.Errorf("another selection: %v %v", got, s.Problems)
	}
	if err := os.Remove(looseFile(dir, old)); err != nil { // a parent's: more is read
		t.Fatal(err)
	}
	r = open(t, dir)
	if got, s = visited(t, r, reachable(t, r, "HEAD", "HEAD~1")); len(s.Problems) != 1 || len(got) != 1 {
		t.Errorf("without a parent's tree: %v, %v", got, s.Problems)
	}
	if err := os.Remove(looseFile(dir, tree)); err != nil { // everything is read
		t.Fatal(err)
	}
	r = open(t, dir)
	got, s = visited(t, r, reachable(t, r, "HEAD", "HEAD~1"))
	hasProblem(t, s.Problems, "all blobs are read", tree)
	if len(got) < 40 {
		t.Errorf("%d blobs", len(got))
	}
}

func TestSelectedPartialClone(t *testing.T) {
	dir := lastOf(t)
	gitIn(t, dir, "", "config", "uploadpack.allowFilter", "true")
	for filter, words := range map[string]string{"blob:none": "2 blobs that trees refer to", "tree:0": "all blobs are read"} {
		partial := filepath.Join(t.TempDir(), "partial")
		gitIn(t, dir, "", "clone", "-q", "--no-checkout", "--filter="+filter, "file://"+dir, partial)
		r := open(t, partial)
		_, s := visited(t, r, reachable(t, r, "HEAD", "HEAD~1"))
		hasProblem(t, s.Problems, words)
	}
}

func TestSelectedShallow(t *testing.T) {
	dir := lastOf(t)
	shallow := filepath.Join(t.TempDir(), "shallow")
	gitIn(t, dir, "", "clone", "-q", "--depth=20", "file://"+dir, shallow)
	r := open(t, shallow)
	hasProblem(t, r.Problems(), "shallow")
	got, s := visited(t, r, reachable(t, r, "HEAD~18", "")) // the last two before the cut
	noProblems(t, s.Problems)
	brute := bruteForce(t, shallow)
	for blob := range broughtIn(brute, reachable(t, r, "HEAD~18", ""), t) {
		if !got[blob] {
			t.Errorf("blob %s was not visited", blob)
		}
	}
	if len(got) == len(brute) {
		t.Error("everything was read")
	}
}

// TestSelectedHostileTrees has trees that git would not write: unsorted, with
// names twice, with a directory as a file, with themselves as depth allows.
func TestSelectedHostileTrees(t *testing.T) {
	dir := lastOf(t)
	a, b := gitIn(t, dir, "a!", "hash-object", "-w", "--stdin"), gitIn(t, dir, "b!", "hash-object", "-w", "--stdin")
	raw := func(entries ...string) string { // "MODE NAME ID" each
		var s strings.Builder
		for _, e := range entries {
			f := strings.Fields(e)
			s.WriteString(f[0] + " " + f[1] + "\x00" + string(parseID(t, f[2]).Append(nil)))
		}
		return gitIn(t, dir, s.String(), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	}
	commitOf := func(tree string, parents ...string) string {
		args := []string{"commit-tree", tree, "-m", "x"}
		for _, p := range parents {
			args = append(args, "-p", p)
		}
		return gitIn(t, dir, "", args...)
	}
	plain := raw("100644 f " + a)
	for name, tc := range map[string]struct {
		old, new string
		want     []string
	}{
		"unsorted":        {raw("100644 z "+a, "100644 b "+a), raw("100644 z "+a, "100644 b "+b), []string{b}},
		"twice":           {raw("100644 f " + a), raw("100644 f "+a, "100644 f "+b), []string{b}},
		"twice before":    {raw("100644 f "+a, "100644 f "+b), raw("100644 f " + b), nil},
		"file, directory": {raw("100644 d " + a), raw("40000 d " + plain), []string{a}},
		"directory, file": {raw("40000 d " + plain), raw("100644 d " + b), []string{b}},
		"tree as file":    {plain, raw("100644 f "+a, "100644 t "+plain), nil},
	} {
		parent := commitOf(tc.old, "HEAD")
		gitIn(t, dir, "", "update-ref", "refs/heads/hostile", commitOf(tc.new, parent))
		r := open(t, dir)
		got, s := visited(t, r, reachable(t, r, "hostile", parent))
		for _, id := range tc.want {
			if !got[id] {
				t.Errorf("%s: %s was not visited, %v", name, id, s.Problems)
			}
		}
		if name == "tree as file" {
			hasProblem(t, s.Problems, plain, "names it as a file")
		}
	}
}

func TestSelectedDepth(t *testing.T) {
	dir := lastOf(t)
	gitIn(t, dir, "commit refs/heads/deep\ncommitter C <c@example.com> 1 +0000\ndata 1\nx\nfrom refs/heads/main\nM 100644 inline "+
		strings.Repeat("d/", maxPathDepth+5)+"f\ndata 1\na\n", "fast-import", "--quiet")
	r := open(t, dir)
	got, s := visited(t, r, reachable(t, r, "deep", "HEAD"))
	hasProblem(t, s.Problems, "all blobs are read", errSelection.Error())
	if len(got) < 40 {
		t.Errorf("%d blobs", len(got))
	}
}

func TestSelectedEndsEarly(t *testing.T) {
	r := open(t, lastOf(t))
	stop := errors.New("stop")
	_, err := r.WalkBlobs(t.Context(), BlobOptions{Commits: reachable(t, r, "HEAD", "HEAD~1"), Visit: func(int, *Blob) error { return stop }})
	if !errors.Is(err, stop) {
		t.Errorf("Visit's error: %v", err)
	}
}

func TestCompareEntries(t *testing.T) {
	names := []struct {
		name string
		kind entryKind
	}{{"a", entryBlob}, {"a-b", entryBlob}, {"a", entryTree}, {"a0", entryBlob}, {"ab", entryTree}, {"b", entryBlob}, {"\xff", entryBlob}}
	for i, a := range names {
		for j, b := range names {
			got := compareEntries(&treeScanner{name: []byte(a.name), kind: a.kind}, &treeScanner{name: []byte(b.name), kind: b.kind})
			if want := slices.Compare([]int{i}, []int{j}); got != want {
				t.Errorf("%v against %v: %d, want %d", a, b, got, want)
			}
		}
	}
}
