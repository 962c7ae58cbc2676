package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v62/github"
)

const (
	pages     = 3   // that the events API has
	perPage   = 100 // events
	maxEvents = 4 * perPage
)

// A page is one answer of the events API.
type page struct {
	unchanged bool // it is what it was when it was last asked for
	events    []json.RawMessage
	broken    bool // the answer was cut or is not JSON: there may be more events
	last      bool // nothing older is shown
	asked     time.Duration
	remaining int // requests that are left until reset; -1: not known
	reset     time.Time
}

// page asks for one page of the public events.
func (a *API) page(ctx context.Context, n int) (*page, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	req, err := a.client.NewRequest(http.MethodGet, fmt.Sprintf("events?per_page=%d&page=%d", perPage, n), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for page %d of the events: %w", n, err)
	}
	var body bytes.Buffer
	resp, err := a.client.Do(ctx, req, &body)
	if resp != nil && resp.StatusCode == http.StatusNotModified {
		p := newPage(resp)
		p.unchanged = true
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking for page %d of the events: %w", n, limited(err))
	}
	p := newPage(resp)
	p.decode(body.Bytes())
	p.last = resp.NextPage == 0 && n < pages && !p.broken
	if p.broken {
		a.transport.keep(req.URL.RequestURI(), "")
	} else {
		a.transport.keep(req.URL.RequestURI(), resp.Header.Get("ETag"))
	}
	return p, nil
}

// limited turns go-github's own refusal, which it gives without asking, into
// ours.
func limited(err error) error {
	var own *github.RateLimitError
	if errors.As(err, &own) {
		return &RateLimited{http.StatusForbidden, max(time.Until(own.Rate.Reset.Time), time.Second)}
	}
	return err
}

func newPage(resp *github.Response) *page {
	p := &page{remaining: -1, reset: resp.Rate.Reset.Time}
	if n, err := strconv.Atoi(resp.Header.Get("X-Poll-Interval")); err == nil && n >= 0 {
		p.asked = time.Duration(min(n, 3600)) * time.Second
	}
	if resp.Rate.Limit > 0 {
		p.remaining = resp.Rate.Remaining
	}
	return p
}

// decode takes the events out of an answer one by one, so that one that is
// damaged costs those after it only when the answer is not JSON.
func (p *page) decode(body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		p.broken = true
		return
	}
	for d.More() && len(p.events) < maxEvents {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			p.broken = true
			return
		}
		p.events = append(p.events, raw)
	}
	if end, err := d.Token(); err != nil || end != json.Delim(']') {
		p.broken = true
	}
}
