package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// bruteForce finds introductions by listing every commit's tree: for each blob,
// "COMMIT PATH" for each path in each commit that has it while no parent does.
func bruteForce(t *testing.T, dir string) map[string][]string {
	t.Helper()
	paths := map[string]map[string][]string{} // commit -> blob -> paths
	parents := map[string][]string{}
	list := gitIn(t, dir, strings.Join(allCommits(t, dir), "\n"), "rev-list", "--parents", "--stdin")
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		parents[f[0]] = f[1:]
		held := map[string][]string{}
		for entry := range strings.SplitSeq(gitIn(t, dir, "", "ls-tree", "-r", "-z", f[0]), "\x00") {
			meta, path, ok := strings.Cut(entry, "\t")
			if m := strings.Fields(meta); ok && m[1] == "blob" {
				held[m[2]] = append(held[m[2]], path)
			}
		}
		paths[f[0]] = held
	}
	out := map[string][]string{}
	for c, held := range paths {
		for blob, at := range held {
			had := slices.ContainsFunc(parents[c], func(p string) bool { return len(paths[p][blob]) > 0 })
			for _, path := range at {
				if !had {
					out[blob] = append(out[blob], c+" "+path)
				}
			}
		}
	}
	for _, in := range out {
		slices.Sort(in)
	}
	return out
}

// allCommits lists the commits of the object store, unreachable ones too.
func allCommits(t *testing.T, dir string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(gitIn(t, dir, "", "cat-file", "--batch-all-objects", "--batch-check")) {
		if f := strings.Fields(line); f[1] == "commit" {
			ids = append(ids, f[0])
		}
	}
	return ids
}

// attributed is the result of Attribute in the form of bruteForce.
func attributed(t *testing.T, r *Repository, blobs []string) map[string][]string {
	t.Helper()
	var ids []pack.ID
	for _, b := range blobs {
		ids = append(ids, parseID(t, b))
	}
	a, err := r.Attribute(t.Context(), ids, AttributeOptions{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	noProblems(t, a.Problems)
	out := map[string][]string{}
	for id, in := range a.Introductions {
		for _, i := range in {
			out[id.String()] = append(out[id.String()], i.Commit.ID.String()+" "+i.Path)
		}
		slices.Sort(out[id.String()])
	}
	return out
}

func compare(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for blob := range want {
		if !slices.Equal(got[blob], want[blob]) {
			t.Errorf("blob %s:\n got %q\nwant %q", blob, got[blob], want[blob])
		}
	}
	for blob := range got {
		if want[blob] == nil {
			t.Errorf("blob %s: got %q, want none", blob, got[blob])
		}
	}
}

func TestAttributeAgainstBruteForce(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dir := newRepo(t)
			randomHistory(t, dir, seed, 120)
			switch seed {
			case 0: // one pack, long delta chains
				gitIn(t, dir, "", "repack", "-q", "-adf", "--depth=60", "--window=60")
			case 1: // loose only
				for _, p := range packsOf(t, dir) {
					unpack(t, dir, p)
				}
			case 2: // many packs
				for _, b := range []string{"b0", "b1", "b2"} {
					commitTree(t, dir, b)
				}
				gitIn(t, dir, "", "repack", "-q", "-d")
			}
			r := open(t, dir)
			want := bruteForce(t, dir)
			blobs := slices.Sorted(maps.Keys(want))
			if len(blobs) < 2*batchSize {
				t.Fatalf("only %d blobs", len(blobs))
			}
			compare(t, attributed(t, r, blobs), want)
			checkReachable(t, r, dir, blobs)
			compare(t, attributed(t, r, blobs[7:8]), map[string][]string{blobs[7]: want[blobs[7]]})
		})
	}
}

// commitTree adds a commit with a new file to a branch.
func commitTree(t *testing.T, dir, branch string) {
	t.Helper()
	gitIn(t, dir, "", "checkout", "-q", "-f", branch)
	commit(t, dir, "more", map[string]string{"more/" + branch: branch, "file01.txt": branch + "\n"})
}

