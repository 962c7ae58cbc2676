package scanner

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"patwatch/detectors"
	"patwatch/detectors/detectorstest"
	"patwatch/fixtures"
	"patwatch/git/history"
	"patwatch/leak"
)

// planted mints n tokens of all built-in formats with a checksum, and a near
// miss of each.
func planted(t testing.TB, n int) (m *detectors.Matcher, tokens, misses []fixtures.Token) {
	t.Helper()
	formats, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if m, err = detectors.Compile(formats, detectors.Options{}); err != nil {
		t.Fatal(err)
	}
	formats = slices.DeleteFunc(formats, func(f detectors.Format) bool {
		return f.Checksum == nil || f.Tier != detectors.Checked || f.Mismatch == "lower" || len(f.Context) > 0
	})
	r := rand.New(rand.NewPCG(11, 12))
	for i := 0; len(tokens) < n; i++ {
		f := formats[i%len(formats)]
		token, err := detectorstest.Mint(f, r)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, fixtures.Token{Name: fmt.Sprintf("%s/%d", f.ID, i), Value: token})
		if near, err := detectorstest.NearMiss(f, token, r); err == nil {
			misses = append(misses, fixtures.Token{Name: fmt.Sprintf("near %s/%d", f.ID, i), Value: near})
		}
	}
	return m, tokens, misses
}

// mixed puts tokens and near misses in one list, in turn.
func mixed(tokens, misses []fixtures.Token) []fixtures.Token {
	var out []fixtures.Token
	for i := range tokens {
		out = append(out, tokens[i])
		if i < len(misses) {
			out = append(out, misses[i])
		}
	}
	return out
}

// scanRepository returns what a scan with the options finds, one line each:
// token, commit, path, line, column.
func scanRepository(t testing.TB, m *detectors.Matcher, dir string, o Options) []string {
	t.Helper()
	repo, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	var got []string
	tally, err := New(m, o).History(t.Context(), repo, Selection{}, func(c leak.Candidate) error {
		got = append(got, placeLine(string(c.Secret.Reveal()), c.Place.Commit, c.Place.Path, c.Place.Line, c.Place.Column))
		return nil
	})
	if err != nil || len(tally.Incomplete) != 0 {
		t.Fatalf("%v, %v", err, tally.Incomplete)
	}
	slices.Sort(got)
	return slices.Compact(got)
}

func placeLine(token, commit, path string, line, column int) string {
	return fmt.Sprintf("%s %s %s:%d:%d", fingerprint(token), commit, path, line, column)
}

// fingerprint names a token without printing it when a test fails.
func fingerprint(token string) string { return leak.NewSecret([]byte(token)).Fingerprint() }

// expected returns the lines that the truth asks for.
func expected(truth *fixtures.Truth, tokens []fixtures.Token) []string {
	var want []string
	for _, tok := range tokens {
		for _, in := range truth.Of(tok.Name) {
			if !in.Moved {
				want = append(want, placeLine(string(tok.Value), in.Commit, in.Path, in.Line, in.Column))
			}
		}
	}
	slices.Sort(want)
	return want
}

func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { _, in := slices.BinarySearch(b, s); return in })
}

// TestHistoryFindsEveryPlantedToken is the whole of what a history scan
// promises: each token where it came in, and nothing else, however the scan is
// done. With PATWATCH_TEST_COMMITS a larger history is made.
func TestHistoryFindsEveryPlantedToken(t *testing.T) {
	commits, n := 600, 400
	if s := os.Getenv("PATWATCH_TEST_COMMITS"); s != "" {
		if _, err := fmt.Sscan(s, &commits, &n); err != nil {
			t.Fatal(err)
		}
	}
	m, tokens, misses := planted(t, n)
	dir := t.TempDir()
	truth, err := fixtures.History(t.Context(), dir, fixtures.Spec{Seed: 5, Commits: commits, Tokens: mixed(tokens, misses)})
	if err != nil {
		t.Fatal(err)
	}
	want := expected(truth, tokens)
	t.Logf("%d commits, %d tokens at %d places, %d near misses", truth.Commits, len(tokens), len(want), len(misses))
	for name, o := range map[string]Options{
		"one worker": {Jobs: 1}, "many workers": {Jobs: 8}, "full scan": {Jobs: 2, FullScan: true},
	} {
		t.Run(name, func(t *testing.T) {
			got := scanRepository(t, m, dir, o)
			missing, extra := difference(want, got), difference(got, want)
			if len(missing) > 0 || len(extra) > 0 {
				t.Errorf("%d places missing, %d too many\nmissing %s\nextra %s", len(missing), len(extra),
					strings.Join(missing[:min(3, len(missing))], "\n"), strings.Join(extra[:min(3, len(extra))], "\n"))
			}
		})
	}
}

