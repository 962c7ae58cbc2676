package detectors

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// hidden decodes what stands encoded here so that no token stands in clear.
func hidden(t *testing.T, b64rev string) []byte {
	t.Helper()
	b, err := Vector{B64Rev: b64rev}.Token()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestMarvin32 is the table that SymCrypt's and .NET's own tests publish.
func TestMarvin32(t *testing.T) {
	for _, c := range []struct {
		seed   uint64
		data   string // hex
		long   uint64
		folded uint32
	}{
		{0xd53cd9cecd0893b7, hex.EncodeToString([]byte("abc")), 0x22c74339492769bf, 0x6be02a86},
		{0x0ddddeeeeffff000, hex.EncodeToString([]byte("abcdefghijklmnopqrstuvwxyz")), 0xa128eb7e7260aca2, 0xd34847dc},
		{0x004fb61a001bdbcc, "", 0x30ed35c100cd3c7d, 0x302009bc},
		{0x004fb61a001bdbcc, "af", 0x48e73fc77d75ddc1, 0x3592e206},
		{0x004fb61a001bdbcc, "e70f", 0xb5f6e1fc485dbff8, 0xfdab5e04},
		{0x004fb61a001bdbcc, "37f495", 0xf0b07c789b8cf7e8, 0x6b3c8b90},
		{0x804fb61a001bdbcc, "8642dc59", 0x36289d9654fb49f6, 0x62d3d460},
		{0x804fb61a001bdbcc, "153fb79826", 0x0a06114b13464dbd, 0x19405cf6},
		{0x804fb61a801bdbcc, "00ff00ff00ff00", 0x71876f2efb1b0ee8, 0x8a9c61c6},
	} {
		data, err := hex.DecodeString(c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got := marvin32(data, c.seed); got != c.long || fold(got) != c.folded {
			t.Errorf("%s: %#x, folded %#x; want %#x, %#x", c.data, got, fold(got), c.long, c.folded)
		}
	}
}

func TestSeeds(t *testing.T) {
	seeds, err := compileSeeds([]string{"Default0"})
	if err != nil || seeds[0] != caskSeed {
		t.Errorf("Default0: %#x, %v", seeds, err)
	}
}

// TestADOWorked is the worked example of the issuer's algorithm, step by step.
func TestADOWorked(t *testing.T) {
	token := hidden(t, "YXYyc3lhN2NlZmI3dXV2NnR6d3ZrZmIzNW90bTN0a3Fsa3ZqeWsyNHUyN2ljeHllc29veA==")
	raw, ok := adoDecode(token)
	if !ok {
		t.Fatal("does not decode")
	}
	const payload = "bb9d62e247f5584d54b82a7b64dddd84aaadb35694f84a417c1896aa"
	if got := hex.EncodeToString(adoPayload(&raw)); got != payload {
		t.Errorf("payload %s", got)
	}
	if got := adoStored(&raw); got != 0x224e693f {
		t.Errorf("stored sum %#x", got)
	}
	if !(adoSum{}).holds(token) {
		t.Error("does not hold")
	}
	for _, last := range []byte("b7z") {
		bad := bytes.Clone(token)
		bad[len(bad)-1] = last
		if (adoSum{}).holds(bad) {
			t.Errorf("holds with %q at the end", last)
		}
	}
}

// TestCaskForms has sums with zero bytes in front, which take leading zeros.
func TestCaskForms(t *testing.T) {
	for _, c := range []struct{ sum, want string }{
		{"00000000", "000000"}, {"00000001", "000100"}, {"000000ff", "000470"},
		{"ffffffff", "4gfFC3"}, {"0000003d", "000z00"}, {"00ffffff", "018OWF"},
	} {
		sum, err := hex.DecodeString(c.sum)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(caskText(sum)); got != c.want {
			t.Errorf("%s: %q; want %q", c.sum, got, c.want)
		}
		if padded := caskPadded(caskText(sum)); len(padded) != 8 || !bytes.HasSuffix(padded, []byte("==")) {
			t.Errorf("%s: padded %q", c.sum, padded)
		}
	}
}

// TestCaskAccepts has each of the forms that the issuer's validator accepts.
func TestCaskAccepts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	head := randomText(r, 52, base62) + "JQQJ99BF" + "ACAAAAAAAAAAAAAS" + "AZDO"
	for _, n := range []int{caskShort, caskLong} {
		token := []byte(head + strings.Repeat("0", n-caskCover))
		if !(caskSum{}).seal(token) || !(caskSum{}).holds(token) {
			t.Errorf("%d characters: sealed, and does not hold", n)
		}
		sum, _ := caskOf(token)
		older := base64.StdEncoding.EncodeToString(sum)
		if plain := []byte(head + older[:n-caskCover]); !(caskSum{}).holds(plain) {
			t.Errorf("%d characters: the older encoding does not hold", n)
		}
	}
}

// TestSwappedKey has the form of Redis' keys whose text lost its signs.
func TestSwappedKey(t *testing.T) {
	s, err := (&Checksum{Family: "marvin32-key", Seeds: []string{"Access00"}, Variant: "swapped"}).compile()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(8, 9))
	swapped := 0
	for range 200 {
		key := []byte(randomText(r, 33, base62) + "AzCaA" + "AAAAA=")
		if !s.seal(key) || !s.holds(key) {
			t.Fatal("a sealed key does not hold")
		}
		if !bytes.ContainsAny(key, "+/") {
			continue
		}
		swapped++
		text := bytes.ReplaceAll(bytes.ReplaceAll(key, []byte("+"), []byte("P")), []byte("/"), []byte("F"))
		if !s.holds(text) {
			t.Error("the swapped form does not hold")
		}
		text[5] = sibling(text[5]+1, r)
		if bytes.Equal(text[5:6], key[5:6]) {
			continue
		}
		if s.holds(text) {
			t.Error("the swapped form holds with another body")
		}
	}
	if swapped == 0 {
		t.Error("no key had a sign in its sum")
	}
}

