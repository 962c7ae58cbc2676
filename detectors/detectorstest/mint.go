// Package detectorstest is the acceptance suite that every format passes,
// built-in or a user's own, and what it makes its tokens with.
package detectorstest

import (
	"fmt"
	"math/rand/v2"

	"patwatch/detectors"
)

// Mint makes up a token of f: random, right in pattern, checksum and
// structure, and nobody's. Equal formats and equally seeded generators give
// equal tokens.
func Mint(f detectors.Format, r *rand.Rand) ([]byte, error) { return detectors.Mint(f, r) }

// NearMiss returns a copy of token, which must be one of f, in which one
// character that the checksum covers is another of the same class, and the
// checksum is left. A format without a checksum is an error.
func NearMiss(f detectors.Format, token []byte, r *rand.Rand) ([]byte, error) {
	m, err := detectors.NewMinter(f)
	if err != nil {
		return nil, err
	}
	near, ok := m.NearMiss(token, r)
	if !ok {
		return nil, fmt.Errorf("detectorstest: %s has no checksum that a changed character would break", f.ID)
	}
	return near, nil
}
