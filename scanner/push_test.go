package scanner

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patwatch/git/pack"
	"patwatch/internal/standin"
	"patwatch/leak"
)

const pushedTo = "user-1/repo-1"

// A pushTest is a repository that is pushed to.
type pushTest struct {
	*testing.T
	hub *standin.GitHub
	dir string
}

func newPushTest(t *testing.T) *pushTest {
	t.Helper()
	dir := t.TempDir()
	hub, err := standin.NewGitHub(t.Context(), standin.GitHubOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Create(pushedTo); err != nil {
		t.Fatal(err)
	}
	return &pushTest{t, hub, filepath.Join(dir, pushedTo+".git")}
}

func (p *pushTest) push(commits ...standin.Commit) leak.Push {
	p.Helper()
	out, err := p.hub.Push(pushedTo, "refs/heads/main", standin.PushOptions{}, commits...)
	if err != nil {
		p.Fatal(err)
	}
	return out
}

// pack lets git make a pack of what revs name.
func (p *pushTest) pack(revs ...string) []byte {
	p.Helper()
	cmd := exec.Command("git", "pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset", "--window=20")
	cmd.Dir, cmd.Stdin = p.dir, strings.NewReader(strings.Join(revs, "\n")+"\n")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull)
	out, err := cmd.Output()
	if err != nil {
		p.Fatal(err)
	}
	return out
}

