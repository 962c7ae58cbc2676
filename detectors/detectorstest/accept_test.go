package detectorstest

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"patwatch/detectors"
)

func builtin(t *testing.T) []detectors.Format {
	t.Helper()
	formats, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return formats
}

// TestBuiltin holds every format that comes with the program to the suite.
func TestBuiltin(t *testing.T) { Accept(t, builtin(t)) }

// TestProseIsClean checks the text that the suite puts around tokens.
func TestProseIsClean(t *testing.T) {
	m, err := detectors.Compile(builtin(t), detectors.Options{Unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	if ms := m.Find(nil, []byte(prose)); len(ms) > 0 {
		t.Errorf("found %d tokens in prose", len(ms))
	}
}

func TestMintIsRepeatable(t *testing.T) {
	for _, f := range builtin(t) {
		a, err := Mint(f, rand.New(rand.NewPCG(3, 4)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Mint(f, rand.New(rand.NewPCG(3, 4)))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two tokens from one seed, %v", f.ID, err)
		}
	}
}

func TestNearMissDiffersInOneByte(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, f := range builtin(t) {
		if f.Checksum == nil {
			continue
		}
		token, err := Mint(f, r)
		if err != nil {
			t.Fatal(err)
		}
		near := NearMiss(f, token, r)
		if len(near) != len(token) {
			t.Fatalf("%s: %d bytes, want %d", f.ID, len(near), len(token))
		}
		changed := 0
		for i := range near {
			if near[i] != token[i] {
				changed++
			}
		}
		if changed != 1 {
			t.Errorf("%s: %d bytes differ", f.ID, changed)
		}
	}
}

func TestNearMissOfABadFormat(t *testing.T) {
	f := detectors.Format{ID: "x", Pattern: "(", Tier: detectors.Shape}
	if near := NearMiss(f, []byte("abc"), rand.New(rand.NewPCG(1, 1))); near != nil {
		t.Errorf("got %d bytes, want none", len(near))
	}
}
