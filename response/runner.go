package response

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"patwatch/leak"
)

// Bounds and pauses of a [Runner].
const (
	lease       = 10 * time.Minute
	batch       = 500    // acts in one claim
	maxInHand   = 10_000 // acts
	poll        = time.Second
	holdFor     = 15 * time.Minute // until an act that the cap or the brake held is looked at again
	summaryGap  = 4 * time.Hour    // between mails to an owner beyond the daily cap
	defaultCap  = 20               // mails to one owner a day
	defaultWork = 16
)

// Runner does what is due. Its fields are set before Run; the funcs must be safe
// for concurrent use.
type Runner struct {
	// Config returns the policy as it is now.
	Config func() Config

	// What the ledger does. Claim returns acts that nobody else has; Begin puts on
	// record that they are about to be tried, and fails when they may not be;
	// Finish puts an outcome on record.
	Claim        func(ctx context.Context, now time.Time, lease time.Duration, max int) ([]leak.Job, error)
	Begin        func(ctx context.Context, keys []string, messageID string) error
	Finish       func(ctx context.Context, key string, o leak.Outcome) error
	LastMail     func(ctx context.Context, ownerMail string) (last time.Time, today int, err error)
	RevokedSince func(ctx context.Context, t time.Time) (int, error)
	Brake        func(ctx context.Context) (on bool, reason string, err error)
	SetBrake     func(ctx context.Context, on bool, reason, by string) error

	// What touches the world. An error may have the methods Permanent, Unknown and
	// RetryAfter; one that has not is temporary.
	Tell   func(context.Context, Mail) error
	Revoke func(context.Context, leak.Token) error

	Domain   string          // of Message-IDs
	Window   time.Duration   // later leaks of one owner inside it are told in one mail
	DailyCap int             // mails to one owner in 24 hours, beyond which there is one every 4 hours; 0: 20
	Workers  int             // at once; 0: 16
	Wake     <-chan struct{} // gets a value when an act may be due; nil: it is looked for each second
	Now      func() time.Time
	Log      *slog.Logger
}

// A done says what a worker finished.
type done struct {
	group string
	jobs  []leak.Job
}

// A state is what Run knows between rounds.
type state struct {
	waiting  map[string][]leak.Job // by group: those of one are done one after another
	busy     map[string]bool
	inHand   int
	revoking int
	told     map[string]time.Time // organization -> when its admins were mailed last
	braked   map[string]bool      // organizations whose admins know of the brake
	done     chan done
}

// Run claims acts that are due and does them until ctx ends; then it finishes
// those that were begun and returns. Acts that were claimed and not begun are
// claimable again when their lease has run out.
//
// Before the world is touched the intent is on record, after it the outcome.
// After a crash in between the act is done again: a revocation is idempotent,
// and a mail has the same Message-ID. An error of the ledger stops nothing for
// good: it is logged and tried again, and until then nothing is done.
func (r *Runner) Run(ctx context.Context) {
	s := &state{waiting: map[string][]leak.Job{}, busy: map[string]bool{}, told: map[string]time.Time{}, braked: map[string]bool{}, done: make(chan done)}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := r.claim(ctx, s); err != nil && ctx.Err() == nil {
			r.Log.Error("claiming due acts", "error", err)
		}
		r.start(ctx, s)
		select {
		case <-ctx.Done():
		case <-r.Wake:
		case <-tick.C:
		case d := <-s.done:
			s.finished(d)
			r.start(ctx, s)
		}
	}
	for len(s.busy) > 0 {
		s.finished(<-s.done)
	}
}

func (s *state) finished(d done) {
	delete(s.busy, d.group)
	s.inHand -= len(d.jobs)
	if strings.HasPrefix(d.group, "revoke ") {
		s.revoking -= len(d.jobs)
	}
}

// claim takes everything that is due and sorts it into groups.
func (r *Runner) claim(ctx context.Context, s *state) error {
	cfg, now := r.Config(), r.Now()
	var revocations []leak.Job
	for s.inHand < maxInHand {
		jobs, err := r.Claim(ctx, now, lease, batch)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if o := decide(&cfg, &j, now); o != nil {
				r.finish(ctx, j, *o)
				continue
			}
			s.inHand++
			if j.Act.Kind == leak.Revoke {
				revocations = append(revocations, j)
				continue
			}
			g := group(&j)
			s.waiting[g] = append(s.waiting[g], j)
		}
		if len(jobs) < batch {
			break
		}
	}
	if len(revocations) == 0 {
		return nil
	}
	admitted, err := r.admit(ctx, s, &cfg, revocations)
	s.inHand -= len(revocations) - admitted
	return err
}

func group(j *leak.Job) string {
	switch j.Act.Kind {
	case leak.Revoke:
		return "revoke " + j.Case.ID
	case leak.Escalate:
		return "admins " + strings.ToLower(j.Case.Token.Organization)
	}
	return "owner " + strings.ToLower(j.Case.Token.Mail)
}

// admit puts the revocations of one round among the waiting, as far as the brake
// and the cap allow, and holds the others. When the round would revoke more than
// the cap, it sets the brake.
func (r *Runner) admit(ctx context.Context, s *state, cfg *Config, jobs []leak.Job) (admitted int, err error) {
	on, reason, err := r.Brake(ctx)
	if err != nil {
		return 0, err
	}
	if !on && len(jobs) > cfg.cap() {
		on, reason = true, fmt.Sprintf("one run would have revoked %d tokens, and the cap is %d", len(jobs), cfg.cap())
		if err := r.SetBrake(ctx, true, reason, ""); err != nil {
			return 0, err
		}
		r.Log.Error("all revocations are stopped", "reason", reason)
	}
	if !on {
		clear(s.braked)
	}
	recent, err := r.RevokedSince(ctx, r.Now().Add(-time.Hour))
	if err != nil {
		return 0, err
	}
	free := cfg.cap() - recent - s.revoking
	for _, j := range jobs {
		switch {
		case on:
			r.hold(ctx, j, s.brakeReason(&j)+": "+reason)
		case free <= 0:
			r.hold(ctx, j, fmt.Sprintf("the cap of %d revocations an hour is reached", cfg.cap()))
		default:
			free--
			admitted++
			s.revoking++
			s.waiting[group(&j)] = append(s.waiting[group(&j)], j)
		}
	}
	return admitted, nil
}

