package detectors

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// structureCase is a token and what a structure must say of it.
type structureCase struct {
	name  string
	token string
	want  bool
}

func checkStructure(t *testing.T, structure string, cases []structureCase) {
	t.Helper()
	check := structures()[structure]
	if check == nil {
		t.Fatalf("no structure %s", structure)
	}
	for _, c := range cases {
		if got := check([]byte(c.token)); got != c.want {
			t.Errorf("%s, %s: %v, want %v", structure, c.name, got, c.want)
		}
	}
}

func TestBedrock(t *testing.T) {
	enc := func(text string) string { return "ABS" + "K" + stdText([]byte(text)) }
	checkStructure(t, "aws-bedrock", []structureCase{
		{"right", enc("BedrockAPIKey-abcd-at-123456789012:" + strings.Repeat("s", 40)), true},
		{"without padding", strings.TrimRight(enc("BedrockAPIKey-abcd-at-123456789012:"+strings.Repeat("s", 41)), "="), true},
		{"no colon", enc("BedrockAPIKey-abcd-at-123456789012" + strings.Repeat("s", 40)), false},
		{"another name", enc("BedrockAPIkey-abcd-at-123456789012:" + strings.Repeat("s", 40)), false},
		{"a letter before", enc("xBedrockAPIKey-abcd:" + strings.Repeat("s", 40)), false},
		{"no base64", "ABSK" + "!!!!", false},
		{"cut in four", enc("BedrockAPIKey-a:ss")[:9], false},
		{"nothing", "", false},
	})
}

func TestFlyMacaroon(t *testing.T) {
	part := func(raw string) string {
		b, err := hex.DecodeString(raw)
		if err != nil {
			t.Fatal(err)
		}
		return "fm2_" + stdText(b)
	}
	good := part("9493c40101c40102c2a0" + "90" + "c40103")
	checkStructure(t, "fly-macaroon", []structureCase{
		{"right", good, true},
		{"with the scheme", "FlyV1 " + good, true},
		{"two", good + "," + good, true},
		{"a broken second", good + "," + good[:len(good)-6], false},
		{"an empty second", good + ",", false},
		{"a byte behind", part("9493c40101c40102c2a090c4010300"), false},
		{"a value less", part("9493c40101c40102c2a090"), false},
		{"an array of three", part("9393c40101c40102c2a090"), false},
		{"no array inside", part("9401c2a0c2a0c40103"), false},
		{"no underscore", strings.TrimPrefix(good, "fm2_"), false},
		{"no base64", "fm2_****", false},
		{"one byte", part("94"), false},
	})
}

func TestJFrog(t *testing.T) {
	enc := func(text string) string { return stdText([]byte(text)) }
	checkStructure(t, "jfrog-reference", []structureCase{
		{"right", enc("reftkn:01:1893456000:aB3dE5"), true},
		{"another name", enc("reftok:01:1893456000:aB3dE5"), false},
		{"one digit", enc("reftkn:1:1893456000:aB3dE5"), false},
		{"letters for digits", enc("reftkn:0x:1893456000:aB3dE5"), false},
		{"nine digits of time", enc("reftkn:01:189345600:aB3dE5"), false},
		{"a sign at the end", enc("reftkn:01:1893456000:aB3d+5"), false},
		{"a colon more", enc("reftkn:01:1893456000:aB3:E5"), false},
		{"nothing at the end", enc("reftkn:01:1893456000:"), false},
		{"three parts", enc("reftkn:01:1893456000"), false},
		{"no base64", "reftkn:01:1893456000:aB3dE5", false},
	})
	raw := bytes.Repeat([]byte{7}, 54)
	checkStructure(t, "jfrog-api-key", []structureCase{
		{"54 bytes", string(base58Encode(raw)), true},
		{"53 bytes", string(base58Encode(raw[:53])), false},
		{"55 bytes", string(base58Encode(append(raw, 7))), false},
		{"no base 58", strings.Repeat("0", 73), false},
		{"nothing", "", false},
	})
}

