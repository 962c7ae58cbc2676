package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"patwatch/leak"
	"patwatch/tokenstore"
)

// export writes an issuer's export of tokens to a file.
func (d *deployment) export(t *testing.T, name string, tokens ...string) string {
	t.Helper()
	var b strings.Builder
	for i, token := range tokens {
		fmt.Fprintf(&b, `{"sha256":"%x","authorization_id":"auth-%d","owner_mail":"ada@contoso.example","organization":"contoso","display_name":"deploy","valid_from":"2026-01-01T00:00:00Z"}`+"\n",
			sha256.Sum256([]byte(token)), i)
	}
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTokensImportAndDigest(t *testing.T) {
	d := newDeployment(t)
	file := d.export(t, "tokens.ndjson", "first token", "second token")
	if out := d.run(t, 0, "tokens", "import", file, "--snapshot"); !strings.Contains(out, "Imported 2 tokens, rejected 0 records.") ||
		!strings.Contains(out, "before 2026-01-01T00:00:00Z is known") {
		t.Error(out)
	}
	for token, want := range map[string]string{"second token\n": "known: authorization auth-1, active, of ada@contoso.example, deploy", "third token": "not known"} {
		var out, errs bytes.Buffer
		code := Run(t.Context(), []string{"tokens", "digest", "--config", d.config}, Streams{In: strings.NewReader(token), Out: &out, Err: &errs})
		if code != map[bool]int{true: 0, false: 1}[strings.HasPrefix(want, "known")] || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
		}
		if strings.Contains(out.String()+errs.String(), strings.TrimSpace(token)) {
			t.Error("the token is printed")
		}
	}
	d.run(t, 2, "tokens", "digest") // nothing on standard input
	if out := d.run(t, 0, "tokens", "stats"); !strings.Contains(out, "2 tokens: 2 active") {
		t.Error(out)
	}
	var st tokenstore.Stats
	if err := json.Unmarshal([]byte(d.run(t, 0, "tokens", "stats", "--format", "json")), &st); err != nil || st.Tokens != 2 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestTokensImportRejects(t *testing.T) {
	d := newDeployment(t)
	file := d.export(t, "tokens.ndjson", "first token")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(data, "not a record\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	rejects := filepath.Join(d.dir, "rejects.ndjson")
	if out := d.run(t, 1, "tokens", "import", file, "--rejects", rejects); !strings.Contains(out, "Imported 1 tokens, rejected 1 records") {
		t.Error(out)
	}
	if text, err := os.ReadFile(rejects); err != nil || !strings.Contains(string(text), `"line":2`) {
		t.Error(string(text), err)
	}
}

func TestTokensImportFormats(t *testing.T) {
	d := newDeployment(t)
	table := filepath.Join(d.dir, "tokens.CSV")
	text := fmt.Sprintf("authorization_id,sha256\na1,%x\n", sha256.Sum256([]byte("t")))
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := d.run(t, 0, "tokens", "import", table, "--dry-run"); !strings.Contains(out, "Checked 1 tokens") {
		t.Error(out)
	}
	d.run(t, 0, "tokens", "import", table)
	for want, args := range map[string][]string{
		`did you mean "ndjson"?`: {table, "--format", "ndjsno"},
		"--as-of":                {table, "--as-of", "tomorrow"},
		"in the future":          {table, "--as-of", "2999-01-01"},
		"no such file":           {filepath.Join(d.dir, "none")},
		"needs a file":           {},
	} {
		if out := d.run(t, 2, append([]string{"tokens", "import"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%v: %s", args, out)
		}
	}
}

func TestTokensList(t *testing.T) {
	d := newDeployment(t)
	d.run(t, 2, "tokens", "list") // no store yet
	d.run(t, 0, "tokens", "import", d.export(t, "tokens.ndjson", "a", "b", "c"))
	var tokens []leak.Token
	if err := json.Unmarshal([]byte(d.run(t, 0, "tokens", "list", "--format", "json", "--limit", "2")), &tokens); err != nil || len(tokens) != 2 {
		t.Errorf("%v, %v", tokens, err)
	}
	for args, want := range map[string]int{"--format table": 4, "--format csv": 4, "--format csv --owner nobody@x": 1, "--state revoked": 1} {
		if out := d.run(t, 0, append([]string{"tokens", "list"}, strings.Fields(args)...)...); strings.Count(out, "\n") != want {
			t.Errorf("%s:\n%s", args, out)
		}
	}
	d.run(t, 2, "tokens", "list", "--state", "actve")
	d.run(t, 2, "tokens", "list", "--format", "xml")
}
