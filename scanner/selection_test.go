package scanner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patwatch/fixtures"
	"patwatch/git/history"
	"patwatch/leak"
)

// TestSelectionIsAFilter compares scans of small parts of a history, for which
// only some blobs are read, with what a scan of everything finds in the same
// commits.
func TestSelectionIsAFilter(t *testing.T) {
	m, tokens, misses := planted(t, 300)
	dir := t.TempDir()
	if _, err := fixtures.History(t.Context(), dir, fixtures.Spec{Seed: 9, Commits: 500, Tokens: mixed(tokens, misses)}); err != nil {
		t.Fatal(err)
	}
	everything := selectedPlaces(t, New(m, Options{}), dir, Selection{})
	list := revList(t, dir, "--all")
	nonEmpty := 0
	for i := 0; i+30 < len(list); i += 25 {
		sel := Selection{Include: []string{list[i]}, Exclude: []string{list[i+5], list[i+30]}}
		commits := revList(t, dir, sel.Include[0], "^"+sel.Exclude[0], "^"+sel.Exclude[1])
		want := slices.DeleteFunc(slices.Clone(everything), func(line string) bool {
			return !slices.Contains(commits, strings.Fields(line)[1])
		})
		if len(want) > 0 {
			nonEmpty++
		}
		if got := selectedPlaces(t, New(m, Options{}), dir, sel); !slices.Equal(got, want) {
			t.Errorf("%d commits: %d places missing, %d too many", len(commits), len(difference(want, got)), len(difference(got, want)))
		}
	}
	if nonEmpty < 5 {
		t.Errorf("only %d selections have tokens", nonEmpty)
	}
}

func revList(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	out, err := fixtures.Git(t.Context(), dir, append([]string{"rev-list"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// selectedPlaces returns what is found, with what is said of each place.
func selectedPlaces(t *testing.T, s *Scanner, dir string, sel Selection) []string {
	t.Helper()
	repo, err := history.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	var got []string
	tally, err := s.History(t.Context(), repo, sel, func(c leak.Candidate) error {
		p := c.Place
		if p.Commit == "" {
			return nil
		}
		got = append(got, placeLine(string(c.Secret.Reveal()), p.Commit, p.Path, p.Line, p.Column)+
			fmt.Sprint(" ", p.Object, p.Source, p.Standing, p.Branch, p.Author, p.Time))
		return nil
	})
	if err != nil || len(tally.Incomplete) != 0 {
		t.Fatal(err, tally.Incomplete)
	}
	slices.Sort(got)
	return got
}
