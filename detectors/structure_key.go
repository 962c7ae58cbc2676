package detectors

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// isPEM reports whether token is a private key in text form with a whole key
// inside and not dots or a few words: its body must be base64 of the DER,
// OpenSSH or OpenPGP data that its header announces. The lines may stand in a
// string literal, a comment or a diff, as those of an armored block may.
func isPEM(token []byte) bool {
	label, body, ended := pemParts(token)
	start, ok := firstLine(body, 0)
	if !ok {
		return false
	}
	for start > 0 && body[start-1] == '+' {
		start--
	}
	k := keyText{label: label, ended: ended, encrypted: bytes.Contains(body[:start], []byte("ENCRYPTED"))}
	// A plus sign before a line is part of it, or is that of a diff.
	return k.holds(pemText(body[start:], false)) || k.holds(pemText(body[start:], true))
}

// pemParts returns what stands between BEGIN and the dashes, and the body up
// to the last line. ended says that there is one, and that it has the same
// label. Without a first line all is empty.
func pemParts(token []byte) (label, body []byte, ended bool) {
	rest, ok := bytes.CutPrefix(token, []byte(beginMark))
	if !ok {
		return nil, nil, false
	}
	label, rest, ok = bytes.Cut(rest, []byte(dashes))
	if !ok {
		return nil, nil, false
	}
	body, last, _ := bytes.Cut(rest, []byte("-----END "))
	last, ok = bytes.CutPrefix(last, label)
	return label, body, ok && bytes.HasPrefix(last, []byte(dashes))
}

// pemText joins lines of base64, leaving out what separates them: in a diff the
// signs at the start of lines, too. It returns nil when anything else stands
// between or behind them.
func pemText(lines []byte, diff bool) (text []byte) {
	for i := 0; i < len(lines); {
		start := separator(lines, i)
		signs := start - i - len(bytes.TrimRight(lines[i:start], "+"))
		if start -= signs; diff && signs > 0 {
			start++
		}
		end := line(lines, start)
		if end == i {
			return nil
		}
		text = append(text, lines[start:end]...)
		i = end
	}
	return text
}

// keyText says what the lines round a key tell about it.
type keyText struct {
	label     []byte
	ended     bool // the last line stands there
	encrypted bool // a line before the key says so
}

// holds reports whether text is base64 of a key as k announces it. Where the
// data do not say themselves how long they are, the last line must.
func (k keyText) holds(text []byte) bool {
	pgp := bytes.Contains(k.label, []byte("PGP"))
	if crc := bytes.IndexByte(text, '='); pgp && crc > 0 {
		text = text[:crc]
	}
	raw, ok := decodeBase64(text)
	switch {
	case !ok || len(raw) < 40:
		return false
	case bytes.Contains(k.label, []byte("OPENSSH")):
		return openSSH(raw)
	case pgp:
		return k.ended && secretKeyPacket(raw[0])
	case k.encrypted:
		return k.ended && len(raw)%8 == 0
	}
	return derSequence(raw)
}

// openSSH reports whether raw is a key in OpenSSH's own form, as long as it
// says: cipher, key derivation and its options, one public and one private key,
// and the tag that some ciphers put behind.
func openSSH(raw []byte) bool {
	const tag = 16
	rest, ok := bytes.CutPrefix(raw, []byte("openssh-key-v1\x00"))
	for range 3 {
		rest, ok = skipString(rest, ok)
	}
	if !ok || len(rest) < 4 || binary.BigEndian.Uint32(rest) != 1 {
		return false
	}
	rest, ok = skipString(rest[4:], ok)
	rest, ok = skipString(rest, ok)
	return ok && (len(rest) == 0 || len(rest) == tag)
}

// skipString returns what stands behind a length of four bytes and as many
// bytes. ok says whether all of it is there, and was before.
func skipString(raw []byte, before bool) (rest []byte, ok bool) {
	if !before || len(raw) < 4 {
		return nil, false
	}
	n := uint64(binary.BigEndian.Uint32(raw))
	if n > uint64(len(raw)-4) {
		return nil, false
	}
	return raw[4+n:], true
}

// secretKeyPacket reports whether an OpenPGP packet that starts with head holds
// a secret key, in the old or the new form of heads.
func secretKeyPacket(head byte) bool {
	const tag = 5
	return head&0xc0 == 0xc0 && head&0x3f == tag || head&0xc0 == 0x80 && head>>2&0x0f == tag
}

// derSequence reports whether raw is one ASN.1 SEQUENCE, of its stated length,
// that begins with a small INTEGER or with another SEQUENCE.
func derSequence(raw []byte) bool {
	body, ok := derBody(raw, 0x30)
	if !ok || len(body) < 4 {
		return false
	}
	if body[0] == 0x30 {
		_, ok = derBody(body[:min(len(body), derSize(body))], 0x30)
		return ok
	}
	return body[0] == 0x02 && body[1] == 1 && body[2] <= 3
}

// derBody returns the content of the value that raw consists of. Up to seven
// bytes of padding may follow.
func derBody(raw []byte, tag byte) ([]byte, bool) {
	size := derSize(raw)
	if size == 0 || size > len(raw) || len(raw)-size > 7 || raw[0] != tag {
		return nil, false
	}
	return raw[size-derLength(raw) : size], true
}

// derSize is the number of bytes of the value at the start of raw, 0 when its
// head is not valid.
func derSize(raw []byte) int {
	n := derLength(raw)
	if n < 0 {
		return 0
	}
	switch {
	case raw[1] < 0x80:
		return 2 + n
	case raw[1] == 0x81:
		return 3 + n
	}
	return 4 + n
}

// derLength reads a length of at most two bytes, -1 when there is none.
func derLength(raw []byte) int {
	switch {
	case len(raw) >= 2 && raw[1] < 0x80:
		return int(raw[1])
	case len(raw) >= 3 && raw[1] == 0x81:
		return int(raw[2])
	case len(raw) >= 4 && raw[1] == 0x82:
		return int(binary.BigEndian.Uint16(raw[2:]))
	}
	return -1
}

// isPKCS12 reports whether token begins as the base64 of a PKCS #12 bundle:
// a SEQUENCE, version 3, and a SEQUENCE that names its contents as data.
func isPKCS12(token []byte) bool {
	head := token[:min(len(token), 64)]
	raw, err := base64.RawStdEncoding.AppendDecode(nil, head[:len(head)/4*4])
	if err != nil || len(raw) < 40 {
		return false
	}
	oid := []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07}
	return raw[0] == 0x30 && bytes.Equal(raw[4:7], []byte{2, 1, 3}) && bytes.Contains(raw[7:], oid)
}

// isPuTTY reports whether a PuTTY key file has its private part, in base64.
func isPuTTY(token []byte) bool {
	_, rest, ok := bytes.Cut(token, []byte("Private-Lines: "))
	if !ok {
		return false
	}
	_, rest, _ = bytes.Cut(rest, []byte("\n"))
	body, _, ok := bytes.Cut(rest, []byte("Private-MAC"))
	if !ok {
		return false
	}
	raw, ok := decodeBase64(pemText(body, false))
	return ok && len(raw) >= 16
}
