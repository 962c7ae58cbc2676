package detectors

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParseLimits: at each limit a file is read, one beyond it is not.
func TestParseLimits(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(minimal, old, new, 1) }
	list := func(key string, n int, entry string) string {
		return minimal + key + " = [" + strings.Repeat(`"`+entry+`", `, n) + "]\n"
	}
	for _, c := range []struct {
		name string
		file func(n int) string
		most int
	}{
		{"an id", func(n int) string { return edit("acme-token", strings.Repeat("a", n)) }, maxID},
		{"a name", func(n int) string { return edit("Acme token", strings.Repeat("n", n)) }, maxText},
		{"a kind", func(n int) string { return edit(`"pat"`, `"`+strings.Repeat("k", n)+`"`) }, maxText},
		{"a note", func(n int) string { return minimal + "note = \"" + strings.Repeat("n", n) + "\"\n" }, maxText},
		{"a source", func(n int) string { return minimal + "source = \"" + strings.Repeat("n", n) + "\"\n" }, maxText},
		{"an issuer", func(n int) string { return edit(`"Acme"`, `"`+strings.Repeat("i", n)+`"`) }, maxText},
		{"a pattern", func(n int) string { return edit("acme_[a-z0-9]{32}", strings.Repeat("a", n)) }, maxPattern},
		{"max_length", func(n int) string { return minimal + fmt.Sprintf("max_length = %d\n", n) }, maxLength},
		{"within", func(n int) string { return minimal + fmt.Sprintf("within = %d\n", n) }, maxNear},
		{"anchors", func(n int) string { return list("anchors", n, "acme") }, maxList},
		{"context words", func(n int) string { return list("context", n, "acme") }, maxList},
		{"examples", func(n int) string { return list("examples", n, strings.Repeat("0", 64)) }, maxList},
		{"a context word", func(n int) string { return list("context", 1, strings.Repeat("w", n)) }, maxText},
		{"vectors", func(n int) string {
			return minimal + strings.Repeat("[[format.vectors]]\nb64rev = \"YQ==\"\n", n)
		}, maxList},
	} {
		if _, err := Parse("f", []byte(c.file(c.most))); err != nil {
			t.Errorf("%s of %d: %v", c.name, c.most, err)
		}
		if _, err := Parse("f", []byte(c.file(c.most+1))); err == nil {
			t.Errorf("%s of %d: no error", c.name, c.most+1)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s of %d: the error has %d bytes", c.name, c.most+1, len(err.Error()))
		}
	}
}

