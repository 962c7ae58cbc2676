package pack

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var allKinds = []Kind{Commit, Tree, Blob, Tag}

// git runs git, shielded from the machine's configuration.
func git(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull,
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v", args, err)
	}
	return string(out)
}

// repository makes a bare repository whose one pack holds a file in many
// versions, and returns its folder. args are for git init.
func repository(t testing.TB, repack []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "", append([]string{"init", "-q", "--bare", "."}, args...)...)
	var in strings.Builder
	lines := make([]string, 400)
	for i := range lines {
		lines[i] = fmt.Sprintf("line %d of a file with some text %d", i, i*i)
	}
	for v := range 60 {
		lines[v*7%390] = fmt.Sprintf("changed in version %d", v)
		if v%5 == 0 {
			lines = append(lines[:v], append([]string{"inserted", "twice"}, lines[v:]...)...)
		}
		if v%9 == 0 {
			lines = append(lines[:100], lines[102:]...)
		}
		text := strings.Join(lines, "\n")
		fmt.Fprintf(&in, "commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 3\nabc\n", 1700000000+v)
		fmt.Fprintf(&in, "M 644 inline d/f%d\ndata %d\n%s\nM 644 inline empty\ndata 0\n\n", v%3, len(text), text)
	}
	in.WriteString("tag v1\nfrom refs/heads/main\ntagger A <a@example.org> 1700000100 +0000\ndata 3\ntag\n")
	git(t, dir, in.String(), "fast-import", "--quiet")
	if repack == nil {
		repack = []string{"-q", "-a", "-d", "-f", "--depth=30", "--window=20"}
	}
	git(t, dir, "", append([]string{"repack"}, repack...)...)
	return dir
}

func onlyPack(t testing.TB, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil || len(names) != 1 {
		t.Fatalf("packs: %v, %v", names, err)
	}
	return names[0]
}

func openPack(t testing.TB, path string, idSize int) *Pack {
	t.Helper()
	p, err := Open(path, idSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// named computes an object's name.
func named(kind Kind, data []byte, idSize int) string {
	head := fmt.Sprintf("%s %d\x00", kind, len(data))
	if idSize == 32 {
		return fmt.Sprintf("%x", sha256.Sum256(append([]byte(head), data...)))
	}
	return fmt.Sprintf("%x", sha1.Sum(append([]byte(head), data...)))
}

func TestWalkReadsEveryObject(t *testing.T) {
	cases := []struct {
		name   string
		repack []string
		init   []string
		idSize int
	}{
		{"offset deltas", nil, nil, 20},
		{"name deltas", nil, nil, 20},
		{"SHA-256", nil, []string{"--object-format=sha256"}, 32},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := repository(t, c.repack, c.init...)
			if c.name == "name deltas" {
				git(t, dir, "", "config", "repack.useDeltaBaseOffset", "false")
				git(t, dir, "", "repack", "-q", "-a", "-d", "-f")
			}
			checkAll(t, openPack(t, onlyPack(t, dir), c.idSize))
		})
	}
}

func TestIndexVersions(t *testing.T) {
	for _, version := range []string{"1", "2", "2,0x40"} {
		t.Run(version, func(t *testing.T) {
			path := onlyPack(t, repository(t, nil))
			idx := strings.TrimSuffix(path, ".pack") + ".idx"
			if err := os.Remove(idx); err != nil {
				t.Fatal(err)
			}
			git(t, filepath.Dir(path), "", "index-pack", "--index-version="+version, "-o", idx, path)
			checkAll(t, openPack(t, path, 20))
		})
	}
}

