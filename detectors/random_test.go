package detectors

import (
	"math/rand/v2"
	"testing"
)

// TestRandomBodiesPass holds the rules about placeholders, entropy and rejected
// kinds to letting through what is random: of the tokens of every format, less
// than one in ten thousand may look made up.
func TestRandomBodiesPass(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			if f.Tier == Checked && f.Mismatch != "lower" {
				t.Skip("the proof decides alone")
			}
			m, err := NewMinter(f)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			refused, drawn := 0, rounds(10000)
			for range drawn {
				if token, _ := m.Draw(r); !m.f.plausible(token, m.proof) {
					refused++
				}
			}
			if most := 1; refused > most {
				t.Errorf("%d of %d random tokens look like placeholders", refused, drawn)
			}
		})
	}
}
