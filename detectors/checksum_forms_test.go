package detectors

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// checksumFormats are the built-in formats with a checksum, prepared.
func checksumFormats(t *testing.T) []*Minter {
	t.Helper()
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var all []*Minter
	for _, f := range formats {
		if f.Checksum == nil {
			continue
		}
		m, err := NewMinter(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// weak says how many bits a format's sum has when they are few.
func weak(c *Checksum) bool { return c.Family == "xor" || c.Family == "marvin32" }

// TestSumsSeeEveryBodyCharacter changes each character of the bodies in turn:
// what a sum covers, and the sum itself, must be seen, but for the few
// characters that a family leaves out or that chance lets through.
func TestSumsSeeEveryBodyCharacter(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	for _, m := range checksumFormats(t) {
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		body := m.proof.body(token)
		unseen := 0
		for i := len(token) - len(body); i < len(token); i++ {
			bad := bytes.Clone(token)
			for bad[i] == token[i] {
				bad[i] = sibling(bad[i], r)
				if bad[i] == token[i] && strings.IndexByte(digits+lower+upper, bad[i]) < 0 {
					break // a sign has no sibling
				}
			}
			if bad[i] != token[i] && m.proof.sum.holds(bad) {
				unseen++
			}
		}
		most := len(body) / 4
		if weak(m.f.Checksum) {
			most = len(body) / 3
		}
		if unseen > most {
			t.Errorf("%s: %d of %d changes are not seen", m.f.ID, unseen, len(body))
		}
	}
}

// TestSumsOfOtherLengths takes characters off tokens and adds some.
func TestSumsOfOtherLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(93, 94))
	for _, m := range checksumFormats(t) {
		held := 0
		for range 20 {
			token, err := m.Mint(r)
			if err != nil {
				t.Fatal(err)
			}
			others := [][]byte{token[:len(token)/2], nil}
			if c := m.f.Checksum; c.After == "" && c.Family != "xata" { // else the prefix is not looked at
				others = append(others, token[1:], append([]byte("a"), token...))
			}
			if m.f.Checksum.At == "" { // else the sum is not at the end
				others = append(others, token[:len(token)-1], append(bytes.Clone(token), 'a'))
			}
			for _, bad := range others {
				if m.proof.sum.holds(bad) {
					held++
				}
			}
		}
		most := 0
		if weak(m.f.Checksum) {
			most = 12 // of 120, by chance
		}
		if held > most {
			t.Errorf("%s: %d tokens of other lengths hold", m.f.ID, held)
		}
	}
}

// TestSealRestores: a broken sum is put right by sealing, and nothing else is
// changed.
func TestSealRestores(t *testing.T) {
	r := rand.New(rand.NewPCG(95, 96))
	for _, m := range checksumFormats(t) {
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		near, ok := m.NearMiss(token, r)
		if !ok {
			t.Errorf("%s: no near miss", m.f.ID)
			continue
		}
		sealed := bytes.Clone(near)
		if !m.proof.sum.seal(sealed) || !m.proof.sum.holds(sealed) {
			t.Errorf("%s: sealing does not restore the sum", m.f.ID)
		}
		if len(sealed) != len(near) {
			t.Errorf("%s: sealing changes the length", m.f.ID)
		}
	}
}

// TestHoldsKeepsItsToken: testing a sum changes nothing.
func TestHoldsKeepsItsToken(t *testing.T) {
	r := rand.New(rand.NewPCG(97, 98))
	for _, m := range checksumFormats(t) {
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		keep := bytes.Clone(token)
		m.proof.sum.holds(token)
		m.proof.sum.holds(token[:len(token)-1])
		if !bytes.Equal(token, keep) {
			t.Errorf("%s: changed", m.f.ID)
		}
	}
}

// TestChecksumErrors: what is wrong with a declaration is said.
func TestChecksumErrors(t *testing.T) {
	good := Checksum{Family: "crc32", Cover: "4:-6", Encoding: "base62", Digits: 6}
	for _, c := range []struct {
		name string
		edit func(c *Checksum)
		want string
	}{
		{"no family", func(c *Checksum) { c.Family = "" }, `family ""`},
		{"unknown family", func(c *Checksum) { c.Family = "md5" }, "azure-devops-legacy"},
		{"a long family", func(c *Checksum) { c.Family = strings.Repeat("x", 100) }, "..."},
		{"no cover", func(c *Checksum) { c.Cover = "" }, `cover must be "from:to"`},
		{"a cover of one number", func(c *Checksum) { c.Cover = "4" }, `cover must be "from:to"`},
		{"a cover of letters", func(c *Checksum) { c.Cover = "a:b" }, `cover must be "from:to"`},
		{"a cover out of range", func(c *Checksum) { c.Cover = "4:70000" }, `cover must be "from:to"`},
		{"a negative cover out of range", func(c *Checksum) { c.Cover = "-70000:" }, `cover must be "from:to"`},
		{"a bad place", func(c *Checksum) { c.At = "x:" }, `at must be "from:to"`},
		{"no digits", func(c *Checksum) { c.Digits = 0 }, "digits must be 1 to 64"},
		{"negative digits", func(c *Checksum) { c.Digits = -1 }, "digits must be 1 to 64"},
		{"too many digits", func(c *Checksum) { c.Digits = 65 }, "digits must be 1 to 64"},
		{"unknown order", func(c *Checksum) { c.Order = "middle" }, "order must be"},
		{"an order of a digest", func(c *Checksum) { c.Family, c.Order, c.Encoding = "sha256", "little", "hex" }, "order is for sums of 32 bits"},
		{"no encoding", func(c *Checksum) { c.Encoding = "" }, "encoding must be"},
		{"unknown encoding", func(c *Checksum) { c.Encoding = "base61" }, "base36"},
		{"a digest in base 62", func(c *Checksum) { c.Family = "sha256" }, "sha256 needs encoding"},
		{"base 66 without an alphabet", func(c *Checksum) { c.Encoding = "base66" }, "alphabet must have"},
		{"an alphabet of one", func(c *Checksum) { c.Alphabet = "a" }, "alphabet must have"},
		{"an alphabet of too many", func(c *Checksum) { c.Alphabet = strings.Repeat("ab", 60) }, "alphabet must have"},
		{"a digit twice", func(c *Checksum) { c.Alphabet = "abca" }, "different printable"},
		{"a blank", func(c *Checksum) { c.Alphabet = "ab c" }, "different printable"},
		{"a letter beyond ASCII", func(c *Checksum) { c.Alphabet = "ab\xe9" }, "different printable"},
		{"a keyed sum without keys", func(c *Checksum) { c.Family = "marvin32" }, "seeds must have 1"},
		{"a short key", func(c *Checksum) { c.Family, c.Seeds = "marvin32", []string{"1234567"} }, "eight characters"},
		{"too many keys", func(c *Checksum) { c.Family, c.Seeds = "marvin32", make([]string, maxList+1) }, "seeds must have 1"},
		{"a key's encoding", func(c *Checksum) { c.Family, c.Seeds, c.Encoding = "marvin32-key", []string{"12345678"}, "hex" }, "base64 or base64url"},
		{"a key's variant", func(c *Checksum) {
			c.Family, c.Seeds, c.Encoding, c.Variant = "marvin32-key", []string{"12345678"}, "", "turned"
		}, `"swapped" or nothing`},
		{"a key without keys", func(c *Checksum) { c.Family, c.Encoding = "marvin32-key", "" }, "seeds must have 1"},
	} {
		sum := good
		c.edit(&sum)
		if _, err := sum.compile(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := good.compile(); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

// TestTextSumLayouts: a token that has no room for its sum does not hold, and
// is not sealed.
func TestTextSumLayouts(t *testing.T) {
	for _, c := range []struct {
		name   string
		sum    Checksum
		tokens []string
	}{
		{"at the end", Checksum{Family: "crc32", Cover: "4:-6", Encoding: "base62", Digits: 6}, []string{"", "abc", "abcdefghi"}},
		{"at a place", Checksum{Family: "crc32", Cover: "8:", At: "0:8", Encoding: "hex", Digits: 8}, []string{"", "1234567"}},
		{"a place of another size", Checksum{Family: "crc32", Cover: "9:", At: "0:9", Encoding: "hex", Digits: 8}, []string{"123456789abc"}},
		{"behind a mark that is missing", Checksum{Family: "crc32", Cover: ":-8", After: "_", Encoding: "hex", Digits: 8}, []string{"abcdefghijklmnop"}},
		{"over itself", Checksum{Family: "crc32", Cover: ":", Encoding: "hex", Digits: 8}, []string{"abcdefghijklmnop"}},
		{"longer than the sum", Checksum{Family: "crc32", Cover: ":-9", Encoding: "hex", Digits: 9}, []string{"abcdefghijklmnop"}},
	} {
		s, err := c.sum.compile()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, token := range c.tokens {
			b := []byte(token)
			if s.holds(b) {
				t.Errorf("%s, %d bytes: holds", c.name, len(token))
			}
			if s.seal(b) {
				t.Errorf("%s, %d bytes: sealed", c.name, len(token))
			}
		}
	}
}

// TestPositional: numbers in any base, cut off in front.
func TestPositional(t *testing.T) {
	for _, c := range []struct {
		raw      []byte
		alphabet string
		width    int
		want     string
	}{
		{[]byte{0}, base62, 3, "000"}, {[]byte{61}, base62, 2, "0z"}, {[]byte{62}, base62, 2, "10"},
		{[]byte{0xff, 0xff, 0xff, 0xff}, base62, 6, "4gfFC3"}, {[]byte{1, 0}, "01", 9, "100000000"},
		{[]byte{1, 0}, "01", 8, "00000000"}, {[]byte{255}, "ab", 4, "bbbb"}, {[]byte{35}, base36, 1, "z"}, {nil, base62, 2, "00"},
	} {
		if got := string(positional(c.raw, c.alphabet, c.width)); got != c.want {
			t.Errorf("%x in base %d: %s, want %s", c.raw, len(c.alphabet), got, c.want)
		}
	}
}

func TestPartEnds(t *testing.T) {
	for text, want := range map[string]bool{
		":": true, "1:2": true, "-1:": true, ":-1": true, "-5:-2": true, "0:0": true,
		"": false, "1": false, "1:2:3": false, "a:": false, ":a": false, "1.5:": false, "65537:": false, ":-65537": false, " 1:": false,
	} {
		if _, err := compilePart("cover", text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{`a\=b`: "a=b", "a%3Db": "a=b", "a%3db": "a=b", `\=%3D\=`: "===", `a\b`: `a\b`, "": ""} {
		if got := string(unescape([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestNkeyLayouts: NATS' keys have one length and one alphabet.
func TestNkeyLayouts(t *testing.T) {
	key := []byte("S" + strings.Repeat("A", 57))
	if !(nkeySum{}).seal(key) || !(nkeySum{}).holds(key) {
		t.Fatal("not sealed")
	}
	for i := range key {
		bad := bytes.Clone(key)
		if bad[i] = 'A'; key[i] == 'A' {
			bad[i] = 'Q'
		}
		if (nkeySum{}).holds(bad) {
			t.Errorf("holds with another at %d", i)
		}
	}
	for _, bad := range []string{"", strings.Repeat("A", 57), strings.Repeat("A", 59), strings.Repeat("1", 58), strings.ToLower(string(key))} {
		if (nkeySum{}).holds([]byte(bad)) || (nkeySum{}).seal([]byte(bad)) {
			t.Errorf("%d characters: holds or is sealed", len(bad))
		}
	}
}

// TestADOLayouts: the last of 52 characters holds one bit only.
func TestADOLayouts(t *testing.T) {
	token := []byte(strings.Repeat("b", 51) + "a")
	if !(adoSum{}).seal(token) || !(adoSum{}).holds(token) {
		t.Fatal("not sealed")
	}
	application := bytes.Clone(token)
	raw, _ := adoDecode(application)
	sum := adoStored(&raw) ^ adoUser ^ adoApplication
	raw[2], raw[7], raw[8], raw[22] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
	adoEncoding.Encode(application, raw[:])
	if !(adoSum{}).holds(application) || bytes.Equal(application, token) {
		t.Error("an application's token does not hold")
	}
	for _, bad := range []string{"", strings.Repeat("b", 52), strings.Repeat("b", 50) + "a", strings.Repeat("b", 52) + "a", strings.Repeat("1", 51) + "a", strings.ToUpper(string(token))} {
		if (adoSum{}).holds([]byte(bad)) || (adoSum{}).seal([]byte(bad)) {
			t.Errorf("%d characters: holds or is sealed", len(bad))
		}
	}
}

// TestCaskLayouts: 84 or 88 characters, of base64.
func TestCaskLayouts(t *testing.T) {
	for _, n := range []int{0, 80, 83, 85, 86, 87, 89} {
		token := []byte(strings.Repeat("A", n))
		if (caskSum{}).holds(token) || (caskSum{}).seal(token) {
			t.Errorf("%d characters: holds or is sealed", n)
		}
	}
	bad := []byte(strings.Repeat("A", 79) + "!" + "AAAA")
	if (caskSum{}).holds(bad) || (caskSum{}).seal(bad) {
		t.Error("no base64: holds or is sealed")
	}
}

// TestBech32Cases: mixed case is not refused, since issuers print keys in one.
func TestBech32Cases(t *testing.T) {
	token := []byte("age1" + strings.Repeat("q", 20) + strings.Repeat("p", 6))
	if !(bech32Sum{}).seal(token) || !(bech32Sum{}).holds(token) {
		t.Fatal("not sealed")
	}
	if up := bytes.ToUpper(token); !(bech32Sum{}).holds(up) {
		t.Error("capitals do not hold")
	}
	for i := range token {
		bad := bytes.Clone(token)
		if bad[i] = 'q'; token[i] == 'q' {
			bad[i] = 'z'
		}
		if (bech32Sum{}).holds(bad) {
			t.Errorf("holds with another at %d", i)
		}
	}
	if (bech32Sum{}).holds([]byte(strings.Repeat("q", 1100) + "1qqqqqq")) {
		t.Error("1,107 characters hold")
	}
}
