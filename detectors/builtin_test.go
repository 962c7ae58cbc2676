package detectors

import (
	"io/fs"
	"testing"
)

// TestBuiltinIsStrict holds the built-in files to what users' files must meet,
// and to more: one id in one place, one issuer in one file.
func TestBuiltinIsStrict(t *testing.T) {
	names, err := fs.Glob(builtin, "formats/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var all []Format
	issuers := map[string]string{}
	for _, name := range names {
		data, err := builtin.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		formats, err := Parse(name, data)
		if err != nil {
			t.Error(err)
			continue
		}
		if other := issuers[formats[0].Issuer]; other != "" {
			t.Errorf("%s and %s have the same issuer", name, other)
		}
		issuers[formats[0].Issuer] = name
		all = append(all, formats...)
	}
	if err := uniqueIDs(all); err != nil {
		t.Error(err)
	}
	fast, err := Builtin()
	if err != nil || len(fast) != len(all) {
		t.Errorf("Builtin: %d formats, %v; want %d", len(fast), err, len(all))
	}
	tiers := map[Tier]int{}
	for _, f := range fast {
		tiers[f.Tier]++
	}
	t.Logf("%d formats of %d issuers: %v", len(fast), len(issuers), tiers)
}
