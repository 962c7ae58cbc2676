package detectors

import (
	"strings"
	"testing"
)

// contextMatcher has a format that only its length and a word tell.
func contextMatcher(t *testing.T, f Format) *Matcher {
	t.Helper()
	f.ID, f.Tier, f.Context = "x", Context, []string{"Acme"}
	f.Placeholders, f.MinEntropy = "allow", -1
	m, err := Compile([]Format{f}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestContextWithoutAnchor: what must stand round a token that has no literal
// part. TOKEN stands for it.
func TestContextWithoutAnchor(t *testing.T) {
	m := contextMatcher(t, Format{Pattern: "[a-z0-9]{32}", Boundary: "[A-Za-z0-9_-]"})
	token := strings.Repeat("k7", 16)
	for _, test := range []struct {
		text string
		want bool
	}{
		{`acme = TOKEN`, true},
		{`ACME_KEY="TOKEN"`, true},
		{`"acmeKey": "TOKEN"`, true},
		{`{\"acme\": \"TOKEN\"}`, true},
		{"acme:\n  key: TOKEN\n", true},
		{`acme("TOKEN")`, true},
		{`acme --token TOKEN`, true},
		{`https://acme/ -H "Authorization: Bearer TOKEN"`, true},
		{`Acme TOKEN`, true},
		{`x = "TOKEN" # for acme`, true},
		{"x = \"TOKEN\"\n# for acme", false},
		{`acme: see; x = TOKEN`, false},
		{"acme:\n\n\nkey = TOKEN", false},
		{`the acme key is TOKEN`, false},
		{`= TOKEN`, false},
		{`TOKEN`, false},
		{`acme = aTOKEN`, false},
		{`acme = TOKEN_`, false},
		{`acme` + strings.Repeat("_", 60) + ` = TOKEN`, true},
		{`acme` + strings.Repeat("_", 63) + ` = TOKEN`, false},
		{`x = TOKEN` + strings.Repeat(" ", 32) + `acme`, true},
		{`x = TOKEN` + strings.Repeat(" ", 33) + `acme`, false},
	} {
		data := []byte(strings.ReplaceAll(test.text, "TOKEN", token))
		if got := len(m.Find(nil, data)) > 0; got != test.want {
			t.Errorf("%q: found is %v", test.text, got)
		}
	}
}

// TestContextWithAnchor: a literal part makes an assignment needless.
func TestContextWithAnchor(t *testing.T) {
	m := contextMatcher(t, Format{Pattern: "key-[a-z0-9]{32}", Boundary: "[A-Za-z0-9_-]", Within: 20})
	token := "key-" + strings.Repeat("k7", 16)
	for _, test := range []struct {
		text string
		want bool
	}{
		{"the acme one; is\nTOKEN", true},
		{"the acme one; is\n\nTOKEN", false},
		{"TOKEN of ACME", true},
		{"acme" + strings.Repeat(" ", 20) + "TOKEN", true},
		{"acme" + strings.Repeat(" ", 21) + "TOKEN", false},
		{"TOKEN" + strings.Repeat(" ", 20) + "acme", true},
		{"TOKEN" + strings.Repeat(" ", 21) + "acme", false},
		{"TOKEN", false},
	} {
		data := []byte(strings.ReplaceAll(test.text, "TOKEN", token))
		if got := len(m.Find(nil, data)) > 0; got != test.want {
			t.Errorf("%q: found is %v", test.text, got)
		}
	}
}
