// Package issuer revokes tokens where they were issued: in our own store, by
// Azure DevOps' token administration, or by a signed webhook.
//
// Each way is a [Revoke]. All are idempotent: revoking a token again, because it
// is not known whether it was revoked before, changes nothing. What fails is an
// [Error]. Hosts come from configuration only; redirects are not followed,
// answers are read to a bound, and no error holds a credential.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"patwatch/leak"
)

// Revoke revokes a token at its issuer. When it returns nil, the issuer
// confirmed it; otherwise the error is an [Error].
type Revoke func(context.Context, leak.Token) error

// Kind says what came of a revocation that was not confirmed.
type Kind int

// The kinds of an [Error].
const (
	Permanent Kind = iota + 1 // the issuer will never revoke this token: do not try again
	Refused                   // the issuer does not let us: try again once somebody could have mended it
	Temporary                 // try again
	Unknown                   // it may have been revoked: try again
)

// refusedPause is how long to wait before trying again what was refused.
const refusedPause = 10 * time.Minute

// maxRetryAfter bounds what an issuer may ask for.
const maxRetryAfter = time.Hour

// Error says why a revocation was not confirmed, in one line without credentials
// or anything of the answer's body.
type Error struct {
	Kind   Kind
	Status int           // of the HTTP answer; 0: there was none
	After  time.Duration // what the issuer asked to wait, an hour at most
	err    error
}

// Error returns the reason.
func (e *Error) Error() string {
	if e.Status != 0 {
		return fmt.Sprintf("the issuer answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return "revoking at the issuer: " + e.err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Permanent reports whether trying again is of no use.
func (e *Error) Permanent() bool { return e.Kind == Permanent }

// Unknown reports whether the token may have been revoked.
func (e *Error) Unknown() bool { return e.Kind == Unknown }

// RetryAfter returns how long to wait at least; 0: as the caller likes.
func (e *Error) RetryAfter() time.Duration {
	if e.Kind == Refused {
		return max(e.After, refusedPause)
	}
	return e.After
}

// Store returns a Revoke that marks tokens as revoked in a store. mark must be
// idempotent; known is false when the store has no such token, which is an error
// that trying again does not mend.
func Store(mark func(ctx context.Context, authorizationID string, at time.Time) (known bool, err error), now func() time.Time) Revoke {
	return func(ctx context.Context, t leak.Token) error {
		known, err := mark(ctx, t.AuthorizationID, now())
		switch {
		case err != nil:
			return &Error{Kind: Temporary, err: err}
		case !known:
			return &Error{Kind: Permanent, err: errors.New("the store does not know the token")}
		}
		return nil
	}
}

// CredentialFile returns a func that reads a credential from a file each time,
// so that it can be replaced while the program runs. Space around it is cut.
func CredentialFile(path string) func() (string, error) {
	return func() (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("reading the issuer's credential: %w", err)
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, 64<<10))
		if err != nil {
			return "", fmt.Errorf("reading the issuer's credential: %w", err)
		}
		if s := strings.TrimSpace(string(data)); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("reading the issuer's credential: %s is empty", path)
	}
}

// Options say where an issuer is and how to call it.
type Options struct {
	URL        string                 // https, or http to the loopback
	Credential func() (string, error) // see [CredentialFile]
	Timeout    time.Duration          // of one call; 0: 20 s
	Transport  http.RoundTripper      // nil: one of its own
}

// A caller makes HTTP calls that reveal nothing and go nowhere else.
type caller struct {
	base       *url.URL
	credential func() (string, error)
	client     *http.Client
}

func newCaller(o Options) (*caller, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || o.Credential == nil {
		return nil, errors.New("an issuer needs the URL of its service, without user, query and fragment, and a credential")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("the issuer's URL must be https, or http to the loopback: %s", u.Redacted())
	}
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost, t.MaxResponseHeaderBytes = 8, 64<<10
		o.Transport = t
	}
	return &caller{u, o.Credential, &http.Client{
		Transport: o.Transport, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// do makes a call; kinds says what a status is when the usual does not hold.
func (c *caller) do(req *http.Request, kinds map[int]Kind) error {
	resp, err := c.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	e := &Error{Kind: kindOf(resp.StatusCode), Status: resp.StatusCode, After: retryAfter(resp.Header, time.Now())}
	if k, ok := kinds[resp.StatusCode]; ok {
		e.Kind = k
	}
	return e
}

// failed is a call without an answer: when nothing was sent it did nothing, else
// nobody knows. The error of the library has the URL, which has no secret.
func failed(err error) *Error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return &Error{Kind: Temporary, err: err}
	}
	return &Error{Kind: Unknown, err: err}
}

// kindOf is what a status usually means. A redirect is one to a page to sign in,
// or a configuration that is wrong.
func kindOf(status int) Kind {
	switch {
	case status == http.StatusBadRequest:
		return Permanent
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status == http.StatusTooEarly:
		return Temporary
	case status >= 300 && status < 500:
		return Refused
	}
	return Temporary
}

// retryAfter reads the header in both its forms, bounded.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	wait := time.Duration(0)
	if n, err := strconv.Atoi(v); err == nil {
		wait = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		wait = t.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
