package detectors

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
)

// marvin32 is the keyed sum that Microsoft's identifiable keys carry, as
// SymCrypt defines it.
func marvin32(data []byte, seed uint64) uint64 {
	lo, hi := uint32(seed), uint32(seed>>32)
	for ; len(data) >= 4; data = data[4:] {
		lo, hi = marvinBlock(lo+binary.LittleEndian.Uint32(data), hi)
	}
	var tail [4]byte
	tail[copy(tail[:], data)] = 0x80
	lo, hi = marvinBlock(lo+binary.LittleEndian.Uint32(tail[:]), hi)
	lo, hi = marvinBlock(lo, hi)
	return uint64(hi)<<32 | uint64(lo)
}

func marvinBlock(lo, hi uint32) (uint32, uint32) {
	hi ^= lo
	lo = bits.RotateLeft32(lo, 20) + hi
	hi = bits.RotateLeft32(hi, 9) ^ lo
	lo = bits.RotateLeft32(lo, 27) + hi
	hi = bits.RotateLeft32(hi, 19)
	return lo, hi
}

// fold is the 32-bit form of a marvin32 sum.
func fold(sum uint64) uint32 { return uint32(sum) ^ uint32(sum>>32) }

// keySum is the sum of Azure's first identifiable keys: the last four of the
// decoded bytes, little-endian, over all before them.
type keySum struct {
	seeds []uint64
	enc   *base64.Encoding
	swap  bool // also the form in which + became P and / became F
}

func compileKey(c *Checksum) (sum, error) {
	seeds, err := compileSeeds(c.Seeds)
	if err != nil {
		return nil, err
	}
	k := keySum{seeds: seeds, enc: base64.StdEncoding}
	switch c.Encoding {
	case "", "base64":
	case "base64url":
		k.enc = base64.URLEncoding
	default:
		return nil, errors.New("encoding must be base64 or base64url")
	}
	switch c.Variant {
	case "":
	case "swapped":
		k.swap = true
	default:
		return nil, errors.New(`variant must be "swapped" or nothing`)
	}
	return k, nil
}

func (k keySum) holds(token []byte) bool {
	raw, n := k.decode(token)
	if n < 8 {
		return false
	}
	for _, seed := range k.seeds {
		want := binary.LittleEndian.AppendUint32(nil, fold(marvin32(raw[:n-4], seed)))
		if bytes.Equal(raw[n-4:n], want) || k.swap && k.swapped(token, raw[:n], want) {
			return true
		}
	}
	return false
}

// swapped reports whether token is what raw with the sum want becomes when its
// text has + replaced by P and / by F.
func (k keySum) swapped(token, raw, want []byte) bool {
	text := make([]byte, 0, 128)
	text = k.enc.AppendEncode(text, append(bytes.Clone(raw[:len(raw)-4]), want...))
	text = bytes.ReplaceAll(text, []byte("+"), []byte("P"))
	text = bytes.ReplaceAll(text, []byte("/"), []byte("F"))
	return bytes.Equal(text, token)
}

func (k keySum) seal(token []byte) bool {
	raw, n := k.decode(token)
	if n < 8 {
		return false
	}
	binary.LittleEndian.PutUint32(raw[n-4:], fold(marvin32(raw[:n-4], k.seeds[0])))
	k.enc.Encode(token, raw[:n])
	return true
}

// decode returns the bytes behind token and how many they are: none when
// token is no key.
func (k keySum) decode(token []byte) (raw [96]byte, n int) {
	if len(token) > 128 || len(token)%4 != 0 {
		return raw, 0
	}
	n, err := k.enc.Decode(raw[:], token)
	if err != nil {
		return raw, 0
	}
	return raw, n
}

// caskSum is the sum of keys with the mark JQQJ: four characters, or eight in
// the long form, behind 80 that hold 60 bytes.
type caskSum struct{}

const (
	caskCover = 80
	caskShort = 84
	caskLong  = 88
	caskSeed  = 0x44656661756C7430 // "Default0"
)

func compileCask(*Checksum) (sum, error) { return caskSum{}, nil }

