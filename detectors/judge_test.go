package detectors

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"
)

// shapeOf is a format for tests: "zz9_" and a body.
func shapeOf(tier Tier) *Format {
	return &Format{ID: "t", Name: "t", Kind: "t", Tier: tier, Pattern: "zz9_[A-Za-z0-9]{36}"}
}

// body36 is a body that chance might give.
const body36 = "q7Zt0LwBf4Vn9RxKc2Hs6YpJd8Gm1Ua3Te5o"

func TestJudgeGrades(t *testing.T) {
	sum := &Checksum{Family: "crc32", Cover: "4:-6", Encoding: "base62", Digits: 6}
	for _, c := range []struct {
		name       string
		tier       Tier
		sum        *Checksum
		mismatch   string
		context    []string
		unverified bool
		want       Grade
		ok         bool
	}{
		{"shape", Shape, nil, "", nil, false, Likely, true},
		{"context", Context, nil, "", []string{"word"}, false, Possible, true},
		{"identifier", Identifier, nil, "", nil, false, Unverified, false},
		{"identifier, asked for", Identifier, nil, "", nil, true, Unverified, true},
		{"identifier beside a word", Identifier, nil, "", []string{"word"}, false, Possible, true},
		{"wrong sum", Checked, sum, "", nil, false, Unverified, false},
		{"wrong sum, asked for", Checked, sum, "", nil, true, Unverified, true},
		{"wrong sum that nobody promised", Checked, sum, "lower", nil, false, Likely, true},
		{"wrong sum that nobody promised, with words", Checked, sum, "lower", []string{"word"}, false, Possible, true},
	} {
		f := shapeOf(c.tier)
		f.Checksum, f.Mismatch, f.Context = c.sum, c.mismatch, c.context
		got, ok := f.judge([]byte("zz9_"+body36), c.unverified)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestJudgeRefusesPlaceholders(t *testing.T) {
	for _, body := range []string{
		strings.Repeat("x", 36), strings.Repeat("0", 36), strings.Repeat("aB3", 12),
		"1234567890abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij",
		"exampleq7Zt0LwBf4Vn9RxKc2Hs6YpJd8Gm1", "CHANGEMEq7Zt0LwBf4Vn9RxKc2Hs6YpJd8Gm",
		"thisIsTheNameOfAnOrdinaryFunctionDef",
	} {
		if got, ok := shapeOf(Shape).judge([]byte("zz9_"+body), false); ok {
			t.Errorf("body %d bytes of %q...: %v", len(body), body[:4], got)
		}
	}
	f := shapeOf(Shape)
	f.Placeholders = "allow"
	if _, ok := f.judge([]byte("zz9_"+strings.Repeat("x", 36)), false); !ok {
		t.Error("a placeholder is refused where they are allowed")
	}
}

func TestJudgeRefusesPublishedExamples(t *testing.T) {
	f := shapeOf(Shape)
	digest := sha256.Sum256([]byte("zz9_" + body36))
	f.Examples = []string{hex.EncodeToString(digest[:])}
	if _, ok := f.judge([]byte("zz9_"+body36), true); ok {
		t.Error("a published example counts")
	}
	if _, ok := f.judge([]byte("zz9_"+body36[1:]+"Q"), true); !ok {
		t.Error("another token does not count")
	}
}

func TestJudgeRejectKinds(t *testing.T) {
	for _, c := range []struct{ kind, body string }{
		{"hex", "9f86d081884c7d659a2feaa0c55ad015a3bf"},
		{"digest", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"},
		{"single-case", "q7zt0lwbf4vn9rxkc2hs6ypjd8gm1ua3te5o"},
		{"path", "src/main/java/com/acme/Widget"},
	} {
		reject, err := rejectKind(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		if !reject([]byte(c.body)) {
			t.Errorf("%s does not rule its example out", c.kind)
		}
		if reject([]byte(body36)) {
			t.Errorf("%s rules a random body out", c.kind)
		}
	}
}

func TestJudgeOfABrokenFormat(t *testing.T) {
	f := shapeOf(Checked)
	f.Checksum = &Checksum{Family: "none such"}
	if _, ok := f.judge([]byte("zz9_"+body36), true); ok {
		t.Error("a format with an unknown checksum counts")
	}
}

// TestPlausibleInEveryAlphabet holds what refuses placeholders to its promise in
// any alphabet and length, whether or not a built-in format has them: fewer
// than one of 10,000 random bodies falls to it.
func TestPlausibleInEveryAlphabet(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range []struct {
		name, alphabet string
		length         int
	}{
		{"hex, 32", "0123456789abcdef", 32}, {"hex, 40", "0123456789abcdef", 40}, {"hex, 64", "0123456789abcdef", 64},
		{"base36, 20", base36, 20}, {"base36, 32", base36, 32},
		{"base62, 20", base62, 20}, {"base62, 36", base62, 36}, {"base62, 80", base62, 80},
		{"base64url, 43", base62 + "-_", 43}, {"base32, 52", base32lo, 52},
	} {
		n := rounds(20000)
		refused := 0
		p := &proof{}
		f := &Format{}
		for range n {
			if !f.plausible([]byte(randomText(r, c.length, c.alphabet)), p) {
				refused++
			}
		}
		if refused > n/10000+3 { // three more, so that chance does not fail the test
			t.Errorf("%s: %d of %d random bodies are refused", c.name, refused, n)
		}
	}
}
