package history

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
)

// refLines is what a repository's refs are, "ID NAME" each.
func refLines(r *Repository) (lines []string) {
	for _, ref := range r.Refs() {
		lines = append(lines, ref.ID.String()+" "+ref.Name)
	}
	slices.Sort(lines)
	return lines
}

// gitRefs is what git says they are, and HEAD.
func gitRefs(t *testing.T, dir string) []string {
	t.Helper()
	lines := strings.Split(gitIn(t, dir, "", "for-each-ref", "--format=%(objectname) %(refname)"), "\n")
	lines = append(lines, gitIn(t, dir, "", "rev-parse", "HEAD")+" HEAD")
	slices.Sort(lines)
	return lines
}

func TestRefStorages(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := newRepo(t, "--object-format="+format)
		commit(t, dir, "one", map[string]string{"a": "a"})
		for _, args := range []string{"branch packed", "branch packed-then-moved", "branch packed-then-deleted", "tag -a -m annotated v1", "tag light", "pack-refs --all",
			"commit -q --allow-empty -m two", "branch -f packed-then-moved", "branch -D packed-then-deleted", "branch deep/er/and/deeper",
			"update-ref refs/notes/x HEAD", "update-ref refs/remotes/origin/main HEAD~1", "symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main",
			"symbolic-ref refs/heads/alias refs/heads/packed"} {
			gitIn(t, dir, "", strings.Fields(args)...)
		}
		for _, state := range []string{"on a branch", "detached"} {
			r := open(t, dir)
			noProblems(t, r.Problems())
			if got, want := refLines(r), gitRefs(t, dir); !slices.Equal(got, want) {
				t.Errorf("%s, %s:\n got %q\nwant %q", format, state, got, want)
			}
			gitIn(t, dir, "", "checkout", "-q", "--detach", "main~1", "--")
		}
	}
}

// TestReftable reads what git 2.55 wrote: two blocks of refs, later tables that
// hide parts of them, a linked work tree with tables of its own.
func TestReftable(t *testing.T) {
	for _, format := range []string{"sha1", "sha256"} {
		dir := reftableRepo(t, format)
		r := open(t, dir)
		noProblems(t, r.Problems())
		want := strings.Split(strings.TrimSpace(readFile(t, filepath.Join("testdata", "reftable-"+format, "refs.txt"))), "\n")
		slices.Sort(want)
		if got := refLines(r); !slices.Equal(got, want) {
			t.Errorf("%s: %d refs, want %d: %q", format, len(got), len(want), slices.DeleteFunc(got, func(s string) bool { return slices.Contains(want, s) }))
		}
	}
}

// reftableRepo makes a repository of the test data, without objects.
func reftableRepo(t *testing.T, format string) string {
	t.Helper()
	dir := newRepo(t, "--object-format="+format)
	gitIn(t, dir, "", "config", "core.repositoryformatversion", "1")
	gitIn(t, dir, "", "config", "extensions.refstorage", "reftable")
	if err := os.CopyFS(filepath.Join(dir, ".git"), os.DirFS(filepath.Join("testdata", "reftable-"+format))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestReftableOfThisGit does it with the git that is installed, if that can.
func TestReftableOfThisGit(t *testing.T) {
	if err := exec.Command("git", "init", "-q", "--ref-format=reftable", t.TempDir()).Run(); err != nil {
		t.Log("this git knows no reftable")
		return
	}
	dir := newRepo(t, "--ref-format=reftable")
	commit(t, dir, "one", map[string]string{"a": "a"})
	linked := filepath.Join(t.TempDir(), "linked")
	gitIn(t, dir, "", "worktree", "add", "-q", "-b", "side", linked)
	commit(t, linked, "two", map[string]string{"b": "b"})
	for _, at := range []string{dir, linked} {
		r := open(t, at)
		noProblems(t, r.Problems())
		got := slices.DeleteFunc(refLines(r), func(s string) bool { return strings.Contains(s, " worktrees/") })
		if want := gitRefs(t, at); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", at, got, want)
		}
		brute := bruteForce(t, at)
		compare(t, attributed(t, r, keys(brute)), brute)
	}
}

func TestReftableDamage(t *testing.T) {
	dir := reftableRepo(t, "sha1")
	list := filepath.Join(dir, ".git", "reftable", "tables.list")
	names := strings.Fields(readFile(t, list))
	if len(names) < 2 {
		t.Fatalf("tables %q", names)
	}
	table := filepath.Join(dir, ".git", "reftable", names[0])
	good := readFile(t, table)
	for _, bad := range []string{"", "REFT", good[:30], good[:4000], "REFX" + good[4:], good[:4] + "\x09" + good[5:], good[:25] + "\xff\xff\xff" + good[28:]} {
		overwrite(t, table, bad)
		hasProblem(t, open(t, dir).Problems(), names[0], "not all")
	}
	overwrite(t, table, good)
	if err := os.Remove(filepath.Join(dir, ".git", "reftable", names[1])); err != nil {
		t.Fatal(err)
	}
	hasProblem(t, open(t, dir).Problems(), names[1], "not all")
	overwrite(t, list, strings.Repeat(names[0]+"\n", maxReftables+1))
	hasProblem(t, open(t, dir).Problems(), "too many")
	if err := os.Remove(list); err != nil {
		t.Fatal(err)
	}
	hasProblem(t, open(t, dir).Problems(), "tables.list")
	gitIn(t, dir, "", "config", "--file", filepath.Join(dir, ".git", "config"), "extensions.refstorage", "carvings")
	hasProblem(t, open(t, dir).Problems(), "refs", "carvings")
}

func FuzzReftable(f *testing.F) {
	tables, err := filepath.Glob(filepath.Join("testdata", "reftable-*", "reftable", "*.ref"))
	if err != nil || len(tables) == 0 {
		f.Fatal(tables, err)
	}
	for _, p := range tables {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, strings.Contains(p, "sha256"))
	}
	f.Fuzz(func(t *testing.T, b []byte, long bool) {
		size := 20
		if long {
			size = 32
		}
		total := 0
		parseReftable(b, size, func(ref reftableRecord) { total++ })
		if total > len(b) {
			t.Fatalf("%d refs in %d bytes", total, len(b))
		}
	})
}