func (caskSum) holds(token []byte) bool {
	sum, ok := caskOf(token)
	if !ok {
		return false
	}
	stands := token[caskCover:]
	if len(stands) == caskShort-caskCover {
		return bytes.Equal(stands, caskText(sum)[:4]) ||
			bytes.Equal(stands, base64.StdEncoding.AppendEncode(nil, sum)[:4])
	}
	return bytes.Equal(stands, caskPadded(caskText(sum))) ||
		bytes.Equal(stands, base64.StdEncoding.AppendEncode(nil, sum))
}

func (caskSum) seal(token []byte) bool {
	sum, ok := caskOf(token)
	if !ok {
		return false
	}
	if len(token) == caskShort {
		copy(token[caskCover:], caskText(sum))
		return true
	}
	padded := caskPadded(caskText(sum))
	return copy(token[caskCover:], padded) == len(padded)
}

// caskOf computes the four bytes of a token's sum.
func caskOf(token []byte) ([]byte, bool) {
	if len(token) != caskShort && len(token) != caskLong {
		return nil, false
	}
	var raw [60]byte
	if _, err := base64.StdEncoding.Decode(raw[:], token[:caskCover]); err != nil {
		return nil, false
	}
	return binary.LittleEndian.AppendUint32(nil, fold(marvin32(raw[:], caskSeed))), true
}

// caskText writes the sum in base 62: one 0 for each zero byte in front, then
// the number, then 0 up to six characters.
func caskText(sum []byte) []byte {
	text := make([]byte, 0, 8)
	for i := 0; i < 3 && sum[i] == 0; i++ {
		text = append(text, '0')
	}
	number := bytes.TrimLeft(positional(sum, base62, 6), "0")
	if len(number) == 0 {
		number = []byte("0")
	}
	text = append(text, number...)
	for len(text) < 6 {
		text = append(text, '0')
	}
	return text
}

// caskPadded is the long form of a sum's text: what six characters and "=="
// decode to, encoded again, so that no bits are left over.
func caskPadded(text []byte) []byte {
	var raw [4]byte
	if _, err := base64.StdEncoding.Decode(raw[:], append(text[:6:6], "=="...)); err != nil {
		return nil
	}
	return base64.StdEncoding.AppendEncode(nil, raw[:])
}

// adoSum is the sum of Azure DevOps' tokens of 52 characters: a CRC-32 whose
// four bytes are scattered among the 28 it covers, mixed with a number that
// tells users' tokens from applications'.
type adoSum struct{}

const (
	adoUser        = 0xE0B9692D
	adoApplication = 0x1019F92E
	adoLength      = 52
)

var adoEncoding = base32.NewEncoding(base32lo).WithPadding(base32.NoPadding)

func compileADO(*Checksum) (sum, error) { return adoSum{}, nil }

func (adoSum) holds(token []byte) bool {
	raw, ok := adoDecode(token)
	if !ok {
		return false
	}
	mixed := adoStored(&raw) ^ crc32.ChecksumIEEE(adoPayload(&raw))
	return mixed == adoUser || mixed == adoApplication
}

func (adoSum) seal(token []byte) bool {
	raw, ok := adoDecode(token)
	if !ok {
		return false
	}
	sum := crc32.ChecksumIEEE(adoPayload(&raw)) ^ adoUser
	raw[2], raw[7], raw[8], raw[22] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	adoEncoding.Encode(token, raw[:])
	return true
}

func adoDecode(token []byte) (raw [32]byte, ok bool) {
	if len(token) != adoLength {
		return raw, false
	}
	if last := token[adoLength-1]; last != 'a' && last != 'q' {
		return raw, false // four bits too many
	}
	_, err := adoEncoding.Decode(raw[:], token)
	return raw, err == nil
}

func adoStored(raw *[32]byte) uint32 {
	return uint32(raw[2])<<24 | uint32(raw[7])<<16 | uint32(raw[8])<<8 | uint32(raw[22])
}

func adoPayload(raw *[32]byte) []byte {
	p := make([]byte, 0, 28)
	p = append(p, raw[0:2]...)
	p = append(p, raw[3:7]...)
	p = append(p, raw[9:22]...)
	return append(p, raw[23:32]...)
}
