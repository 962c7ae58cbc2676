package detectorstest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"patwatch/detectors"
)

// sound is a format that passes, to be broken by the tests.
func sound() detectors.Format {
	return detectors.Format{
		ID: "acme-token", Name: "Acme token", Issuer: "Acme", Kind: "pat", Tier: detectors.Checked,
		Pattern: "acme_[A-Za-z0-9]{36}", Boundary: "[A-Za-z0-9_]",
		Checksum: &detectors.Checksum{Family: "crc32", Cover: "5:-6", Encoding: "base62", Digits: 6},
	}
}

// edited is sound with changes.
func edited(edit func(f *detectors.Format)) detectors.Format {
	f := sound()
	edit(&f)
	return f
}

// faultsOf runs the suite over f beside others.
func faultsOf(t *testing.T, f detectors.Format, others ...detectors.Format) []string {
	t.Helper()
	all, err := detectors.Compile(append([]detectors.Format{f}, others...), detectors.Options{Unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	return faults(f, all, 0)
}

func TestSoundFormatsPass(t *testing.T) {
	for name, f := range map[string]detectors.Format{
		"verified": sound(),
		"shape": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum = detectors.Shape, nil
		}),
		"context": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Context = detectors.Context, nil, []string{"acmecorp"}
		}),
		"identifier": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum = detectors.Identifier, nil
		}),
		"without a literal": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Context, f.Pattern = detectors.Context, nil, []string{"acmecorp"}, "[A-Za-z0-9]{32}"
		}),
		"with a group": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Pattern = detectors.Shape, nil, `acme_key = "([A-Za-z0-9]{32})"`
		}),
		"of several lengths": edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Pattern = detectors.Shape, nil, "acme_[A-Za-z0-9]{20,60}"
		}),
	} {
		if list := faultsOf(t, f); len(list) > 0 {
			t.Errorf("%s: %s", name, strings.Join(list, "; "))
		}
	}
}

// TestBrokenFormatsFail breaks a format in each way that the suite is there to
// see, and wants the fault that names it.
func TestBrokenFormatsFail(t *testing.T) {
	for _, c := range []struct {
		name string
		f    detectors.Format
		want string
	}{
		{"a class that no boundary fences", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Boundary, f.Pattern = detectors.Shape, nil, "[!#]", "acme_[A-Za-z0-9]{36}"
		}), "inside a word"},
		{"a boundary that quotes violate", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Boundary = detectors.Shape, nil, `[A-Za-z0-9_"]`
		}), "in quotes"},
		{"a boundary that line ends violate", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Boundary = detectors.Shape, nil, `[A-Za-z0-9_\n]`
		}), "in the middle"},
		{"a boundary that NUL bytes violate", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Boundary = detectors.Shape, nil, `[A-Za-z0-9_\x00]`
		}), "among NUL bytes"},
		{"a boundary that line ends of two bytes violate", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Boundary = detectors.Shape, nil, `[A-Za-z0-9_\r]`
		}), "between line ends of two bytes"},
		{"a token that takes in what follows", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Pattern, f.Boundary = detectors.Shape, nil, `acme_[A-Za-z0-9]{30}[A-Za-z0-9"}]{0,9}`, ""
		}), "in quotes"},
		{"a context word that the token is", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Context = detectors.Context, nil, []string{"some"}
		}), "without a context word"},
		{"a checksum that covers next to nothing", edited(func(f *detectors.Format) {
			f.Checksum.Cover = "0:5"
		}), "no near miss"},
		{"a checksum of which a wrong one counts in full", edited(func(f *detectors.Format) {
			f.Tier, f.Mismatch, f.Boundary = detectors.Shape, "lower", "[A-Za-z0-9_]"
			f.Checksum.Cover, f.Checksum.Digits, f.Checksum.Encoding, f.Checksum.Family = "5:-1", 1, "base62", "xor"
			f.Tier = detectors.Identifier
		}), "one character changed"},
		{"a pattern that its checksum contradicts", edited(func(f *detectors.Format) {
			f.Pattern = "acme_[A-Za-z0-9]{30}[!#]{6}"
		}), "no drawn token counts"},
		{"a pattern that its reject rules contradict", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.Pattern, f.Reject = detectors.Shape, nil, "acme_[0-9a-f]{32}", []string{"hex"}
		}), "no drawn token counts"},
		{"an entropy that nothing reaches", edited(func(f *detectors.Format) {
			f.Tier, f.Checksum, f.MinEntropy = detectors.Shape, nil, 7.5
		}), "no drawn token counts"},
	} {
		if list := strings.Join(faultsOf(t, c.f), "; "); !strings.Contains(list, c.want) {
			t.Errorf("%s: want a fault %q, got %q", c.name, c.want, list)
		}
	}
}

