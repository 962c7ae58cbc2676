// Package response decides what is done about leaked tokens, and does it.
//
// [Plan] is the policy: a pure function from a case and the configuration to the
// acts that follow. The [Runner] claims acts that are due, decides again by the
// policy as it is then, puts its intent on record, acts, and puts the outcome on
// record.
package response

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"patwatch/leak"
)

// Mode says when leaked tokens are revoked.
type Mode string

// The modes. The zero value is Off.
const (
	Off       Mode = "off"
	After     Mode = "after"     // Config.After later, unless a reviewer holds it
	Immediate Mode = "immediate" // at once
)

// Config is the policy. The zero value tells owners and revokes nothing.
type Config struct {
	Revoke        Mode
	After         time.Duration // for mode After
	MaxPerHour    int           // revocations; 0: 100
	RemindEvery   time.Duration // between leak and revocation, in mode After; 0: never
	DryRun        bool          // revocations are planned, and skipped when they are due; nothing is promised
	Organizations []Organization
	Admins        []string // mail addresses, for organizations that have none
}

// Organization overrides the policy for tokens of one organization.
type Organization struct {
	Name         string // in any case
	Revoke       Mode   // "": as Config
	Admins       []string
	ExemptOwners []string // ids or mail addresses, in any case: their tokens are not revoked
}

const (
	defaultMaxPerHour = 100
	maxReminders      = 30
	window            = 10 * time.Minute // a revocation this soon after the first mail needs no second
	manyAttempts      = 8                // of a revocation, after which the admins are told

	hastened  = "brought forward by "           // what the ledger writes for a reviewer
	braked    = "all revocations are stopped"   // held by the brake
	tellBrake = braked + ", admins to be told"  // the same, and the admins are told
	unclear   = "it may have been done already" // an outcome that is not known
)

func (c *Config) organization(name string) *Organization {
	i := slices.IndexFunc(c.Organizations, func(o Organization) bool { return strings.EqualFold(o.Name, name) })
	if i < 0 {
		return &Organization{}
	}
	return &c.Organizations[i]
}

// mode is what holds for a token.
func (c *Config) mode(t leak.Token) Mode {
	o := c.organization(t.Organization)
	exempt := func(e string) bool { return strings.EqualFold(e, t.Mail) || strings.EqualFold(e, t.Owner.ID) }
	if slices.ContainsFunc(o.ExemptOwners, exempt) {
		return Off
	}
	m := c.Revoke
	if o.Revoke != "" {
		m = o.Revoke
	}
	if m != After && m != Immediate {
		return Off
	}
	return m
}

func (c *Config) admins(organization string) []string {
	if a := c.organization(organization).Admins; len(a) > 0 {
		return a
	}
	return c.Admins
}

func (c *Config) cap() int {
	if c.MaxPerHour <= 0 {
		return defaultMaxPerHour
	}
	return c.MaxPerHour
}

// Plan returns the policy of a configuration: which acts follow for a case in
// which fresh sightings were recorded, or, with none, in which an act had an
// outcome. It is pure, and safe for concurrent use. An act whose key the case has
// already is not planned again, so planning twice changes nothing.
//
// The owner is told of fresh sightings, unless the case is resolved, or the token
// is dead and the owner knows. A token that was revoked or has expired is not
// revoked.
func Plan(cfg Config) func(c leak.Case, fresh []leak.Sighting, now time.Time) []leak.Act {
	return func(c leak.Case, fresh []leak.Sighting, now time.Time) []leak.Act {
		p := plan{cfg: &cfg, c: &c, now: now}
		if len(fresh) > 0 && c.State != leak.CaseResolved {
			p.notify()
			p.revoke()
		}
		p.follow()
		return p.acts
	}
}

// A plan is one call of it.
type plan struct {
	cfg  *Config
	c    *leak.Case
	now  time.Time
	acts []leak.Act
}

func (p *plan) add(kind leak.ActKind, name string, due time.Time) {
	key := fmt.Sprintf("%s/%s/%s", p.c.ID, kind, name)
	if !slices.ContainsFunc(p.c.Acts, func(a leak.Act) bool { return a.Key == key }) {
		p.acts = append(p.acts, leak.Act{Key: key, Case: p.c.ID, Kind: kind, State: leak.ActDue, Due: due, Sightings: len(p.c.Sightings)})
	}
}

// of returns the case's acts of a kind.
func of(c *leak.Case, kind leak.ActKind) []leak.Act {
	return slices.DeleteFunc(slices.Clone(c.Acts), func(a leak.Act) bool { return a.Kind != kind })
}

