package detectors

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// jwtOf joins a token from a header and claims in clear.
func jwtOf(header, claims, signature string) []byte {
	return []byte(urlText([]byte(header)) + "." + urlText([]byte(claims)) + "." + signature)
}

func TestJWT(t *testing.T) {
	signature := urlText([]byte("0123456789abcdef0123456789abcdef"))
	for _, c := range []struct {
		name           string
		header, claims string
		signature      string
		want           bool
	}{
		{"signed", `{"alg":"HS256","typ":"JWT"}`, `{"sub":"1"}`, signature, true},
		{"spaced", `{ "alg" : "ES256" }`, `{ }`, signature, true},
		{"not signed", `{"alg":"none"}`, `{"sub":"1"}`, signature, false},
		{"no algorithm", `{"typ":"JWT"}`, `{"sub":"1"}`, signature, false},
		{"algorithm no text", `{"alg":1}`, `{"sub":"1"}`, signature, false},
		{"header no object", `["alg"]`, `{"sub":"1"}`, signature, false},
		{"claims no object", `{"alg":"HS256"}`, `"text"`, signature, false},
		{"claims cut", `{"alg":"HS256"}`, `{"sub":`, signature, false},
		{"signature short", `{"alg":"HS256"}`, `{"sub":"1"}`, "AAAA", false},
		{"signature no base64", `{"alg":"HS256"}`, `{"sub":"1"}`, signature + "*", false},
		{"null", `null`, `null`, signature, false},
	} {
		if got := isJWT(jwtOf(c.header, c.claims, c.signature)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAzureDevOpsJWT(t *testing.T) {
	const resource = "499b84ac-1321-427f-aa17-267ca6975798"
	for claims, want := range map[string]bool{
		`{"aud":"` + resource + `"}`:                 true,
		`{"aud":"https://` + resource + `"}`:         true,
		`{"iss":"app.vstoken.visualstudio.com"}`:     true,
		`{"aud":"00000000-0000-0000-0000-00000000"}`: false,
		`{"aud":["` + resource + `"]}`:               false,
		`{}`:                                         false,
	} {
		if got := azureDevOpsJWT(jwtOf(`{"alg":"RS256"}`, claims, strings.Repeat("A", 43))); got != want {
			t.Errorf("%s: %v, want %v", claims, got, want)
		}
	}
}

// TestMintedStructures is the inverse: what makers make, structures accept, and
// none accepts what another's maker made.
func TestMintedStructures(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	byStructure := map[string][]byte{}
	r := rand.New(rand.NewPCG(31, 32))
	for _, f := range formats {
		if f.Structure == "" {
			continue
		}
		token, err := Mint(f, r)
		if err != nil {
			t.Fatal(err)
		}
		byStructure[f.Structure] = token
	}
	for name := range structures() {
		if byStructure[name] == nil {
			t.Errorf("no built-in format has structure %s", name)
		}
	}
	related := []string{"jwt", "azure-devops-jwt", "aws-key-id", "jira-dc", "bitbucket-dc"}
	for name, check := range structures() {
		for other, token := range byStructure {
			if name == other && !check(token) {
				t.Errorf("%s: refuses its own", name)
			}
			if name != other && check(token) && !slices.Contains(related, name) {
				t.Errorf("%s: accepts a token of %s", name, other)
			}
		}
	}
}

// TestPyPIFrame changes the frame byte by byte: whatever is not random must be
// as it is.
func TestPyPIFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	raw, ok := decodeBase64(bytes.TrimPrefix(makePyPI(nil, r), []byte("pypi-")))
	if !ok {
		t.Fatal("does not decode")
	}
	frame := []int{0, 1, 2, 3, 10, 11, 12, 49, 50, 51, len(raw) - 35, len(raw) - 34, len(raw) - 33}
	for _, i := range frame {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x15
		if isPyPI([]byte("pypi-" + urlText(bad))) {
			t.Errorf("byte %d of the frame changed, and accepted", i)
		}
	}
	for n := range raw {
		if isPyPI([]byte("pypi-" + urlText(raw[:n]))) {
			t.Errorf("cut to %d of %d bytes, and accepted", n, len(raw))
		}
	}
	if isPyPI([]byte("pypi-" + urlText(append(raw, 0)))) {
		t.Error("a byte more, and accepted")
	}
}

func TestVaultFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	raw, ok := decodeBase64(bytes.TrimPrefix(makeVaultService(nil, r), []byte("hvs.")))
	if !ok {
		t.Fatal("does not decode")
	}
	for _, i := range []int{0, 1, 2, 3, 36, 37, 38, 39, 40, 43} {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x15
		if vaultService([]byte("hvs." + urlText(bad))) {
			t.Errorf("byte %d of the frame changed, and accepted", i)
		}
	}
}

func TestGitLabRoutable(t *testing.T) {
	token := func(random int, lines string, length byte, stated int) []byte {
		raw := append(make([]byte, random), lines...)
		payload := urlText(append(raw, length))
		if stated < 0 {
			stated = len(payload)
		}
		return fmt.Appendf(nil, "glpat-%s.01.%s0000000", payload, positional([]byte{byte(stated)}, base36, 2))
	}
	for _, c := range []struct {
		name   string
		random int
		lines  string
		length byte
		stated int
		want   bool
	}{
		{"right", 16, "o:1\nu:2", 7, -1, true},
		{"all keys", 16, "c:1\ng:2\no:3\np:4\nu:5", 19, -1, true},
		{"no organization", 16, "u:2", 3, -1, false},
		{"unknown key", 16, "o:1\nx:2", 7, -1, false},
		{"value not base 36", 16, "o:1\nu:_", 7, -1, false},
		{"no value", 16, "o:", 2, -1, false},
		{"wrong length byte", 16, "o:1\nu:2", 8, -1, false},
		{"wrong stated length", 16, "o:1\nu:2", 7, 31, false},
		{"fifteen random bytes", 15, "o:1\nu:2", 7, -1, false},
	} {
		if got := gitlabRoutable(token(c.random, c.lines, c.length, c.stated)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAWSKeyID(t *testing.T) {
	id := hidden(t, "QkRVVlEzSkZLSURaVVBaUkFJS0E=") // account 123456789012
	if !awsKeyID(id) {
		t.Error("refused")
	}
	for _, c := range []struct {
		name, body string
		want       bool
	}{
		{"older, without an account", "IQ2W7ZLB4KXMEN3P", true},
		{"an account of thirteen digits", "7777777777777777", false},
		{"no base 32", "R018R018R018R018", false},
		{"short", "RZ", false},
	} {
		if got := awsKeyID([]byte("AK" + "IA" + c.body)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDiscord(t *testing.T) {
	for id, want := range map[string]bool{
		"12345678901234567": true, "123456789012345678": true, "12345678901234567890": true,
		"1234567890123456": false, "123456789012345678901": false, "1234567890123456x": false,
	} {
		if got := discord([]byte(urlText([]byte(id)) + ".GabcdE." + strings.Repeat("a", 38))); got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if discord([]byte("no dot")) {
		t.Error("accepted without a dot")
	}
}

func TestCaskSizes(t *testing.T) {
	head := strings.Repeat("x", 43) + "AQJJQA"
	for _, c := range []struct {
		name, token string
		want        bool
	}{
		{"one unit of data", head + "BBMTEST" + "ABCD" + "AAAAAAAA", true},
		{"none", head + "BAMTEST" + "AAAAAAAA", true},
		{"states two units", head + "BCMTEST" + "ABCD" + "AAAAAAAA", false},
		{"states the longer secret", head + "CBMTEST" + "ABCD" + "AAAAAAAA", false},
		{"cut", head, false},
	} {
		if got := caskStructure([]byte(c.token)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMessagePack(t *testing.T) {
	for _, c := range []struct {
		raw  string // hex
		want bool
	}{
		{"00", true}, {"ff", true}, {"c0", true}, {"cd0102", true}, {"cf0102030405060708", true},
		{"92" + "01" + "a161", true}, {"81" + "a16b" + "01", true}, {"c40101", true}, {"dc000101", true}, {"de00010102", true},
		{"92" + "01", false}, {"c402" + "01", false}, {"c1", false}, {"", false}, {"dcffff", false}, {"c6ffffffff", false},
		{strings.Repeat("91", 5000), false},
	} {
		raw, err := hex.DecodeString(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := skipMessagePack(raw, 1); ok && len(rest) == 0 != c.want || !ok && c.want {
			t.Errorf("%.20s: %v, want %v", c.raw, ok, c.want)
		}
	}
}

func TestUnpercent(t *testing.T) {
	for text, want := range map[string]string{"a%2Bb": "a+b", "%3d": "=", "plain": "plain", "": ""} {
		if got, ok := unpercent([]byte(text)); !ok || string(got) != want {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"%", "%2", "%zz", "a%2"} {
		if _, ok := unpercent([]byte(text)); ok {
			t.Errorf("%q decodes", text)
		}
	}
}

// FuzzStructures gives every structure the same bytes, bare and behind the
// prefix of its tokens: none may panic or change them.
func FuzzStructures(f *testing.F) {
	r := rand.New(rand.NewPCG(39, 40))
	formats, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range formats {
		if x.Structure == "" {
			continue
		}
		token, err := Mint(x, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		if len(token) > 1<<16 {
			return
		}
		keep := bytes.Clone(token)
		for name, check := range structures() {
			check(token)
			if !bytes.Equal(token, keep) {
				t.Fatalf("%s changed the token", name)
			}
		}
		// Behind their prefixes, so that what they decode is reached.
		raw := urlText(token)
		for _, prefix := range []string{"pypi-", "hvs.", "hvb.", "glc_", "ops_", "sntrys_", "glpat-", "ABSK", "BBDC-", "fm2_"} {
			for _, check := range structures() {
				check([]byte(prefix + raw))
			}
		}
	})
}

// FuzzSums gives every family the same bytes: none may panic, and what is
// sealed must hold.
func FuzzSums(f *testing.F) {
	formats, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(41, 42))
	sums := map[string]sum{}
	for _, x := range formats {
		if x.Checksum == nil {
			continue
		}
		token, err := Mint(x, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		if sums[x.ID], err = x.Checksum.compile(); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		if len(token) > 1<<16 {
			return
		}
		for id, s := range sums {
			s.holds(token)
			sealed := bytes.Clone(token)
			if s.seal(sealed) && !s.holds(sealed) {
				t.Fatalf("%s: sealed, and does not hold", id)
			}
		}
	})
}