// TestBech32 has the examples of BIP-173.
func TestBech32(t *testing.T) {
	valid := []string{"A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"}
	for _, s := range valid {
		if !(bech32Sum{}).holds([]byte(s)) {
			t.Errorf("%s does not hold", s)
		}
		sealed := []byte(s[:len(s)-6] + strings.Repeat("q", 6))
		if s == strings.ToUpper(s) {
			sealed = bytes.ToUpper(sealed)
		}
		if !(bech32Sum{}).seal(sealed) || string(sealed) != s {
			t.Errorf("%s: sealed as %s", s, sealed)
		}
	}
	for _, s := range []string{"A1G7SGD8", "10a06t8", "1qzzfhee", "pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "a1", ""} {
		if (bech32Sum{}).holds([]byte(s)) {
			t.Errorf("%s holds", s)
		}
	}
}

// TestBase58Check has keys that specifications publish.
func TestBase58Check(t *testing.T) {
	for _, b64rev := range []string{
		"aUhQTXJ4Qkd1eTMza2dKZUJSdEdUM1VOTlJNamVrNUZuTDZndFVXeEpHUG1LTnZ2VmtoQ2lqcVBQajNxYzZ5UGJ0czRrUm4yV24yRFVKdzNLRUg3RjJ3WEw0TERUUTNLMzQxSFFyWjEyczl2cnB4",
		"SlR5dkxUYnZxVlRodmoxWmQ0ZHlaZXFGa000dWtEQjVEdVBpeFhFeGpNcjhVR0NldUg1",
		"NzE2ODlQdll3SnhaMVVHSkwyQnZZcGlWdlpwbWtKN1NIUzVpdWVqbmFZcmVtR2pBTWR3Sw==",
	} {
		key := hidden(t, b64rev)
		if !(base58Sum{}).holds(key) {
			t.Errorf("%d characters: does not hold", len(key))
		}
		for i := range key {
			bad := bytes.Clone(key)
			bad[i] = base58[(strings.IndexByte(base58, bad[i])+1)%58]
			if (base58Sum{}).holds(bad) {
				t.Errorf("%d characters: holds with another at %d", len(key), i)
			}
		}
	}
}

func TestBase58RoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 11))
	for n := range 80 {
		raw := randomBytes(r, n)
		if n > 2 && n%3 == 0 {
			raw[0], raw[1] = 0, 0
		}
		got, ok := base58Decode(base58Encode(raw))
		if n > 0 && (!ok || !bytes.Equal(got, raw)) {
			t.Errorf("%d bytes: %x, %v", n, got, ok)
		}
	}
	for _, s := range []string{"", "0", "O", "I", "l", "a b", strings.Repeat("z", 129)} {
		if _, ok := base58Decode([]byte(s)); ok {
			t.Errorf("%q decodes", s)
		}
	}
}

// TestXata has keys of the issuer's own encoder, some with bodies of many
// zeros or ones, which take the short values.
func TestXata(t *testing.T) {
	x := xataSum{after: "_"}
	for _, b64rev := range []string{
		"VlFkaDEzWjRKZ01pWk1acndMUm42T2lFR2lSakpUVGtfdWF4",
		"MDBmSElCbFE4SDZOWTZxb1hRMjJvRHJ1VUdmdEdnY2hWX3VheA==",
		"M3Z2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ1TXNMc0lfb2F4",
	} {
		key := hidden(t, b64rev)
		if !x.holds(key) {
			t.Errorf("%d characters: does not hold", len(key))
		}
		raw, _ := xataDecode(key[4:])
		if got := xataEncode(raw[:]); !bytes.Equal(got, key[4:]) {
			t.Errorf("%d characters: encoded again as %d", len(key[4:]), len(got))
		}
	}
	r := rand.New(rand.NewPCG(12, 13))
	for range 1000 {
		raw := randomBytes(r, xataBytes)
		got, ok := xataDecode(xataEncode(raw))
		if !ok || !bytes.Equal(got[:], raw) {
			t.Fatalf("%x: back as %x, %v", raw, got, ok)
		}
	}
}

