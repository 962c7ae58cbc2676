package detectors

import (
	"io/fs"
	"testing"
)

// TestNoTokenInClear runs the matcher over the formats files themselves: what
// they say of tokens must not look like one.
func TestNoTokenInClear(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Compile(formats, Options{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(builtin, "formats/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := builtin.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range m.Find(nil, data) {
			t.Errorf("%s: a %s stands at byte %d", name, m.Formats()[x.Format].ID, x.Start)
		}
	}
}
