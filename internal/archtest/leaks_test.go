package archtest

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"patwatch/detectors"
)

// TestNoTokenInClear runs our own detectors over every text file of the
// repository: nothing that has at least a token's shape may stand in it.
func TestNoTokenInClear(t *testing.T) {
	m := builtin(t)
	read := 0
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return skipGit(e, err)
		}
		data, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
			return err
		}
		read++
		for _, found := range shaped(m, data) {
			t.Errorf("%s:%d: %s", name, 1+bytes.Count(data[:found.Start], []byte("\n")), m.Formats()[found.Format].ID)
		}
		return nil
	})
	if err != nil || read < 50 {
		t.Fatalf("%d files read, %v", read, err)
	}
}

// TestTokenInClearIsCaught checks that the rule would see one.
func TestTokenInClearIsCaught(t *testing.T) {
	m := builtin(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range m.Formats() {
		if f.Checksum == nil || f.Tier != detectors.Checked {
			continue
		}
		text, _, err := detectors.Plant(f, r)
		if err != nil {
			t.Fatal(err)
		}
		if len(shaped(m, text)) == 0 {
			t.Errorf("a planted %s is not found", f.ID)
		}
	}
}

func builtin(t *testing.T) *detectors.Matcher {
	t.Helper()
	formats, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	m, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// shaped returns the matches that are likely to be tokens.
func shaped(m *detectors.Matcher, data []byte) []detectors.Match {
	var out []detectors.Match
	for _, found := range m.Find(nil, data) {
		if found.Grade >= detectors.Likely {
			out = append(out, found)
		}
	}
	return out
}

func skipGit(e fs.DirEntry, err error) error {
	if err == nil && e.Name() == ".git" {
		return filepath.SkipDir
	}
	return err
}
