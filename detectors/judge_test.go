package detectors

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
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

// TestWordy has names as programs have them and bodies as issuers make them.
func TestWordy(t *testing.T) {
	for _, name := range []string{
		"AWSLambdaBasicDurableExecutionRolePolicy", "AVPlayerItemMetadataOutputPushDelegate",
		"hmac_session_init_context", "STRIP_TRAILING_WHITESPACE_MODE", "AssumeRoleWithWebIdentityRequest",
		"asynchronousReadCompletionCb", "request-tokens-with-scopes", "XMLHttpRequestUploadEventTarget2",
	} {
		if !wordy([]byte(name)) {
			t.Errorf("%s passes", name)
		}
	}
	for _, body := range []string{
		"", "a", "handler", body36, strings.Repeat("0", 40), strings.Repeat("deadbeef", 5),
		"9f86d081884c7d659a2feaa0c55ad015", "q7zt0lwbf4vn9rxkc2hs6ypjd8gm1ua3te5o",
	} {
		if wordy([]byte(body)) {
			t.Errorf("%q... is a name", body[:min(len(body), 8)])
		}
	}
}

// TestEntropy holds entropy to its definition.
func TestEntropy(t *testing.T) {
	for _, c := range []struct {
		body string
		want float64
	}{
		{"", 0}, {"a", 0}, {"aaaa", 0}, {"ab", 1}, {"aabb", 1}, {"abcd", 2}, {"abcdefgh", 3},
		{"aaab", 0.8112781244591328}, {"aabc", 1.5}, {"0123456789abcdef", 4},
	} {
		if got := entropy([]byte(c.body)); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q: %v, want %v", c.body, got, c.want)
		}
	}
}

func TestClassOf(t *testing.T) {
	for body, want := range map[string]class{
		"": decimalClass, "0123-456.789_0": decimalClass, "0a": hexClass, "DEADBEEF": hexClass, "aF": hexClass,
		"g": oneCaseClass, "abc-xyz.0": oneCaseClass, "ABCXYZ": oneCaseClass, "aZ": wideClass, "a+": wideClass, "\xff": wideClass,
	} {
		if got := classOf([]byte(body)); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
}

func TestRuns(t *testing.T) {
	for body, want := range map[string]bool{
		"aaaaaaaa": true, "12345678": true, "hgfedcba": true, "67890123": true, "aaaa1111": true,
		"aaaa1111xkqzwvjp": true, "aaaa1111xkqzwvjpm": false, "aaabbbccc": false, "aaaaaaa": false, "": false,
	} {
		if got := runs([]byte(body)); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
}

func TestPeriodic(t *testing.T) {
	unit := "q7Zt0LwBf4Vn9RxKc2Hs6YpJd8Gm1Ua3" // 32 bytes
	for body, want := range map[string]bool{
		"abcabcabcabc": true, "abcabcabcab": false, "abcabcabcabca": true, unit + unit: true,
		unit + "x" + unit + "x": false, "abcabcabcabd": false, "": false,
	} {
		if got := periodic([]byte(body)); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
}

func TestStopWords(t *testing.T) {
	for body, want := range map[string]bool{
		"q7Zt0EXAMPLEc2Hs": true, "YOUR-q7Zt0Lw": true, "q7Zt0LwBxXxXx": true, "ChangeMe": true, "your": false, "": false,
		strings.Repeat("q7Zt0LwB", 40) + "example": false, // beyond what is looked at
	} {
		if got := hasStopWord([]byte(body)); got != want {
			t.Errorf("%q: %v, want %v", body, got, want)
		}
	}
}

func TestRejectKinds(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       bool
	}{
		{"hex", "0123456789abcdefABCDEF", true}, {"hex", "", true}, {"hex", "0g", false}, {"hex", "0 ", false},
		{"digest", strings.Repeat("a1", 16), true}, {"digest", strings.Repeat("a1", 20), true}, {"digest", strings.Repeat("a1", 24), true},
		{"digest", strings.Repeat("a1", 28), true}, {"digest", strings.Repeat("a1", 32), true}, {"digest", strings.Repeat("a1", 48), true},
		{"digest", strings.Repeat("a1", 64), true}, {"digest", strings.Repeat("a1", 17), false}, {"digest", strings.Repeat("g1", 16), false},
		{"single-case", "abc123", true}, {"single-case", "ABC123", true}, {"single-case", "123", true}, {"single-case", "aB", false},
		{"path", "src/main/java/com", true}, {"path", "src/main/q7", false}, {"path", "src/main/java/q7Zt0LwBf4Vn9RxK", false},
		{"path", "s/m/j/c", false}, {"path", "main", false}, {"path", "", false},
	} {
		reject, err := rejectKind(c.kind)
		if err != nil {
			t.Fatal(err)
		}
		if got := reject([]byte(c.body)); got != c.want {
			t.Errorf("%s of %q: %v, want %v", c.kind, c.body, got, c.want)
		}
	}
	if _, err := rejectKind("words"); err == nil || !strings.Contains(err.Error(), "single-case") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestJudgeThresholds(t *testing.T) {
	low := "zz9_" + strings.Repeat("q7Zt0L", 2) + "wBf4Vn9RxKc2Hs6YpJd8Gm1U" // every character of a body, a dozen twice
	for _, c := range []struct {
		name    string
		entropy float64
		token   string
		want    bool
	}{
		{"by default", 0, low, true},
		{"a limit that is met", 4.5, low, true},
		{"a limit that is not", 4.99, low, false},
		{"not tested", -1, "zz9_" + "q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7qz", true},
		{"tested", 0, "zz9_" + "q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7q7qz", false},
	} {
		f := shapeOf(Shape)
		f.MinEntropy = c.entropy
		if _, ok := f.judge([]byte(c.token), false); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
}

// TestJudgeListedSignature: of a token in parts the last part may be listed.
func TestJudgeListedSignature(t *testing.T) {
	f := &Format{ID: "t", Tier: Shape, Pattern: `zz9_[a-z]{3}\.[A-Za-z0-9]{36}`, Placeholders: "allow", MinEntropy: -1}
	sum := sha256.Sum256([]byte(body36))
	f.Examples = []string{strings.Repeat("0", 64), hex.EncodeToString(sum[:])}
	for token, want := range map[string]bool{
		"zz9_abc." + body36: false, "zz9_xyz." + body36: false, "zz9_abc." + body36[1:] + "Q": true, body36: false, body36 + ".": true,
	} {
		if _, ok := f.judge([]byte(token), false); ok != want {
			t.Errorf("%d bytes: %v, want %v", len(token), ok, want)
		}
	}
}