func TestNumberAndRandom(t *testing.T) {
	enc := func(number string, n int) string {
		return stdText(append([]byte(number), bytes.Repeat([]byte{0x55}, n)...))
	}
	checkStructure(t, "jira-dc", []structureCase{
		{"right", enc("123456789012:", 20), true},
		{"more random bytes", enc("123456789012:", 23), true},
		{"eleven digits", enc("12345678901:", 20), false},
		{"thirteen digits", enc("1234567890123:", 20), false},
		{"a letter", enc("12345678901x:", 20), false},
		{"nineteen random bytes", enc("123456789012:", 19), false},
		{"no colon", enc("123456789012", 20), false},
		{"no base64", "....", false},
	})
	checkStructure(t, "bitbucket-dc", []structureCase{
		{"one digit", "BBDC-" + enc("1:", 20), true},
		{"twelve digits", "BBDC-" + enc("123456789012:", 20), true},
		{"no digit", "BBDC-" + enc(":", 20), false},
		{"thirteen digits", "BBDC-" + enc("1234567890123:", 20), false},
	})
}

func TestSASSignature(t *testing.T) {
	text := stdText(bytes.Repeat([]byte{0xfb}, 32))
	checkStructure(t, "sas-signature", []structureCase{
		{"plain", text, true},
		{"without padding", strings.TrimRight(text, "="), true},
		{"encoded", strings.NewReplacer("+", "%2B", "/", "%2f", "=", "%3D").Replace(text), true},
		{"31 bytes", stdText(make([]byte, 31)), false},
		{"33 bytes", stdText(make([]byte, 33)), false},
		{"a cut escape", text[:40] + "%3", false},
		{"an escape of no digits", text[:40] + "%zz=", false},
		{"nothing", "", false},
	})
}

func TestJSONStructures(t *testing.T) {
	enc := func(text string) string { return stdText([]byte(text)) }
	checkStructure(t, "grafana-cloud", []structureCase{
		{"right", "glc_" + enc(`{"o":"1","n":"x","k":"y","m":{}}`), true},
		{"in another order", "glc_" + enc(`{"k":1,"o":2,"n":3}`), true},
		{"no key", "glc_" + enc(`{"o":"1","n":"x"}`), false},
		{"no object", "glc_" + enc(`["o","n","k"]`), false},
		{"cut", "glc_" + enc(`{"o":"1","n":"x","k":"y"`), false},
		{"null", "glc_" + enc(`null`), false},
		{"empty", "glc_", false},
	})
	checkStructure(t, "grafana-legacy", []structureCase{
		{"right", enc(`{"k":"x","n":"y","id":1}`), true},
		{"no id", enc(`{"k":"x","n":"y"}`), false},
		{"two documents", enc(`{"k":"x","n":"y","id":1}{}`), false},
	})
	checkStructure(t, "mapbox", []structureCase{
		{"right", "sk." + enc(`{"u":"me","a":"x"}`) + ".sig", true},
		{"no user", "sk." + enc(`{"a":"x"}`) + ".sig", false},
		{"an empty user", "sk." + enc(`{"u":"","a":"x"}`) + ".sig", false},
		{"a user that is a number", "sk." + enc(`{"u":1,"a":"x"}`) + ".sig", false},
		{"two parts", "sk." + enc(`{"u":"me","a":"x"}`), false},
		{"four parts", "sk." + enc(`{"u":"me","a":"x"}`) + ".sig.x", false},
	})
	checkStructure(t, "onepassword", []structureCase{
		{"all keys", "ops_" + enc(`{"signInAddress":1,"userAuth":1,"email":1,"srpX":1,"muk":1,"secretKey":1}`), true},
		{"four keys", "ops_" + enc(`{"signInAddress":1,"userAuth":1,"email":1,"srpX":1}`), true},
		{"three keys", "ops_" + enc(`{"signInAddress":1,"userAuth":1,"email":1}`), false},
		{"other keys", "ops_" + enc(`{"a":1,"b":1,"c":1,"d":1,"e":1}`), false},
	})
	checkStructure(t, "github-jwt", []structureCase{
		{"right", "ghs_12_" + string(jwtOf(`{"alg":"RS256"}`, `{"iss":"12"}`, strings.Repeat("A", 43))), true},
		{"no number", "ghs__" + string(jwtOf(`{"alg":"RS256"}`, `{"iss":"12"}`, strings.Repeat("A", 43))), false},
		{"letters", "ghs_1x_" + string(jwtOf(`{"alg":"RS256"}`, `{"iss":"12"}`, strings.Repeat("A", 43))), false},
		{"no token behind", "ghs_12_abc", false},
		{"two parts", "ghs_12", false},
	})
}

