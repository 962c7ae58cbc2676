package detectors

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSums seals tokens of every family and changes each byte in turn. What a
// family covers depends on the family, so a change may go unseen; but where it
// is seen, sealing again must restore the sum.
func TestSums(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(21, 22))
	for _, f := range formats {
		if f.Checksum == nil {
			continue
		}
		m, err := NewMinter(f)
		if err != nil {
			t.Fatal(err)
		}
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		if !m.proof.sum.holds(token) {
			t.Errorf("%s: a sealed token does not hold", f.ID)
		}
		seen := 0
		for i := range token {
			bad := bytes.Clone(token)
			bad[i] = sibling(bad[i], r)
			if bad[i] != token[i] && !m.proof.sum.holds(bad) {
				seen++
			}
		}
		if seen < len(token)/3 {
			t.Errorf("%s: %d of %d changes are seen", f.ID, seen, len(token))
		}
		again := bytes.Clone(token)
		if !m.proof.sum.seal(again) || !bytes.Equal(again, token) {
			t.Errorf("%s: sealing a sealed token changes it", f.ID)
		}
	}
}

// TestSumsOfOtherLayouts gives every family tokens of every length: none may
// panic, and none may hold.
func TestSumsOfOtherLayouts(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range formats {
		f := &formats[i]
		p, err := f.compileProof()
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			for _, c := range []string{"A", "=", "\x00", "\xff"} {
				token := []byte(strings.Repeat(c, n))
				if p.structure != nil {
					p.structure(token)
				}
				if p.sum == nil {
					continue
				}
				p.sum.holds(token)
				p.sum.seal(token)
			}
		}
	}
}

// TestStructuresRefuse cuts and garbles tokens whose structure is right.
func TestStructuresRefuse(t *testing.T) {
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(23, 24))
	for _, f := range formats {
		if f.Structure == "" || f.Structure == "sas-signature" || f.Structure == "url-userinfo" {
			continue // these look at little more than the length
		}
		m, err := NewMinter(f)
		if err != nil {
			t.Fatal(err)
		}
		token, err := m.Mint(r)
		if err != nil {
			t.Fatal(err)
		}
		check := m.proof.structure
		if !check(token) {
			t.Errorf("%s: a minted token is refused", f.ID)
		}
		for _, bad := range [][]byte{nil, token[:len(token)/8], bytes.Repeat([]byte("!"), len(token))} {
			if check(bad) {
				t.Errorf("%s: garbled, %d of %d bytes, and accepted", f.ID, len(bad), len(token))
			}
		}
		for i := range token {
			check(token[:i])
			check(token[i:])
		}
	}
}

func TestURLUserinfo(t *testing.T) {
	for _, c := range []struct {
		name, user, password, host string
		want                       bool
	}{
		{"a real one", "deploy", "v7Kq" + "Zt0Lw" + "Bf4Vn", "db.acme.io", true},
		{"git's documentation", "user", "pass", "example.com", false},
		{"example host", "deploy", "v7Kq" + "Zt0Lw" + "Bf4Vn", "db.example.org", false},
		{"this machine", "deploy", "v7Kq" + "Zt0Lw" + "Bf4Vn", "localhost", false},
		{"placeholder", "deploy", "xxxxxxxx", "db.acme.io", false},
		{"stars", "deploy", "********", "db.acme.io", false},
		{"variable", "deploy", "${DB_PASSWORD}", "db.acme.io", false},
		{"angle brackets", "deploy", "<password>", "db.acme.io", false},
		{"short", "deploy", "a1b2", "db.acme.io", false},
		{"word", "deploy", "password1", "db.acme.io", false},
	} {
		if got := urlUserinfo([]byte("https://" + c.user + ":" + c.password + "@" + c.host)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct {
		text, want string
		ok         bool
	}{
		{":", "0123456789", true}, {"4:", "456789", true}, {":-6", "0123", true}, {"4:-4", "45", true},
		{"-3:", "789", true}, {"2:5", "234", true}, {"11:", "", false}, {":11", "", false}, {"6:5", "", false},
	} {
		p, err := compilePart("cover", c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := p.of([]byte("0123456789"))
		if ok != c.ok || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.text, got, ok)
		}
	}
}

func TestCRC16(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x31c3 { // the check value of CRC-16/XMODEM
		t.Errorf("got %#x", got)
	}
}

func FuzzJudge(f *testing.F) {
	formats, err := Builtin()
	if err != nil {
		f.Fatal(err)
	}
	for i := range formats {
		if err := formats[i].prepare(); err != nil {
			f.Fatal(err)
		}
		for _, v := range formats[i].Vectors {
			if token, err := v.Token(); err == nil && i%8 == 0 {
				f.Add(i, token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i int, token []byte) {
		if i < 0 || i >= len(formats) {
			return
		}
		keep := bytes.Clone(token)
		a, okA := formats[i].judge(token, false)
		b, okB := formats[i].judge(token, true)
		if okA && (!okB || a != b) {
			t.Errorf("%s: %v, but %v, %v when unverified ones are asked for", formats[i].ID, a, b, okB)
		}
		if !bytes.Equal(token, keep) {
			t.Errorf("%s: judge changed the token", formats[i].ID)
		}
	})
}
