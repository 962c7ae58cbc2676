package detectors

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestNoTokenInClear runs the matcher over the files that speak of tokens: the
// formats, this package with its tests, and the documentation. Nothing in them
// may look like a token, not even like an identifier or one with a wrong
// checksum, since other people's scanners read this repository too.
func TestNoTokenInClear(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(formats, Options{Unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, root := range []string{".", filepath.Join("..", "docs")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || filepath.Ext(path) == ".test" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read++
			for _, x := range m.Find(nil, data) {
				t.Errorf("%s: a %s stands at byte %d", path, m.Formats()[x.Format].ID, x.Start)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 100 {
		t.Errorf("only %d files were read", read)
	}
}