func TestSentryOrg(t *testing.T) {
	json := stdText([]byte(`{"iat":1,"url":"u","org":"o"}`))
	secret := strings.TrimRight(stdText(make([]byte, 32)), "=")
	checkStructure(t, "sentry-org", []structureCase{
		{"right", "sntrys_" + json + "_" + secret, true},
		{"no organization", "sntrys_" + stdText([]byte(`{"iat":1,"url":"u"}`)) + "_" + secret, false},
		{"31 bytes", "sntrys_" + json + "_" + secret[:42], false},
		{"no underscore", "sntrys_" + json + "x" + secret, false},
		{"a secret that is no base64", "sntrys_" + json + "_" + secret[:42] + "*", false},
		{"nothing before", "sntrys__" + secret, false},
		{"short", "sntrys_" + secret, false},
	})
}

func TestVaultBatch(t *testing.T) {
	enc := func(head ...byte) string { return "hvb." + urlText(append(head, make([]byte, 40)...)) }
	checkStructure(t, "vault-batch", []structureCase{
		{"version one", enc(0, 0, 0, 1, 1), true},
		{"version two", enc(0, 0, 0, 1, 2), true},
		{"version three", enc(0, 0, 0, 1, 3), false},
		{"version zero", enc(0, 0, 0, 1, 0), false},
		{"the second key", enc(0, 0, 0, 2, 1), false},
		{"as long as its frame", "hvb." + urlText(append([]byte{0, 0, 0, 1, 1}, make([]byte, 28)...)), false},
		{"a byte longer", "hvb." + urlText(append([]byte{0, 0, 0, 1, 1}, make([]byte, 29)...)), true},
		{"no base64", "hvb.*", false},
	})
}

// TestFrame reads fields that are there and fields that are not.
func TestFrame(t *testing.T) {
	f := frame{rest: []byte{2, 'a', 'b', 0x96, 0x01, 0}}
	if got := f.bytes(); string(got) != "ab" || f.bad {
		t.Errorf("bytes: %q, bad %v", got, f.bad)
	}
	if got := f.uvarint(); got != 150 || f.bad {
		t.Errorf("number: %d, bad %v", got, f.bad)
	}
	if got := f.bytes(); len(got) != 0 || f.bad || len(f.rest) != 0 {
		t.Errorf("no bytes: %q, bad %v", got, f.bad)
	}
	if f.uvarint(); !f.bad {
		t.Error("a number behind the end")
	}
	for _, raw := range []string{"\x03ab", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\xff\xff\x0f", "\xff"} {
		f := frame{rest: []byte(raw)}
		if got := f.bytes(); len(got) != 0 || !f.bad || f.uvarint() != 0 {
			t.Errorf("%q: %q, bad %v", raw, got, f.bad)
		}
	}
}

func TestProtobufFields(t *testing.T) {
	for raw, want := range map[string]bool{
		"": true, "\x08\x01": true, "\x12\x02ab": true, "\x08\x01\x12\x01a": true,
		"\x0d\x00\x00\x00\x00": false, "\x12\x03ab": false, "\x08": false, "\x0b": false,
	} {
		f := frame{rest: []byte(raw)}
		if got := f.fields(); got != want {
			t.Errorf("%q: %v, want %v", raw, got, want)
		}
	}
}

func TestCaskMarkSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(81, 82))
	for range 200 {
		token := makeCask(nil, r)
		if !caskStructure(token) {
			t.Fatalf("%d bytes: refused", len(token))
		}
		for _, bad := range [][]byte{token[1:], token[:len(token)-1], append(bytes.Clone(token), 'A'), bytes.Replace(token, []byte("QJJQ"), []byte("QJJR"), 1)} {
			if caskStructure(bad) {
				t.Fatalf("%d bytes: accepted as %d", len(token), len(bad))
			}
		}
	}
	if caskStructure([]byte(strings.Repeat("x", 44) + "QJJQAB@" + strings.Repeat("A", 1100))) {
		t.Error("a size below none")
	}
}

