package detectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// bech32Sum is the sum of BIP-173: six symbols over the human-readable part,
// which ends at the last "1", and the symbols before them.
type bech32Sum struct{}

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

func (bech32Sum) holds(token []byte) bool {
	hrp, data, ok := bech32Split(token)
	return ok && bech32Polymod(hrp, data) == 1
}

func (bech32Sum) seal(token []byte) bool {
	hrp, data, ok := bech32Split(token)
	if !ok {
		return false
	}
	body := len(data) - 6
	clear(data[body:])
	sum := bech32Polymod(hrp, data) ^ 1
	alphabet := bech32Alphabet
	if bytes.Equal(token, bytes.ToUpper(token)) {
		alphabet = strings.ToUpper(alphabet)
	}
	for i := range 6 {
		token[len(token)-6+i] = alphabet[sum>>(5*(5-i))&31]
	}
	return true
}

// bech32Split returns the lower-case human-readable part and the values of the
// symbols behind it.
func bech32Split(token []byte) (hrp, data []byte, ok bool) {
	if len(token) > 1024 {
		return nil, nil, false
	}
	low := bytes.ToLower(token)
	one := bytes.LastIndexByte(low, '1')
	if one < 1 || len(low)-one-1 < 6 {
		return nil, nil, false
	}
	hrp, data = low[:one], low[one+1:]
	for i, c := range data {
		v := strings.IndexByte(bech32Alphabet, c)
		if v < 0 {
			return nil, nil, false
		}
		data[i] = byte(v)
	}
	return hrp, data, true
}

func bech32Polymod(hrp, data []byte) uint32 {
	chk := uint32(1)
	for _, c := range hrp {
		chk = bech32Step(chk, c>>5)
	}
	chk = bech32Step(chk, 0)
	for _, c := range hrp {
		chk = bech32Step(chk, c&31)
	}
	for _, v := range data {
		chk = bech32Step(chk, v)
	}
	return chk
}

func bech32Step(chk uint32, value byte) uint32 {
	generator := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	top := chk >> 25
	chk = chk&0x1ffffff<<5 ^ uint32(value)
	for i, g := range generator {
		if top>>i&1 == 1 {
			chk ^= g
		}
	}
	return chk
}

// base58Sum is Bitcoin's: the first four bytes of a double SHA-256 stand
// behind what they cover, all in base 58.
type base58Sum struct{}

func (base58Sum) holds(token []byte) bool {
	raw, ok := base58Decode(token)
	if !ok || len(raw) < 5 {
		return false
	}
	n := len(raw) - 4
	return bytes.Equal(raw[n:], base58Check(raw[:n])) && base58Length(token, n)
}

// base58Length tells the two kinds of key by their first byte and size: 0x80,
// 32 bytes and perhaps one more, or an extended private key of 78 bytes.
func base58Length(token []byte, n int) bool {
	if bytes.HasPrefix(token, []byte("xprv")) {
		return n == 78
	}
	return n == 33 || n == 34
}

func base58Check(b []byte) []byte {
	first := sha256.Sum256(b)
	second := sha256.Sum256(first[:])
	return second[:4]
}

func (base58Sum) seal(token []byte) bool {
	raw, ok := base58Decode(token)
	if !ok || len(raw) < 5 {
		return false
	}
	n := len(raw) - 4
	text := base58Encode(append(raw[:n:n], base58Check(raw[:n])...))
	return len(text) == len(token) && copy(token, text) == len(token) && base58Length(token, n)
}

// base58Decode reads the token as one big number; a leading "1" is a zero
// byte. It refuses what is longer than any key.
func base58Decode(token []byte) ([]byte, bool) {
	if len(token) == 0 || len(token) > 128 {
		return nil, false
	}
	var little [128]byte // the number, the lowest byte first
	size := 0
	for _, c := range token {
		carry := strings.IndexByte(base58, c)
		if carry < 0 {
			return nil, false
		}
		for i := 0; i < size || carry > 0; i++ {
			carry += int(little[i]) * 58
			little[i] = byte(carry)
			carry >>= 8
			size = max(size, i+1)
		}
	}
	for i := 0; i < len(token) && token[i] == base58[0]; i++ {
		size++
	}
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = little[size-1-i]
	}
	return raw, true
}

