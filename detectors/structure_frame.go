package detectors

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// frame reads length-prefixed fields. Its zero value is empty; after a failed
// read it stays failed.
type frame struct {
	rest []byte
	bad  bool
}

// uvarint reads a number, which must fit an int32.
func (f *frame) uvarint() int {
	n, size := binary.Uvarint(f.rest)
	if size <= 0 || n > 1<<31-1 {
		f.bad, f.rest = true, nil
		return 0
	}
	f.rest = f.rest[size:]
	return int(n)
}

// bytes reads a length and as many bytes.
func (f *frame) bytes() []byte {
	n := f.uvarint()
	if n > len(f.rest) {
		f.bad, f.rest = true, nil
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

// isPyPI parses a macaroon of version 2 to its last byte: the location, an
// identifier, caveats, and a signature of 32 bytes.
func isPyPI(token []byte) bool {
	raw, ok := decodeBase64(bytes.TrimPrefix(token, []byte("pypi-")))
	if !ok || len(raw) == 0 || raw[0] != 2 {
		return false
	}
	f := frame{rest: raw[1:]}
	const location, identifier, signature = 1, 2, 6
	if f.uvarint() != location {
		return false
	}
	if at := string(f.bytes()); at != "pypi.org" && at != "test.pypi.org" {
		return false
	}
	if f.uvarint() != identifier || len(f.bytes()) != 36 || f.uvarint() != 0 {
		return false
	}
	for !f.bad && f.caveat() {
	}
	return f.uvarint() == signature && len(f.bytes()) == 32 && !f.bad && len(f.rest) == 0
}

// caveat reads one caveat, or the mark that ends them and returns false.
func (f *frame) caveat() bool {
	for fields := 0; ; fields++ {
		kind := f.uvarint()
		switch kind {
		case 0:
			return fields > 0 && !f.bad
		case 1, 2, 4: // location, identifier, verification id
			f.bytes()
		default:
			f.bad, f.rest = true, nil
		}
	}
}

// vaultService parses the protocol buffer of a service token: version 1, an
// HMAC of 32 bytes, and a message whose first field is the token's id.
func vaultService(token []byte) bool {
	raw, ok := decodeBase64(bytes.TrimPrefix(token, []byte("hvs.")))
	if !ok {
		return false
	}
	f := frame{rest: raw}
	if f.uvarint() != 0x08 || f.uvarint() != 1 || f.uvarint() != 0x12 || len(f.bytes()) != 32 {
		return false
	}
	if f.uvarint() != 0x1a {
		return false
	}
	inner := frame{rest: f.bytes()}
	return inner.uvarint() == 0x0a && bytes.HasPrefix(inner.bytes(), []byte("hvs.")) &&
		inner.fields() && !f.bad && len(f.rest) == 0
}

// fields reads protocol buffer fields, numbers and bytes, to the end.
func (f *frame) fields() bool {
	for len(f.rest) > 0 {
		switch f.uvarint() & 7 {
		case 0:
			f.uvarint()
		case 2:
			f.bytes()
		default:
			return false
		}
	}
	return !f.bad
}

// vaultBatch looks at the frame round a batch token: the first key's number,
// a version, a nonce and a tag.
func vaultBatch(token []byte) bool {
	raw, ok := decodeBase64(bytes.TrimPrefix(token, []byte("hvb.")))
	const least = 4 + 1 + 12 + 16
	return ok && len(raw) > least && binary.BigEndian.Uint32(raw) == 1 && (raw[4] == 1 || raw[4] == 2)
}

// gitlabRoutable looks at the payload of a routable token: sixteen random
// bytes, lines that say where it belongs, and one byte for their length. The
// token states the payload's own length, too.
func gitlabRoutable(token []byte) bool {
	payload, tail, ok := bytes.Cut(token, []byte("."))
	if !ok || len(tail) < 9 {
		return false
	}
	payload = gitlabPayload(payload)
	if stated, err := strconv.ParseUint(string(tail[len(tail)-9:len(tail)-7]), 36, 16); err != nil || int(stated) != len(payload) {
		return false
	}
	raw, ok := decodeBase64(payload)
	if !ok || len(raw) < 18 {
		return false
	}
	lines := raw[16 : len(raw)-1]
	return int(raw[len(raw)-1]) == len(lines) && gitlabLines(lines)
}

// gitlabPayload cuts the prefix off: "glpat-", or "glrt-t1_".
func gitlabPayload(text []byte) []byte {
	if bytes.HasPrefix(text, []byte("glrt-t")) {
		_, text, _ = bytes.Cut(text, []byte("_"))
		return text
	}
	_, text, _ = bytes.Cut(text, []byte("-"))
	return text
}

// gitlabLines reports whether every line is a letter, a colon and a number in
// base 36, and one of them says which organization.
func gitlabLines(lines []byte) bool {
	organization := false
	for line := range bytes.SplitSeq(lines, []byte("\n")) {
		key, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(key) != 1 || bytes.IndexByte([]byte("cgoptu"), key[0]) < 0 || !allOf(value, base36) {
			return false
		}
		organization = organization || key[0] == 'o'
	}
	return organization
}

// maxPack bounds how many values a MessagePack document may hold.
const maxPack = 4096

// skipMessagePack skips n values and returns what is behind them. It counts
// open values instead of calling itself, so depth costs nothing.
func skipMessagePack(raw []byte, n int) (rest []byte, ok bool) {
	for values := 0; n > 0; values++ {
		if len(raw) == 0 || values == maxPack {
			return nil, false
		}
		tag := raw[0]
		raw = raw[1:]
		size, inner, ok := packSize(tag, &raw)
		if !ok || size > len(raw) || inner > maxPack {
			return nil, false
		}
		raw = raw[size:]
		n += inner - 1
	}
	return raw, true
}

// packSize reads the length behind a tag, and returns how many bytes the
// value has and how many values are inside it.
func packSize(tag byte, raw *[]byte) (size, inner int, ok bool) {
	switch {
	case tag < 0x80, tag >= 0xe0, tag == 0xc0, tag == 0xc2, tag == 0xc3:
		return 0, 0, true // a small number, nil, false, true
	case tag < 0x90:
		return 0, 2 * int(tag&0x0f), true
	case tag < 0xa0:
		return 0, int(tag & 0x0f), true
	case tag < 0xc0:
		return int(tag & 0x1f), 0, true
	case tag >= 0xcc && tag <= 0xd3: // numbers of 1, 2, 4 and 8 bytes
		return 1 << (tag & 3), 0, true
	}
	n := 0 // bytes of the length
	switch tag {
	case 0xc4, 0xd9:
		n = 1
	case 0xc5, 0xda, 0xdc, 0xde:
		n = 2
	}
	if n == 0 || n > len(*raw) {
		return 0, 0, false
	}
	for _, b := range (*raw)[:n] {
		size = size<<8 | int(b)
	}
	*raw = (*raw)[n:]
	switch tag {
	case 0xdc:
		return 0, size, true
	case 0xde:
		return 0, 2 * size, true
	}
	return size, 0, true
}