func (p *plan) notify() {
	told := of(p.c, leak.Notify)
	if len(told) > 0 && p.c.Token.StateAt(p.now) != leak.TokenActive {
		return
	}
	for _, a := range told { // one that waits and nobody has claimed tells of these too
		if a.State == leak.ActDue && a.Attempts == 0 && a.Due.After(p.now) {
			return
		}
	}
	p.add(leak.Notify, fmt.Sprint(len(told)+1), p.now)
}

func (p *plan) revoke() {
	mode, before := p.cfg.mode(p.c.Token), of(p.c, leak.Revoke)
	if mode == Off || p.c.Token.StateAt(p.now) != leak.TokenActive {
		return
	}
	pending := func(a leak.Act) bool { return a.State != leak.ActSkipped && a.State != leak.ActFailed }
	if slices.ContainsFunc(before, pending) || p.cfg.DryRun && len(before) > 0 {
		return
	}
	due := p.now
	if mode == After {
		due = p.now.Add(max(p.cfg.After, 0))
	}
	p.add(leak.Revoke, fmt.Sprint(len(before)+1), due)
	every := p.cfg.RemindEvery
	if every <= 0 || p.cfg.DryRun {
		return
	}
	n := len(of(p.c, leak.Remind))
	for i := range maxReminders {
		at := p.now.Add(time.Duration(i+1) * every)
		if !at.Before(due) {
			return
		}
		p.add(leak.Remind, fmt.Sprint(n+i+1), at)
	}
}

// follow plans what outcomes lead to: the mail after a revocation, and telling
// the admins.
func (p *plan) follow() {
	first := time.Time{}
	for _, a := range of(p.c, leak.Notify) {
		if a.State == leak.ActDone && (first.IsZero() || a.At.Before(first)) {
			first = a.At
		}
		if a.State == leak.ActFailed {
			p.add(leak.Escalate, "owner", p.now)
		}
	}
	for _, a := range of(p.c, leak.Revoke) {
		soon := p.cfg.mode(p.c.Token) == Immediate && !a.At.After(first.Add(window))
		switch {
		case a.State == leak.ActDone && !first.IsZero() && !soon:
			p.add(leak.Notify, "revoked", p.now)
		case a.State == leak.ActFailed, a.State == leak.ActDue && a.Attempts >= manyAttempts:
			p.add(leak.Escalate, "revoke", p.now)
		case a.State == leak.ActHeld && strings.Contains(a.Reason, tellBrake):
			p.add(leak.Escalate, "brake-"+p.now.UTC().Format("2006-01-02"), p.now)
		}
	}
}

// decide says what becomes of a claimed act by the policy as it is now: nil to go
// on, or an outcome without trying. An act that was begun before is not skipped
// for the token's state: it may be what changed it.
func decide(cfg *Config, j *leak.Job, now time.Time) *leak.Outcome {
	skip := func(reason string) *leak.Outcome { return &leak.Outcome{State: leak.ActSkipped, Reason: reason} }
	dead := j.Case.Token.StateAt(now) != leak.TokenActive && j.Act.Attempts == 0
	mode := cfg.mode(j.Case.Token)
	switch j.Act.Kind {
	case leak.Remind:
		switch {
		case dead:
			return skip("the token no longer works")
		case j.Case.State == leak.CaseResolved, mode == Off, cfg.DryRun:
			return skip("the policy no longer revokes the token")
		}
	case leak.Revoke:
		byHand := strings.Contains(j.Act.Reason, hastened)
		switch {
		case cfg.DryRun:
			return &leak.Outcome{State: leak.ActSkipped, Reason: "dry run", DryRun: true}
		case dead:
			return skip("the token no longer works")
		case j.Case.Hold:
			return &leak.Outcome{State: leak.ActHeld, Reason: "held by a reviewer"}
		case byHand:
		case j.Case.State == leak.CaseResolved:
			return skip("the case is resolved")
		case mode == Off:
			return skip("the policy does not revoke the token")
		case mode == After && now.Before(j.Case.OpenedAt.Add(cfg.After)):
			return &leak.Outcome{State: leak.ActDue, Retry: j.Case.OpenedAt.Add(cfg.After), Reason: "the policy revokes later"}
		}
	}
	return nil
}

// keeping returns the reason for an act that is tried again, with who brought it
// forward: it must not be forgotten.
func keeping(a leak.Act, reason string) string {
	if strings.HasPrefix(a.Reason, hastened) {
		by, _, _ := strings.Cut(a.Reason, "; ")
		return by + "; " + reason
	}
	return reason
}
