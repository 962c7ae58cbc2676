// Package fetch asks a git host for what one push made public, by git's smart
// HTTP protocol, version 2 (gitprotocol-v2(5)): mostly one request, whose
// answer is a packfile with the new objects and nothing else. Nothing is kept
// between pushes but connections.
//
// The host is the one it was made for. Names from outside are checked before
// they become part of a URL, no redirect is followed, and no credentials are
// sent. Answers are bounded in bytes, in time and in pace; what arrived before a
// bound was met is handed out, and is said to be incomplete.
package fetch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"patwatch/git/pack"
)

// Options say how a [Client] asks. URL must be given; the zero value of each
// other field is the default.
type Options struct {
	URL     string // "https://github.com": repositories are <URL>/<owner>/<name>.git
	Agent   string // product, version and contact, for the host's operators; "": "patwatch"
	Limiter LimiterOptions

	MaxBytes   int64         // of packs a push; 0: 64 MiB
	Timeout    time.Duration // of one request; 0: 2 min
	Idle       time.Duration // in which at least a byte must come, of a pack Floor bytes; 0: 20 s
	Floor      int64         // 0: 4 KiB
	LargeAtOne int           // pushes of more than 4 MiB in memory at once; 0: 2
	Limits     pack.Limits   // of the objects of a pack; each 0: 1,048,576 objects, 64 MiB one, 1 GiB together

	// Resolve returns the name that a repository has now, for one that was
	// renamed. nil: only a redirect on the same host tells.
	Resolve func(ctx context.Context, id int64) (string, error)
	// Transport sends the requests; nil: one with connections of its own.
	Transport http.RoundTripper
}

// Client asks one host. It is safe for concurrent use.
type Client struct {
	o       Options
	base    *url.URL
	http    *http.Client
	limiter *Limiter
	readers sync.Pool     // of *packetReader
	buffers chan []byte   // of packs, to use again
	large   chan struct{} // one for each push of more than smallPack
}

const (
	smallPack   = 4 << 20 // bytes that any push may hold without asking
	keptBuffers = 64
	keptSize    = 1 << 20 // bytes of a buffer that is worth keeping
	contentType = "application/x-git-upload-pack-"
)

// New returns a Client. It is an error when the URL is not one of http or https.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the git URL is not one of http or https without credentials")
	}
	o = o.complete()
	c := &Client{
		o: o, base: base, limiter: NewLimiter(o.Limiter),
		buffers: make(chan []byte, keptBuffers), large: make(chan struct{}, o.LargeAtOne),
		readers: sync.Pool{New: func() any { return newPacketReader(nil) }},
	}
	c.http = &http.Client{
		Transport:     o.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// complete fills in the defaults.
func (o Options) complete() Options {
	or := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&o.Timeout, 2*time.Minute)
	or(&o.Idle, 20*time.Second)
	if o.Agent == "" {
		o.Agent = "patwatch"
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Floor <= 0 {
		o.Floor = 4 << 10
	}
	if o.LargeAtOne <= 0 {
		o.LargeAtOne = 2
	}
	o.Limits.Objects = cmp.Or(o.Limits.Objects, 1<<20)
	o.Limits.Object = cmp.Or(o.Limits.Object, 64<<20)
	o.Limits.Total = cmp.Or(o.Limits.Total, 1<<30)
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			ForceAttemptHTTP2:   true,
			DisableCompression:  true, // packs are compressed, and an answer could be a bomb
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	return o
}

// Close lets go of connections that are idle. Requests that are under way are
// not touched.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// agent is the word for a request body, which has no spaces.
func (c *Client) agent() string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '-'
		}
		return r
	}, c.o.Agent)
}

// post sends one request to a repository's upload-pack and has its answer read.
// The answer has been checked to be one of the protocol and is not empty; read
// takes it until its last packet.
func (c *Client) post(ctx context.Context, repository string, body []byte, read func(*packetReader, *watch) error) error {
	release, err := c.limiter.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(c.o.Timeout, c.o.Idle, cancel)
	defer w.stop()
	resp, err := c.send(ctx, repository, body)
	if err != nil {
		return cause(ctx, err)
	}
	defer resp.Body.Close()
	if err := c.status(resp, repository); err != nil {
		return err
	}
	w.body = resp.Body
	p := c.readers.Get().(*packetReader)
	defer c.readers.Put(p)
	p.r.Reset(w)
	if err := read(p, w); err != nil {
		return cause(ctx, err)
	}
	_, _, _ = p.next() // the end, so that the connection can be used again
	return nil
}

func (c *Client) send(ctx context.Context, repository string, body []byte) (*http.Response, error) {
	u := c.base.JoinPath(repository+".git", "git-upload-pack")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType+"request")
	req.Header.Set("Accept", contentType+"result")
	req.Header.Set("Git-Protocol", "version=2")
	req.Header.Set("User-Agent", c.o.Agent)
	return c.http.Do(req)
}

// cause is err, or why the request was ended.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

// status is an error unless the answer is one of the protocol.
func (c *Client) status(resp *http.Response, repository string) error {
	code := resp.StatusCode
	switch {
	case code == http.StatusOK:
		c.limiter.Answered()
		if got := resp.Header.Get("Content-Type"); got != contentType+"result" {
			return fmt.Errorf("%w: content type %.60q", ErrProtocol, got)
		}
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable, resp.Header.Get("Retry-After") != "":
		return &Throttled{c.limiter.Pause(retryAfter(resp.Header.Get("Retry-After"), time.Now()))}
	case code == http.StatusUnauthorized, code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("%w: status %d", ErrGone, code)
	case code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		return fmt.Errorf("%w: status %d", ErrBlocked, code)
	case code >= 300 && code < 400:
		return &Renamed{c.renamed(resp, repository)}
	case code >= 500:
		return &ServerError{code}
	}
	return fmt.Errorf("%w: status %d", ErrProtocol, code)
}

// renamed returns the name that a redirect leads to, "" when it leads to
// another host, to the same name, or to none.
func (c *Client) renamed(resp *http.Response, repository string) string {
	to, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil || to.Scheme != c.base.Scheme || to.Host != c.base.Host {
		return ""
	}
	path, inside := strings.CutPrefix(to.Path, strings.TrimSuffix(c.base.Path, "/")+"/")
	name, _, isGit := strings.Cut(path, ".git/")
	if !inside || !isGit || !ValidRepository(name) || strings.EqualFold(name, repository) {
		return ""
	}
	return name
}

// retryAfter reads the header: seconds, or a date. 0: it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), time.Second)
	}
	return 0
}
