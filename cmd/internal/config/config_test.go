package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, text string, environ ...string) (*Config, []string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "patwatch.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ)
}

func TestDefaultsAreValid(t *testing.T) {
	c, unknown, err := Load("", nil)
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	if !reflect.DeepEqual(c, Default()) {
		t.Error("an empty configuration is not the default one")
	}
}

// TestTheContract holds the keys and defaults to those of the design.
func TestTheContract(t *testing.T) {
	design, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(design), "## 9.")
	_, text, _ = strings.Cut(text, "```toml\n")
	text, _, _ = strings.Cut(text, "```")
	c := Default()
	if err := c.parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if len(c.Organizations) != 1 || c.Organizations[0].Revoke != "immediate" || len(c.Streams) != 1 {
		t.Errorf("organizations %v, streams %v", c.Organizations, c.Streams)
	}
	c.Organizations, c.Streams = nil, nil
	want := Default()
	want.GitHub.Archive.URLs = []string{}
	c.GitHub.Partner.Types = nil // the example is in a comment
	if !reflect.DeepEqual(c, want) {
		t.Errorf("docs/design.md §9:\n got %+v\nwant %+v", c, want)
	}
	for _, key := range Keys() {
		last := key[strings.LastIndexByte(key, '.')+1:]
		if !strings.Contains(text, last) {
			t.Errorf("docs/design.md §9 does not name %s", key)
		}
	}
}

func TestFile(t *testing.T) {
	c, _, err := load(t, `
data_dir = "/var/lib/patwatch"
[github]
api_url = "http://127.0.0.1:9000"
concurrency = 8
[scan]
max_blob = "1GiB"
[policy]
revoke = "after"
after = "3d"
[[organization]]
name = "contoso"
revoke = "immediate"
admins = ["security@contoso.example"]
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/var/lib/patwatch" || c.GitHub.Concurrency != 8 || c.Scan.MaxBlob != 1<<30 || c.GitHub.GitURL != "https://github.com" ||
		time.Duration(c.Policy.After) != 72*time.Hour || c.Organizations[0].Admins[0] != "security@contoso.example" {
		t.Errorf("%+v", c)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"data_dri = \"x\"":                                           `line 1: unknown key "data_dri"; did you mean "data_dir"?`,
		"\n[github]\napi_ulr = \"x\"":                                `line 3: unknown key "github.api_ulr"; did you mean "github.api_url"?`,
		"[scan]\nmax_blob = \"lots\"":                                `a size is a number`,
		"[scan]\nmax_blob = \"9999999999GiB\"":                       `a size is a number`,
		"[policy]\nafter = \"soon\"":                                 `a time span is a number`,
		"[policy]\nafter = \"-1h\"":                                  `a time span is a number`,
		"[policy]\nrevoke = \"imediate\"":                            `policy.revoke: "imediate" is not one of off, after, immediate; did you mean "immediate"?`,
		"[github]\napi_url = \"https://u:p@h\"":                      `github.api_url: an address here has no user`,
		"[github]\napi_url = \"ftp://h\"":                            `github.api_url: it is an address`,
		"[github]\nconcurrency = 0":                                  `github.concurrency: it is more than 0`,
		"[github.partner]\nenabled = true":                           `github.partner.enabled: this version does not have that part yet`,
		"[queue]\nbackend = \"kafka\"":                               `this version does not have that part yet`,
		"[queue]\nbackend = \"kafak\"":                               `did you mean "kafka"?`,
		"[tokens]\nbackend = \"redis\"":                              `this version does not have that part yet`,
		"[ledger]\nbackend = \"postgres\"":                           `this version does not have that part yet`,
		"[[stream]]\nkind = \"syslog\"":                              `stream: this version does not have that part yet`,
		"[web]\nlisten = \"0.0.0.0:80\"":                             `web.listen: 0.0.0.0:80 can be reached from outside`,
		"[web]\nlisten = \"8080\"":                                   `web.listen: it is host:port`,
		"[web.oidc]\nclient_id = \"x\"":                              `web.oidc.issuer_url: this version does not have that part yet`,
		"[issuer]\nkind = \"webhook\"":                               `issuer.url`,
		"[mail]\nfrom = \"nobody\"":                                  `mail.from: it is a mail address`,
		"[mail]\nusername = \"u\"":                                   `belong together`,
		"[[organization]]\nrevoke = \"off\"":                         `organization number 1: it has no name`,
		"[[organization]]\nname=\"a\"\n[[organization]]\nname=\"A\"": `it is there twice`,
		"data_dir = 3":                                               `line 1`,
		"data_dir":                                                   `line 1`,
		"[scan]\nformats = []":                                       `scan.formats: name at least one format`,
	} {
		_, _, err := load(t, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, _, err := load(t, "log_level = \"loud\"\n[mail]\ntls = \"some\"\nsmtp = \"x\"")
	for _, key := range []string{"log_level", "mail.tls", "mail.smtp"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestFileErrors(t *testing.T) {
	if _, _, err := Load(filepath.Join(t.TempDir(), "none.toml"), nil); err == nil {
		t.Error("a file that is not there is no error")
	}
	if _, _, err := load(t, strings.Repeat("# long\n", maxFile/7+1)); err == nil || !strings.Contains(err.Error(), "are the most") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	c, unknown, err := load(t, "[github]\nconcurrency = 8",
		"PATWATCH_GITHUB_CONCURRENCY=16", "PATWATCH_GITHUB_EVENTS=false", "PATWATCH_SCAN_FORMATS=a, b", "PATWATCH_SCAN_MAX_BLOB=1MiB",
		"PATWATCH_POLICY_AFTER=5m", "PATWATCH_GITHUB_APP_ID=0", "PATWATCH_GITHUB_API_ULR=x", "HOME=/home/x")
	if err != nil {
		t.Fatal(err)
	}
	if c.GitHub.Concurrency != 16 || c.GitHub.Events || !slices.Equal(c.Scan.Formats, []string{"a", "b"}) || c.Scan.MaxBlob != 1<<20 ||
		time.Duration(c.Policy.After) != 5*time.Minute {
		t.Errorf("%+v", c)
	}
	if want := []string{`PATWATCH_GITHUB_API_ULR; did you mean "PATWATCH_GITHUB_API_URL"?`}; !slices.Equal(unknown, want) {
		t.Errorf("unknown %q, want %q", unknown, want)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	for _, line := range []string{"PATWATCH_GITHUB_CONCURRENCY=many", "PATWATCH_GITHUB_EVENTS=perhaps", "PATWATCH_SCAN_MAX_BLOB=-1", "PATWATCH_WEB_LISTEN=x"} {
		name, _, _ := strings.Cut(line, "=")
		key := strings.ToLower(name[len(prefix):])
		if _, _, err := Load("", []string{line}); err == nil || !strings.Contains(strings.ReplaceAll(strings.ToLower(err.Error()), ".", "_"), key) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestValuesRoundTrip(t *testing.T) {
	for _, want := range []Size{0, 1, 1023, 1024, 64 << 20, 3 << 30, 1000} {
		text, _ := want.MarshalText()
		var got Size
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%d: %s became %d, %v", want, text, got, err)
		}
	}
	for _, want := range []Duration{0, Duration(time.Second), Duration(90 * time.Minute), Duration(400 * 24 * time.Hour)} {
		text, _ := want.MarshalText()
		var got Duration
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "data_dir = \"x\"", "[scan]\nmax_blob = \"1GiB\"", "[[organization]]\nname = \"a\"", "[policy]\nafter = \"400d\"", "x = [["} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		if c.parse(data) == nil {
			_ = c.check()
		}
	})
}
