package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"patwatch/leak"
	"patwatch/report"
)

func table(t testing.TB, places []leak.Place, s report.Summary, width int) string {
	t.Helper()
	var candidates []leak.Candidate
	for _, p := range places {
		candidates = append(candidates, leak.Candidate{Format: azure, Confidence: leak.Likely, Secret: leak.NewSecret(token(1, 52)), Place: p})
	}
	return write(t, "table", report.Group(candidates), s, report.Options{Now: now, Terminal: report.Terminal{Width: width}})
}

func assertHas(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestTableKeepsItsWidth checks that no line is wider than the terminal but
// for paths, which stay whole, and words that are wider than it.
func TestTableKeepsItsWidth(t *testing.T) {
	for width := 31; width <= 200; width += 7 {
		text := write(t, "table", report.Group(sample()), incomplete(), report.Options{Now: now, Terminal: report.Terminal{Width: width}})
		for line := range strings.Lines(text) {
			line = strings.TrimSuffix(line, "\n")
			path := strings.Contains(line, "registry-credentials") || strings.Contains(line, "exe")
			if n := utf8.RuneCountInString(line); n > width && !path && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("width %d: %d columns: %q", width, n, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("width %d: blanks at the end of %q", width, line)
			}
		}
	}
}

func TestTableSaysWhereAndHow(t *testing.T) {
	history := place(1, "a.go", 3, "Mara Lind", 3*day)
	lost := history
	lost.Source = leak.Unreachable
	head, branch, stash, gone := history, history, history, history
	head.Standing, branch.Standing, stash.Standing, gone.Standing = leak.InHead, leak.OnBranch, leak.OnBranch, leak.Gone
	branch.Branch, stash.Branch = "release/4.1\x1b[2J", "refs/stash"
	for _, c := range []struct {
		place      leak.Place
		where, how string
	}{
		{history, "a.go:3 ", "added in " + history.Commit[:7] + " by Mara Lind, 3 days ago"},
		{head, "a.go:3 ", "3 days ago; still in HEAD\n"},
		{branch, "a.go:3 ", "3 days ago; still on release/4.1\\x1b[2J\n"},
		{stash, "a.go:3 ", "3 days ago; still in the stash\n"},
		{gone, "a.go:3 ", "3 days ago; no longer there\n"},
		{leak.Place{Source: leak.History, Object: "fedcba9876", Line: 2}, "object fedcba9:2 ", "interrupted before its commit was found"},
		{lost, "a.go:3 ", "3 days ago; on no branch"},
		{leak.Place{Source: leak.History, Commit: "0123456789", Path: "a", Line: 1}, "a:1 ", "added in 0123456\n"},
		{leak.Place{Source: leak.Unreachable, Object: "fedcba9876", Line: 2}, "object fedcba9:2 ", "in no commit"},
		{leak.Place{Source: leak.Staged, Path: "a", Line: 1}, "a:1 ", "staged, not committed yet"},
		{leak.Place{Source: leak.WorkTree, Path: "a", Line: 1}, "a:1 ", "not committed yet"},
		{leak.Place{Source: leak.File, Path: "dir/a b", Line: 12}, "dir/a b:12", ""},
		{leak.Place{Source: leak.Stream, Line: 7}, "standard input:7", ""},
	} {
		assertHas(t, table(t, []leak.Place{c.place}, summary(), 120), c.where, c.how)
	}
}

func TestTableFoldsPlaces(t *testing.T) {
	var commits, lines, files []leak.Place
	for i := range 12 {
		commits = append(commits, place(uint64(i), "a.go", 3, "A", time.Duration(i)*day))
		lines = append(lines, leak.Place{Source: leak.File, Path: "a.go", Line: i + 1})
		files = append(files, leak.Place{Source: leak.File, Path: fmt.Sprintf("%02d.go", i), Line: 1})
	}
	assertHas(t, table(t, commits, summary(), 100), "also in 11 other commits", "1 token in 12 places.", "Revoke it:")
	assertHas(t, table(t, lines, summary(), 100), "a.go:1\n", "also on 11 other lines")
	text := table(t, files, summary(), 100)
	assertHas(t, text, "04.go:1\n", "and in 7 other files")
	if strings.Contains(text, "05.go") {
		t.Error("names more than five of twelve files")
	}
	if text := table(t, files[:6], summary(), 100); !strings.Contains(text, "05.go:1") || strings.Contains(text, "other file") {
		t.Errorf("does not name six of six files:\n%s", text)
	}
}

func TestTableAdvises(t *testing.T) {
	staged, changed := leak.Place{Source: leak.Staged, Path: "a", Line: 1}, leak.Place{Source: leak.WorkTree, Path: "b", Line: 1}
	assertHas(t, table(t, []leak.Place{staged, changed}, summary(), 0), "It is not committed yet: take it out of the files.")
	assertHas(t, table(t, []leak.Place{staged, place(1, "a", 1, "A", day)}, summary(), 0), "Revoke it: deleting the commit does not help.")
	assertHas(t, table(t, []leak.Place{{Source: leak.File, Path: "a"}}, summary(), 0), "Revoke it: ")
	two := []report.Finding{finding(1, staged), finding(2, changed)}
	assertHas(t, write(t, "table", two, summary(), report.Options{}), "They are not committed yet: take them out")
	if text := write(t, "table", nil, summary(), report.Options{}); strings.Contains(text, "Revoke") {
		t.Errorf("advises when there is nothing:\n%s", text)
	}
}

func TestTableNamesRepositoriesWhenThereAreSeveral(t *testing.T) {
	a, b := place(1, "x.go", 1, "A", day), place(2, "x.go", 1, "A", 2*day)
	if text := table(t, []leak.Place{a}, summary(), 120); strings.Contains(text, "shop/x.go") {
		t.Errorf("names the only repository:\n%s", text)
	}
	b.Repository = "other/"
	assertHas(t, table(t, []leak.Place{a, b}, summary(), 120), "shop/x.go:1", "other/x.go:1")
}

func TestTableIncomplete(t *testing.T) {
	s := incomplete()
	for i := range 20 {
		s.Incomplete = append(s.Incomplete, fmt.Sprintf("reason %d", i))
	}
	text := write(t, "table", nil, s, report.Options{})
	assertHas(t, text, "INCOMPLETE: 22 things could not be read", "  - reason 6\n", "  - and 13 more;", "No tokens found in what could be read.", "; not complete.")
	if strings.Contains(text, "reason 7") || strings.Contains(text, "nothing skipped") {
		t.Errorf("got\n%s", text)
	}
	s.Incomplete = nil
	assertHas(t, write(t, "table", nil, s, report.Options{}), "INCOMPLETE: not everything could be read")
}

func TestTableSaysWhatWasRead(t *testing.T) {
	for _, c := range []struct {
		summary report.Summary
		want    string
	}{
		{report.Summary{Complete: true, Blobs: 165291, Commits: 85361, Bytes: 3_712_345_678}, "Read 165,291 blobs of 85,361 commits, 3.7 GB, in 0.0 s; nothing skipped."},
		{report.Summary{Complete: true, Blobs: 1, Bytes: 12}, "Read 1 blob, 12 B,"},
		{report.Summary{Complete: true, Blobs: 2, Files: 3}, "Read 2 blobs and 3 files, 0 B,"},
		{report.Summary{Complete: true, Files: 1}, "Read 1 file, 0 B,"},
		{report.Summary{Complete: true}, "No tokens found. Read 0 files, 0 B,"},
	} {
		assertHas(t, write(t, "table", nil, c.summary, report.Options{}), c.want)
	}
}

func TestTableHasNoColourUnlessTold(t *testing.T) {
	if text := write(t, "table", report.Group(sample()), incomplete(), report.Options{Terminal: report.Terminal{Width: 80, Live: true}}); strings.Contains(text, "\x1b") {
		t.Error("holds an escape sequence")
	}
}