// scan returns what stands in a pack, a line for each place.
func (p *pushTest) scan(data []byte, o Options, of Pushed) ([]string, []leak.Candidate, Tally) {
	p.Helper()
	parsed, err := pack.Parse(data, 20, pack.Limits{})
	if err != nil {
		p.Fatal(err)
	}
	var lines []string
	var all []leak.Candidate
	tally, err := newScanner(p, o).Push(p.Context(), parsed, of, func(c leak.Candidate) error {
		lines = append(lines, fmt.Sprintf("%s:%d %s", c.Place.Path, c.Place.Line, c.Place.Subject))
		all = append(all, c)
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	slices.Sort(lines)
	return lines, all, tally
}

func TestPushFindsPlaces(t *testing.T) {
	p := newPushTest(t)
	r := rand.New(rand.NewSource(1))
	one, two, three := token(r), token(r), token(r)
	base := p.push(standin.Commit{Files: map[string]string{"d/e/f": "old\n"}, Message: "base"})
	after := p.push(
		standin.Commit{Files: map[string]string{"d/e/f": "old\nkey " + one + "\n"}, Message: "adds one", Author: "An Author <an@example.org>"},
		standin.Commit{Files: map[string]string{"d/e/f": "old\n\nkey " + one + "\n", "g": two}, Message: "moves one, adds two"},
		standin.Commit{Remove: []string{"g"}, Message: "removes two, tells " + three})
	lines, all, tally := p.scan(p.pack(after.After, "^"+base.After), Options{}, Pushed{Repository: pushedTo, URL: "https://github.com/" + pushedTo})
	want := []string{":9 removes two, tells " + three, "d/e/f:2 adds one", "g:1 moves one, adds two"}
	for i := range lines {
		if i == 0 { // the line of a message counts from the commit's head
			lines[i] = ":9" + lines[i][strings.IndexByte(lines[i], ' '):]
		}
	}
	if !slices.Equal(lines, want) || len(tally.Incomplete) != 0 || tally.Commits != 3 {
		t.Fatalf("found %q, want %q; %+v", lines, want, tally)
	}
	for _, c := range all {
		at := c.Place
		if at.Source != leak.Pushed || at.Commit == "" || at.Object == "" || at.Repository != pushedTo || at.Time.IsZero() {
			t.Errorf("%+v", at)
		}
		if at.Path == "d/e/f" && (at.Author != "An Author" || at.Email != "an@example.org" || !strings.HasSuffix(at.URL, "/d/e/f#L2")) {
			t.Errorf("%+v", at)
		}
	}
}

// TestPushFindsWhatAFullScanFinds checks that looking only at what deltas bring
// misses nothing.
func TestPushFindsWhatAFullScanFinds(t *testing.T) {
	p := newPushTest(t)
	r := rand.New(rand.NewSource(2))
	text := strings.Repeat("some line that stays as it is\n", 200)
	var last leak.Push
	for i := range 20 {
		at := r.Intn(len(text))
		text = text[:at] + "\n" + token(r) + fmt.Sprintf("\nchange %d\n", i) + text[at:]
		last = p.push(standin.Commit{Files: map[string]string{"f": text}})
	}
	data := p.pack(last.After)
	parts, _, _ := p.scan(data, Options{}, Pushed{})
	whole, _, _ := p.scan(data, Options{FullScan: true}, Pushed{})
	if len(parts) < 20 || !slices.Equal(parts, whole) {
		t.Errorf("%d finds, of all bytes %d", len(parts), len(whole))
	}
}

func TestPushSaysWhatItCouldNotRead(t *testing.T) {
	p := newPushTest(t)
	r := rand.New(rand.NewSource(3))
	small, large := token(r), token(r)
	data := p.pack(p.push(standin.Commit{Files: map[string]string{"small": small, "large": strings.Repeat("x\n", 2000) + large}}).After)
	lines, _, tally := p.scan(data, Options{MaxBlob: 1000}, Pushed{})
	if len(lines) != 1 || len(tally.Incomplete) != 1 || !strings.Contains(tally.Incomplete[0], "more than") {
		t.Errorf("%q, incomplete %q", lines, tally.Incomplete)
	}
	_, _, tally = p.scan(data[:len(data)-30], Options{}, Pushed{})
	if len(tally.Incomplete) == 0 {
		t.Error("a pack that is cut off counts as read")
	}
	for _, why := range tally.Incomplete {
		if strings.Contains(why, small) || strings.Contains(why, large) {
			t.Error("a token is in the tally")
		}
	}
}

func TestPushOfTagsAndDroppedCommits(t *testing.T) {
	p := newPushTest(t)
	r := rand.New(rand.NewSource(4))
	p.push(standin.Commit{Files: map[string]string{"a": "b"}})
	tag, err := p.hub.Tag(pushedTo, "refs/tags/v1", "refs/heads/main", "release with "+token(r))
	if err != nil {
		t.Fatal(err)
	}
	lines, all, _ := p.scan(p.pack(tag.After), Options{}, Pushed{Dropped: true})
	if len(lines) != 1 || all[0].Place.Object != tag.After || all[0].Place.Source != leak.Dropped {
		t.Errorf("%q, %+v", lines, all)
	}
}

func TestPushEndsWithEmit(t *testing.T) {
	p := newPushTest(t)
	parsed, err := pack.Parse(p.pack(p.push(standin.Commit{Files: map[string]string{"a": token(rand.New(rand.NewSource(5)))}}).After), 20, pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	refused := fmt.Errorf("no more")
	if _, err := newScanner(t, Options{}).Push(t.Context(), parsed, Pushed{}, func(leak.Candidate) error { return refused }); err != refused {
		t.Errorf("%v, want emit's error", err)
	}
}

func TestParsePushCommit(t *testing.T) {
	for _, in := range []string{"", "tree x", "author", "author <", "author >a<", "parent " + strings.Repeat("z", 40), "\n\n"} {
		if c := parsePushCommit(pack.ID{}, []byte(in)); c.author != "" || len(c.parents) != 0 || !c.tree.IsZero() {
			t.Errorf("%q is %+v", in, c)
		}
	}
}

// TestPushPathsAreBounded scans a push with one file in many folders.
func TestPushPathsAreBounded(t *testing.T) {
	p := newPushTest(t)
	files := map[string]string{}
	secret := token(rand.New(rand.NewSource(6)))
	for i := range 100 {
		files[fmt.Sprintf("d%d/f", i)] = secret
	}
	lines, _, tally := p.scan(p.pack(p.push(standin.Commit{Files: files}).After), Options{}, Pushed{})
	if len(lines) != maxPushPaths || len(tally.Incomplete) != 1 {
		t.Errorf("%d places, incomplete %q", len(lines), tally.Incomplete)
	}
}

func BenchmarkPush(b *testing.B) {
	data := bytes.Repeat([]byte("some text of a file in a repository\n"), 3000)
	dir := b.TempDir()
	hub, err := standin.NewGitHub(b.Context(), standin.GitHubOptions{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := hub.Create(pushedTo); err != nil {
		b.Fatal(err)
	}
	push, err := hub.Push(pushedTo, "refs/heads/main", standin.PushOptions{}, standin.Commit{Files: map[string]string{"src/f.go": string(data)}})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("git", "pack-objects", "--revs", "--stdout", "-q")
	cmd.Dir, cmd.Stdin = filepath.Join(dir, pushedTo+".git"), strings.NewReader(push.After+"\n")
	packed, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	s := newScanner(b, Options{})
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		p, err := pack.Parse(packed, 20, pack.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Push(b.Context(), p, Pushed{}, func(leak.Candidate) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
