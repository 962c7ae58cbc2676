package feed

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"patwatch/internal/standin"
	"patwatch/leak"
)

func TestName(t *testing.T) {
	hub, err := standin.NewGitHub(t.Context(), standin.GitHubOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	id, err := hub.Create(repo)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Rename(repo, "user-2/other"); err != nil {
		t.Fatal(err)
	}
	api, err := NewAPI(APIOptions{URL: "https://api.example.org", Transport: direct{hub}})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := api.Name(t.Context(), id); err != nil || name != "user-2/other" {
		t.Errorf("%s, %v", name, err)
	}
	if _, err := api.Name(t.Context(), 1); err == nil {
		t.Error("a repository that is not there has a name")
	}
}

// TestCredentialsStayWithTheHost checks that a redirect to another host is not
// followed, and that only ours gets the credentials.
func TestCredentialsStayWithTheHost(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	authorized := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer x" {
			authorized++
		}
		http.Redirect(w, r, other.URL+"/events", http.StatusFound)
	}))
	defer server.Close()
	api, err := NewAPI(APIOptions{URL: server.URL, Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.page(t.Context(), 1); !errors.Is(err, errRedirect) || elsewhere != 0 || authorized != 1 {
		t.Errorf("%v, %d requests elsewhere, %d with credentials", err, elsewhere, authorized)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	big := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "["+strings.Repeat(" ", 5000)+"]")
	})
	for most, want := range map[int64]error{5002: nil, 5001: errTooMuch} {
		api, err := NewAPI(APIOptions{URL: "https://api.example.org", MaxBytes: most, Transport: direct{big}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.page(t.Context(), 1); !errors.Is(err, want) {
			t.Errorf("with %d bytes allowed: %v", most, err)
		}
	}
}

func TestNewAPIRefuses(t *testing.T) {
	for _, u := range []string{"", "api.github.com", "ftp://x", "https://user:x@host"} {
		if _, err := NewAPI(APIOptions{URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}

const (
	head   = "650ebea1644a1b8655b857ab1b23e7998401ba43"
	before = "2a8e0954beda96cf8eace756ae69a0e21aa085df"
	zeros  = "0000000000000000000000000000000000000000"
)

func event(kind, payload string) string {
	return `{"id":"12582610974","type":"` + kind + `","actor":{"id":1,"login":"u"},"repo":{"id":9,"name":"user-2/repo-2"},"payload":` + payload +
		`,"public":true,"created_at":"2026-05-30T12:56:14Z"}`
}

func TestDecode(t *testing.T) {
	at, seen := time.Date(2026, 5, 30, 12, 56, 14, 0, time.UTC), time.Date(2026, 5, 30, 13, 0, 0, 0, time.UTC)
	full := func(id string, kind leak.PushKind, ref, before, after string) *leak.Push {
		return &leak.Push{ID: id, Source: "archive", Kind: kind, RepositoryID: 9, Repository: "user-2/repo-2", Ref: ref, Before: before, After: after, PushedAt: at, SeenAt: seen}
	}
	cases := []struct {
		name, in, key string
		want          *leak.Push
		bad           bool
	}{
		{"push", event("PushEvent", `{"repository_id":9,"push_id":34872209580,"ref":"refs/heads/main","head":"`+head+`","before":"`+before+`"}`),
			"github:34872209580", full("github:34872209580", leak.RefUpdated, "refs/heads/main", before, head), false},
		{"old push", event("PushEvent", `{"push_id":5,"size":1,"distinct_size":1,"ref":"refs/heads/main","head":"`+head+`","before":"`+before+`","commits":[{"sha":"`+head+`"}]}`),
			"github:5", full("github:5", leak.RefUpdated, "refs/heads/main", before, head), false},
		{"push without a number", event("PushEvent", `{"ref":"refs/heads/main","head":"`+head+`","before":"`+before+`"}`),
			"github:PushEvent:12582610974", full("github:PushEvent:12582610974", leak.RefUpdated, "refs/heads/main", before, head), false},
		{"push of a new branch", event("PushEvent", `{"push_id":5,"ref":"refs/heads/x","head":"`+head+`","before":"`+zeros+`"}`),
			"github:5", full("github:5", leak.BranchCreated, "refs/heads/x", "", head), false},
		{"push of a new tag", event("PushEvent", `{"push_id":5,"ref":"refs/tags/x","head":"`+head+`","before":"`+zeros+`"}`),
			"github:5", full("github:5", leak.TagCreated, "refs/tags/x", "", head), false},
		{"push that deletes", event("PushEvent", `{"push_id":5,"ref":"refs/heads/x","head":"`+zeros+`","before":"`+before+`"}`), "github:PushEvent:12582610974", nil, false},
		{"branch", event("CreateEvent", `{"ref":"a/b","ref_type":"branch"}`), "github:CreateEvent:12582610974", full("github:CreateEvent:12582610974", leak.BranchCreated, "refs/heads/a/b", "", ""), false},
		{"tag", event("CreateEvent", `{"ref":"v1","ref_type":"tag"}`), "github:CreateEvent:12582610974", full("github:CreateEvent:12582610974", leak.TagCreated, "refs/tags/v1", "", ""), false},
		{"repository", event("CreateEvent", `{"ref":null,"ref_type":"repository"}`), "github:CreateEvent:12582610974", nil, false},
		{"public", event("PublicEvent", `{}`), "github:PublicEvent:12582610974", full("github:PublicEvent:12582610974", leak.MadePublic, "", "", ""), false},
		{"delete", event("DeleteEvent", `{"ref":"x","ref_type":"branch"}`), "github:DeleteEvent:12582610974", nil, false},
		{"unknown", event("NewEvent", `[1]`), "github:NewEvent:12582610974", nil, false},
		{"no json", `{`, "", nil, true},
		{"no id", `{"type":"PushEvent"}`, "", nil, true},
		{"bad ref", event("PushEvent", `{"push_id":5,"ref":"main","head":"`+head+`","before":"`+before+`"}`), "", nil, true},
		{"ref of two lines", event("CreateEvent", `{"ref":"a\nb","ref_type":"branch"}`), "", nil, true},
		{"bad head", event("PushEvent", `{"push_id":5,"ref":"refs/heads/x","head":"HEAD","before":"`+before+`"}`), "", nil, true},
		{"bad name", strings.Replace(event("PublicEvent", `{}`), "user-2/repo-2", "user-2/..", 1), "", nil, true},
		{"private", strings.Replace(event("PublicEvent", `{}`), `"public":true`, `"public":false`, 1), "github:PublicEvent:12582610974", nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			key, got, err := Decode([]byte(c.in), "archive", seen)
			if (err != nil) != c.bad || key != c.key || (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("%q, %+v, %v", key, got, err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(event("PushEvent", `{"push_id":5,"ref":"refs/heads/main","head":"`+head+`","before":"`+before+`"}`)))
	f.Add([]byte(event("CreateEvent", `{"ref":"v1","ref_type":"tag"}`)))
	f.Add([]byte(event("PublicEvent", `{}`)))
	seen := time.Date(2026, 5, 30, 13, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, in []byte) {
		key, push, err := Decode(in, "events", seen)
		if err != nil && (push != nil || key != "") || err == nil && key == "" {
			t.Fatalf("%q, %v, %v", key, push, err)
		}
		if push == nil {
			return
		}
		if push.ID != key || strings.ContainsAny(push.Repository+push.Ref+push.Before+push.After, " \n\r\x00?#@") && !strings.ContainsAny(push.Ref, "?#@") {
			t.Fatalf("%+v", push)
		}
	})
}