// brakeReason is why the brake holds a revocation. The first of an organization
// since the program started has the admins told.
func (s *state) brakeReason(j *leak.Job) string {
	name := strings.ToLower(j.Case.Token.Organization)
	if s.braked[name] {
		return braked
	}
	s.braked[name] = true
	return tellBrake
}

func (r *Runner) hold(ctx context.Context, j leak.Job, reason string) {
	r.finish(ctx, j, leak.Outcome{State: leak.ActHeld, Retry: r.Now().Add(holdFor), Reason: keeping(j.Act, reason)})
}

// start gives waiting groups to free workers.
func (r *Runner) start(ctx context.Context, s *state) {
	for g, jobs := range s.waiting {
		if s.busy[g] || ctx.Err() != nil {
			continue
		}
		if len(s.busy) >= cmp.Or(r.Workers, defaultWork) {
			return
		}
		s.busy[g] = true
		delete(s.waiting, g)
		last := s.told[g]
		if strings.HasPrefix(g, "admins ") {
			s.told[g] = r.Now()
		}
		go func() {
			r.work(ctx, g, jobs, last)
			s.done <- done{g, jobs}
		}()
	}
}

func (r *Runner) work(ctx context.Context, g string, jobs []leak.Job, last time.Time) {
	cfg := r.Config()
	switch {
	case strings.HasPrefix(g, "revoke "):
		for _, j := range jobs {
			r.revoke(ctx, j)
		}
	case strings.HasPrefix(g, "admins "):
		r.tell(ctx, &cfg, jobs, cfg.admins(jobs[0].Case.Token.Organization), last, 0)
	default:
		mail := jobs[0].Case.Token.Mail
		last, today, err := r.LastMail(ctx, mail)
		if err != nil {
			r.Log.Error("reading the last mail to an owner", "error", err)
			return
		}
		var to []string
		if mail != "" {
			to = []string{mail}
		}
		r.tell(ctx, &cfg, jobs, to, last, today)
	}
}

func (r *Runner) revoke(ctx context.Context, j leak.Job) {
	if err := r.Begin(ctx, []string{j.Act.Key}, ""); err != nil {
		r.Log.Warn("an act cannot be begun", "act", j.Act.Key, "error", err)
		return
	}
	err := r.Revoke(context.WithoutCancel(ctx), j.Case.Token)
	r.finish(ctx, j, outcome(j.Act, err, r.Now(), revokeAgain))
}

// tell tells acts to recipients: those that were told before in one mail again in
// one, with its Message-ID, and the others in one new mail, or later.
func (r *Runner) tell(ctx context.Context, cfg *Config, jobs []leak.Job, to []string, last time.Time, today int) {
	mails := map[string][]leak.Job{}
	for _, j := range jobs {
		if wait := r.wait(j, last, today); len(to) > 0 && wait.After(r.Now()) {
			r.finish(ctx, j, leak.Outcome{State: leak.ActDue, Retry: wait, Reason: "told in one mail with others"})
			continue
		}
		mails[j.Act.MessageID] = append(mails[j.Act.MessageID], j)
	}
	for _, some := range mails {
		if len(to) == 0 {
			for _, j := range some {
				r.finish(ctx, j, leak.Outcome{State: leak.ActFailed, Reason: "there is no mail address"})
			}
			continue
		}
		r.send(ctx, cfg, some, to)
	}
}

// wait returns until when an act waits to be told together with others.
func (r *Runner) wait(j leak.Job, last time.Time, today int) time.Time {
	switch {
	case last.IsZero() || j.Act.Attempts > 0:
		return time.Time{}
	case today >= cmp.Or(r.DailyCap, defaultCap):
		return last.Add(summaryGap)
	case itemKind(j.Act) == Leaked || itemKind(j.Act) == Escalation:
		return last.Add(r.Window)
	}
	return time.Time{}
}

func (r *Runner) send(ctx context.Context, cfg *Config, jobs []leak.Job, to []string) {
	m := newMail(cfg, jobs, to, r.Domain, r.Now())
	keys := make([]string, len(jobs))
	for i, j := range jobs {
		keys[i] = j.Act.Key
	}
	if err := r.Begin(ctx, keys, m.MessageID); err != nil {
		r.Log.Warn("acts cannot be begun", "acts", len(keys), "first", keys[0], "error", err)
		return
	}
	err := r.Tell(context.WithoutCancel(ctx), m)
	for _, j := range jobs {
		r.finish(ctx, j, outcome(j.Act, err, r.Now(), mailAgain))
	}
}

// finish puts an outcome on record, also when ctx has ended. It tries a few
// times: what is not on record is done again.
func (r *Runner) finish(ctx context.Context, j leak.Job, o leak.Outcome) {
	ctx = context.WithoutCancel(ctx)
	var err error
	for pause := range slices.Values([]time.Duration{0, 100 * time.Millisecond, time.Second, 5 * time.Second}) {
		<-time.After(pause)
		if err = r.Finish(ctx, j.Act.Key, o); err == nil {
			return
		}
	}
	r.Log.Error("an outcome is not on record, so the act will be done again", "act", j.Act.Key, "outcome", o.State, "error", err)
}
