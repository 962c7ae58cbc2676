package history

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"patwatch/git/pack"
)

// gitIn runs git in a directory, away from anyone's configuration, and returns
// its output.
func gitIn(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := gitCmd(t, dir, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func gitCmd(t testing.TB, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "HOME="+t.TempDir(),
		"GIT_AUTHOR_NAME=A U Thor", "GIT_AUTHOR_EMAIL=author@example.com", "GIT_AUTHOR_DATE=1700000000 +0130",
		"GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@example.com", "GIT_COMMITTER_DATE=1700000001 +0000",
		"GIT_ALLOW_PROTOCOL=file")
	return cmd
}

// newRepo makes an empty repository with a work tree.
func newRepo(t testing.TB, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	gitIn(t, dir, "", append([]string{"init", "-q", "-b", "main"}, args...)...)
	gitIn(t, dir, "", "config", "gc.auto", "0")
	return dir
}

// write writes files, by path relative to dir.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// commit commits all of the work tree after writing files, and returns the
// commit's id.
func commit(t testing.TB, dir, message string, files map[string]string) string {
	t.Helper()
	write(t, dir, files)
	gitIn(t, dir, "", "add", "-A")
	gitIn(t, dir, "", "commit", "-q", "--allow-empty", "-m", message)
	return gitIn(t, dir, "", "rev-parse", "HEAD")
}

func open(t testing.TB, path string) *Repository {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func parseID(t testing.TB, s string) pack.ID {
	t.Helper()
	id, err := pack.ParseID(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return id
}

// gitBlobs lists the blobs that git finds, with their sizes.
func gitBlobs(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	blobs := map[string]int64{}
	for line := range strings.Lines(gitIn(t, dir, "", "cat-file", "--batch-all-objects", "--batch-check", "--unordered")) {
		var id, kind string
		var size int64
		if _, err := fmt.Sscan(line, &id, &kind, &size); err == nil && kind == "blob" {
			blobs[id] = size
		}
	}
	return blobs
}

// walked is what a walk saw.
type walked struct {
	stats  Stats
	blobs  map[string]int64 // by id: size
	visits int64
}

// walk walks all blobs and checks that each has its name, and that deltas are
// visited above their base.
func walk(t testing.TB, r *Repository, o BlobOptions) walked {
	t.Helper()
	out := walked{blobs: map[string]int64{}}
	var mu sync.Mutex
	seen := func(id pack.ID, size int64) {
		mu.Lock()
		defer mu.Unlock()
		out.blobs[id.String()] = size
		out.visits++
	}
	o.Visit = func(worker int, b *Blob) error {
		if worker < 0 || worker >= defaultWorkers(o.Workers) {
			t.Errorf("worker %d of %d", worker, o.Workers)
		}
		if hashOf(r, b.Data) != b.ID() {
			t.Errorf("blob %s has other contents", b.ID())
		}
		if (b.Depth == 0) != (b.Base == nil && b.Delta == nil) {
			t.Errorf("blob %s: depth %d with base %v", b.ID(), b.Depth, b.Base != nil)
		}
		seen(b.ID(), int64(len(b.Data)))
		return nil
	}
	o.Large = func(_ int, id pack.ID, size int64, open func() (io.ReadCloser, error)) error {
		in, err := open()
		if err != nil {
			t.Errorf("large blob %s: %v", id, err)
			return nil
		}
		defer in.Close()
		data, err := io.ReadAll(in)
		if err != nil || hashOf(r, data) != id || int64(len(data)) != size {
			t.Errorf("large blob %s: %d bytes of %d, %v", id, len(data), size, err)
		}
		seen(id, size)
		return nil
	}
	var err error
	if out.stats, err = r.WalkBlobs(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if st := out.stats; out.visits != st.Blobs+st.Copies {
		t.Errorf("%d visits, stats %+v", out.visits, st)
	}
	return out
}

func hashOf(r *Repository, data []byte) pack.ID {
	h := newHash(r.idSize)
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	id, _ := pack.NewID(h.Sum(nil))
	return id
}

// checkWalk compares a walk with what git lists.
func checkWalk(t *testing.T, r *Repository, dir string) {
	t.Helper()
	want := gitBlobs(t, dir)
	var bytes int64
	for _, n := range want {
		bytes += n
	}
	got := walk(t, r, BlobOptions{Workers: 3})
	if !maps.Equal(got.blobs, want) {
		t.Errorf("%d blobs, git lists %d", len(got.blobs), len(want))
	}
	if got.stats.Blobs != int64(len(want)) || got.stats.Bytes != bytes || got.stats.Fallback != 0 {
		t.Errorf("stats %+v, want %d blobs of %d bytes", got.stats, len(want), bytes)
	}
	noProblems(t, got.stats.Problems)
}

func noProblems(t testing.TB, problems []Problem) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("unexpected problem: %s", p)
	}
}

// hasProblem checks that one of the problems contains each of the words.
func hasProblem(t testing.TB, problems []Problem, words ...string) {
	t.Helper()
	for _, p := range problems {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(p.String(), w) }) {
			return
		}
	}
	t.Errorf("no problem with %q in %v", words, problems)
}

