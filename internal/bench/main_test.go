//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"patwatch/detectors"
	"patwatch/fixtures"
)

// TestSyntheticFormats compiles what the figure about 10,000 formats rests on:
// real formats, all different, that find their tokens.
func TestSyntheticFormats(t *testing.T) {
	const n = 300
	formats, err := detectors.Parse("synthetic.toml", syntheticFormats(n))
	if err != nil || len(formats) != n {
		t.Fatalf("%d formats, %v", len(formats), err)
	}
	m, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	patterns := map[string]bool{}
	for i, f := range formats {
		if f.ID != "synthetic-"+strconv.Itoa(i) || patterns[f.Pattern] {
			t.Errorf("format %d is %s, %s", i, f.ID, f.Pattern)
		}
		patterns[f.Pattern] = true
		prefix, _, _ := strings.Cut(f.Pattern, "[")
		if i%50 == 0 && len(m.Find(nil, []byte(" "+prefix+"q7Zx2LmP9vTb4RkW8sYd3NfH6jCg5A "))) == 0 {
			t.Errorf("%s finds nothing", f.ID)
		}
	}
	if first, second := syntheticFormats(20), syntheticFormats(20); string(first) != string(second) {
		t.Error("other formats in each run")
	}
	if got := syntheticFormats(0); strings.Contains(string(got), "[[format]]") {
		t.Errorf("none is %q", got)
	}
}

func TestMedians(t *testing.T) {
	at := func(wall, cpu time.Duration, memory int64) sample { return sample{wall, cpu, memory} }
	for _, c := range []struct {
		samples []sample
		want    sample
	}{
		{[]sample{at(3, 4, 5)}, at(3, 4, 5)},
		{[]sample{at(1, 9, 5), at(2, 8, 4), at(900, 7, 3)}, at(2, 8, 4)},
		{[]sample{at(1, 1, 1), at(3, 3, 3)}, at(3, 3, 3)},
		{[]sample{at(5, 1, 9), at(4, 2, 8), at(3, 3, 7), at(2, 4, 6), at(1, 5, 5)}, at(3, 3, 7)},
	} {
		if got := (&contender{samples: c.samples}).median(); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.samples, got, c.want)
		}
	}
}

func TestRun(t *testing.T) {
	s, err := run(t.Context(), []string{"sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"})
	if err != nil || s.wall <= 0 || s.cpu <= 0 || s.memory < 100_000 || s.memory > 1<<30 {
		t.Errorf("%+v, %v", s, err)
	}
	for code, fails := range map[string]bool{"0": false, "1": true, "2": true} {
		_, err := run(t.Context(), []string{"sh", "-c", "exit " + code})
		if (err != nil) != (fails && code != "1") {
			t.Errorf("exit code %s: %v", code, err)
		}
	}
	if _, err := run(t.Context(), []string{filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a program that is not there runs")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, []string{"sleep", "100"}); err == nil {
		t.Error("an interrupted run counts")
	}
}

// TestRaceRunsInTurn wants one run of each that does not count, then the others
// in turn, so that a machine that slows down slows down all.
func TestRaceRunsInTurn(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	note := func(name string) *contender {
		return &contender{name: name, command: []string{"sh", "-c", "printf " + name + " >> \"$1\"", "sh", log}}
	}
	a, b := note("a"), note("b")
	if err := race(t.Context(), []*contender{a, b}, 3); err != nil {
		t.Fatal(err)
	}
	if order, err := os.ReadFile(log); err != nil || string(order) != "abababab" {
		t.Errorf("order %s, %v", order, err)
	}
	if len(a.samples) != 3 || len(b.samples) != 3 {
		t.Errorf("%d and %d samples", len(a.samples), len(b.samples))
	}
	bad := &contender{name: "bad", command: []string{"sh", "-c", "exit 7"}}
	if err := race(t.Context(), []*contender{bad}, 1); err == nil || !strings.HasPrefix(err.Error(), "bad: ") {
		t.Errorf("error %v", err)
	}
}

// repository makes a repository with a work tree, packed.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "."}, {"add", "."}, {"commit", "-q", "-m", "x"}, {"repack", "-q", "-a", "-d"}} {
		if _, err := fixtures.Git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRepositories(t *testing.T) {
	dir := repository(t)
	bare := filepath.Join(dir, ".git")
	if got := gitDir(dir); got != bare {
		t.Errorf("gitDir of a work tree is %s", got)
	}
	if got := gitDir(bare); got != bare {
		t.Errorf("gitDir of a git directory is %s", got)
	}
	if n := packSize(dir); n < 100 || n != packSize(bare) || packSize(t.TempDir()) != 0 {
		t.Errorf("packs of %d and %d bytes", n, packSize(bare))
	}
	tree := filepath.Join(t.TempDir(), "tree")
	if err := checkout(t.Context(), bare, tree); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(tree, "a.txt")); err != nil || string(data) != "hello\n" {
		t.Errorf("%q, %v", data, err)
	}
	if err := checkout(t.Context(), bare, tree); err == nil {
		t.Error("writes over what is there")
	}
	if _, err := os.Stat(filepath.Join(tree, ".git")); err == nil {
		t.Error("the checkout is a repository")
	}
}

// TestTheTable runs the whole benchmark of a small repository, with a program
// in patwatch's place that only takes its arguments.
func TestTheTable(t *testing.T) {
	stand := filepath.Join(t.TempDir(), "patwatch")
	script := "#!/bin/sh\ncase \"$*\" in *'scan --format json'*) i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; exit 1;; esac\nexit 3\n"
	if err := os.WriteFile(stand, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := bench(t.Context(), &out, stand, repository(t), 2); err != nil {
		t.Fatal(err)
	}
	table := out.String()
	for _, want := range []string{"medians of 2 runs", "| git cat-file, all objects |", "| patwatch scan |", "| patwatch scan, 10,000 formats more |", "| find and cat, checkout |", "| patwatch scan, checkout |", "10,000 formats more: "} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "|") && strings.Count(line, "|") != 7 {
			t.Errorf("a row of other than six cells: %s", line)
		}
	}
	if err := bench(t.Context(), io.Discard, stand, t.TempDir(), 1); err == nil {
		t.Error("a folder that is no repository is measured")
	}
}
