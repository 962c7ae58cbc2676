package detectors

import (
	"strings"
	"testing"
)

func TestTierNames(t *testing.T) {
	for tier, want := range map[Tier]string{0: "unknown", Identifier: "identifier", Context: "context", Shape: "shape", Checked: "verified", 5: "unknown", 255: "unknown"} {
		if tier.String() != want {
			t.Errorf("tier %d: %s", uint8(tier), tier)
		}
	}
	for grade, want := range map[Grade]string{5: "unknown", 255: "unknown", Verified: "verified"} {
		if grade.String() != want {
			t.Errorf("grade %d: %s", uint8(grade), grade)
		}
	}
}

func TestTierGrades(t *testing.T) {
	for tier, want := range map[Tier]Grade{0: Unverified, Identifier: Unverified, Context: Possible, Shape: Likely, Checked: Verified} {
		if got := tier.grade(); got != want {
			t.Errorf("%v: %v, want %v", tier, got, want)
		}
	}
	if !(Unverified < Possible && Possible < Likely && Likely < Verified) {
		t.Error("the grades do not ascend")
	}
}

func TestTierUnmarshal(t *testing.T) {
	for _, text := range []string{"", "Shape", "shape ", "unknown", "checked", strings.Repeat("x", 1000)} {
		tier := Context
		err := tier.UnmarshalText([]byte(text))
		if err == nil || tier != Context {
			t.Errorf("%.20q: %v, %v", text, tier, err)
			continue
		}
		if len(err.Error()) > 200 || !strings.Contains(err.Error(), "identifier, context, shape or verified") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"word", "word"}, {strings.Repeat("a", 40), strings.Repeat("a", 40)}, {strings.Repeat("a", 41), strings.Repeat("a", 40) + "..."},
	} {
		if got := clip(c.text); got != c.want {
			t.Errorf("%d bytes: %q", len(c.text), got)
		}
	}
}