func TestHeads(t *testing.T) {
	dir := newRepo(t)
	r := open(t, dir)
	noProblems(t, r.Problems())
	if refs := r.Refs(); len(refs) != 0 {
		t.Errorf("unborn branch: %v", refs)
	}
	first := commit(t, dir, "one", map[string]string{"a": "a"})
	gitIn(t, dir, "", "checkout", "-q", "--orphan", "nothing-yet")
	if got := refLines(open(t, dir)); !slices.Equal(got, []string{first + " refs/heads/main"}) {
		t.Errorf("orphan branch: %q", got)
	}
	for content, words := range map[string][]string{"": {"HEAD", "no object name"}, "ref: ": nil, "nonsense": {"HEAD", "no object name"}, first[:39]: {"HEAD"}} {
		write(t, dir, map[string]string{".git/HEAD": content})
		r := open(t, dir)
		if len(words) > 0 {
			hasProblem(t, r.Problems(), words...)
		}
		if _, ok := r.ref("HEAD"); ok {
			t.Errorf("HEAD of %q is there", content)
		}
	}
}

func TestHeadThatIsALink(t *testing.T) {
	needsLinks(t)
	dir := newRepo(t)
	commit(t, dir, "one", map[string]string{"a": "a"})
	head := filepath.Join(dir, ".git", "HEAD")
	if err := os.Remove(head); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("refs/heads/main", head); err != nil { // as very old versions of git did
		t.Fatal(err)
	}
	hasProblem(t, open(t, dir).Problems(), "HEAD", "regular")
}

func TestWorktreeRefs(t *testing.T) {
	dir := newRepo(t)
	first := commit(t, dir, "one", map[string]string{"a": "a"})
	linked := filepath.Join(t.TempDir(), "linked")
	gitIn(t, dir, "", "worktree", "add", "-q", "--detach", linked)
	second := commit(t, linked, "only this work tree has it", map[string]string{"b": "b"})
	gitIn(t, linked, "", "update-ref", "refs/worktree/own", "HEAD")
	want := []string{first + " HEAD", first + " refs/heads/main", second + " worktrees/linked/HEAD", second + " worktrees/linked/refs/worktree/own"}
	r := open(t, dir)
	noProblems(t, r.Problems())
	if got := refLines(r); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	r = open(t, linked)
	if id, _ := r.ref("HEAD"); id.String() != second {
		t.Errorf("HEAD of the linked work tree is %s", id)
	}
	a, err := open(t, dir).Attribute(t.Context(), []pack.ID{hashOf(r, []byte("b"))}, AttributeOptions{})
	if in := a.Introductions[hashOf(r, []byte("b"))]; err != nil || len(in) != 1 || !in[0].Commit.Reachable {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestRefsOfAnyDepthAndNumber(t *testing.T) {
	dir := newRepo(t)
	id := commit(t, dir, "one", map[string]string{"a": "a"})
	write(t, dir, map[string]string{".git/refs/heads/" + strings.Repeat("d/", maxRefDepth+5) + "x": id})
	hasProblem(t, open(t, dir).Problems(), "nested too deeply")
	files := map[string]string{}
	for i := range 150 {
		files[fmt.Sprintf(".git/refs/heads/bad%d", i)] = "bad"
	}
	write(t, dir, files)
	r := open(t, dir)
	hasProblem(t, r.Problems(), "more of them")
	if n := len(r.Problems()); n > 110 {
		t.Errorf("%d problems", n)
	}
}

// needsLinks skips where making symbolic links needs a privilege.
func needsLinks(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege")
	}
}
