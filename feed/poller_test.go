package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"patwatch/internal/standin"
	"patwatch/leak"
)

// direct sends requests to a handler without a network, so that time in a test
// can stand still.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// A world is a stand-in for GitHub, what a poller of it published, and the gaps.
type world struct {
	*testing.T
	hub    *standin.GitHub
	poller *Poller
	pushes []leak.Push
	gaps   []Gap
	fail   int // calls that fail from now on
}

var errStore = errors.New("the store does not answer")

func (w *world) publish(_ context.Context, p []leak.Push) error {
	if w.fail > 0 {
		w.fail--
		return errStore
	}
	w.pushes = append(w.pushes, p...)
	return nil
}

func (w *world) gap(_ context.Context, g Gap) error {
	if w.fail > 0 {
		w.fail--
		return errStore
	}
	w.gaps = append(w.gaps, g)
	return nil
}

const repo = "user-1/repo-1"

// poll runs a test in a bubble of time with a world.
func poll(t *testing.T, o Options, hub standin.GitHubOptions, test func(*world)) {
	t.Helper()
	hub.Dir = t.TempDir()
	h, err := standin.NewGitHub(t.Context(), hub)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		api, err := NewAPI(APIOptions{URL: "https://api.example.org", Transport: direct{h}})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, hub: h}
		o.API, o.Publish, o.Gap = api, w.publish, w.gap
		w.poller = New(o)
		if _, err := h.Create(repo); err != nil {
			t.Fatal(err)
		}
		test(w)
	})
}

func (w *world) push(n int) {
	w.Helper()
	for i := range n {
		_, err := w.hub.Push(repo, "refs/heads/main", standin.PushOptions{}, standin.Commit{Files: map[string]string{"f": fmt.Sprint(i)}})
		if err != nil {
			w.Fatal(err)
		}
	}
}

func TestPollPublishesEachPushOnce(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		poll(t, Options{}, standin.GitHubOptions{Legacy: legacy}, func(w *world) {
			w.push(3)
			w.hub.Watch(150)
			if _, err := w.hub.Tag(repo, "refs/tags/v1", "refs/heads/main", "first"); err != nil {
				t.Fatal(err)
			}
			if _, err := w.hub.Publish(repo); err != nil {
				t.Fatal(err)
			}
			if err := w.hub.Delete(repo, "refs/heads/main"); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				w.poller.poll(w.Context())
			}
			var kinds []string
			for _, p := range w.pushes {
				kinds = append(kinds, string(p.Kind))
				if p.Repository != repo || p.RepositoryID == 0 || p.Source != "events" || p.SeenAt.IsZero() || p.PushedAt.IsZero() {
					t.Errorf("%+v", p)
				}
			}
			if got := strings.Join(kinds, " "); got != "branch update update tag public" {
				t.Errorf("published %s", got)
			}
			m := w.poller.Metrics()
			if m.Unchanged.Load() != 4 || m.Polls.Load() != 3 || m.Gaps.Load() != 0 || m.Pushes.Load() != 5 {
				t.Errorf("%d unchanged, %d polls, %d gaps", m.Unchanged.Load(), m.Polls.Load(), m.Gaps.Load())
			}
		})
	}
}

func TestOverrunIsAGap(t *testing.T) {
	poll(t, Options{Fastest: time.Second}, standin.GitHubOptions{}, func(w *world) {
		w.hub.Watch(300)
		w.poller.poll(w.Context())
		start := time.Now()
		time.Sleep(10 * time.Second)
		w.hub.Watch(250)
		w.poller.poll(w.Context())
		if len(w.gaps) != 0 {
			t.Fatalf("a gap although 50 events overlap: %v", w.gaps)
		}
		if got := w.poller.Metrics().Overlap[2].Load(); got != 500 {
			t.Errorf("the oldest page overlaps by %d/1000, want 500", got)
		}
		time.Sleep(10 * time.Second)
		w.hub.Watch(400)
		w.poller.poll(w.Context())
		want := Gap{start.Add(10 * time.Second), start.Add(20 * time.Second), "events", "overrun"}
		if len(w.gaps) != 1 || !w.gaps[0].From.Equal(want.From) || !w.gaps[0].To.Equal(want.To) || w.gaps[0].Reason != want.Reason {
			t.Errorf("gaps %v, want %v", w.gaps, want)
		}
	})
}

func TestDownTimeIsAGap(t *testing.T) {
	poll(t, Options{Since: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}, standin.GitHubOptions{}, func(w *world) {
		w.hub.Watch(300)
		w.poller.poll(w.Context())
		if len(w.gaps) != 1 || w.gaps[0].Reason != "down" || w.gaps[0].From.Year() != 1999 {
			t.Errorf("gaps %v", w.gaps)
		}
	})
}

func TestErrorsAreAGap(t *testing.T) {
	poll(t, Options{}, standin.GitHubOptions{}, func(w *world) {
		w.hub.Watch(300)
		w.poller.poll(w.Context())
		w.hub.Fault("", &standin.Fault{Kind: standin.Status, Code: 500, Times: 4})
		var waits []time.Duration
		for range 4 {
			waits = append(waits, w.poller.poll(w.Context()))
		}
		for i := 1; i < len(waits); i++ {
			if waits[i] <= waits[i-1] {
				t.Errorf("waits of %v do not grow", waits)
			}
		}
		w.hub.Watch(300)
		w.poller.poll(w.Context())
		if len(w.gaps) != 1 || w.gaps[0].Reason != "errors" {
			t.Errorf("gaps %v", w.gaps)
		}
	})
}

