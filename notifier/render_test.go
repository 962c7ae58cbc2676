package notifier_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"patwatch/leak"
	"patwatch/notifier"
)

var update = flag.Bool("update", false, "write the golden files")

func at(hour, minute int) time.Time { return time.Date(2026, 6, 1, hour, minute, 0, 0, time.UTC) }

func sighting(repository, path string, line int) leak.Sighting {
	const commit = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	return leak.Sighting{
		Format: "azure-devops-pat", FormatName: "Azure DevOps personal access token", LastFour: "x7Qf", Confidence: leak.Verified,
		Place: leak.Place{
			Repository: repository, Commit: commit, Path: path, Line: line,
			URL: leak.Permalink("https://github.com/"+repository, commit, path, line, line),
		},
		Push: leak.Push{ID: "github:1", Repository: repository, PushedAt: at(9, 0), SeenAt: at(9, 0).Add(40 * time.Second)},
	}
}

func token(name string) leak.Token {
	return leak.Token{
		AuthorizationID: "55555555-5555-4555-8555-555555555555", Owner: leak.Owner{ID: "o-1", Name: "Ada Byron", Mail: "ada@contoso.example"},
		Organization: "contoso", DisplayName: name, Scopes: "vso.code vso.packaging", State: leak.TokenActive,
		ValidFrom: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), ValidTo: time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC),
	}
}

func one(kind notifier.Kind) notifier.Item {
	return notifier.Item{
		Kind: kind, Case: "PW-000123", Correlation: "7c9d2a10-0000-4000-8000-000000000001", Token: token("deploy bot"),
		Sightings: []leak.Sighting{sighting("octo/app", "deploy/settings.yaml", 17)},
		ManageURL: "https://dev.azure.com/contoso/_usersSettings/tokens",
	}
}

func notice(items ...notifier.Item) notifier.Notice {
	return notifier.Notice{
		ID: "PW-000123/notify/1", MessageID: "pw-000123.notify.1@example.org", From: "patwatch <security@example.org>",
		To: []string{"ada@contoso.example"}, Date: at(9, 1), Items: items,
	}
}

// samples are the notices that the golden files are of.
func samples() map[string]notifier.Notice {
	with := func(kind notifier.Kind, change func(*notifier.Item)) notifier.Notice {
		it := one(kind)
		change(&it)
		return notice(it)
	}
	out := map[string]notifier.Notice{
		"leaked-off":       with(notifier.Leaked, func(*notifier.Item) {}),
		"leaked-after":     with(notifier.Leaked, func(it *notifier.Item) { it.RevokeAt = at(9, 0).Add(72 * time.Hour) }),
		"leaked-immediate": with(notifier.Leaked, func(it *notifier.Item) { it.RevokeNow = true }),
		"leaked-revoked":   with(notifier.Leaked, func(it *notifier.Item) { it.RevokedAt = at(9, 1) }),
		"leaked-again": with(notifier.Leaked, func(it *notifier.Item) {
			it.Earlier, it.Held = 1, true
			for i := range 8 {
				it.Sightings = append(it.Sightings, sighting("octo/fork", "a.txt", i+1))
			}
		}),
		"already-expired": with(notifier.Leaked, func(it *notifier.Item) { it.Token.State = leak.TokenExpired }),
		"reminder":        with(notifier.Reminder, func(it *notifier.Item) { it.RevokeAt = at(9, 0).Add(72 * time.Hour) }),
		"revoked":         with(notifier.Revoked, func(it *notifier.Item) { it.RevokedAt = at(9, 0).Add(72 * time.Hour) }),
		"escalation": with(notifier.Escalation, func(it *notifier.Item) {
			it.Reason = "The owner cannot be reached: 550 5.1.1 no such user"
		}),
		"hostile": with(notifier.Leaked, hostile),
	}
	digest := notice()
	for i, kind := range []notifier.Kind{notifier.Leaked, notifier.Revoked, notifier.Leaked} {
		it := one(kind)
		it.Token.DisplayName = []string{"deploy bot", "laptop", ""}[i]
		if kind == notifier.Revoked {
			it.RevokedAt = at(9, 1)
		}
		digest.Items = append(digest.Items, it)
	}
	out["digest"] = digest
	many := notice()
	for range 225 {
		many.Items = append(many.Items, one(notifier.Leaked))
	}
	out["digest-many"] = many
	admins := notice(one(notifier.Escalation), one(notifier.Escalation))
	admins.Items[0].Reason = "Revocations are stopped: one run would have revoked 5000 tokens, and the cap is 100"
	admins.ReviewURL = "https://patwatch.example.org"
	out["escalation-many"] = admins
	return out
}

// hostile fills an item with what strangers may write.
func hostile(it *notifier.Item) {
	const bad = "a\r\nBcc: x@evil.example\r\n\r\n<script>alert(1)</script>\u202etxt.exe\u2066\x1b[31m\x00\u200b\u2028\"'&{{.}} https://evil.example/ \xff"
	it.Token.DisplayName, it.Token.Organization, it.Token.Scopes, it.Token.Name = bad, bad, strings.Repeat(bad, 50), bad
	it.Case, it.Correlation, it.Reason = bad, bad, bad
	it.ManageURL = "javascript:alert(1)"
	for i := range it.Sightings {
		s := &it.Sightings[i]
		s.FormatName, s.LastFour = bad, bad
		s.Place.Repository, s.Place.Path, s.Place.Commit = bad, strings.Repeat(bad, 1000), bad
		s.Place.URL = "https://github.com/\"><script>alert(1)</script>"
	}
}