func TestParseRefusesMore(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a negative max_length", "max_length = -1\n", "max_length"},
		{"a negative within", "within = -1\n", "within"},
		{"an empty anchor", "anchors = [\"\"]\n", "anchors"},
		{"an empty context word", "context = [\"\"]\n", "context"},
		{"a boundary without brackets", "boundary = \"a\"\n", "boundary"},
		{"a boundary that is not RE2", "boundary = \"[z-a]\"\n", "boundary is not RE2"},
		{"an example of letters", "examples = [\"" + strings.Repeat("z", 64) + "\"]\n", "SHA-256"},
		{"an example too long", "examples = [\"" + strings.Repeat("0", 66) + "\"]\n", "SHA-256"},
		{"a vector of nothing", "[[format.vectors]]\nvalid = true\n", "vector 1: b64rev"},
		{"the second vector", "[[format.vectors]]\nb64rev = \"YQ==\"\n[[format.vectors]]\nb64rev = \"!\"\n", "vector 2: b64rev"},
		{"an unknown key of a vector", "[[format.vectors]]\nb64rev = \"YQ==\"\ntoken = \"x\"\n", "unknown key"},
		{"a number for a text", "note = 1\n", "line 8"},
		{"a text for a number", "within = \"near\"\n", "line 8"},
		{"a key twice", "kind = \"pat\"\n", "line 8"},
		{"a table for a list", "context = { a = 1 }\n", "line 8"},
		{"a checksum that is a text", "checksum = \"crc32\"\n", "line 8"},
	} {
		_, err := Parse("acme.toml", []byte(minimal+c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "detectors: acme.toml: ") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestParseOfNothing(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "blank": " \n\t\n", "a comment": "# nothing\n", "a BOM": "\xef\xbb\xbf", "binary": "\x00\x01\x02", "not UTF-8": "issuer = \"\xff\"\n"} {
		if formats, err := Parse("f", []byte(text)); err == nil {
			t.Errorf("%s: %d formats", name, len(formats))
		}
	}
	if formats, err := Parse("f", []byte("issuer = \"Acme\"\n")); err != nil || len(formats) != 0 {
		t.Errorf("an issuer alone: %d formats, %v", len(formats), err)
	}
}

// TestParseKeepsTheOrder: and gives each format the issuer.
func TestParseKeepsTheOrder(t *testing.T) {
	text := "issuer = \"Acme\"\n"
	var want []string
	for i := range 20 {
		id := fmt.Sprintf("acme-%02d", (i*7)%20)
		want = append(want, id)
		text += strings.Replace(strings.TrimPrefix(minimal, "issuer = \"Acme\"\n"), "acme-token", id, 1)
	}
	formats, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range formats {
		got = append(got, f.ID)
		if f.Issuer != "Acme" {
			t.Errorf("%s: issuer %q", f.ID, f.Issuer)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestParseEveryKey: no key of a format is lost on its way.
func TestParseEveryKey(t *testing.T) {
	const text = `issuer = "Acme"
[[format]]
id = "acme-token"
name = "Acme token"
kind = "pat"
tier = "verified"
pattern = 'acme_[A-Za-z0-9]{36}'
max_length = 50
anchors = ["acme_"]
boundary = "[A-Za-z0-9_]"
context = ["one", "two"]
within = 40
checksum = { family = "crc32", cover = "5:-6", after = "x", at = "-6:", encoding = "base62", alphabet = "ab", digits = 6, order = "little", prefix = "p", seeds = ["12345678"], variant = "v", escaped = true }
structure = "jwt"
mismatch = "lower"
min_entropy = 2.5
placeholders = "allow"
reject = ["hex", "path"]
examples = ["0000000000000000000000000000000000000000000000000000000000000000"]
source = "here"
note = "this"
[[format.vectors]]
b64rev = "YWI="
valid = true
origin = "made"
`
	formats, err := Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := formats[0]
	got := fmt.Sprint(f.ID, f.Name, f.Kind, f.Tier, f.Pattern, f.MaxLength, f.Anchors, f.Boundary, f.Context, f.Within, *f.Checksum,
		f.Structure, f.Mismatch, f.MinEntropy, f.Placeholders, f.Reject, f.Examples, f.Source, f.Note, f.Vectors)
	want := "acme-token" + "Acme token" + "pat" + " verified " + "acme_[A-Za-z0-9]{36}" + " 50 [acme_] " + "[A-Za-z0-9_]" +
		" [one two] 40 {crc32 5:-6 x -6: base62 ab 6 little p [12345678] v true} jwtlower 2.5 allow [hex path] [" + strings.Repeat("0", 64) +
		"] herethis [{YWI= true made}]"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVectorLimits(t *testing.T) {
	for _, c := range []struct {
		name, b64 string
		want      bool
	}{
		{"one byte", "YQ==", true},
		{"no padding", "YQ", false},
		{"the URL alphabet", "-_-_", false},
		{"a blank", "YQ= =", false},
		{"at the limit", base64.StdEncoding.EncodeToString(make([]byte, maxVector/4*3)), true},
		{"beyond it", base64.StdEncoding.EncodeToString(make([]byte, maxVector/4*3+1)), false},
	} {
		if _, err := (Vector{B64Rev: c.b64}).Token(); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestVectorOfKeepsItsToken: encoding must not turn the caller's bytes round.
func TestVectorOfKeepsItsToken(t *testing.T) {
	token := []byte("abc")
	v := VectorOf(token, false, "here")
	if string(token) != "abc" || v.B64Rev != "Y2Jh" || v.Valid || v.Origin != "here" {
		t.Errorf("%q, %+v", token, v)
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "0": true, "a-b-c": true, "a--b": true, "9to5": true, "a-": true,
		"": false, "-a": false, "A": false, "a_b": false, "a.b": false, "a b": false, "é": false, "a\n": false,
	} {
		if validID(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

// TestBuiltinIsFresh: the caller owns what Builtin returns.
func TestBuiltinIsFresh(t *testing.T) {
	a, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	a[0].ID, a[0].Context = "changed", []string{"changed"}
	if b[0].ID == "changed" {
		t.Error("two calls share their formats")
	}
	if c, err := Builtin(); err != nil || c[0].ID != b[0].ID || len(c) != len(b) {
		t.Errorf("the third call differs: %v", err)
	}
}
