package history

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestIgnoreAgainstGit compares what is not ignored with what git says, over
// random patterns in several directories.
func TestIgnoreAgainstGit(t *testing.T) {
	dir := newRepo(t)
	files := map[string]string{}
	for _, d := range []string{"", "a/", "a/b/", "b/", "b/a/", "build/", "src/build/", "src/a b/", "c.d/"} {
		for _, f := range []string{"a", "b", "a.c", "a.o", "b.log", "keep.log", "x-y", "a b", "#x", "!x", "[z]", "Ab"} {
			files[d+f+"_"] = "x"
			files[d+f+"/z"] = "x"
		}
	}
	write(t, dir, files)
	rnd := rand.New(rand.NewPCG(1, 2))
	atoms := []string{"a", "b", "*", "**", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "*.c", "*.o", "*.log", "*_", "build", "src", "a*", "\\#x", "\\!x", "#x", "x-y_",
		"a b", "\\[z]", "[[:upper:]]b", "a\\_", "a.?_", "z", "a_", "**b", "[]a]", "[a", "a_ ", "a_\\ "}
	pattern := func() string {
		var s strings.Builder
		if rnd.IntN(4) == 0 {
			s.WriteByte('!')
		}
		if rnd.IntN(4) == 0 {
			s.WriteByte('/')
		}
		for i := range 1 + rnd.IntN(3) {
			if i > 0 {
				s.WriteByte('/')
			}
			s.WriteString(atoms[rnd.IntN(len(atoms))])
		}
		if rnd.IntN(4) == 0 {
			s.WriteByte('/')
		}
		return s.String()
	}
	lists := []string{".git/info/exclude", ".gitignore", "a/.gitignore", "src/.gitignore", "b/a/.gitignore"}
	for round := range 60 {
		var all []string
		for _, name := range lists {
			var lines []string
			for range rnd.IntN(4) {
				lines = append(lines, pattern())
			}
			all = append(all, fmt.Sprintf("%s: %q", name, lines))
			write(t, dir, map[string]string{name: strings.Join(lines, "\n") + "\n"})
		}
		want := strings.Split(strings.TrimRight(gitIn(t, dir, "", "ls-files", "-z", "--others", "--exclude-standard"), "\x00"), "\x00")
		slices.Sort(want)
		want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
		got := changed(t, dir)
		for _, p := range want {
			if _, in := slices.BinarySearch(got, p); !in {
				t.Errorf("round %d: %q is ignored, and not by git\n%s", round, p, strings.Join(all, "\n"))
				break
			}
		}
		for _, p := range got {
			if _, in := slices.BinarySearch(want, p); !in {
				t.Errorf("round %d: %q is ignored by git\n%s", round, p, strings.Join(all, "\n"))
				break
			}
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern, yes, no string // paths, separated by blanks
	}{
		{"*.log", "a.log x/a.log .log", "a.logs log"},
		{"/a", "a", "x/a"},
		{"x/a", "x/a", "y/x/a a"},
		{"**/a", "a x/a x/y/a", "xa"},
		{"a/**", "a/b a/b/c", "a x/a/b"},
		{"a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb"},
		{"a**b", "ab axb", "a"},
		{"x/a**b", "x/axb", "x/a/b"},
		{"***", "a a/b", ""},
		{"[a-c]?", "ax cx", "dx a a/"},
		{"[!a-c]", "d", "a b /"},
		{"[]]", "]", "a"},
		{"[a-]", "- a", "b"},
		{"[--0]", "- . 0", "/ 1"},
		{"[\\]]", "]", "\\"},
		{"[[:digit:][:upper:]x]", "1 A x", "a :"},
		{"[[:digit]", "", "1"},
		{"[[:word:]]", "", "w"},
		{"[[:^digit:]]", "", "a"},
		{"[z-a]", "", "a z"},
		{"[a", "", "a [a"},
		{"a\\", "", "a a\\"},
		{"\\*", "*", "a"},
		{"a\\ ", "a%20", "a"},
		{"\xff?", "\xff\xfe", "\xff"},
		{"", "", "a"}, {"/", "", "a"}, {"!", "", "a"}, {"# a", "", "a"},
		{strings.Repeat("a", maxPattern+1), "", strings.Repeat("a", maxPattern+1)},
	} {
		p, ok := parsePattern(tc.pattern, "")
		match := func(path string) bool { return ok && p.matches(path, false) }
		for _, path := range strings.Split(tc.yes, " ") {
			if path != "" && !match(strings.ReplaceAll(path, "%20", " ")) {
				t.Errorf("%.50q does not match %q", tc.pattern, path)
			}
		}
		for _, path := range strings.Fields(tc.no) {
			if match(path) {
				t.Errorf("%.50q matches %.50q", tc.pattern, path)
			}
		}
	}
}

func TestPatternsOfAFile(t *testing.T) {
	list := parseIgnore([]byte("\xef\xbb\xbf*.o\r\n\n# no\n!a.o  \ndir/\nlast"), "sub/")
	for path, want := range map[string]bool{"sub/b.o": true, "sub/x/b.o": true, "sub/a.o": false, "sub/dir": false, "sub/last": true} {
		if ignored(list, path, false) != want {
			t.Errorf("%s: ignored = %v", path, !want)
		}
	}
	if !ignored(list, "sub/dir", true) || len(list) != 4 {
		t.Errorf("%d patterns", len(list))
	}
}

func FuzzIgnore(f *testing.F) {
	f.Add([]byte("*.o\n!/a/**/b\n[!a-z[:digit:]]/\n"), "a/b")
	f.Add([]byte("[\\]\n[[:x\n**/\\"), "[")
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		ignored(parseIgnore(b, ""), path, false)
	})
}
