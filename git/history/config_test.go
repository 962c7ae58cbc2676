package history

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		config, want string
	}{
		"empty":           {"", "20 false false false []"},
		"comment":         {"# x\n; y\n[core]\n\tbare = true # z\n", "20 true false false []"},
		"letters":         {"[CORE]\n\tBARE = YES\n", "20 true false false []"},
		"last value":      {"[core]\n\tbare = true\n[core]\n\tbare = false\n", "20 false false false []"},
		"sha256":          {"[extensions]\n\tobjectFormat = SHA256\n", "32 false false false []"},
		"partial clone":   {"[extensions]\n\tpartialClone = origin\n", "20 false true false []"},
		"promisor":        {"[remote \"origin\"]\n\turl = u\n\tpromisor = true\n", "20 false true false [{origin [u]}]"},
		"no promisor":     {"[remote \"origin\"]\n\tpromisor = false\n", "20 false false false [{origin []}]"},
		"reftable":        {"[extensions]\n\trefStorage = reftable\n", "20 false false true []"},
		"reftable at":     {"[extensions]\n\trefStorage = reftable:///elsewhere\n", "20 false false true []"},
		"files":           {"[extensions]\n\trefStorage = files\n", "20 false false false []"},
		"remotes":         {"[remote \"a.b\"]\n\turl = u\n\turl = v\n[remote \"c\"]\n\turl = w\n", "20 false false false [{a.b [u v]} {c [w]}]"},
		"include is text": {"[include]\n\tpath = other\n", "20 false false false []"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{"config": tc.config, "other": "[core]\n\tbare = true\n[extensions]\n\tobjectFormat = sha256\n"})
		s, err := readSettings(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		noProblems(t, s.problems)
		if got := fmt.Sprint(s.idSize, s.bare, s.promisor, s.reftable, s.remotes); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	if s, err := readSettings(dir); err != nil || s.idSize != 20 {
		t.Errorf("no file: %+v, %v", s, err)
	}
	write(t, dir, map[string]string{"config": strings.Repeat("#\n", maxConfig/2+1)})
	if _, err := readSettings(dir); err == nil {
		t.Error("a file above the limit: no error")
	}
	for _, bad := range []string{"[", "[core]\nbare =\\q", "x = y", "[core] [core", "[remote \"x]\n"} {
		write(t, dir, map[string]string{"config": bad})
		s, err := readSettings(dir)
		if err != nil {
			t.Errorf("%q: %v", bad, err)
			continue
		}
		hasProblem(t, s.problems, "config", "cannot be parsed")
	}
}

// TestLocate opens directories that are almost repositories.
func TestLocate(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string // a directory where the name ends in a slash
		at    string            // what is opened
		found bool
	}{
		"bare":                {map[string]string{"HEAD": "x", "objects/": "", "refs/": ""}, "", true},
		"no HEAD":             {map[string]string{"objects/": "", "refs/": ""}, "", false},
		"no refs":             {map[string]string{"HEAD": "x", "objects/": ""}, "", false},
		"objects is a file":   {map[string]string{"HEAD": "x", "objects": "x", "refs/": ""}, "", false},
		"work tree":           {map[string]string{".git/HEAD": "x", ".git/objects/": "", ".git/refs/": ""}, "", true},
		"not below":           {map[string]string{".git/HEAD": "x", ".git/objects/": "", ".git/refs/": "", "sub/": ""}, "sub", false},
		"git file":            {map[string]string{"w/.git": "gitdir: ../g\n", "g/HEAD": "x", "g/objects/": "", "g/refs/": ""}, "w", true},
		"git file itself":     {map[string]string{"w/.git": "gitdir: ../g\n", "g/HEAD": "x", "g/objects/": "", "g/refs/": ""}, "w/.git", true},
		"git file, two lines": {map[string]string{"w/.git": "gitdir: ../g\n\n../g", "g/HEAD": "x", "g/objects/": "", "g/refs/": ""}, "w", false},
		"git file, empty":     {map[string]string{"w/.git": ""}, "w", false},
		"git file, no path":   {map[string]string{"w/.git": "gitdir: \n"}, "w", false},
		"common directory":    {map[string]string{"w/HEAD": "x", "w/commondir": "../c\n", "c/objects/": ""}, "w", true},
		"no common directory": {map[string]string{"w/HEAD": "x", "w/commondir": "../c\n"}, "w", false},
		"empty common":        {map[string]string{"w/HEAD": "x", "w/commondir": "\n", "w/objects/": "", "w/refs/": ""}, "w", false},
		"NUL in common":       {map[string]string{"w/HEAD": "x", "w/commondir": "../\x00c\n", "c/objects/": ""}, "w", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, content := range tc.files {
				if p, isDir := strings.CutSuffix(path, "/"); !isDir {
					write(t, dir, map[string]string{path: content})
				} else if err := os.MkdirAll(filepath.Join(dir, p), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			r, err := Open(filepath.Join(dir, filepath.FromSlash(tc.at)))
			if (err == nil) != tc.found {
				t.Errorf("%v", err)
			}
			if err == nil {
				r.Close()
			}
		})
	}
}

// TestSmallFilesAreBounded gives readSmall what it must not read whole.
func TestSmallFilesAreBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"ten": "0123456789"})
	if b, err := readSmall(filepath.Join(dir, "ten"), 10); err != nil || len(b) != 10 {
		t.Errorf("%q, %v", b, err)
	}
	for _, name := range []string{"ten", "absent", "."} {
		if b, err := readSmall(filepath.Join(dir, name), 9); err == nil {
			t.Errorf("%s: %q, and no error", name, b)
		}
	}
}
