package detectors

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// isPEM reports whether token is a private key in text form with a key inside
// and not dots or a few words: its body must be base64 of the DER, OpenSSH or
// OpenPGP data that its header announces, of a plausible length.
func isPEM(token []byte) bool {
	header, body, ok := pemParts(token)
	if !ok {
		return false
	}
	text, encrypted := pemBody(body)
	crc := bytes.IndexByte(text, '=')
	if bytes.Contains(header, []byte("PGP")) && crc > 0 {
		text = bytes.TrimRight(text[:crc], "=")
	}
	raw, ok := decodeBase64(text)
	if !ok || len(raw) < 40 {
		return false
	}
	switch {
	case bytes.Contains(header, []byte("OPENSSH")):
		return bytes.HasPrefix(raw, []byte("openssh-key-v1\x00")) && len(raw) > 100
	case bytes.Contains(header, []byte("PGP")):
		return raw[0]&0x80 != 0
	case encrypted:
		return len(raw)%8 == 0
	}
	return derSequence(raw)
}

// pemParts returns what stands between the dashes of the first line, and the
// body up to the last line.
func pemParts(token []byte) (header, body []byte, ok bool) {
	const begin, dashes, end = "-----BEGIN ", "-----", "-----END "
	rest, ok := bytes.CutPrefix(token, []byte(begin))
	if !ok {
		return nil, nil, false
	}
	header, rest, ok = bytes.Cut(rest, []byte(dashes))
	if !ok {
		return nil, nil, false
	}
	body, _, ok = bytes.Cut(rest, []byte(end))
	return header, body, ok
}

// pemBody joins the base64 of a body's lines, whatever they are quoted,
// escaped or indented with. encrypted says that a header line told so.
func pemBody(body []byte) (text []byte, encrypted bool) {
	for _, escape := range []string{`\\r`, `\\n`, `\r`, `\n`} {
		body = bytes.ReplaceAll(body, []byte(escape), []byte("\n"))
	}
	for line := range bytes.SplitSeq(body, []byte("\n")) {
		line = bytes.TrimRight(line, " \t\r\"'`,;\\")
		line = bytes.TrimSuffix(line, []byte(" +"))
		line = bytes.Trim(line, " \t\r\"'`,;>#*|")
		if bytes.Contains(line, []byte(":")) {
			encrypted = encrypted || bytes.Contains(line, []byte("ENCRYPTED"))
			continue
		}
		text = append(text, line...)
	}
	return text, encrypted
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
	text, _ := pemBody(body)
	raw, ok := decodeBase64(text)
	return ok && len(raw) >= 16
}
