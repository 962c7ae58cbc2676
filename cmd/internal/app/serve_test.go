package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"patwatch/detectors"
	"patwatch/internal/standin"
	"patwatch/leak"
)

// A world is what a service runs in: GitHub, a mail server, and a data folder
// with the issuer's tokens.
type world struct {
	*deployment
	github *standin.GitHub
	mail   *standin.Mail
	live   []string // tokens that the store knows
	other  string   // one that it does not
}

func newWorld(t *testing.T, policy string) *world {
	t.Helper()
	w := &world{deployment: newDeployment(t)}
	var err error
	if w.github, err = standin.NewGitHub(t.Context(), standin.GitHubOptions{Dir: t.TempDir(), PollInterval: time.Second}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.github)
	t.Cleanup(func() { w.github.Close(); server.Close() })
	if w.mail, err = standin.StartMail(standin.MailOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.mail.Close() })
	formats := formatFlags{only: []string{"azure-devops-pat"}}
	chosen, err := formats.load()
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(4) {
		w.live = append(w.live, mintedWith(t, chosen[0], n))
	}
	w.other = mintedWith(t, chosen[0], 99)
	text := fmt.Sprintf("data_dir = %q\nlog_level = \"debug\"\n[github]\napi_url = %q\ngit_url = %q\n[mail]\nsmtp = %q\ntls = \"none\"\n[web]\nlisten = \"127.0.0.1:0\"\n%s",
		filepath.ToSlash(w.dir), server.URL, server.URL, w.mail.Address(), policy)
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run(t, 0, "tokens", "import", w.export(t, "tokens.ndjson", w.live...), "--snapshot")
	return w
}

