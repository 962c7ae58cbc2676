package issuer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7"
	"github.com/microsoft/azure-devops-go-api/azuredevops/v7/tokenadmin"

	"patwatch/internal/standin"
	"patwatch/issuer"
	"patwatch/leak"
)

const (
	id       = "55555555-5555-4555-8555-555555555555"
	password = "not-a-real-credential"
)

func credential(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func token() leak.Token {
	return leak.Token{AuthorizationID: id, Organization: "contoso", Owner: leak.Owner{ID: "o-1"}}
}

func start(t *testing.T) *standin.Issuer {
	t.Helper()
	s := standin.StartIssuer(password)
	t.Cleanup(s.Close)
	return s
}

func azure(t *testing.T, s *standin.Issuer, pat string) issuer.Revoke {
	t.Helper()
	r, err := issuer.AzureDevOps(issuer.Options{URL: s.URL, Credential: credential(pat), Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMicrosoftsClientAgrees revokes by our client and by Microsoft's, and
// compares what the server was asked for.
func TestMicrosoftsClientAgrees(t *testing.T) {
	s := start(t)
	if err := azure(t, s, password)(t.Context(), token()); err != nil {
		t.Fatal(err)
	}
	var asked *http.Request
	s.SetAnswer(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			asked = r.Clone(context.WithoutCancel(r.Context()))
		}
		return false
	})
	client, err := tokenadmin.NewClient(t.Context(), azuredevops.NewPatConnection(s.URL+"/contoso", password))
	if err != nil {
		t.Fatal(err)
	}
	public, guid := false, uuid.MustParse(id)
	err = client.RevokeAuthorizations(t.Context(), tokenadmin.RevokeAuthorizationsArgs{
		Revocations: &[]tokenadmin.TokenAdminRevocation{{AuthorizationId: &guid}}, IsPublic: &public,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Revoked(); len(got) != 2 || got[0] != got[1] || got[0] != "contoso/"+id {
		t.Errorf("revoked %v", got)
	}
	theirs := asked
	if err := azure(t, s, password)(t.Context(), token()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "X-Tfs-Fedauthredirect"} {
		if theirs.Header.Get(name) != asked.Header.Get(name) {
			t.Errorf("%s differs", name)
		}
	}
	if !strings.EqualFold(theirs.URL.Path, asked.URL.Path) || theirs.URL.Query().Get("isPublic") != asked.URL.Query().Get("isPublic") {
		t.Errorf("asked %s and %s", theirs.URL, asked.URL)
	}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		status int
		header string
		kind   issuer.Kind
		after  time.Duration
	}{
		{400, "", issuer.Permanent, 0},
		{401, "", issuer.Refused, 10 * time.Minute},
		{403, "", issuer.Refused, 10 * time.Minute},
		{404, "", issuer.Refused, 10 * time.Minute},
		{302, "", issuer.Refused, 10 * time.Minute},
		{429, "30", issuer.Temporary, 30 * time.Second},
		{500, "", issuer.Temporary, 0},
		{503, "99999999", issuer.Temporary, time.Hour},
		{503, "-5", issuer.Temporary, 0},
		{503, "soon", issuer.Temporary, 0},
		{503, "Mon, 01 Jun 2026 09:01:00 GMT", issuer.Temporary, 0},
	} {
		s := start(t)
		elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
		s.SetAnswer(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Location", elsewhere.URL)
			if c.header != "" {
				w.Header().Set("Retry-After", c.header)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(password))
			return true
		})
		err := azure(t, s, password)(t.Context(), token())
		var e *issuer.Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Status != c.status || e.RetryAfter() != c.after || e.Permanent() != (c.kind == issuer.Permanent) {
			t.Errorf("%d %q: %v", c.status, c.header, err)
		}
		if err != nil && strings.Contains(err.Error(), password) {
			t.Error("the error has the credential")
		}
		elsewhere.Close()
	}
}

func TestNoAnswer(t *testing.T) {
	s := start(t)
	s.SetAnswer(func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client is gone
		<-r.Context().Done()
		return true
	})
	r, err := issuer.AzureDevOps(issuer.Options{URL: s.URL, Credential: credential(password), Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var e *issuer.Error
	if err := r(t.Context(), token()); !errors.As(err, &e) || !e.Unknown() || strings.Contains(err.Error(), password) {
		t.Errorf("a stall: %v", err)
	}
	s.Close()
	if err := azure(t, s, password)(t.Context(), token()); !errors.As(err, &e) || e.Kind != issuer.Temporary {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestHostilePlaces(t *testing.T) {
	s := start(t)
	for _, organization := range []string{"", ".", ".."} {
		tok := token()
		tok.Organization = organization
		var e *issuer.Error
		if err := azure(t, s, password)(t.Context(), tok); !errors.As(err, &e) || !e.Permanent() {
			t.Errorf("%q: %v", organization, err)
		}
	}
	tok := token()
	tok.Organization = "../../x?y#z@evil.example"
	if err := azure(t, s, password)(t.Context(), tok); err == nil {
		t.Error("an organization with a path is taken")
	}
	if len(s.Revoked()) != 0 {
		t.Error("something was revoked")
	}
	for _, u := range []string{"", "ftp://a", "http://issuer.example", "https://u:p@issuer.example", "https://a?b", "https://"} {
		if _, err := issuer.AzureDevOps(issuer.Options{URL: u, Credential: credential("x")}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}

func TestStore(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		known bool
		err   error
		kind  issuer.Kind
	}{{true, nil, 0}, {false, nil, issuer.Permanent}, {false, errors.New("locked"), issuer.Temporary}} {
		r := issuer.Store(func(_ context.Context, got string, at time.Time) (bool, error) {
			if got != id || !at.Equal(now) {
				t.Errorf("%s at %s", got, at)
			}
			return c.known, c.err
		}, func() time.Time { return now })
		err := r(t.Context(), token())
		var e *issuer.Error
		if (err == nil) != (c.kind == 0) || errors.As(err, &e) && e.Kind != c.kind {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestCredentialFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pat")
	read := issuer.CredentialFile(file)
	if _, err := read(); err == nil {
		t.Error("no file, no error")
	}
	for text, want := range map[string]string{" \n": "", "one\n": "one", "two\r\n": "two"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := read(); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestWebhookKeys(t *testing.T) {
	s := start(t)
	hook := func(keys string) error {
		r, err := issuer.Webhook(issuer.Options{URL: s.URL + "/webhook", Credential: credential(keys)})
		if err != nil {
			t.Fatal(err)
		}
		return r(t.Context(), token())
	}
	var e *issuer.Error
	for _, keys := range []string{"", "x", "whsec" + "_!", "whsec" + "_YWJj", "whsk" + "_YWJj"} {
		if err := hook(keys); !errors.As(err, &e) || e.Kind != issuer.Refused || keys != "" && strings.Contains(err.Error(), "YWJj") {
			t.Errorf("%d bytes of key: %v", len(keys), err)
		}
	}
	for range 2 {
		if err := hook(key(0)); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Hooks()
	if len(got) != 2 || got[0].Header.Get("webhook-id") != got[1].Header.Get("webhook-id") {
		t.Error("the id changes with a repetition")
	}
	s.SetAnswer(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusGone); return true })
	if err := hook(key(0)); !errors.As(err, &e) || !e.Permanent() {
		t.Errorf("gone: %v", err)
	}
}
