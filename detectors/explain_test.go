package detectors

import (
	"strings"
	"testing"
)

// explained compiles formats and explains the first.
func explained(t *testing.T, o Options, f Format) string {
	t.Helper()
	m, err := Compile([]Format{f, {ID: "other", Tier: Shape, Pattern: "other_[a-z]{20}"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return m.Explain(0)
}

func acme() Format {
	return Format{ID: "acme-token", Name: "Acme token", Issuer: "Acme", Kind: "pat", Tier: Shape,
		Pattern: "acme_[A-Za-z0-9]{36}", Boundary: "[A-Za-z0-9_]"}
}

func TestExplain(t *testing.T) {
	f := acme()
	f.Note, f.Vectors = "What a reader must know.", make([]Vector, 3)
	const want = `acme-token
  name       Acme token (Acme, pat)
  tier       shape
  pattern    acme_[A-Za-z0-9]{36}
  length     41 to 41 bytes
  found by   its literal text, 5 bytes of it
  boundary   [A-Za-z0-9_] must not touch it
  note       What a reader must know.
  vectors    3
`
	if got := explained(t, Options{}, f); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExplainLines(t *testing.T) {
	sum := &Checksum{Family: "crc32", Cover: "5:-6", Encoding: "base62", Digits: 6}
	for _, c := range []struct {
		name string
		edit func(f *Format)
		want string
	}{
		{"a checksum", func(f *Format) { f.Checksum = sum }, "checksum   crc32; a wrong one drops it\n"},
		{"one that lowers", func(f *Format) { f.Checksum, f.Mismatch = sum, "lower" }, "checksum   crc32; a wrong one lowers its grade\n"},
		{"a structure", func(f *Format) { f.Structure = "jwt" }, "structure  jwt; a wrong one drops it\n"},
		{"words", func(f *Format) { f.Context, f.Within = []string{"acmecorp", "acme.test"}, 80 }, "context    within 80 bytes: acmecorp, acme.test\n"},
		{"words at the default", func(f *Format) { f.Context = []string{"acmecorp"} }, "context    within 64 bytes: acmecorp\n"},
		{"no boundary", func(f *Format) { f.Boundary = "" }, "boundary   none\n"},
		{"a boundary that a proof overrules", func(f *Format) { f.Tier, f.Checksum = Checked, sum },
			"boundary   [A-Za-z0-9_] must not touch it, unless its checksum or structure is right\n"},
		{"no literal", func(f *Format) { f.Pattern, f.Tier, f.Context = "[A-Za-z0-9_]{40}", Context, []string{"acmecorp"} },
			"found by   the length of a run of its characters\n"},
		{"a block", func(f *Format) {
			f.Pattern, f.Structure, f.Tier = "-----BEGIN PRIVATE KEY-----(?:[^-]{64,200}-----END PRIVATE KEY-----)?", "pem", Checked
		}, "found by   its header line before base64 lines\n"},
		{"several lengths", func(f *Format) { f.Pattern = "acme_[A-Za-z0-9]{20,}"; f.MaxLength = 99 }, "length     25 to 99 bytes\n"},
		{"the tier", func(f *Format) { f.Tier, f.Checksum = Checked, sum }, "tier       verified\n"},
	} {
		f := acme()
		c.edit(&f)
		if got := explained(t, Options{}, f); !strings.Contains(got, "\n  "+c.want) {
			t.Errorf("%s: no line %q in\n%s", c.name, c.want, got)
		}
	}
}

// TestExplainUnused: an identifier is looked for only when it is asked for.
func TestExplainUnused(t *testing.T) {
	f := acme()
	f.Tier = Identifier
	if got := explained(t, Options{}, f); !strings.Contains(got, "only with --unverified") || strings.Contains(got, "length") {
		t.Errorf("not used:\n%s", got)
	}
	if got := explained(t, Options{Unverified: true}, f); !strings.Contains(got, "length     41 to 41 bytes") {
		t.Errorf("used:\n%s", got)
	}
}

func TestExplainEveryBuiltin(t *testing.T) {
	m := mustBuiltin(t)
	for i, f := range m.Formats() {
		text := m.Explain(i)
		if !strings.HasPrefix(text, f.ID+"\n") || !strings.Contains(text, "  found by ") {
			t.Errorf("%s:\n%s", f.ID, text)
		}
		for _, v := range f.Vectors {
			token, err := v.Token()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, string(token)) || strings.Contains(text, v.B64Rev) {
				t.Errorf("%s: a vector is quoted", f.ID)
			}
		}
	}
}

func TestCheckVector(t *testing.T) {
	token := []byte("acme_" + body36)
	sum := &Checksum{Family: "crc32", Cover: "5:-6", Encoding: "base62", Digits: 6}
	s, err := sum.compile()
	if err != nil {
		t.Fatal(err)
	}
	sealed := append([]byte(nil), token...)
	if !s.seal(sealed) {
		t.Fatal("not sealed")
	}
	for _, c := range []struct {
		name  string
		edit  func(f *Format)
		token []byte
		valid bool
		want  string // of the error, "" for none
	}{
		{"found", func(*Format) {}, token, true, ""},
		{"found, and must not be", func(*Format) {}, token, false, "is not valid but is found"},
		{"not found", func(*Format) {}, token[:40], true, "is valid but is not found"},
		{"not found, and must not be", func(*Format) {}, token[:40], false, ""},
		{"found in part only", func(*Format) {}, append(token[:41:41], "-x"...), true, "is valid but is not found"},
		{"the sum is right", func(f *Format) { f.Tier, f.Checksum = Checked, sum }, sealed, true, ""},
		{"the sum is wrong", func(f *Format) { f.Tier, f.Checksum = Checked, sum }, token, true, "is valid but is not found"},
		{"the sum is wrong, as it must be", func(f *Format) { f.Tier, f.Checksum = Checked, sum }, token, false, ""},
		{"the sum is wrong and lowers", func(f *Format) { f.Tier, f.Checksum, f.Mismatch = Checked, sum, "lower" }, token, false, ""},
		{"it needs a word", func(f *Format) { f.Tier, f.Context = Context, []string{"acmecorp"} }, token, true, ""},
		{"text beside the group", func(f *Format) { f.Pattern = `acme\.key = "(acme_[A-Za-z0-9]{36})"` }, token, true, ""},
		{"a pattern that does not compile", func(f *Format) { f.Pattern = "acme_[a-z]+" }, token, true, "max_length"},
	} {
		f := acme()
		c.edit(&f)
		err := CheckVector(f, VectorOf(c.token, c.valid, "test"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), body36[:20]) {
			t.Errorf("%s: the error holds the token", c.name)
		}
	}
	if err := CheckVector(acme(), Vector{B64Rev: "*"}); err == nil {
		t.Error("a vector that does not decode: no error")
	}
}