// checkReachable compares the Reachable of introducing commits with git's list.
func checkReachable(t *testing.T, r *Repository, dir string, blobs []string) {
	t.Helper()
	reachable := map[string]bool{}
	for line := range strings.Lines(gitIn(t, dir, "", "rev-list", "--all")) {
		reachable[strings.TrimSpace(line)] = true
	}
	var ids []pack.ID
	for _, b := range blobs {
		ids = append(ids, parseID(t, b))
	}
	a, err := r.Attribute(t.Context(), ids, AttributeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range a.Introductions {
		for _, i := range in {
			if id := i.Commit.ID.String(); i.Commit.Reachable != reachable[id] {
				t.Errorf("commit %s: reachable = %v", id, i.Commit.Reachable)
			}
		}
	}
}

// TestAttributeHostileTrees has a commit of another repository with the name of
// a blob of this one, in trees that are stored as deltas.
func TestAttributeHostileTrees(t *testing.T) {
	dir := newRepo(t)
	files := map[string]string{}
	for i := range 80 {
		files[fmt.Sprintf("file%02d", i)] = fmt.Sprint(i)
	}
	commit(t, dir, "files", files)
	blob := gitIn(t, dir, "token", "hash-object", "-w", "--stdin")
	link := func(message, mode, path string) {
		gitIn(t, dir, "", "update-index", "--add", "--cacheinfo", mode+","+blob+","+path)
		gitIn(t, dir, "", "commit", "-q", "-m", message)
	}
	for i := range 3 {
		link("link", "160000", fmt.Sprint("file40-module", i))
		gitIn(t, dir, "", "rm", "-q", "--cached", fmt.Sprint("file40-module", i))
		gitIn(t, dir, "", "commit", "-q", "-m", "unlink")
		link("file", "100644", fmt.Sprint("file50-copy", i))
		link("link beside it", "160000", fmt.Sprint("file40-module", i))
		gitIn(t, dir, "", "rm", "-q", "--cached", fmt.Sprint("file50-copy", i))
		gitIn(t, dir, "", "commit", "-q", "-m", "gone, link stays")
	}
	gitIn(t, dir, "", "repack", "-q", "-adf", "--depth=20", "--window=50")
	r := open(t, dir)
	want := bruteForce(t, dir)
	if len(want[blob]) < 3 {
		t.Fatalf("introductions %q", want[blob])
	}
	compare(t, attributed(t, r, []string{blob}), map[string][]string{blob: want[blob]})
	compare(t, attributed(t, r, keys(want)), want)
}

func TestAttributeDetails(t *testing.T) {
	dir := newRepo(t)
	first := commit(t, dir, "The subject\n\nThe body", map[string]string{"a": "a", "b/a": "a"})
	second := commit(t, dir, "removed", map[string]string{"x": "x"})
	gitIn(t, dir, "", "rm", "-q", "a", "b/a")
	third := commit(t, dir, "both gone", nil)
	fourth := commit(t, dir, "back", map[string]string{"c": "a"})
	r := open(t, dir)
	a, err := r.Attribute(t.Context(), []pack.ID{hashOf(r, []byte("a"))}, AttributeOptions{Workers: 1})
	if err != nil || a.Commits != 4 {
		t.Fatalf("%+v, %v", a, err)
	}
	in := a.Introductions[hashOf(r, []byte("a"))]
	if len(in) != 3 || in[0].Commit.Parents != nil && in[1].Commit.Parents != nil {
		t.Fatalf("%+v", in)
	}
	for _, i := range in {
		c := i.Commit
		switch c.ID.String() {
		case first:
			if c.Author != "A U Thor" || c.Email != "author@example.com" || c.Subject != "The subject" || c.Time.Format("2006-01-02 15:04 -0700") != "2023-11-14 23:43 +0130" || !c.Reachable || c.Shallow {
				t.Errorf("%+v", c)
			}
		case fourth:
			if i.Path != "c" || len(c.Parents) != 1 || c.Parents[0].String() != third {
				t.Errorf("%+v %s", c, i.Path)
			}
		default:
			t.Errorf("commit %s (second is %s)", c.ID, second)
		}
	}
}

// TestPathBound has one blob at more paths than are listed.
func TestPathBound(t *testing.T) {
	dir := newRepo(t)
	s := "commit refs/heads/main\ncommitter C <c@example.com> 1 +0000\ndata 1\nx\n"
	for i := range maxPaths + 10 {
		s += fmt.Sprintf("M 100644 inline d%d/f%d\ndata 1\na\n", i%7, i)
	}
	gitIn(t, dir, s+"\n", "fast-import", "--quiet")
	r := open(t, dir)
	id := hashOf(r, []byte("a"))
	a, err := r.Attribute(t.Context(), []pack.ID{id}, AttributeOptions{})
	if err != nil || len(a.Introductions[id]) != maxPaths {
		t.Errorf("%d introductions, %v", len(a.Introductions[id]), err)
	}
	hasProblem(t, a.Problems, "more paths")
}

func TestPathBlob(t *testing.T) {
	dir := newRepo(t)
	c := parseID(t, commit(t, dir, "x", map[string]string{"a": "a", "dir/sub/b": "b"}))
	r := open(t, dir)
	for path, want := range map[string]string{"a": "a", "dir/sub/b": "b", "dir": "", "dir/sub": "", "a/b": "", "": "", "/a": "", "dir//sub/b": "", "../a": ""} {
		id, ok, err := r.PathBlob(t.Context(), c, path)
		if err != nil || ok != (want != "") || ok && id != hashOf(r, []byte(want)) {
			t.Errorf("%q: %s %v %v", path, id, ok, err)
		}
	}
	if _, _, err := r.PathBlob(t.Context(), hashOf(r, []byte("a")), "a"); err == nil {
		t.Error("a blob as commit: no error")
	}
	if _, err := r.ReadBlob(t.Context(), c); err == nil {
		t.Error("a commit as blob: no error")
	}
}