func TestRenderGolden(t *testing.T) {
	for name, n := range samples() {
		m, err := notifier.Render(n)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		golden(t, name+".html", m.HTML)
		again, err := notifier.Render(n)
		if err != nil || again.Text != m.Text || again.HTML != m.HTML || again.Subject != m.Subject {
			t.Errorf("%s: another text the second time", name)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s is another; run with -update and look at the difference:\n%s", file, got)
	}
}

// TestFirstLines holds what somebody sees who reads three lines.
func TestFirstLines(t *testing.T) {
	for name, words := range map[string][]string{
		"leaked-after":     {"deploy bot", "x7Qf", "octo/app", "4 Jun 2026 09:00 UTC", "Revoke it now"},
		"leaked-immediate": {"deploy bot", "We are revoking it", "Revoke it now"},
		"leaked-off":       {"leaves revoking it to you", "Revoke it now", "https://dev.azure.com/contoso/_usersSettings/tokens"},
		"revoked":          {"We revoked it on 4 Jun 2026", "new token"},
		"already-expired":  {"had expired"},
		"escalation":       {"Ada Byron", "550 5.1.1", "reach the owner"},
		"digest":           {"3 of your", "2 may still work"},
	} {
		m, err := notifier.Render(samples()[name])
		if err != nil {
			t.Fatal(err)
		}
		first := strings.Join(strings.SplitN(m.Text, "\n", 4)[:3], "\n")
		for _, w := range words {
			if !strings.Contains(first, w) {
				t.Errorf("%s: the first lines lack %q:\n%s", name, w, first)
			}
		}
	}
}

// TestEverythingIsSaid holds what a mail about one token must tell.
func TestEverythingIsSaid(t *testing.T) {
	n := samples()["leaked-after"]
	m, err := notifier.Render(n)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"deploy bot", "contoso", "vso.code vso.packaging", "1 Mar 2026", "31 Dec 2026", "x7Qf", "Azure DevOps personal access token",
		"octo/app", "deploy/settings.yaml", "line 17", "4b825dc", "pushed 1 Jun 2026 09:00 UTC", "seen 1 Jun 2026",
		"https://github.com/octo/app/blob/4b825dc642cb6eb9a060e54bf8d69288fbee4904/deploy/settings.yaml#L17",
		"4 Jun 2026 09:00 UTC", "does not help", "Whether somebody used", "PW-000123", "7c9d2a10", "security@example.org",
	} {
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
			t.Errorf("%q is not said in both", want)
		}
	}
	if strings.Contains(m.Text+m.HTML, n.Items[0].Token.AuthorizationID) {
		t.Error("the mail shows the authorization id, by which tokens are revoked")
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, change := range map[string]func(*notifier.Notice){
		"no item":       func(n *notifier.Notice) { n.Items = nil },
		"no recipient":  func(n *notifier.Notice) { n.To = nil },
		"no message id": func(n *notifier.Notice) { n.MessageID = "" },
		"no sender":     func(n *notifier.Notice) { n.From = "nobody" },
	} {
		n := notice(one(notifier.Leaked))
		change(&n)
		if _, err := notifier.Render(n); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestNoLinkFromOutside checks that the only links are those that we know.
func TestNoLinkFromOutside(t *testing.T) {
	m, err := notifier.Render(samples()["hostile"])
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML, "<script") {
		t.Error("a name is markup")
	}
	for _, bad := range []string{"javascript:", "://evil", "://github.com/\"", "\r", "\x1b", "\x00", "\u202e", "\u2066", "\u200b", "\u2028"} {
		if strings.Contains(m.Subject+m.Text+m.HTML, bad) {
			t.Errorf("%q is in the mail", bad)
		}
	}
	if strings.Contains(m.Subject, "\n") || strings.Contains(m.Text, "\nBcc:") {
		t.Error("a name begins a line")
	}
}

func FuzzRender(f *testing.F) {
	f.Add("deploy bot", "octo/app", "a/b.txt", "https://github.com/octo/app")
	f.Add("a\r\nBcc: b", "\u202e<b>", "{{.}}\x00\xff", "javascript:alert(1)")
	f.Add(strings.Repeat("\U0001F468\u200d", 500), "\u2028\u00a0 ", "../../x", "https://a:b@c/")
	f.Fuzz(func(t *testing.T, name, repository, path, url string) {
		it := one(notifier.Leaked)
		it.Token.DisplayName, it.Token.Organization, it.ManageURL = name, repository, url
		it.Sightings[0].Place.Repository, it.Sightings[0].Place.Path, it.Sightings[0].Place.URL = repository, path, url
		m, err := notifier.Render(notice(it))
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(m.Subject, "\r\n") || utf8.RuneCountInString(m.Subject) > 200 {
			t.Fatalf("subject %q", m.Subject)
		}
		for _, r := range m.Subject + m.Text + m.HTML {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%U is in the mail", r)
			}
		}
		if lines := strings.Count(m.Text, "\n"); lines > 80 || len(m.HTML) > 20_000 {
			t.Fatalf("%d lines, %d bytes of HTML", lines, len(m.HTML))
		}
		if strings.Count(m.HTML, "<li>") != 8 || strings.Count(m.HTML, "<a ") > 4 {
			t.Fatal("a name made markup")
		}
	})
}
