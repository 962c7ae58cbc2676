package detectors

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Checksum says how a token's checksum is computed and where it stands. Which
// of the fields a family reads stands in docs/formats.md.
type Checksum struct {
	Family   string   `toml:"family"`   // "crc32", "sha256", "xor", "marvin32", ...
	Cover    string   `toml:"cover"`    // what it covers, "from:to" in bytes of the token; negative counts from the end
	After    string   `toml:"after"`    // the cover starts behind the first of these, instead of at a fixed place
	At       string   `toml:"at"`       // where it stands, "from:to"; default: the last Digits bytes
	Encoding string   `toml:"encoding"` // "base62", "base36", "base32", "base64", "base64url", "hex", "HEX"
	Alphabet string   `toml:"alphabet"` // digits of the encoding, where they are not the usual ones
	Digits   int      `toml:"digits"`   // how many characters it has
	Order    string   `toml:"order"`    // "big" (default) or "little": how the sum becomes bytes
	Prefix   string   `toml:"prefix"`   // text covered before the token's own
	Seeds    []string `toml:"seeds"`    // eight characters each: keys of a keyed sum, any of which may fit
	Variant  string   `toml:"variant"`  // a family's further forms
	Escaped  bool     `toml:"escaped"`  // "\=" and "%3D" stand for "=" before the sum is computed
}

// families returns the checksums that formats can name.
func families() map[string]func(c *Checksum) (sum, error) {
	return map[string]func(c *Checksum) (sum, error){
		"crc32":               compileText,
		"crc32c":              compileText,
		"adler32":             compileText,
		"sha256":              compileText,
		"xor":                 compileText,
		"marvin32":            compileText,
		"marvin32-key":        compileKey,
		"cask":                compileCask,
		"azure-devops-legacy": compileADO,
		"bech32":              func(*Checksum) (sum, error) { return bech32Sum{}, nil },
		"base58check":         func(*Checksum) (sum, error) { return base58Sum{}, nil },
		"nats-nkey":           func(*Checksum) (sum, error) { return nkeySum{}, nil },
		"xata":                func(c *Checksum) (sum, error) { return xataSum{after: c.After}, nil },
	}
}

// compile turns c into what tests and makes sums, or says what to change.
func (c *Checksum) compile() (sum, error) {
	known := families()
	make, ok := known[c.Family]
	if !ok {
		return nil, fmt.Errorf("family %q is not known; use %s", clip(c.Family), orList(keysOf(known)))
	}
	return make(c)
}

// compileSeeds reads keys of eight characters as 64-bit numbers, the first
// character the most significant.
func compileSeeds(list []string) ([]uint64, error) {
	if len(list) == 0 || len(list) > maxList {
		return nil, fmt.Errorf("seeds must have 1 to %d entries", maxList)
	}
	seeds := make([]uint64, 0, len(list))
	for _, s := range list {
		if len(s) != 8 {
			return nil, errors.New("every seed must have eight characters")
		}
		var n uint64
		for _, c := range []byte(s) {
			n = n<<8 | uint64(c)
		}
		seeds = append(seeds, n)
	}
	return seeds, nil
}

// part is a stretch of a token, as "4:-6": from the fifth byte to the sixth from
// the end. An open or zero end is the end of the token.
type part struct {
	from, to int
}

func compilePart(key, text string) (part, error) {
	a, b, ok := strings.Cut(text, ":")
	from, err1 := partEnd(a)
	to, err2 := partEnd(b)
	if !ok || err1 != nil || err2 != nil {
		return part{}, fmt.Errorf(`%s must be "from:to", as in "4:-6"`, key)
	}
	return part{from, to}, nil
}

func partEnd(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err == nil && (n > maxLength || n < -maxLength) {
		err = strconv.ErrRange
	}
	return n, err
}

// of returns the part of token; false when token is too short to have it.
func (s part) of(token []byte) ([]byte, bool) {
	from, to := s.from, s.to
	if from < 0 {
		from += len(token)
	}
	if to <= 0 {
		to += len(token)
	}
	if from < 0 || from > to || to > len(token) {
		return nil, false
	}
	return token[from:to], true
}