// randomHistory fills a repository with commits on several branches: merges,
// octopuses, criss-crosses, orphans, renames, copies, files that come back, and
// one blob at several paths.
func randomHistory(t testing.TB, dir string, seed uint64, commits int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var s strings.Builder
	path := func() string {
		return []string{"", "a/", "a/b/", "src/", "src/deep/er/"}[rnd.IntN(5)] + fmt.Sprintf("file%02d.txt", rnd.IntN(25))
	}
	for i := 1; i <= commits; i++ {
		fmt.Fprintf(&s, "commit refs/heads/b%d\nmark :%d\nauthor N%d <n@example.com> %d +0100\ncommitter C <c@example.com> %d +0000\ndata 8\ncommit %d\n",
			rnd.IntN(6), i, i, 1600000000+i*1000, 1600000000+i*1000, i%10)
		switch from := rnd.IntN(20); {
		case i == 1 || from == 0: // a root
			s.WriteString("deleteall\n")
			for range 30 {
				fmt.Fprintf(&s, "M 100644 inline %s\ndata 6\nc%04d\n\n", path(), rnd.IntN(500))
			}
		default:
			fmt.Fprintf(&s, "from :%d\n", max(1, i-1-rnd.IntN(min(i, 8))))
			for range []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[rnd.IntN(10)] {
				fmt.Fprintf(&s, "merge :%d\n", 1+rnd.IntN(i-1))
			}
		}
		for range rnd.IntN(4) {
			switch rnd.IntN(8) {
			case 0:
				fmt.Fprintf(&s, "D %s\n", path())
			case 1:
				fmt.Fprintf(&s, "M 160000 %040x %s\n", rnd.Uint64()|1, "module"+fmt.Sprint(rnd.IntN(3)))
			case 2:
				fmt.Fprintf(&s, "M 120000 inline %s\ndata 6\nc%04d\n\n", path(), rnd.IntN(500))
			default:
				fmt.Fprintf(&s, "M 100644 inline %s\ndata 6\nc%04d\n\n", path(), rnd.IntN(500))
			}
		}
		if rnd.IntN(10) == 0 && i > 1 {
			fmt.Fprintf(&s, "M 040000 %s dir%d\n", gitEmptyDir, rnd.IntN(3))
		}
		s.WriteString("\n")
	}
	gitIn(t, dir, s.String(), "fast-import", "--quiet", "--force")
}

// gitEmptyDir is the tree without entries.
const gitEmptyDir = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// packsOf lists the packs of a repository.
func packsOf(t testing.TB, dir string) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(dir, ".git", "objects", "pack", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// unpack turns a pack into loose objects.
func unpack(t testing.TB, dir, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".pack", ".idx", ".rev"} {
		os.Remove(strings.TrimSuffix(file, ".pack") + ext)
	}
	gitIn(t, dir, string(b), "unpack-objects", "-q")
}

// looseFile is the file of a loose object.
func looseFile(dir, id string) string {
	return filepath.Join(dir, ".git", "objects", id[:2], id[2:])
}

// overwrite replaces a file that git made read-only.
func overwrite(t testing.TB, path, content string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}
