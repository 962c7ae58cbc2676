package detectors

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// pemOf wraps bytes as a key file does.
func pemOf(label, eol string, raw []byte, headers ...string) []byte {
	text := base64.StdEncoding.EncodeToString(raw)
	var b strings.Builder
	b.WriteString("-----BEGIN " + label + "-----" + eol)
	for _, h := range headers {
		b.WriteString(h + eol)
	}
	for len(text) > 64 {
		b.WriteString(text[:64] + eol)
		text = text[64:]
	}
	b.WriteString(text + eol + "-----END " + label + "-----")
	return []byte(b.String())
}

func TestPEM(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	der := append([]byte{0x30, 0x81, 0x83, 0x02, 0x01, 0x00, 0x04, 0x7e}, randomBytes(r, 0x7e)...)
	ssh := sshKey(r)
	pgp := append([]byte{0x95}, randomBytes(r, 300)...)
	const private = "PRIVATE KEY"
	for _, c := range []struct {
		name  string
		token []byte
		want  bool
	}{
		{"PKCS 8", pemOf(private, "\n", der), true},
		{"CRLF", pemOf("RSA "+private, "\r\n", der), true},
		{"escaped", pemOf("EC "+private, `\n`, der), true},
		{"escaped twice", pemOf(private, `\\n`, der), true},
		{"indented and quoted", pemOf(private, "\",\n    \"", der), true},
		{"added up", pemOf(private, "\" +\n\t\"", der), true},
		{"commented", pemOf(private, "\n# ", der), true},
		{"encrypted", pemOf("RSA "+private, "\n", randomBytes(r, 128), "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,00", ""), true},
		{"encrypted, cut", pemOf("RSA "+private, "\n", randomBytes(r, 127), "Proc-Type: 4,ENCRYPTED", ""), false},
		{"OpenSSH", pemOf("OPENSSH "+private, "\n", ssh), true},
		{"OpenSSH, a byte less", pemOf("OPENSSH "+private, "\n", ssh[:len(ssh)-1]), false},
		{"OpenSSH, a byte more", pemOf("OPENSSH "+private, "\n", append(bytes.Clone(ssh), 1)), false},
		{"OpenSSH, a tag behind", pemOf("OPENSSH "+private, "\n", append(bytes.Clone(ssh), randomBytes(r, 16)...)), true},
		{"OpenSSH, two keys", pemOf("OPENSSH "+private, "\n", bytes.Replace(ssh, []byte{0, 0, 0, 1}, []byte{0, 0, 0, 2}, 1)), false},
		{"OpenSSH without its mark", pemOf("OPENSSH "+private, "\n", der), false},
		{"PGP", pemOf("PGP "+private+" BLOCK", "\n", pgp, "Version: GnuPG v1", ""), true},
		{"PGP, new form", pemOf("PGP "+private+" BLOCK", "\n", append([]byte{0xc5}, pgp[1:]...), "Version: 1", ""), true},
		{"PGP with a sum", withSum(pemOf("PGP "+private+" BLOCK", "\n", pgp, "Version: 1", "")), true},
		{"PGP, a public key", pemOf("PGP "+private+" BLOCK", "\n", append([]byte{0x99}, pgp[1:]...), "Version: 1", ""), false},
		{"PGP, new form, a public key", pemOf("PGP "+private+" BLOCK", "\n", append([]byte{0xc6}, pgp[1:]...), "Version: 1", ""), false},
		{"lines added by a diff", pemOf(private, "\n+", der), true},
		{"lines removed by a diff", pemOf(private, "\n-", der), true},
		{"lines added and indented", pemOf(private, "\n+    ", der), true},
		{"on one line", pemOf(private, " ", der), true},
		{"on one line, two blanks", pemOf("RSA "+private, "  ", der), true},
		{"continued", pemOf(private, "\\n\\\n", der), true},
		{"added up, sign in front", pemOf(private, "\\n\"\n\t+ \"", der), true},
		{"a list", pemOf(private, "\n- ", der), true},
		{"cut behind its data", cutLast(pemOf(private, "\n", der)), true},
		{"cut in its data", cutLast(pemOf(private, "\n", der[:len(der)-8])), false},
		{"OpenSSH, cut behind its data", cutLast(pemOf("OPENSSH "+private, "\n", ssh)), true},
		{"PGP, cut", cutLast(pemOf("PGP "+private+" BLOCK", "\n", pgp, "Version: 1", "")), false},
		{"encrypted, cut behind its data", cutLast(pemOf("RSA "+private, "\n", randomBytes(r, 128), "Proc-Type: 4,ENCRYPTED", "")), false},
		{"another label at its end", bytes.Replace(pemOf("RSA "+private, "\n", randomBytes(r, 128), "Proc-Type: 4,ENCRYPTED", ""), []byte("END RSA"), []byte("END DSA"), 1), false},
		{"signs that belong to the lines", pemOf("RSA "+private, "\n", []byte(plusLines(48*4)), "Proc-Type: 4,ENCRYPTED", ""), true},
		{"prose between the lines", bytes.Replace(pemOf(private, "\n", der), []byte("\n"), []byte("\n!\n"), 3), false},
		{"random bytes", pemOf(private, "\n", append([]byte{1}, randomBytes(r, 130)...)), false},
		{"a stated length too long", pemOf(private, "\n", append([]byte{0x30, 0x82, 9, 9}, der...)), false},
		{"dots", []byte("-----BEGIN " + private + "-----\n...\n-----END " + private + "-----"), false},
		{"a first line and dots", []byte("-----BEGIN " + private + "-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n...\n-----END " + private + "-----"), false},
		{"words", []byte("-----BEGIN " + private + "-----\nyour key goes here\n-----END " + private + "-----"), false},
		{"nothing behind the first line", []byte("-----BEGIN " + private + "-----"), false},
		{"no dashes", []byte("-----BEGIN " + private), false},
		{"no end", []byte("-----BEGIN " + private + "-----\nAAAA"), false},
		{"nothing", nil, false},
	} {
		if got := isPEM(c.token); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDER(t *testing.T) {
	for _, c := range []struct {
		raw  string // hex
		want bool
	}{
		{"300402010000", true},
		{"300302010400", false}, // no version
		{"3080020100", false},   // no length
		{"30", false}, {"3082", false}, {"308200", false}, {"", false},
		{"30050203010001", false},
		{"3081ff020100", false},
		{"30063004020101" + "02", true},
	} {
		raw, err := hex.DecodeString(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := derSequence(raw); got != c.want {
			t.Errorf("%s: %v, want %v", c.raw, got, c.want)
		}
	}
}

// sshKey builds what stands in a file of OpenSSH's own form.
func sshKey(r *rand.Rand) []byte {
	part := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	key := []byte("openssh-key-v1\x00")
	for _, text := range []string{"none", "none", ""} {
		key = append(key, part([]byte(text))...)
	}
	key = binary.BigEndian.AppendUint32(key, 1)
	key = append(key, part(randomBytes(r, 51))...)
	return append(key, part(randomBytes(r, 136))...)
}

// cutLast takes the last line of a block away.
func cutLast(block []byte) []byte {
	return block[:bytes.LastIndex(block, []byte("-----END "))]
}

// withSum puts OpenPGP's line with the sum before the last one.
func withSum(block []byte) []byte {
	return bytes.Replace(block, []byte("-----END "), []byte("=aB3d\n-----END "), 1)
}

// plusLines returns n bytes, in base64 nothing but plus signs.
func plusLines(n int) string { return strings.Repeat("\xfb\xef\xbe", n/3) }

func TestSkipString(t *testing.T) {
	for _, c := range []struct {
		raw, rest string
		before    bool
		ok        bool
	}{
		{"\x00\x00\x00\x00", "", true, true},
		{"\x00\x00\x00\x02abc", "c", true, true},
		{"\x00\x00\x00\x03abc", "", true, true},
		{"\x00\x00\x00\x03abc", "", false, false},
		{"\x00\x00\x00\x04abc", "", true, false},
		{"\xff\xff\xff\xffabc", "", true, false},
		{"\x00\x00\x00", "", true, false},
		{"", "", true, false},
	} {
		rest, ok := skipString([]byte(c.raw), c.before)
		if string(rest) != c.rest || ok != c.ok {
			t.Errorf("%q: %q, %v", c.raw, rest, ok)
		}
	}
}

func TestSecretKeyPacket(t *testing.T) {
	for head := range 256 {
		want := head == 0xc5 || 0x94 <= head && head <= 0x97
		if got := secretKeyPacket(byte(head)); got != want {
			t.Errorf("%#x: %v, want %v", head, got, want)
		}
	}
}

func TestPKCS12(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	token := makePKCS12(nil, r)
	if !isPKCS12(token) {
		t.Fatal("refused")
	}
	if !isPKCS12(token[:64]) {
		t.Error("the first 64 characters do not suffice")
	}
	if isPKCS12(token[:48]) {
		t.Error("48 characters suffice")
	}
	raw, err := base64.StdEncoding.DecodeString(string(token))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 4, 5, 6, 11, 12, 20} {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if isPKCS12([]byte(stdText(bad))) {
			t.Errorf("byte %d changed, and accepted", i)
		}
	}
}

func TestPuTTY(t *testing.T) {
	token := string(makePuTTY(nil, rand.New(rand.NewPCG(45, 46))))
	_, after, _ := strings.Cut(token, "Private-Lines: 1\n")
	private, _, _ := strings.Cut(after, "\n")
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"right", token, true},
		{"CRLF", strings.ReplaceAll(token, "\n", "\r\n"), true},
		{"version 3", strings.Replace(token, "Key-File-2", "Key-File-3", 1), true},
		{"two lines", strings.Replace(token, private, private[:40]+"\n"+private[40:], 1), true},
		{"no private part", strings.Replace(token, "Private-Lines", "Privat-Lines", 1), false},
		{"no sum", strings.Replace(token, "Private-MAC", "Privat-MAC", 1), false},
		{"an empty private part", strings.Replace(token, private, "", 1), false},
		{"a private part of a few bytes", strings.Replace(token, private, private[:20], 1), false},
		{"sixteen bytes", strings.Replace(token, private, stdText(make([]byte, 16)), 1), true},
		{"fifteen bytes", strings.Replace(token, private, stdText(make([]byte, 15)), 1), false},
		{"dots", strings.Replace(token, private, "...", 1), false},
	} {
		if got := isPuTTY([]byte(c.token)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