// throughGit returns what stands in the blobs that git itself reads, one line
// each: token, blob.
func throughGit(t *testing.T, m *detectors.Matcher, dir string) []string {
	t.Helper()
	out, err := fixtures.Git(t.Context(), dir, "cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for len(out) > 0 {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		var id, kind string
		var size int
		if _, err := fmt.Sscan(string(head), &id, &kind, &size); err != nil {
			t.Fatal(err)
		}
		data := rest[:size]
		out = rest[size+1:]
		if kind != "blob" {
			continue
		}
		for _, match := range m.Resolve(m.Find(nil, data)) {
			found = append(found, fingerprint(string(data[match.Start:match.End]))+" "+id)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestHistoryIsWhatGitReads compares a scan with every blob as git cat-file
// gives it.
func TestHistoryIsWhatGitReads(t *testing.T) {
	m, tokens, misses := planted(t, 200)
	dir := t.TempDir()
	if _, err := fixtures.History(t.Context(), dir, fixtures.Spec{Seed: 8, Commits: 300, Tokens: mixed(tokens, misses)}); err != nil {
		t.Fatal(err)
	}
	repo, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	var got []string
	_, err = New(m, Options{Jobs: 2}).History(t.Context(), repo, Selection{}, func(c leak.Candidate) error {
		got = append(got, fingerprint(string(c.Secret.Reveal()))+" "+c.Place.Object)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	got = slices.Compact(got)
	want := throughGit(t, m, dir)
	// A blob whose token came with an earlier version has no place of its own.
	if extra := difference(got, want); len(extra) > 0 || len(got) < len(tokens) {
		t.Errorf("%d tokens in blobs where git shows none; %d found", len(extra), len(got))
	}
	if a, b := names(got), names(want); !slices.Equal(a, b) {
		t.Errorf("a scan finds %d tokens, and in what git reads there are %d", len(a), len(b))
	}
}

// names returns the first words of lines, each once.
func names(lines []string) []string {
	var out []string
	for _, l := range lines {
		name, _, _ := strings.Cut(l, " ")
		out = append(out, name)
	}
	return slices.Compact(out)
}

func TestCorruptPackIsSaid(t *testing.T) {
	m, tokens, _ := planted(t, 30)
	dir := t.TempDir()
	if _, err := fixtures.History(t.Context(), dir, fixtures.Spec{Seed: 6, Commits: 60, Tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatal(packs, err)
	}
	data, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0xff
	if err := os.Chmod(packs[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(packs[0], data, 0o644); err != nil {
		t.Fatal(err)
	}
	repo, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	emit, got := collect()
	tally, err := New(m, Options{}).History(t.Context(), repo, Selection{}, emit)
	if err != nil || len(tally.Incomplete) == 0 || len(*got) == 0 {
		t.Errorf("%d found, %v, %v", len(*got), tally.Incomplete, err)
	}
}

// TestIncompleteRepositoriesAreSaid scans clones that lack something.
func TestIncompleteRepositoriesAreSaid(t *testing.T) {
	m, tokens, _ := planted(t, 30)
	dir := t.TempDir()
	if _, err := fixtures.History(t.Context(), dir, fixtures.Spec{Seed: 8, Commits: 60, Tokens: tokens}); err != nil {
		t.Fatal(err)
	}
	url := "file://" + filepath.ToSlash(dir)
	if _, err := fixtures.Git(t.Context(), dir, "config", "uploadpack.allowFilter", "true"); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		args []string
		hurt func(t *testing.T, clone string)
		says string
	}{
		"shallow": {[]string{"--depth=2"}, nil, "shallow clone"},
		"partial": {[]string{"--filter=blob:none"}, nil, "partial clone"},
		"cut off": {nil, cutPack, "cut off"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clone := filepath.Join(t.TempDir(), "clone.git")
			args := append([]string{"clone", "-q", "--bare"}, c.args...)
			if _, err := fixtures.Git(t.Context(), dir, append(args, url, clone)...); err != nil {
				t.Fatal(err)
			}
			if c.hurt != nil {
				c.hurt(t, clone)
			}
			repo, err := history.Open(clone)
			if err != nil {
				t.Fatal(err)
			}
			defer repo.Close()
			emit, _ := collect()
			tally, err := New(m, Options{}).History(t.Context(), repo, Selection{}, emit)
			if err != nil || !strings.Contains(strings.Join(tally.Incomplete, "\n"), c.says) {
				t.Errorf("%v, %v", tally.Incomplete, err)
			}
		})
	}
}

// cutPack takes the end off a clone's pack.
func cutPack(t *testing.T, clone string) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(clone, "objects", "pack", "*.pack"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	if err := os.Chmod(packs[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(packs[0], 3000); err != nil {
		t.Fatal(err)
	}
}