// checkAll walks a pack and reads it at random, and compares each object with
// its name and each delta's spans with its base.
func checkAll(t *testing.T, p *Pack) {
	t.Helper()
	var mu sync.Mutex
	seen := map[int]bool{}
	deltas := 0
	err := p.Walk(t.Context(), WalkOptions{
		Workers: 3, Kinds: allKinds,
		Visit: func(_ int, o *Object) error {
			mu.Lock()
			defer mu.Unlock()
			if seen[o.Index] {
				t.Errorf("object %d visited twice", o.Index)
			}
			seen[o.Index] = true
			if got := named(o.Kind, o.Data, p.index.idSize); got != p.ID(o.Index).String() {
				t.Errorf("object %s reads as %s", p.ID(o.Index), got)
			}
			if o.Depth > 0 {
				deltas++
				checkSpans(t, o)
			}
			return nil
		},
		Fail: func(_, i int, err error) { t.Errorf("object %d: %v", i, err) },
	})
	if err != nil || len(seen) != p.Len() || deltas == 0 {
		t.Fatalf("%d of %d objects, %d deltas, %v", len(seen), p.Len(), deltas, err)
	}
	r := p.NewReader()
	for i := range p.Len() {
		kind, data, err := r.Read(i)
		if err != nil || named(kind, data, p.index.idSize) != p.ID(i).String() {
			t.Fatalf("reading object %d: %v", i, err)
		}
		if j, ok := p.Find(p.ID(i)); !ok || j != i {
			t.Fatalf("object %d is found at %d, %v", i, j, ok)
		}
	}
}

// checkSpans checks what Object.Changed promises, byte by byte.
func checkSpans(t *testing.T, o *Object) {
	t.Helper()
	touched := make([]bool, len(o.Data)+2) // touched[i+1]: some span overlaps or adjoins byte i; ends included
	before := -1
	for _, s := range o.Changed {
		if s[0] < before || s[1] < s[0] || s[1] > len(o.Data) {
			t.Fatalf("spans %v of %d bytes", o.Changed, len(o.Data))
		}
		before = s[1]
		for i := s[0]; i <= s[1]+1; i++ {
			touched[i] = true
		}
	}
	copies, err := AppendCopies(nil, o.Delta)
	if err != nil {
		t.Fatal(err)
	}
	origin := make([]int, len(o.Data))
	for i := range origin {
		origin[i] = -2
	}
	for _, c := range copies {
		if !bytes.Equal(o.Data[c.To:c.To+c.Len], o.Base[c.From:c.From+c.Len]) {
			t.Fatal("a copy is not in the base")
		}
		for k := range c.Len {
			origin[c.To+k] = c.From + k
		}
	}
	for i, from := range origin {
		left, right := -1, len(o.Base)
		if i > 0 {
			left = origin[i-1]
		}
		if i+1 < len(origin) {
			right = origin[i+1]
		}
		if (from < 0 || left != from-1 || right != from+1) && !touched[i+1] {
			t.Fatalf("byte %d has other neighbours than in its base, but no span says so: %v", i, o.Changed)
		}
	}
}

// TestRealRepository reads every object of the repository that
// PATWATCH_TEST_REPO names.
func TestRealRepository(t *testing.T) {
	dir := os.Getenv("PATWATCH_TEST_REPO")
	if dir == "" {
		t.Skip("PATWATCH_TEST_REPO is not set")
	}
	checkAll(t, openPack(t, onlyPack(t, dir), 20))
}

func TestWalkReportsDamage(t *testing.T) {
	path := onlyPack(t, repository(t, nil))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	silent := 0
	for at := 12; at < len(good)-20; at += 7 {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		failures, right := damaged(t, path, bad)
		if failures == 0 && !right {
			silent++
			t.Errorf("a bit flipped at %d: nothing said and wrong bytes", at)
		}
		if silent > 3 {
			t.FailNow()
		}
	}
}

// damaged walks a pack with other bytes and says how many objects failed and
// whether the others are right.
func damaged(t *testing.T, path string, data []byte) (failures int, right bool) {
	t.Helper()
	p := openPack(t, path, 20)
	p.data = data
	if err := p.link(); err != nil {
		return 1, true
	}
	right = true
	visited := 0
	_ = p.Walk(t.Context(), WalkOptions{
		Kinds: allKinds,
		Visit: func(_ int, o *Object) error {
			visited++
			right = right && named(o.Kind, o.Data, 20) == p.ID(o.Index).String()
			return nil
		},
		Fail: func(int, int, error) { failures++ },
	})
	if visited+failures != p.Len() {
		t.Errorf("%d visited and %d failed of %d", visited, failures, p.Len())
	}
	return failures, right
}
