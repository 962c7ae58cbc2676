// Package feed hears of pushes: it polls GitHub's public events and hands the
// pushes among them to a func, each gap in them to another.
//
// What it hears is a part of what happens: the events API shows some hundred of
// the latest events and keeps no place for its readers. So the feed measures
// whether consecutive polls overlap, and says from when to when they do not.
package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-github/v62/github"
)

// APIOptions say how an [API] asks. URL must be given.
type APIOptions struct {
	URL       string            // "https://api.github.com"
	Agent     string            // product, version and contact; "": "patwatch"
	MaxBytes  int64             // of one answer; 0: 16 MiB
	Timeout   time.Duration     // of one request; 0: 30 s
	Transport http.RoundTripper // nil: http.DefaultTransport
	// Authorize adds the credentials to a request; nil: there are none. It is
	// called for requests to URL's host only.
	Authorize func(*http.Request)
}

// API is GitHub's REST API, as far as it is needed. It is safe for concurrent
// use.
type API struct {
	client    *github.Client
	transport *transport
	timeout   time.Duration
}

// RateLimited is the error of a request that the API refuses for now.
type RateLimited struct {
	Status     int
	RetryAfter time.Duration // 0: the answer did not say
}

// Error says how long to wait.
func (e *RateLimited) Error() string {
	return fmt.Sprintf("status %d: the API asks to wait for %s", e.Status, e.RetryAfter.Round(time.Second))
}

var (
	errTooMuch  = errors.New("the answer is larger than is allowed")
	errRedirect = errors.New("the API redirects to another host")
)

// NewAPI returns an API. It is an error when the URL is not one of http or https.
func NewAPI(o APIOptions) (*API, error) {
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/") + "/")
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil {
		return nil, errors.New("the API's URL is not one of http or https without credentials")
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	t := &transport{o: o, base: base, etags: map[string]string{}}
	client := github.NewClient(&http.Client{Transport: t, CheckRedirect: t.redirect})
	client.BaseURL = base
	if client.UserAgent = o.Agent; o.Agent == "" {
		client.UserAgent = "patwatch"
	}
	return &API{client, t, o.Timeout}, nil
}

// Name returns the name "owner/name" that the repository with a number has now.
func (a *API) Name(ctx context.Context, id int64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	r, _, err := a.client.Repositories.GetByID(ctx, id)
	if err != nil {
		return "", fmt.Errorf("asking for repository %d: %w", id, err)
	}
	if !repositoryName.MatchString(r.GetFullName()) {
		return "", fmt.Errorf("asking for repository %d: its name is not owner/name", id)
	}
	return r.GetFullName(), nil
}

// A transport is what go-github's client sends its requests through: it asks
// again only for what has changed, bounds answers, turns refusals into
// [RateLimited], and keeps requests on one host.
type transport struct {
	o    APIOptions
	base *url.URL

	mu    sync.Mutex
	etags map[string]string // by path and query
}

// maxETags bounds what is remembered: pages are few.
const maxETags = 64

// RoundTrip sends one request.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.ours(r.URL) {
		return nil, errRedirect
	}
	key := r.URL.RequestURI()
	r = r.Clone(r.Context())
	if tag := t.etag(key); tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	if t.o.Authorize != nil {
		t.o.Authorize(r)
	}
	resp, err := t.o.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if limited := refused(resp); limited != nil {
		_ = resp.Body.Close()
		return nil, limited
	}
	resp.Body = &bounded{resp.Body, t.o.MaxBytes}
	return resp, nil
}

// redirect keeps requests on one host.
func (t *transport) redirect(r *http.Request, via []*http.Request) error {
	if !t.ours(r.URL) || len(via) > 3 {
		return errRedirect
	}
	return nil
}

func (t *transport) ours(u *url.URL) bool { return u.Scheme == t.base.Scheme && u.Host == t.base.Host }

func (t *transport) etag(key string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.etags[key]
}

// keep remembers the tag of an answer that was read to its end; "" forgets it.
func (t *transport) keep(key, tag string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.etags) >= maxETags {
		clear(t.etags)
	}
	if len(tag) > 256 {
		tag = ""
	}
	t.etags[key] = tag
}

// refused returns how the API refuses a request for now, nil when it does not.
func refused(resp *http.Response) *RateLimited {
	h := resp.Header
	code := resp.StatusCode
	exhausted := h.Get("X-RateLimit-Remaining") == "0"
	switch {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
	case code == http.StatusForbidden && (exhausted || h.Get("Retry-After") != ""):
	default:
		return nil
	}
	e := &RateLimited{Status: code}
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n > 0 {
		e.RetryAfter = time.Duration(min(n, 1<<20)) * time.Second
	} else if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && exhausted {
		e.RetryAfter = max(time.Until(time.Unix(reset, 0)), time.Second)
	}
	return e
}

// bounded is a body that may have left more bytes.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errTooMuch
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}
