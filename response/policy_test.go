package response_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"patwatch/leak"
	"patwatch/response"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// random makes a case and a policy of all kinds.
func random(r *rand.Rand) (response.Config, leak.Case, []leak.Sighting) {
	pick := func(n int) bool { return r.IntN(n) == 0 }
	modes := []response.Mode{"", response.Off, response.After, response.Immediate, "nonsense"}
	cfg := response.Config{
		Revoke: modes[r.IntN(5)], After: time.Duration(r.IntN(100)) * time.Hour, RemindEvery: time.Duration(r.IntN(30)-1) * time.Hour, DryRun: pick(4),
		Organizations: []response.Organization{{Name: "Contoso", Revoke: modes[r.IntN(5)]}},
	}
	if pick(3) {
		cfg.Organizations[0].ExemptOwners = []string{"ADA@contoso.example"}
	}
	c := leak.Case{ID: "PW-000001", State: leak.CaseOpen, OpenedAt: noon, Token: leak.Token{
		Organization: []string{"contoso", "other"}[r.IntN(2)], Owner: leak.Owner{ID: "1", Mail: ada},
		State: []leak.TokenState{leak.TokenActive, leak.TokenRevoked, leak.TokenExpired}[r.IntN(3)],
	}}
	if pick(4) {
		c.State = leak.CaseResolved
	}
	if pick(4) {
		c.Token.ValidTo = noon
	}
	for range r.IntN(3) {
		c.Sightings = append(c.Sightings, leak.Sighting{})
	}
	return cfg, c, c.Sightings
}

// TestPlanProperties holds what is true of every plan.
func TestPlanProperties(t *testing.T) {
	for seed := range uint64(20_000) {
		cfg, c, fresh := random(rand.New(rand.NewPCG(seed, 1)))
		plan := response.Plan(cfg)
		acts := plan(c, fresh, noon)
		if !reflect.DeepEqual(acts, plan(c, fresh, noon)) {
			t.Fatalf("seed %d: not pure", seed)
		}
		keys, notify, revoke := map[string]bool{}, 0, time.Time{}
		for _, a := range acts {
			if keys[a.Key] || a.State != leak.ActDue || a.Due.Before(noon) {
				t.Fatalf("seed %d: act %v", seed, a)
			}
			keys[a.Key] = true
			switch a.Kind {
			case leak.Notify:
				notify++
			case leak.Revoke:
				revoke = a.Due
			}
		}
		if (notify == 1) != (len(fresh) > 0 && c.State == leak.CaseOpen) {
			t.Fatalf("seed %d: %d mails for %d sightings", seed, notify, len(fresh))
		}
		if !revoke.IsZero() && (c.Token.StateAt(noon) != leak.TokenActive || !wants(cfg, c)) {
			t.Fatalf("seed %d: a revocation that nobody wants", seed)
		}
		if revoke.IsZero() && len(fresh) > 0 && c.State == leak.CaseOpen && c.Token.StateAt(noon) == leak.TokenActive && wants(cfg, c) {
			t.Fatalf("seed %d: no revocation", seed)
		}
		for _, a := range acts {
			if a.Kind == leak.Remind && !a.Due.Before(revoke) {
				t.Fatalf("seed %d: a reminder after the revocation", seed)
			}
		}
		c.Acts = acts
		if more := plan(c, nil, noon); len(more) != 0 {
			t.Fatalf("seed %d: planned again %v", seed, more)
		}
	}
}

// wants says in other words than the code whether the policy revokes.
func wants(cfg response.Config, c leak.Case) bool {
	mode := cfg.Revoke
	if c.Token.Organization == "contoso" {
		if len(cfg.Organizations[0].ExemptOwners) > 0 {
			return false
		}
		if m := cfg.Organizations[0].Revoke; m != "" {
			mode = m
		}
	}
	return mode == response.After || mode == response.Immediate
}

func TestPlanTellsOfADeadTokenOnce(t *testing.T) {
	c := leak.Case{ID: "PW-000001", State: leak.CaseOpen, Token: leak.Token{State: leak.TokenRevoked}, Sightings: make([]leak.Sighting, 1)}
	plan := response.Plan(response.Config{Revoke: response.Immediate})
	c.Acts = plan(c, c.Sightings, noon)
	if len(c.Acts) != 1 || c.Acts[0].Kind != leak.Notify || len(plan(c, c.Sightings, noon)) != 0 {
		t.Errorf("acts %v", c.Acts)
	}
}

// TestKindsOfFailure holds what an error of the mail server leads to, and after
// how long a mail is sent again.
func TestKindsOfFailure(t *testing.T) {
	for _, c := range []struct {
		err   error
		again time.Duration // 0: never
		log   string
	}{
		{errors.New("busy"), time.Minute, "PW-000001/notify/1 done false"},
		{failure{after: 10 * time.Second}, 10 * time.Second, "PW-000001/notify/1 done false"},
		{fmt.Errorf("telling: %w", failure{unknown: true}), 10 * time.Second, "PW-000001/notify/1 done true"},
		{failure{permanent: true}, 0, "PW-000001/notify/1 failed false"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRecord(t, response.Config{})
			r.leak(1, ada, "contoso")
			r.failTell = []error{c.err}
			start := time.Now()
			r.run(time.Hour, 0)
			if !slices.Contains(r.log, c.log) {
				t.Errorf("%v: log %q", c.err, r.log)
			}
			if c.again > 0 && (len(r.times) != 1 || r.times[0].Sub(start).Round(2*time.Second) != c.again) {
				t.Errorf("%v: mails after %v, want %v", c.err, r.times[0].Sub(start), c.again)
			}
		})
	}
}

// A failure is an error as notifier and issuer have them.
type failure struct {
	permanent, unknown bool
	after              time.Duration
}

func (f failure) Error() string             { return "it failed" }
func (f failure) Permanent() bool           { return f.permanent }
func (f failure) Unknown() bool             { return f.unknown }
func (f failure) RetryAfter() time.Duration { return f.after }