func base58Encode(raw []byte) []byte {
	var text []byte
	number := bytes.Clone(raw)
	for len(number) > 0 {
		rest := 0
		for i, b := range number {
			rest = rest<<8 | int(b)
			number[i] = byte(rest / 58)
			rest %= 58
		}
		text = append(text, base58[rest])
		number = bytes.TrimLeft(number, "\x00")
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		text = append(text, base58[0])
	}
	for i, j := 0, len(text)-1; i < j; i, j = i+1, j-1 {
		text[i], text[j] = text[j], text[i]
	}
	return text
}

// nkeySum is that of NATS: a CRC-16 (XMODEM), little-endian, behind the 34
// bytes it covers, all in base 32.
type nkeySum struct{}

var nkeyEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func (nkeySum) holds(token []byte) bool {
	raw, ok := nkeyDecode(token)
	return ok && binary.LittleEndian.Uint16(raw[34:]) == crc16(raw[:34])
}

func (nkeySum) seal(token []byte) bool {
	raw, ok := nkeyDecode(token)
	if !ok {
		return false
	}
	binary.LittleEndian.PutUint16(raw[34:], crc16(raw[:34]))
	nkeyEncoding.Encode(token, raw[:36])
	return true
}

func nkeyDecode(token []byte) (raw [36]byte, ok bool) {
	if len(token) != 58 {
		return raw, false
	}
	var wide [37]byte
	n, err := nkeyEncoding.Decode(wide[:], token)
	copy(raw[:], wide[:])
	return raw, err == nil && n == 36
}

// crc16 is the CRC of XMODEM: polynomial 0x1021, from 0, no reflection.
func crc16(b []byte) uint16 {
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc>>15 == 1
			crc <<= 1
			if carry {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// xataSum is Xata's: 20 bytes and their CRC-32, little-endian, in an encoding
// of six bits a character from the end, in which the values whose middle four
// bits are ones take five bits.
type xataSum struct {
	after string // what ends the prefix
}

const (
	xataAlphabet = digits + lower + upper
	xataMiddle   = 0b11110
	xataBytes    = 24
)

func (x xataSum) holds(token []byte) bool {
	_, text, _ := bytes.Cut(token, []byte(x.after))
	raw, ok := xataDecode(text)
	return ok && binary.LittleEndian.Uint32(raw[20:]) == crc32.ChecksumIEEE(raw[:20])
}

// seal needs the text to decode to 24 bytes, and that the right sum makes a
// text of the same length; it fails otherwise, and another body may do.
func (x xataSum) seal(token []byte) bool {
	_, text, _ := bytes.Cut(token, []byte(x.after))
	raw, ok := xataDecode(text)
	if !ok {
		return false
	}
	binary.LittleEndian.PutUint32(raw[20:], crc32.ChecksumIEEE(raw[:20]))
	sealed := xataEncode(raw[:])
	return len(sealed) == len(text) && copy(text, sealed) == len(text)
}

// xataDecode reads characters as bits from the low end of the last byte up.
func xataDecode(text []byte) (raw [xataBytes]byte, ok bool) {
	at := 0 // bits read
	for i, c := range text {
		v := strings.IndexByte(xataAlphabet, c)
		if v < 0 {
			return raw, false
		}
		for b := range xataWidth(v) {
			if v>>b&1 == 0 {
				continue
			}
			if at+b >= 8*xataBytes {
				return raw, false
			}
			raw[xataBytes-1-(at+b)/8] |= 1 << ((at + b) % 8)
		}
		at += xataWidth(v)
		if at >= 8*xataBytes && i != len(text)-1 {
			return raw, false
		}
	}
	return raw, at > 8*(xataBytes-2)
}

// xataWidth is how many bits a value stands for.
func xataWidth(v int) int {
	if v&xataMiddle == xataMiddle {
		return 5
	}
	return 6
}

func xataEncode(raw []byte) []byte {
	var text []byte
	total := 8 * len(raw)
	for at := 0; at < total; {
		v := 0
		for b := 0; b < 6 && at+b < total; b++ {
			bit := int(raw[len(raw)-1-(at+b)/8]>>((at+b)%8)) & 1
			v |= bit << b
		}
		if v&xataMiddle == xataMiddle && (at+6 < total || v > 31) {
			v &= 31
			at--
		}
		at += 6
		text = append(text, xataAlphabet[v])
	}
	return text
}
