package detectors

import (
	"strings"
	"testing"
)

// minimal is the shortest file that is right.
const minimal = `issuer = "Acme"
[[format]]
id = "acme-token"
name = "Acme token"
kind = "pat"
tier = "shape"
pattern = 'acme_[a-z0-9]{32}'
`

func TestParse(t *testing.T) {
	formats, err := Parse("acme.toml", []byte(minimal))
	if err != nil || len(formats) != 1 {
		t.Fatalf("%d formats, %v", len(formats), err)
	}
	if f := formats[0]; f.Issuer != "Acme" || f.ID != "acme-token" || f.Tier != Shape || f.Checksum != nil {
		t.Errorf("got issuer %q, id %q, tier %v", f.Issuer, f.ID, f.Tier)
	}
}

func TestParseErrors(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(minimal, old, new, 1) }
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"unknown key", minimal + "boundry = \"[a-z]\"\n", []string{"boundry", `"boundary"`, "line 8"}},
		{"unknown key of the checksum", minimal + "checksum = { famly = \"crc32\" }\n", []string{"famly", `"family"`}},
		{"no TOML", "issuer = ", []string{"line 1"}},
		{"no issuer", edit(`issuer = "Acme"`, ""), []string{"issuer"}},
		{"bad id", edit("acme-token", "Acme_Token"), []string{"id must be", "number 1"}},
		{"empty id", edit("acme-token", ""), []string{"id must be"}},
		{"no name", edit("Acme token", ""), []string{"name"}},
		{"unknown tier", edit(`"shape"`, `"sure"`), []string{"tier"}},
		{"no tier", edit(`tier = "shape"`, ""), []string{"tier"}},
		{"no pattern", edit("acme_[a-z0-9]{32}", ""), []string{"pattern"}},
		{"bad pattern", edit("{32}", "{32"+strings.Repeat("(", 3)), []string{"pattern is not RE2", "acme-token"}},
		{"look-around", edit("acme_", "(?=acme_)"), []string{"pattern is not RE2"}},
		{"context without words", edit(`"shape"`, `"context"`), []string{"context"}},
		{"bad boundary", minimal + "boundary = \"abc\"\n", []string{"boundary"}},
		{"max_length too large", minimal + "max_length = 100000\n", []string{"max_length"}},
		{"within too large", minimal + "within = 100000\n", []string{"within"}},
		{"unknown mismatch", minimal + "mismatch = \"ignore\"\n", []string{"mismatch"}},
		{"unknown placeholders", minimal + "placeholders = \"maybe\"\n", []string{"placeholders"}},
		{"unknown reject", minimal + "reject = [\"hexx\"]\n", []string{"hexx", "hex"}},
		{"entropy too large", minimal + "min_entropy = 9.0\n", []string{"min_entropy"}},
		{"entropy no number", minimal + "min_entropy = nan\n", []string{"min_entropy"}},
		{"bad example", minimal + "examples = [\"00\"]\n", []string{"SHA-256"}},
		{"unknown structure", minimal + "structure = \"jwtt\"\n", []string{"jwtt", "jwt"}},
		{"unknown family", minimal + "checksum = { family = \"crc31\" }\n", []string{"crc31", "crc32"}},
		{"bad cover", minimal + "checksum = { family = \"crc32\", cover = \"x\", encoding = \"hex\", digits = 8 }\n", []string{"cover"}},
		{"no digits", minimal + "checksum = { family = \"crc32\", cover = \":-8\", encoding = \"hex\" }\n", []string{"digits"}},
		{"unknown encoding", minimal + "checksum = { family = \"crc32\", cover = \":-8\", encoding = \"base63\", digits = 8 }\n", []string{"encoding"}},
		{"bad seed", minimal + "checksum = { family = \"marvin32-key\", seeds = [\"abc\"] }\n", []string{"seed"}},
		{"bad vector", minimal + "[[format.vectors]]\nb64rev = \"*\"\nvalid = true\n", []string{"vector 1", "b64rev"}},
		{"id twice", minimal + strings.TrimPrefix(minimal, "issuer = \"Acme\"\n"), []string{"twice"}},
		{"too long", strings.Repeat("#", maxFile+1), []string{"split it"}},
	} {
		_, err := Parse("acme.toml", []byte(c.file))
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range append(c.want, "acme.toml") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q does not say %q", c.name, err, want)
			}
		}
	}
}

func TestVectorRoundTrip(t *testing.T) {
	for _, token := range []string{"a", "ab", "one two", strings.Repeat("xyz", 500)} {
		got, err := VectorOf([]byte(token), true, "test").Token()
		if err != nil || string(got) != token {
			t.Errorf("%d bytes: %d back, %v", len(token), len(got), err)
		}
	}
	if _, err := (Vector{}).Token(); err == nil {
		t.Error("an empty vector has a token")
	}
}

func TestTierText(t *testing.T) {
	for tier := Identifier; tier <= Checked; tier++ {
		text, err := tier.MarshalText()
		var back Tier
		if err != nil || back.UnmarshalText(text) != nil || back != tier {
			t.Errorf("%v does not survive", tier)
		}
	}
	var tier Tier
	if err := tier.UnmarshalText([]byte("unknown")); err == nil || tier != 0 {
		t.Errorf("unknown: %v, %v", tier, err)
	}
	for g, want := range map[Grade]string{0: "unknown", Unverified: "unverified", Possible: "possible", Likely: "likely", Verified: "verified"} {
		if g.String() != want {
			t.Errorf("grade %d: %v", g, g)
		}
	}
}

func TestNearestKey(t *testing.T) {
	for wrong, want := range map[string]string{"patern": "pattern", "minentropy": "min_entropy", "contexts": "context"} {
		_, err := Parse("f", []byte(minimal+wrong+" = 1\n"))
		if err == nil || !strings.Contains(err.Error(), `"`+want+`"`) && !strings.Contains(err.Error(), "."+want) {
			t.Errorf("%s: %v; want %s", wrong, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(minimal + "checksum = { family = \"crc32\", cover = \"5:-6\", encoding = \"base62\", digits = 6 }\n"))
	f.Add([]byte(minimal + "x.y = 1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		formats, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		for i := range formats {
			formats[i].judge([]byte("acme_q7zt0lwbf4vn9rxkc2hs6ypjd8gm"), true)
		}
	})
}
