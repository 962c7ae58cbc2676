package detectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

const (
	digits   = "0123456789"
	lower    = "abcdefghijklmnopqrstuvwxyz"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base62   = digits + upper + lower
	base36   = digits + lower
	base58   = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	base32lo = lower + "234567"
)

// textSum is a sum over part of the token's text, written into another part.
type textSum struct {
	cover  part
	after  []byte
	at     part
	prefix []byte
	width  int // characters of the sum
	unesc  bool

	digests []func(cover []byte) []byte // any of which may fit; the first one seals
	encode  func(sum []byte) []byte     // width characters or more
}

func compileText(c *Checksum) (sum, error) {
	t := &textSum{after: []byte(c.After), prefix: []byte(c.Prefix), width: c.Digits, unesc: c.Escaped}
	if c.Digits < 1 || c.Digits > 64 {
		return nil, errors.New("digits must be 1 to 64")
	}
	var err error
	if t.cover, err = compilePart("cover", c.Cover); err != nil {
		return nil, err
	}
	at := c.At
	if at == "" {
		at = fmt.Sprintf("-%d:", c.Digits)
	}
	if t.at, err = compilePart("at", at); err != nil {
		return nil, err
	}
	if t.digests, err = c.digests(); err != nil {
		return nil, err
	}
	t.encode, err = c.encoder()
	return t, err
}

func (t *textSum) holds(token []byte) bool {
	stands, ok := t.at.of(token)
	if !ok || len(stands) != t.width {
		return false
	}
	for i := range t.digests {
		if want, ok := t.make(token, i); ok && bytes.Equal(stands, want) {
			return true
		}
	}
	return false
}

func (t *textSum) seal(token []byte) bool {
	stands, ok := t.at.of(token)
	want, made := t.make(token, 0)
	if !ok || !made || len(stands) != t.width {
		return false
	}
	copy(stands, want)
	return t.holds(token) // not so if it stands in what it covers
}

// make computes the sum that token should carry, by digest number i.
func (t *textSum) make(token []byte, i int) ([]byte, bool) {
	if t.unesc {
		token = unescape(token)
	}
	cover, ok := t.cover.of(token)
	if ok && len(t.after) > 0 {
		_, cover, ok = bytes.Cut(cover, t.after)
	}
	if !ok {
		return nil, false
	}
	if len(t.prefix) > 0 {
		cover = slices.Concat(t.prefix, cover)
	}
	text := t.encode(t.digests[i](cover))
	if len(text) < t.width {
		return nil, false
	}
	return text[:t.width], true
}

// unescape undoes the two ways in which files write an equals sign.
func unescape(token []byte) []byte {
	token = bytes.ReplaceAll(token, []byte(`\=`), []byte("="))
	token = bytes.ReplaceAll(token, []byte("%3D"), []byte("="))
	return bytes.ReplaceAll(token, []byte("%3d"), []byte("="))
}

// digests returns the functions that turn covered bytes into the bytes of the
// sum, in c's order.
func (c *Checksum) digests() ([]func([]byte) []byte, error) {
	switch c.Order {
	case "", "big":
	case "little":
		if c.Family == "sha256" {
			return nil, errors.New("order is for sums of 32 bits")
		}
	default:
		return nil, errors.New(`order must be "big" or "little"`)
	}
	word := func(f func([]byte) uint32) []func([]byte) []byte {
		if c.Order == "little" {
			return []func([]byte) []byte{func(b []byte) []byte { return binary.LittleEndian.AppendUint32(nil, f(b)) }}
		}
		return []func([]byte) []byte{func(b []byte) []byte { return binary.BigEndian.AppendUint32(nil, f(b)) }}
	}
	switch c.Family {
	case "crc32":
		return word(crc32.ChecksumIEEE), nil
	case "crc32c":
		table := crc32.MakeTable(crc32.Castagnoli)
		return word(func(b []byte) uint32 { return crc32.Checksum(b, table) }), nil
	case "adler32":
		return word(adler32.Checksum), nil
	case "sha256":
		return []func([]byte) []byte{func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }}, nil
	case "xor":
		return []func([]byte) []byte{xorOf}, nil
	}
	seeds, err := compileSeeds(c.Seeds)
	var all []func([]byte) []byte
	for _, seed := range seeds {
		all = append(all, word(func(b []byte) uint32 { return fold(marvin32(b, seed)) })...)
	}
	return all, err
}

func xorOf(b []byte) []byte {
	var x byte
	for _, c := range b {
		x ^= c
	}
	return []byte{x}
}

// encoder returns the function that writes a sum as text.
func (c *Checksum) encoder() (func([]byte) []byte, error) {
	switch c.Encoding {
	case "hex":
		return func(b []byte) []byte { return hex.AppendEncode(nil, b) }, nil
	case "HEX":
		return func(b []byte) []byte { return bytes.ToUpper(hex.AppendEncode(nil, b)) }, nil
	case "base32":
		return func(b []byte) []byte { return base32.StdEncoding.AppendEncode(nil, b) }, nil
	case "base64":
		return func(b []byte) []byte { return base64.RawStdEncoding.AppendEncode(nil, b) }, nil
	case "base64url":
		return func(b []byte) []byte { return base64.RawURLEncoding.AppendEncode(nil, b) }, nil
	}
	alphabet, err := c.alphabet()
	if err != nil {
		return nil, err
	}
	if c.Family == "sha256" {
		return nil, errors.New("sha256 needs encoding hex, HEX, base32, base64 or base64url")
	}
	natural := int(math.Ceil(32 / math.Log2(float64(len(alphabet)))))
	if c.Family == "xor" {
		natural = c.Digits
	}
	natural = max(natural, c.Digits)
	if c.Digits < natural {
		// The first digits of the full number, as Entra keeps them.
		return func(b []byte) []byte { return positional(b, alphabet, natural)[:c.Digits] }, nil
	}
	return func(b []byte) []byte { return positional(b, alphabet, natural) }, nil
}

// alphabet returns the digits of a positional encoding.
func (c *Checksum) alphabet() (string, error) {
	usual := map[string]string{"base62": base62, "base36": base36, "base66": ""}
	alphabet, ok := usual[c.Encoding]
	if !ok {
		return "", fmt.Errorf("encoding must be hex, HEX, base32, base64, base64url, %s", orList(keysOf(usual)))
	}
	if c.Alphabet != "" {
		alphabet = c.Alphabet
	}
	if len(alphabet) < 2 || len(alphabet) > 94 {
		return "", errors.New("alphabet must have 2 to 94 characters")
	}
	for i := range len(alphabet) {
		if strings.IndexByte(alphabet, alphabet[i]) != i || alphabet[i] < '!' || alphabet[i] > '~' {
			return "", errors.New("alphabet must hold different printable ASCII characters")
		}
	}
	return alphabet, nil
}

// positional writes the big-endian number in b with width digits of alphabet,
// the most significant first, padded on the left with the alphabet's zero.
// What does not fit is cut off at the front.
func positional(b []byte, alphabet string, width int) []byte {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	text := make([]byte, width)
	base := uint64(len(alphabet))
	for i := width - 1; i >= 0; i-- {
		text[i] = alphabet[n%base]
		n /= base
	}
	return text
}
