package detectors

import (
	"math/rand/v2"
	"testing"
)

func TestMint(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		m, err := NewMinter(f)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for range 20 {
			token, err := m.Mint(r)
			if err != nil {
				t.Error(err)
				break
			}
			if len(token) < 20 {
				t.Errorf("%s: %d bytes", f.ID, len(token))
			}
			got, ok := m.f.judge(token, true)
			if !ok || got != f.Tier.grade() && !(f.Tier == Identifier && got == Possible) {
				t.Errorf("%s: %v, %v", f.ID, got, ok)
			}
			near, ok := m.NearMiss(token, r)
			if ok != (f.Checksum != nil) {
				t.Errorf("%s: near miss %v", f.ID, ok)
			}
			if got, ok := m.f.judge(near, true); ok && got >= f.Tier.grade() && f.Checksum != nil {
				t.Errorf("%s: a near miss is %v", f.ID, got)
			}
		}
	}
}