// TestTextSums checks sums of text against values worked out by hand or taken
// from the standards' check values.
func TestTextSums(t *testing.T) {
	for _, c := range []struct {
		name string
		sum  Checksum
		text string // what stands before the sum
		want string
	}{
		{"crc32 hex", Checksum{Family: "crc32", Cover: ":-8", Encoding: "hex", Digits: 8}, "123456789", "cbf43926"},
		{"crc32 HEX", Checksum{Family: "crc32", Cover: ":-8", Encoding: "HEX", Digits: 8}, "123456789", "CBF43926"},
		{"crc32 little", Checksum{Family: "crc32", Cover: ":-8", Encoding: "hex", Digits: 8, Order: "little"}, "123456789", "2639f4cb"},
		{"crc32c", Checksum{Family: "crc32c", Cover: ":-8", Encoding: "hex", Digits: 8}, "123456789", "e3069283"},
		{"adler32", Checksum{Family: "adler32", Cover: ":-8", Encoding: "hex", Digits: 8}, "Wikipedia", "11e60398"},
		{"after", Checksum{Family: "crc32", Cover: ":-8", After: "_", Encoding: "hex", Digits: 8}, "pre_123456789", "cbf43926"},
		{"prefix", Checksum{Family: "crc32", Cover: "2:-8", Prefix: "123", Encoding: "hex", Digits: 8}, "xx456789", "cbf43926"},
		{"base62", Checksum{Family: "crc32", Cover: "4:-6", Encoding: "base62", Digits: 6}, "pfx_0123456789ABCDEFGHIJabcdefghij", "4Us3aw"},
		{"base62, padded", Checksum{Family: "crc32", Cover: ":-6", Encoding: "base62", Digits: 6}, "000000000000000000000000000405", "00azb7"},
		{"base36", Checksum{Family: "crc32", Cover: ":-7", Encoding: "base36", Digits: 7}, "123456789", "1kl8mjq"},
		{"base64 little", Checksum{Family: "crc32", Cover: ":-6", Encoding: "base64", Digits: 6, Order: "little"}, "123456789", "Jjn0yw"},
		{"xor", Checksum{Family: "xor", Cover: ":-1", Encoding: "base62", Digits: 1}, "ab", "3"},
		{"sha256", Checksum{Family: "sha256", Cover: ":-8", Encoding: "base32", Digits: 8}, "abc", "XJ4BNP4P"},
		{"escaped", Checksum{Family: "crc32", Cover: ":-8", Encoding: "hex", Digits: 8, Escaped: true}, "a%3Db\\=c", "9531ee8e"},
	} {
		s, err := c.sum.compile()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		token := []byte(c.text + strings.Repeat("0", len(c.want)))
		if !s.seal(token) || string(token) != c.text+c.want {
			t.Errorf("%s: sealed as %s; want %s", c.name, token[len(c.text):], c.want)
		}
		if !s.holds(token) {
			t.Errorf("%s: sealed, and does not hold", c.name)
		}
	}
}

// TestEscaped has a token in the three ways in which files write its "=".
func TestEscaped(t *testing.T) {
	s, err := (&Checksum{Family: "crc32", Cover: ":-8", Encoding: "HEX", Digits: 8, Escaped: true}).compile()
	if err != nil {
		t.Fatal(err)
	}
	token := []byte("prefix-body=00000000")
	if !s.seal(token) {
		t.Fatal("not sealed")
	}
	for _, sign := range []string{"=", `\=`, "%3D", "%3d"} {
		if text := bytes.Replace(token, []byte("="), []byte(sign), 1); !s.holds(text) {
			t.Errorf("does not hold with %s", sign)
		}
	}
}

// TestEntraKeepsThree has the issuer's example: only the first three of six
// characters are kept.
func TestEntraKeepsThree(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(formats, func(f Format) bool { return f.ID == "azure-entra-client-secret" })
	s, err := formats[i].Checksum.compile()
	if err != nil {
		t.Fatal(err)
	}
	z := strings.Repeat("z", 31)
	if token := []byte("zzz8Q~" + z + "blP"); !s.holds(token) {
		t.Error("does not hold")
	}
	if token := []byte("zzz8Q~" + z + "blQ"); s.holds(token) {
		t.Error("another sum holds")
	}
}

// TestSupabaseRef: the sum covers the project, so only that of self-hosted ones
// can be told.
func TestSupabaseRef(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(formats, func(f Format) bool { return f.ID == "supabase-secret-key" })
	for _, c := range []struct {
		b64rev string
		want   Grade
	}{
		{"Y0Fwd0YyTUxfMW03NHRBeEltUW1FZHZqUFlnNDJqNF90ZXJjZXNfYnM=", Verified},
		{"b0F1Y0FDcTdfMW03NHRBeEltUW1FZHZqUFlnNDJqNF90ZXJjZXNfYnM=", Likely},
	} {
		if got, ok := formats[i].judge(hidden(t, c.b64rev), false); !ok || got != c.want {
			t.Errorf("%v, %v; want %v", got, ok, c.want)
		}
	}
}