// TestFaultsAmongOthers: a format whose tokens another takes apart passes alone
// and fails among all.
func TestFaultsAmongOthers(t *testing.T) {
	f := edited(func(f *detectors.Format) {
		f.Tier, f.Checksum, f.Pattern = detectors.Shape, nil, "acme_[A-Za-z0-9]{60}"
	})
	if list := faultsOf(t, f); len(list) > 0 {
		t.Fatalf("alone: %v", list)
	}
	first := edited(func(f *detectors.Format) {
		f.ID, f.Tier, f.Checksum, f.Boundary, f.Pattern = "first", detectors.Checked, nil, "", "acme_[A-Za-z0-9]{16}"
		f.Placeholders, f.MinEntropy = "allow", -1
	})
	if list := faultsOf(t, f, first); len(list) > 0 {
		t.Errorf("beside one that takes its beginning: %v", list)
	}
	second := first
	second.ID, second.Pattern = "second", "[A-Za-z0-9]{20}z[A-Za-z0-9]{2}"
	if all, err := detectors.Compile([]detectors.Format{f, first}, detectors.Options{}); err != nil || len(faults(f, all, 1)) == 0 {
		t.Errorf("under another's number: %v", err)
	}
}

// TestFaultsHoldNoToken: what the suite says of a format may be printed.
func TestFaultsHoldNoToken(t *testing.T) {
	f := edited(func(f *detectors.Format) {
		f.Tier, f.Checksum, f.Boundary = detectors.Shape, nil, `[A-Za-z0-9_"\n\r\x00]`
	})
	list := faultsOf(t, f)
	if len(list) == 0 {
		t.Fatal("no fault")
	}
	for seed := range uint64(3) {
		s, err := newSubject(f, seed)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(list, "\n"), string(s.token)) {
			t.Error("a fault holds a token")
		}
	}
}

func TestNewSubjectErrors(t *testing.T) {
	for name, f := range map[string]detectors.Format{
		"no pattern":       edited(func(f *detectors.Format) { f.Pattern = "" }),
		"a bad pattern":    edited(func(f *detectors.Format) { f.Pattern = "acme_(" }),
		"a bad checksum":   edited(func(f *detectors.Format) { f.Checksum = &detectors.Checksum{Family: "none"} }),
		"no longest match": edited(func(f *detectors.Format) { f.Pattern = "acme_[a-z]{36,}" }),
	} {
		if _, err := newSubject(f, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
		if list := faults(f, nil, 0); len(list) != 1 {
			t.Errorf("%s: %d faults, want the error", name, len(list))
		}
	}
}

func TestFullGrade(t *testing.T) {
	for tier, want := range map[detectors.Tier]detectors.Grade{
		detectors.Checked: detectors.Verified, detectors.Shape: detectors.Likely,
		detectors.Context: detectors.Possible, detectors.Identifier: detectors.Unverified,
	} {
		if got := fullGrade(tier); got != want {
			t.Errorf("%v: %v", tier, got)
		}
	}
}

// TestCanGlue: only a token that is proved and has literal bytes needs no
// boundary.
func TestCanGlue(t *testing.T) {
	for _, c := range []struct {
		name string
		f    detectors.Format
		want bool
	}{
		{"proved", sound(), true},
		{"a shape", edited(func(f *detectors.Format) { f.Tier, f.Checksum = detectors.Shape, nil }), false},
		{"two literal bytes", edited(func(f *detectors.Format) { f.Pattern, f.Checksum.Cover = "a_[A-Za-z0-9]{36}", "2:-6" }), false},
		{"alternatives, three bytes in each", edited(func(f *detectors.Format) {
			f.Pattern, f.Checksum.Cover = "(?:abc|xyz_)[A-Za-z0-9]{36}", "2:-6"
		}), true},
		{"alternatives, two bytes in one", edited(func(f *detectors.Format) {
			f.Pattern, f.Checksum.Cover, f.Boundary = "(?:ab|xyz_)[A-Za-z0-9]{36}", "2:-6", "[A-Za-z0-9_]"
		}), false},
	} {
		s, err := newSubject(c.f, 1)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := s.canGlue(); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestMintAndNearMiss(t *testing.T) {
	f := sound()
	a, err := Mint(f, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Mint(f, rand.New(rand.NewPCG(1, 2)))
	if err != nil || string(a) != string(b) {
		t.Errorf("equal generators give different tokens, %v", err)
	}
	near, err := NearMiss(f, a, rand.New(rand.NewPCG(3, 4)))
	if err != nil || len(near) != len(a) {
		t.Fatalf("near miss: %d bytes, %v", len(near), err)
	}
	changed := 0
	for i := range a {
		if a[i] != near[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d characters changed", changed)
	}
	f.Checksum, f.Tier = nil, detectors.Shape
	if _, err := NearMiss(f, a, rand.New(rand.NewPCG(3, 4))); err == nil || !strings.Contains(err.Error(), f.ID) {
		t.Errorf("without a checksum: %v", err)
	}
	f.Pattern = "acme_("
	if _, err := NearMiss(f, a, rand.New(rand.NewPCG(3, 4))); err == nil {
		t.Error("a bad pattern: no error")
	}
	if _, err := Mint(f, rand.New(rand.NewPCG(3, 4))); err == nil {
		t.Error("a bad pattern: minted")
	}
}
