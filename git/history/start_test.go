package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestWholeLinks(t *testing.T) {
	for _, idSize := range []int{20, 32} {
		id := strings.Repeat("0a", idSize)
		text := "tree " + id + "\n"
		for parents := range 4 {
			all := text + "author A <a@example.com> 1 +0000\n"
			for n := range len(all) + 1 {
				if got, want := wholeLinks([]byte(all[:n]), idSize), n >= len(text)+len(parentWord); got != want {
					t.Errorf("%d bytes of names, %d parents, the first %d bytes: %v", idSize, parents, n, got)
				}
			}
			if linksSize(idSize, parents) != len(text) {
				t.Errorf("%d parents: %d bytes, not %d", parents, linksSize(idSize, parents), len(text))
			}
			text += "parent " + id + "\n"
		}
	}
}

// TestManyParents has merges of up to nine commits with long messages: more
// lines of parents than the start of a commit has that is read at first.
func TestManyParents(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			dir := newRepo(t, "--object-format="+format)
			commit(t, dir, "root", map[string]string{"root": "root"})
			var tips []string
			for i := range 9 {
				gitIn(t, dir, "", "checkout", "-q", "-b", fmt.Sprint("topic", i), "main")
				tips = append(tips, commit(t, dir, "topic", map[string]string{fmt.Sprint("file", i): fmt.Sprint(i)}))
			}
			links := map[string][]string{}
			for i := range tips {
				args := []string{"commit-tree", "-m", strings.Repeat(fmt.Sprintf("A long message, number %d.\n", i), 50), tips[i] + "^{tree}"}
				for _, p := range tips[:i+1] {
					args = append(args, "-p", p)
				}
				id := gitIn(t, dir, "", args...)
				links[id] = tips[:i+1]
				gitIn(t, dir, "", "update-ref", fmt.Sprint("refs/heads/merge", i), id)
			}
			gitIn(t, dir, "", "repack", "-q", "-adf")
			r := open(t, dir)
			g, err := r.commits(t.Context(), 2)
			if err != nil || g.len() != len(links)+len(tips)+1 || len(g.problems) > 0 {
				t.Fatalf("%d commits, %v, %v", g.len(), g.problems, err)
			}
			for id, want := range links {
				var got []string
				for _, p := range g.parentsOf(g.ids.find(parseID(t, id).Append(nil))) {
					got = append(got, g.ids.id(p).String())
				}
				if !slices.Equal(got, want) {
					t.Errorf("commit %s: parents %v, want %v", id, got, want)
				}
			}
			want := bruteForce(t, dir)
			compare(t, attributed(t, r, keys(want)), want)
		})
	}
}
