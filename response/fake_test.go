package response_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/response"
)

// A record is a ledger in memory. It checks that what happens in the world is on
// record before, and fails where it is told to.
type record struct {
	t     *testing.T
	mu    sync.Mutex
	cfg   response.Config
	cases map[string]*leak.Case
	lease map[string]time.Time
	begun map[string]bool
	brake string
	crash func(point string) (before, after bool) // fails: not done, or done all the same
	mails []response.Mail                         // that were accepted
	times []time.Time
	gone  map[string]int // authorization id -> effective revocations
	log   []string

	failTell []error // what the next mails end in
}

var errInjected = errors.New("injected")

func newRecord(t *testing.T, cfg response.Config) *record {
	return &record{t: t, cfg: cfg, cases: map[string]*leak.Case{}, lease: map[string]time.Time{}, begun: map[string]bool{},
		gone: map[string]int{}, crash: func(string) (bool, bool) { return false, false }}
}

// step does f, or fails before or after it.
func (r *record) step(point string, f func() error) error {
	before, after := r.crash(point)
	if before {
		return errInjected
	}
	if err := f(); err != nil {
		return err
	}
	if after {
		return errInjected
	}
	return nil
}

func (r *record) leak(n int, owner, org string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := fmt.Sprintf("PW-%06d", n)
	c := r.cases[id]
	if c == nil {
		c = &leak.Case{ID: id, State: leak.CaseOpen, OpenedAt: time.Now(), Token: leak.Token{AuthorizationID: id, State: leak.TokenActive, Organization: org, Owner: leak.Owner{ID: owner, Mail: owner}}}
		r.cases[id] = c
	}
	c.Sightings = append(c.Sightings, leak.Sighting{Place: leak.Place{Line: len(c.Sightings) + 1}})
	r.plan(c, c.Sightings[len(c.Sightings)-1:])
}

func (r *record) plan(c *leak.Case, fresh []leak.Sighting) {
	for _, a := range response.Plan(r.cfg)(copied(c), fresh, time.Now()) {
		if !slices.ContainsFunc(c.Acts, func(b leak.Act) bool { return a.Key == b.Key }) {
			c.Acts = append(c.Acts, a)
		}
	}
}

func copied(c *leak.Case) leak.Case {
	out := *c
	out.Acts, out.Sightings = slices.Clone(c.Acts), slices.Clone(c.Sightings)
	return out
}

func (r *record) find(key string) (*leak.Case, *leak.Act) {
	for _, c := range r.cases {
		for i := range c.Acts {
			if c.Acts[i].Key == key {
				return c, &c.Acts[i]
			}
		}
	}
	return nil, nil
}

func (r *record) Claim(_ context.Context, now time.Time, lease time.Duration, max int) (out []leak.Job, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.step("claim", func() error {
		for _, c := range r.cases {
			for i := range c.Acts {
				a := &c.Acts[i]
				open := (a.State == leak.ActDue || a.State == leak.ActHeld && !a.Due.IsZero()) && !a.Due.After(now) && !now.Before(r.lease[a.Key])
				if open && len(out) < max && !(a.Kind == leak.Revoke && c.Hold) {
					a.State = leak.ActDue
					r.lease[a.Key], r.begun[a.Key] = now.Add(lease), false
					out = append(out, leak.Job{Act: *a, Case: copied(c)})
				}
			}
		}
		return nil
	})
	if err != nil {
		out = nil
	}
	return out, err
}

func (r *record) Begin(_ context.Context, keys []string, messageID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step("begin", func() error {
		for _, k := range keys {
			_, a := r.find(k)
			if a.State != leak.ActDue || r.begun[k] || !time.Now().Before(r.lease[k]) {
				return errors.New("not due")
			}
		}
		for _, k := range keys {
			_, a := r.find(k)
			a.Attempts++
			a.At = time.Time{}
			r.begun[k] = true
			if a.MessageID == "" {
				a.MessageID = messageID
			}
		}
		return nil
	})
}

func (r *record) Finish(_ context.Context, key string, o leak.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step("finish", func() error {
		c, a := r.find(key)
		if a.State == leak.ActDone {
			return nil
		}
		if o.State == leak.ActDone && !r.begun[key] {
			r.t.Errorf("%s is done without an intent", key)
		}
		a.State, a.At, a.Reason = o.State, time.Now(), o.Reason
		if !o.Retry.IsZero() || o.State == leak.ActHeld {
			a.Due = o.Retry
		}
		r.lease[key], r.begun[key] = time.Time{}, false
		if a.Kind == leak.Revoke && a.State == leak.ActDone {
			c.Token.State = leak.TokenRevoked
		}
		r.log = append(r.log, fmt.Sprintf("%s %s %v", key, o.State, o.Repeat))
		r.plan(c, nil)
		return nil
	})
}

func (r *record) LastMail(_ context.Context, owner string) (last time.Time, today int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.mails {
		if m.To[0] == owner {
			last = r.times[i]
			if time.Since(last) < 24*time.Hour {
				today++
			}
		}
	}
	return last, today, nil
}

func (r *record) RevokedSince(_ context.Context, t time.Time) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.cases {
		for _, a := range c.Acts {
			if a.Kind == leak.Revoke && a.State == leak.ActDone && !a.At.Before(t) {
				n++
			}
		}
	}
	return n, nil
}

func (r *record) Brake(context.Context) (bool, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.brake != "", r.brake, nil
}

func (r *record) SetBrake(_ context.Context, on bool, reason, _ string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !on {
		reason = ""
	}
	r.brake = reason
	return nil
}

func (r *record) Tell(_ context.Context, m response.Mail) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun[m.ID] {
		r.t.Errorf("mail %s without an intent", m.ID)
	}
	if len(r.failTell) > 0 {
		err := r.failTell[0]
		r.failTell = r.failTell[1:]
		return err
	}
	return r.step("tell", func() error {
		r.mails, r.times = append(r.mails, m), append(r.times, time.Now())
		return nil
	})
}

func (r *record) Revoke(_ context.Context, tok leak.Token) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, a := r.find(tok.AuthorizationID + "/revoke/1"); a != nil && !r.begun[a.Key] && a.State != leak.ActSkipped {
		r.t.Errorf("%s is revoked without an intent", tok.AuthorizationID)
	}
	return r.step("revoke", func() error { r.gone[tok.AuthorizationID] = 1; return nil })
}

// run runs a runner over the record for a while of the test's time, restarted
// every so often if every is not 0.
func (r *record) run(span, every time.Duration) {
	r.t.Helper()
	end := time.Now().Add(span)
	if every == 0 {
		every = span
	}
	for time.Now().Before(end) {
		ctx, cancel := context.WithTimeout(r.t.Context(), every)
		(&response.Runner{
			Config: func() response.Config { return r.cfg }, Claim: r.Claim, Begin: r.Begin, Finish: r.Finish, LastMail: r.LastMail,
			RevokedSince: r.RevokedSince, Brake: r.Brake, SetBrake: r.SetBrake, Tell: r.Tell, Revoke: r.Revoke,
			Domain: "example.org", Window: 10 * time.Minute, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}).Run(ctx)
		cancel()
	}
}

// kinds returns the kinds of the items of the mails to someone, in their order.
func (r *record) kinds(to string) (out []string) {
	for _, m := range r.mails {
		if m.To[0] == to {
			text := ""
			for _, it := range m.Items {
				text += string(it.Kind) + " "
			}
			out = append(out, text)
		}
	}
	return out
}
