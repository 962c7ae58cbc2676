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
