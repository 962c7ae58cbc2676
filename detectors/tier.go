package detectors

import "fmt"

// Tier says how much the pattern of a format proves by itself.
type Tier uint8

// The tiers, from the weakest to the strongest. The zero value is not a tier.
const (
	Identifier Tier = iota + 1 // names something, and is no secret alone
	Context                    // a general shape: needs a word that names the issuer nearby
	Shape                      // a distinctive prefix and length
	Checked                    // carries a checksum or a structure that chance does not meet
)

// String returns the name a formats file uses: "identifier", "context",
// "shape" or "verified"; "unknown" for any other value.
func (t Tier) String() string {
	switch t {
	case Identifier:
		return "identifier"
	case Context:
		return "context"
	case Shape:
		return "shape"
	case Checked:
		return "verified"
	}
	return "unknown"
}

// grade is the best that a match of the tier can reach without more.
func (t Tier) grade() Grade {
	switch t {
	case Checked:
		return Verified
	case Shape:
		return Likely
	case Context:
		return Possible
	}
	return Unverified
}

// MarshalText returns what [Tier.String] does.
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText accepts the four names of [Tier.String] and nothing else.
func (t *Tier) UnmarshalText(text []byte) error {
	for c := Identifier; c <= Checked; c++ {
		if string(text) == c.String() {
			*t = c
			return nil
		}
	}
	return fmt.Errorf("tier %q is not identifier, context, shape or verified", clip(string(text)))
}

// Grade says how sure a match is.
type Grade uint8

// The grades, ascending, so that a larger one is surer. The zero value is not
// a grade.
const (
	Unverified Grade = iota + 1 // its checksum is wrong, or it is only an identifier
	Possible                    // a general shape beside a word that names the issuer
	Likely                      // a distinctive prefix and length
	Verified                    // a checksum or a structure proves it
)

// String returns "unverified", "possible", "likely" or "verified", and
// "unknown" for any other value.
func (g Grade) String() string {
	switch g {
	case Unverified:
		return "unverified"
	case Possible:
		return "possible"
	case Likely:
		return "likely"
	case Verified:
		return "verified"
	}
	return "unknown"
}

// clip shortens a word of a formats file for an error message.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}
