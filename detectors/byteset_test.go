package detectors

import (
	"strings"
	"testing"
)

func TestByteSet(t *testing.T) {
	s := setOf("az09_\x00\x7f\x80\xff")
	for c := range 256 {
		if want := strings.IndexByte("az09_\x00\x7f", byte(c)) >= 0; s.has(byte(c)) != want {
			t.Errorf("%#x: %v", c, !want)
		}
	}
	if s.len() != 7 || string(s.bytes()) != "\x0009_az\x7f" {
		t.Errorf("%d bytes, %q", s.len(), s.bytes())
	}
}

func TestByteSetAlgebra(t *testing.T) {
	for _, c := range []struct {
		a, b              string
		and, minus        string
		within, apartness bool
	}{
		{"abc", "bcd", "bc", "a", false, false},
		{"bc", "abcd", "bc", "", true, false},
		{"abc", "xyz", "", "abc", false, true},
		{"", "abc", "", "", true, true},
		{"A~", "a~", "~", "A", false, false},
		{"@", "@", "@", "", true, false},
	} {
		a, b := setOf(c.a), setOf(c.b)
		and, minus := a.and(&b), a.minus(&b)
		if string(and.bytes()) != c.and || string(minus.bytes()) != c.minus {
			t.Errorf("%q, %q: and %q, minus %q", c.a, c.b, and.bytes(), minus.bytes())
		}
		if a.within(&b) != c.within || a.apart(&b) != c.apartness {
			t.Errorf("%q, %q: within %v, apart %v", c.a, c.b, a.within(&b), a.apart(&b))
		}
		a.addAll(&b)
		for _, x := range []byte(c.a + c.b) {
			if !a.has(x) {
				t.Errorf("%q, %q: the union has no %q", c.a, c.b, x)
			}
		}
	}
}

func TestByteSetRange(t *testing.T) {
	var s byteSet
	s.addRange('x', 'z')
	s.addRange('~', 0x10ffff)
	s.addRange(0x100, 0x200)
	s.addRange('z', 'x')
	if got := string(s.bytes()); got != "xyz~\x7f" {
		t.Errorf("%q", got)
	}
}

func TestLoose(t *testing.T) {
	for class, want := range map[string]bool{
		"[a-z]": false, "[ a-z]": true, `[\s]`: true, `[\n]`: true, `[!-~]`: true, "[A-Za-z0-9+/=_-]": false, "[^a]": true, "": false,
	} {
		s, err := classSet(class)
		if err != nil {
			t.Fatalf("%s: %v", class, err)
		}
		if s.loose() != want {
			t.Errorf("%s: %v", class, !want)
		}
	}
}

func TestClassSet(t *testing.T) {
	for class, want := range map[string]string{
		"": "", "[a-c]": "abc", "[^\\x00-\\x7c]": "}~\x7f", `[a\-]`: "-a", "[a-b\u00e9]": "ab", `\d`: "0123456789", "[+]": "+", ".{1}": "",
	} {
		s, err := classSet(class)
		if err != nil {
			t.Errorf("%s: %v", class, err)
			continue
		}
		if class == ".{1}" {
			if s.len() != 127 {
				t.Errorf("the dot: %d bytes", s.len())
			}
			continue
		}
		if got := string(s.bytes()); got != want {
			t.Errorf("%s: %q, want %q", class, got, want)
		}
	}
	for _, class := range []string{"[a", "[a-z]+", "ab", "[a]|bc", "(a)", "[\u00e9-\u00eb]", "a?", "[a-z]{2}"} {
		if _, err := classSet(class); err == nil || !strings.Contains(err.Error(), "boundary") && !strings.Contains(err.Error(), "character class") {
			t.Errorf("%s: %v", class, err)
		}
	}
}