func TestLimitsAreObeyed(t *testing.T) {
	cases := []struct {
		name  string
		fault standin.Fault
		want  time.Duration
	}{
		{"429", standin.Fault{Kind: standin.Status, Code: 429, RetryAfter: 7 * time.Second}, 7 * time.Second},
		{"503", standin.Fault{Kind: standin.Status, Code: 503, RetryAfter: 9 * time.Second}, 9 * time.Second},
		{"403", standin.Fault{Kind: standin.Status, Code: 403, RetryAfter: 11 * time.Second}, 11 * time.Second},
	}
	for _, c := range cases {
		poll(t, Options{Fastest: time.Second}, standin.GitHubOptions{}, func(w *world) {
			c.fault.Times = 1
			w.hub.Fault("", &c.fault)
			if wait := w.poller.poll(w.Context()); wait != c.want {
				t.Errorf("%s: waits %s, want %s", c.name, wait, c.want)
			}
			if w.poller.Metrics().Limited.Load() != 1 {
				t.Errorf("%s: not counted", c.name)
			}
		})
	}
	poll(t, Options{Fastest: time.Second}, standin.GitHubOptions{Quota: 3}, func(w *world) {
		w.hub.Watch(300)
		w.poller.poll(w.Context())
		time.Sleep(time.Minute)
		w.hub.Watch(10)
		if wait := w.poller.poll(w.Context()); wait < 58*time.Minute || wait > time.Hour {
			t.Errorf("without quota: waits %s, want until the hour is over", wait)
		}
	})
}

func TestInterval(t *testing.T) {
	poll(t, Options{}, standin.GitHubOptions{PollInterval: 90 * time.Second}, func(w *world) {
		w.hub.Watch(300)
		if wait := w.poller.poll(w.Context()); wait < 90*time.Second {
			t.Errorf("waits %s, and the API asks for 90 s", wait)
		}
	})
	poll(t, Options{Fastest: time.Second}, standin.GitHubOptions{Quota: 1 << 20}, func(w *world) {
		w.hub.Watch(300)
		var wait time.Duration
		for range 40 {
			wait = w.poller.poll(w.Context())
			time.Sleep(wait)
		}
		if wait != time.Minute {
			t.Errorf("waits %s when nothing happens, want 1 min", wait)
		}
		for range 40 {
			w.hub.Watch(290)
			wait = w.poller.poll(w.Context())
			time.Sleep(wait)
		}
		if wait != time.Second {
			t.Errorf("waits %s when much happens, want 1 s", wait)
		}
	})
}

// TestNothingIsLostWhenTheStoreFails checks that pushes and gaps are handed over
// again until they are taken.
func TestNothingIsLostWhenTheStoreFails(t *testing.T) {
	poll(t, Options{Since: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}, standin.GitHubOptions{}, func(w *world) {
		w.hub.Watch(300)
		w.push(2)
		w.fail = 5
		w.poller.poll(w.Context())
		if len(w.pushes) != 2 || len(w.gaps) != 1 || w.poller.Metrics().Failures.Load() != 5 {
			t.Errorf("%d pushes, gaps %v", len(w.pushes), w.gaps)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	poll(t, Options{}, standin.GitHubOptions{}, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		ended := make(chan error)
		go func() { ended <- w.poller.Run(ctx) }()
		time.Sleep(5 * time.Minute)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if n := w.poller.Metrics().Polls.Load(); n < 3 || n > 6 {
			t.Errorf("%d polls in 5 minutes", n)
		}
	})
}

func TestMalformedEventsPass(t *testing.T) {
	poll(t, Options{}, standin.GitHubOptions{}, func(w *world) {
		w.push(1)
		for _, e := range []string{
			`{"id":7}`, `[]`, `"x"`, `null`, `{"id":"1","type":"PushEvent","repo":{"name":"../x"},"payload":{}}`,
			`{"id":"2","type":"NeverHeardOfEvent","payload":{"ref":[1]}}`, `{"id":"3","type":"PushEvent","repo":{"name":"a/b"},"payload":{"ref":[1]}}`,
			`{"id":"4","type":"PushEvent","repo":{"name":"a/b"},"payload":{"ref":"refs/heads/x","head":"zz","before":""}}`,
		} {
			w.hub.AddEvent(json.RawMessage(e))
		}
		w.push(1)
		w.poller.poll(w.Context())
		if len(w.pushes) != 2 || w.poller.Metrics().Malformed.Load() != 7 {
			t.Errorf("%d pushes, %d malformed", len(w.pushes), w.poller.Metrics().Malformed.Load())
		}
	})
}

func TestBrokenAnswers(t *testing.T) {
	for _, f := range []standin.Fault{{Kind: standin.Empty, Times: 3}, {Kind: standin.ContentType, Times: 3}} {
		poll(t, Options{}, standin.GitHubOptions{}, func(w *world) {
			w.push(2)
			w.hub.Fault("", &f)
			w.poller.poll(w.Context())
			w.poller.poll(w.Context())
			if len(w.pushes) != 2 {
				t.Errorf("%s: %d pushes", f.Kind, len(w.pushes))
			}
		})
	}
}