func mintedWith(t *testing.T, f detectors.Format, seed uint64) string {
	t.Helper()
	token, err := detectors.Mint(f, rand.New(rand.NewPCG(seed, 7)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

// start runs the service until the test ends, or stop is called.
func (w *world) start(t *testing.T) (stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var errs bytes.Buffer
	done := make(chan int)
	go func() {
		done <- Run(ctx, []string{"serve", "--config", w.config}, Streams{In: strings.NewReader(""), Out: &errs, Err: &errs})
	}()
	stopped := false
	stop = func() string {
		if !stopped {
			stopped = true
			cancel()
			if code := <-done; code != 0 {
				t.Errorf("serve: exit code %d", code)
			}
		}
		return errs.String()
	}
	t.Cleanup(func() {
		if log := stop(); t.Failed() {
			t.Log(log)
		}
	})
	return stop
}

// leak pushes a file with a token to a repository.
func (w *world) leak(t *testing.T, repository, path, token string) leak.Push {
	t.Helper()
	push, err := w.github.Push(repository, "refs/heads/main", standin.PushOptions{},
		standin.Commit{Files: map[string]string{path: "first = 1\npat = \"" + token + "\"\n"}, Message: "add " + path})
	if err != nil {
		t.Fatal(err)
	}
	return push
}

// letters waits for n mails.
func (w *world) letters(t *testing.T, n int) []standin.Letter {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		if got := w.mail.Letters(); len(got) >= n {
			return got
		}
		select {
		case <-w.mail.Arrived():
		case <-deadline:
			t.Fatalf("%d mails of %d", len(w.mail.Letters()), n)
		}
	}
}

// cases waits until a case satisfies done, and returns all.
func (w *world) cases(t *testing.T, done func([]caseRecord) bool) []caseRecord {
	t.Helper()
	var cases []caseRecord
	for range 600 {
		cases = nil
		if err := json.Unmarshal([]byte(w.run(t, 0, "cases", "list", "--format", "json")), &cases); err != nil {
			t.Fatal(err)
		}
		if done(cases) {
			return cases
		}
		if err := sleep(t.Context(), 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("never: %+v", cases)
	return nil
}

// TestServe is the way of a leak from the push to the mail, the record, the
// revocation, and their proof.
func TestServe(t *testing.T) {
	w := newWorld(t, "[policy]\nrevoke = \"immediate\"\n")
	if _, err := w.github.Create("octo/shop"); err != nil {
		t.Fatal(err)
	}
	w.leak(t, "octo/shop", "README.md", "nothing yet")
	push := w.leak(t, "octo/shop", "src/config.py", w.live[1])
	w.leak(t, "octo/shop", "src/other.py", w.other)
	stop := w.start(t)
	letter := w.letters(t, 1)[0]
	if text := string(letter.Data); !strings.Contains(text, "ada@contoso.example") || strings.Contains(text, w.live[1]) {
		t.Error("the mail is not to the owner, or holds the token")
	}
	cases := w.cases(t, func(cases []caseRecord) bool {
		return len(cases) == 1 && actOf(cases[0].Acts, leak.Revoke) == "done" && actOf(cases[0].Acts, leak.Notify) == "done"
	})
	c := cases[0]
	if c.AuthorizationID != "auth-1" || len(c.Sightings) != 1 || c.Sightings[0].Path != "src/config.py" || c.Sightings[0].Line != 2 ||
		c.Sightings[0].Commit != push.After || !strings.Contains(c.Sightings[0].URL, "octo/shop/blob/"+push.After) && c.Sightings[0].URL != "" {
		t.Errorf("%+v", c)
	}
	log := stop()
	if out := w.run(t, 0, "audit", "verify"); !strings.Contains(out, "as it was written") {
		t.Error(out)
	}
	if out := w.run(t, 0, "audit", "list"); !strings.Contains(out, "Token.PatPublicDiscoveryEvent") || !strings.Contains(out, "Token.PatSystemRevokeEvent") {
		t.Error(out)
	}
	w.noToken(t, log)
	// Everything again: it is the same case, and nobody is told twice.
	w.start(t)
	w.leak(t, "octo/shop", "again.py", w.live[2])
	w.cases(t, func(cases []caseRecord) bool { return len(cases) == 2 })
}

// noToken looks for the tokens in everything that was written.
func (w *world) noToken(t *testing.T, log string) {
	t.Helper()
	written := map[string][]byte{"the log": []byte(log)}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if written[e.Name()], err = os.ReadFile(filepath.Join(w.dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for n, l := range w.mail.Letters() {
		written[fmt.Sprint("mail ", n)] = l.Data
	}
	for name, data := range written {
		for _, token := range append(w.live, w.other) {
			if bytes.Contains(data, []byte(token)) || bytes.Contains(data, []byte(token[20:60])) {
				t.Errorf("%s holds a token", name)
			}
		}
	}
}

func TestServeRefusesASecondInstance(t *testing.T) {
	d := newDeployment(t)
	lock := flock.New(filepath.Join(d.dir, "lock"))
	if locked, err := lock.TryLock(); !locked || err != nil {
		t.Fatal(err)
	}
	if out := d.run(t, 2, "serve"); !strings.Contains(out, "another patwatch serve") {
		t.Error(out)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestStatusPages(t *testing.T) {
	w := newWorld(t, "")
	h, err := loadHomeFrom(w.config)
	if err != nil {
		t.Fatal(err)
	}
	v := &service{home: h, log: newLog(Streams{Err: &bytes.Buffer{}}, "info"), started: time.Now()}
	if err := v.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.close(); err != nil {
			t.Error(err)
		}
	}()
	server, err := v.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close(t.Context())
	for path, want := range map[string]string{"/": "Open cases", "/healthz": "ok", "/readyz": "ok", "/metrics": "patwatch_cases_open 0"} {
		resp, err := http.Get("http://" + server.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(resp.Body)
		if resp.Body.Close() != nil || err != nil || resp.StatusCode != 200 || !strings.Contains(body.String(), want) {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body.String())
		}
	}
	if resp, err := http.Get("http://" + server.Addr() + "/nothing"); err != nil || resp.StatusCode != 404 {
		t.Error(err)
	}
}
