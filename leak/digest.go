package leak

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Digest stands for a token wherever it is kept: HMAC-SHA-256, keyed with a
// pepper, over the token's SHA-256. It can be made from a plain SHA-256 digest
// as issuers export them, and who steals a store of digests cannot try tokens
// against it. It is comparable; the zero value is no digest.
type Digest struct {
	Version int // of the pepper, from 1
	Sum     [sha256.Size]byte
}

// String returns the pepper's version and the sum, "1:9f86…", 64 hex digits.
func (d Digest) String() string { return strconv.Itoa(d.Version) + ":" + hex.EncodeToString(d.Sum[:]) }

// IsZero reports whether d is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes d as [Digest.String] does, and the zero digest as "".
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what [Digest.MarshalText] wrote.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = ParseDigest(string(text))
	return err
}

// ParseDigest reads what [Digest.String] writes.
func ParseDigest(s string) (Digest, error) {
	version, sum, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || len(sum) != 2*sha256.Size {
		return Digest{}, errors.New("a digest is a pepper's version, a colon and 64 hex digits")
	}
	d := Digest{Version: n}
	if _, err := hex.Decode(d.Sum[:], []byte(sum)); err != nil {
		return Digest{}, errors.New("a digest is a pepper's version, a colon and 64 hex digits")
	}
	return d, nil
}

// Pepper is one key of a [Keyring].
type Pepper struct {
	Version int // from 1
	Key     Secret
}

// minPepper is the shortest key: less can be guessed.
const minPepper = 32

// Keyring turns tokens into digests. It holds every pepper that a stored digest
// may have been made with; the newest makes new ones. It is immutable and safe
// for concurrent use.
type Keyring struct{ peppers []Pepper } // newest first

// NewKeyring returns a ring of the peppers. It is an error if there is none, if
// two have one version, or if a key is shorter than 32 bytes.
func NewKeyring(peppers ...Pepper) (*Keyring, error) {
	if len(peppers) == 0 {
		return nil, errors.New("a keyring needs a pepper")
	}
	ring := slices.SortedFunc(slices.Values(peppers), func(a, b Pepper) int { return cmp.Compare(b.Version, a.Version) })
	for i, p := range ring {
		switch {
		case p.Version < 1:
			return nil, fmt.Errorf("pepper version %d: versions count from 1", p.Version)
		case p.Key.Len() < minPepper:
			return nil, fmt.Errorf("pepper version %d: the key has %d bytes, and at least %d are needed", p.Version, p.Key.Len(), minPepper)
		case i > 0 && ring[i-1].Version == p.Version:
			return nil, fmt.Errorf("pepper version %d is there twice", p.Version)
		}
	}
	return &Keyring{ring}, nil
}

// Current returns the version that new digests get.
func (k *Keyring) Current() int { return k.peppers[0].Version }

// Has reports whether digests of a version can be made.
func (k *Keyring) Has(version int) bool {
	return slices.ContainsFunc(k.peppers, func(p Pepper) bool { return p.Version == version })
}

// Of returns the digest of the token whose SHA-256 is sum, with the newest
// pepper.
func (k *Keyring) Of(sum [sha256.Size]byte) Digest { return k.peppers[0].digest(sum) }

// All returns the digests of the token whose SHA-256 is sum, one for each
// pepper, newest first: a store may know the token by any of them.
func (k *Keyring) All(sum [sha256.Size]byte) []Digest {
	out := make([]Digest, len(k.peppers))
	for i := range k.peppers {
		out[i] = k.peppers[i].digest(sum)
	}
	return out
}

func (p *Pepper) digest(sum [sha256.Size]byte) Digest {
	mac := hmac.New(sha256.New, p.Key.bytes())
	mac.Write(sum[:])
	return Digest{Version: p.Version, Sum: [sha256.Size]byte(mac.Sum(nil))}
}
