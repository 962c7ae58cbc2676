package app

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/detectors"
)

func now() time.Time { return time.Now() }

func TestFormatsAreChosen(t *testing.T) {
	all, err := (&formatFlags{}).load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		only, exclude []string
		has, hasNot   string
		least, most   int
	}{
		{nil, nil, "github-ghp", "nothing", len(all), len(all)},
		{[]string{"github-ghp"}, nil, "github-ghp", "slack-bot", 1, 1},
		{[]string{"github-*"}, nil, "github-ghp", "gitlab-pat-routable", 2, 30},
		{[]string{"github-*", "slack-bot"}, []string{"github-gh?"}, "slack-bot", "github-ghp", 1, 30},
		{nil, []string{"*"}, "", "", 0, 0},
		{[]string{"git[hl]*"}, []string{"gitlab-*"}, "github-ghp", "gitlab-pat-routable", 2, 30},
	} {
		f := formatFlags{only: c.only, exclude: c.exclude}
		got, err := f.load()
		if (err != nil) != (c.most == 0) || len(got) < c.least || len(got) > c.most {
			t.Errorf("only %v, exclude %v: %d formats, %v", c.only, c.exclude, len(got), err)
		}
		ids := map[string]bool{}
		for _, g := range got {
			ids[g.ID] = true
		}
		if c.most > 0 && !ids[c.has] || ids[c.hasNot] {
			t.Errorf("only %v, exclude %v: has %s: %v, has %s: %v", c.only, c.exclude, c.has, ids[c.has], c.hasNot, ids[c.hasNot])
		}
	}
}

// TestNamesThatChooseNothing wants an error for each: a scan that looks for
// nothing looks clean.
func TestNamesThatChooseNothing(t *testing.T) {
	for _, f := range []formatFlags{
		{only: []string{"github-*", "nosuch-*"}}, {exclude: []string{"nosuch"}}, {only: []string{""}}, {only: []string{"[a-"}},
		{only: []string{"github-ghp"}, exclude: []string{"github-ghp"}}, {only: []string{"github-ghp/x"}}, {only: []string{"GITHUB-GHP"}},
	} {
		if got, err := f.load(); err == nil {
			t.Errorf("%+v chooses %d formats", f, len(got))
		}
	}
}

func FuzzPatterns(f *testing.F) {
	for _, p := range []string{"github-*", "*", "[", "[a-", "\\", "?", "a{b,c}", "**", "[^a]*"} {
		f.Add(p)
	}
	all, err := detectors.Builtin()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		chosen := 0
		for _, format := range all {
			if matchesAny([]string{p}, format.ID) {
				chosen++
			}
		}
		err := chooses(p, all)
		if _, bad := path.Match(p, "x"); bad != nil && err == nil && chosen == 0 {
			t.Errorf("%q is no pattern, and no error", p)
		}
		if (err == nil) != (chosen > 0) {
			t.Errorf("%q chooses %d formats, error %v", p, chosen, err)
		}
	})
}

const acme = "issuer = \"Acme\"\n[[format]]\nid = \"acme-key\"\nname = \"Acme key\"\nkind = \"api-key\"\ntier = \"shape\"\n" +
	"pattern = 'acmekey_[A-Za-z0-9]{32}'\nboundary = '[A-Za-z0-9_]'\nmin_entropy = 1.0\n"

func TestOwnFormats(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own.toml")
	write(t, own, acme)
	token := "acmekey_" + "q7Zx2LmP9vTb4RkW8sYd3NfH6jCg5Ae1"
	code, out, errs := patwatch(t, token+"\n", "scan", "--formats", own, "--only", "acme-*", "--format", "json", "-")
	if code != 1 || !strings.Contains(out, `"acme-key"`) || !strings.Contains(out, `"formats": 1`) {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	code, out, _ = patwatch(t, "", "formats", "show", "--formats", own, "acme-key")
	if code != 0 || !strings.Contains(out, "acmekey_[A-Za-z0-9]{32}") {
		t.Errorf("exit code %d: %s", code, out)
	}
	for name, text := range map[string]string{
		"cut off": "[[format", "no issuer": "[[format]]\nid = \"x\"\n", "unknown key": acme + "colour = \"red\"\n",
		"twice": acme + strings.TrimPrefix(acme, "issuer = \"Acme\"\n"), "unbounded": strings.Replace(acme, "{32}", "+", 1),
	} {
		bad := filepath.Join(dir, "bad.toml")
		write(t, bad, text)
		code, out, errs := patwatch(t, "x", "scan", "--formats", bad, "-")
		if code != 2 || out != "" || strings.TrimSpace(errs) == "" {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, errs)
		}
	}
	large := filepath.Join(dir, "large.toml")
	write(t, large, "")
	if err := os.Truncate(large, maxFormatsFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := readFormats(large); err == nil || !strings.Contains(err.Error(), "more than 64 MiB") {
		t.Errorf("a large file: %v", err)
	}
}

func TestFormatsList(t *testing.T) {
	code, out, errs := patwatch(t, "", "formats", "list", "--only", "github-*", "--format", "json")
	var rows []struct {
		ID, Tier, Issuer, Name, Kind string
		Checksum                     bool
	}
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 || len(rows) < 2 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	for _, r := range rows {
		if !strings.HasPrefix(r.ID, "github-") || r.Tier == "" || r.Issuer != "GitHub" || r.Name == "" || r.Kind == "" {
			t.Errorf("%+v", r)
		}
		if r.ID == "github-ghp" && (!r.Checksum || r.Tier != "verified") {
			t.Errorf("%+v has a checksum", r)
		}
	}
	_, table, _ := patwatch(t, "", "formats", "list", "--only", "github-*")
	if lines := strings.Count(table, "\n"); lines != len(rows) {
		t.Errorf("%d lines in the table, %d in JSON", lines, len(rows))
	}
}

// TestEveryFormatIsShown explains all built-in formats.
func TestEveryFormatIsShown(t *testing.T) {
	code, out, errs := patwatch(t, "", "formats", "show", "*")
	all, err := detectors.Builtin()
	if err != nil || code != 0 {
		t.Fatal(code, errs, err)
	}
	for _, f := range all {
		if !strings.Contains(out, f.ID+"\n") {
			t.Errorf("%s is not shown", f.ID)
		}
	}
}