func TestUserinfo(t *testing.T) {
	const (
		deploy   = "https://deploy:"
		password = "v7Kq" + "Zt0Lw" + "Bf4Vn"
	)
	for _, c := range []struct {
		url  string
		want bool
	}{
		{deploy + password + "@git.acme.io", true},
		{deploy + password + "@GIT.ACME.IO.", true},
		{deploy + strings.ReplaceAll(password, "q", "%71") + "@git.acme.io", true},
		{deploy + password + "@a@git.acme.io", true}, // an @ in the password
		{"https://deploy@git.acme.io", false},
		{"deploy:" + password + "@git.acme.io", false},
		{deploy + password, false},
		{deploy + password + "@git", false},
		{deploy + password + "@127.0.0.2", false},
		{deploy + password + "@0.0.0.0", false},
		{deploy + password + "@10.0.0.1", true},
		{deploy + password + "@x.test", false},
		{deploy + password + "@contest.io", true},
		{deploy + password + "@your-host.io", false},
		{deploy + password + "@host.com", false},
		{deploy + password + "@ghost.com", true},
		{deploy + "%zz" + password + "@git.acme.io", false},
		{"https://" + password + ":" + password + "@git.acme.io", false},
		{deploy + "p4ssw0rd77@git.acme.io", false},
		{deploy + "abcdefghij@git.acme.io", false},   // letters only
		{deploy + "8675309112@git.acme.io", false},   // digits only
		{deploy + "aaaabbbb1111@git.acme.io", false}, // runs
		{deploy + password + "{x}@git.acme.io", false},
		{deploy + "$" + password + "@git.acme.io", false},
		{deploy + password + "secretword99@git.acme.io", true}, // long enough to hold a word
	} {
		if got := urlUserinfo([]byte(c.url)); got != c.want {
			t.Errorf("%s: %v, want %v", c.url, got, c.want)
		}
	}
}

func TestPlainLetters(t *testing.T) {
	for text, want := range map[string]string{"P@55W0RD!": "passwordi", "4b": "ab", "xyz": "xyz", "": ""} {
		if got := string(plainLetters([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestDecodeBase64(t *testing.T) {
	raw := []byte{0xfb, 0xff, 0xbe, 0x01}
	for _, text := range []string{"+/++AQ==", "+/++AQ", "-_--AQ", "-_--AQ==", "+/++AQ="} {
		if got, ok := decodeBase64([]byte(text)); !ok || !bytes.Equal(got, raw) {
			t.Errorf("%s: %x, %v", text, got, ok)
		}
	}
	for _, text := range []string{"+_++AQ", "A", "AB*=", "A=B=", "AAAA AAAA"} {
		if got, ok := decodeBase64([]byte(text)); ok {
			t.Errorf("%s decodes to %x", text, got)
		}
	}
}

// TestStructuresKeepTheirToken: none may change what it looks at, nor depend on
// what was behind it.
func TestStructuresKeepTheirToken(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(83, 84))
	for _, f := range formats {
		if f.Structure == "" {
			continue
		}
		token, err := Mint(f, r)
		if err != nil {
			t.Fatal(err)
		}
		check := structures()[f.Structure]
		room := append(bytes.Clone(token), bytes.Repeat([]byte("A"), 100)...)
		if !check(token) || !check(room[:len(token)]) {
			t.Errorf("%s: refused", f.ID)
		}
		if !bytes.Equal(room[:len(token)], token) || !bytes.Equal(room[len(token):], bytes.Repeat([]byte("A"), 100)) {
			t.Errorf("%s: changed", f.ID)
		}
	}
}

func TestStructureNamesAreKnown(t *testing.T) {
	for name := range makers() {
		if structures()[name] == nil {
			t.Errorf("%s is made, and no structure", name)
		}
	}
	f := Format{Pattern: "abcd_[a-z]{20}", Structure: "jwtx"}
	_, err := f.compileProof()
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(len(structures()))) && !strings.Contains(err.Error(), "vault-service") {
		t.Errorf("an unknown structure: %v", err)
	}
}
