package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

func TestClaim(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.record(t, aReport(2, 4))
	jobs, err := b.Claim(t.Context(), start, time.Minute, 10)
	if err != nil || len(jobs) != 2 || jobs[0].Act.Key != "PW-000001/notify/1" || jobs[0].Case.Token != aToken(1) || len(jobs[0].Case.Sightings) != 1 || len(jobs[0].Case.Acts) != 2 {
		t.Fatalf("%+v, %v", jobs, err)
	}
	if again := b.claim(t); len(again) != 0 {
		t.Errorf("claimed twice: %v", again)
	}
	b.clock.add(time.Minute)
	if again := b.claim(t); len(again) != 2 {
		t.Errorf("a lease that ran out keeps %v", again)
	}
	b.clock.add(time.Hour)
	if due := b.claim(t); len(due) != 4 {
		t.Errorf("%v are due", due)
	}
	b.clock.add(time.Hour)
	if few, err := b.Claim(t.Context(), b.clock.Now(), time.Minute, 3); err != nil || len(few) != 3 {
		t.Errorf("%v, %v", few, err)
	}
	b.sound(t)
}

// TestClaimOnce: no act goes to two workers at once.
func TestClaimOnce(t *testing.T) {
	b := open(t)
	for n := range 40 {
		b.record(t, aReport(n, 4))
	}
	other := openAt(t, b.path)
	var mu sync.Mutex
	var keys []string
	var wait sync.WaitGroup
	for i := range 8 {
		l := b
		if i%2 == 1 {
			l = other
		}
		wait.Go(func() {
			for {
				jobs, err := l.Claim(t.Context(), start, time.Minute, 3)
				if err != nil {
					t.Error(err)
				}
				if len(jobs) == 0 {
					return
				}
				mu.Lock()
				for _, j := range jobs {
					keys = append(keys, j.Act.Key)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	slices.Sort(keys)
	if n := len(keys); n != 40 || len(slices.Compact(keys)) != 40 {
		t.Errorf("%d claims of 40 acts", n)
	}
}

// TestClockJumps: a lease of a clock that was far ahead does not keep an act.
func TestClockJumps(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	if jobs, err := b.Claim(t.Context(), start.AddDate(10, 0, 0), 48*time.Hour, 10); err != nil || len(jobs) != 2 {
		t.Fatalf("%v, %v", jobs, err)
	}
	if jobs := b.claim(t); len(jobs) != 1 {
		t.Errorf("%v", jobs)
	}
}

// TestBegin: the intent is on record before, and one that may not be tried is
// refused together with those beside it.
func TestBegin(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.record(t, aReport(2, 4))
	keys := []string{"PW-000001/notify/1", "PW-000002/notify/1"}
	if err := b.Begin(t.Context(), keys, "<a@x>"); !errors.Is(err, ErrNotDue) {
		t.Errorf("begun without a claim: %v", err)
	}
	b.claim(t)
	if err := b.Begin(t.Context(), append(keys, "PW-000001/revoke/1"), "<a@x>"); !errors.Is(err, ErrNotDue) {
		t.Errorf("begun what is not due: %v", err)
	}
	if a := b.get(t, "PW-000001").Acts[0]; a.Attempts != 0 || a.MessageID != "" {
		t.Errorf("a refused beginning left %+v", a)
	}
	if err := b.Begin(t.Context(), keys, "<a@x>"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"PW-000001", "PW-000002"} {
		if a := b.get(t, id).Acts[0]; a.Attempts != 1 || a.MessageID != "<a@x>" || a.State != leak.ActDue {
			t.Errorf("%+v", a)
		}
	}
	if err := b.Begin(t.Context(), keys[:1], "<b@x>"); !errors.Is(err, ErrNotDue) {
		t.Errorf("begun twice under one lease: %v", err)
	}
	b.clock.add(2 * time.Minute)
	if job := b.claim(t)[keys[0]]; job.Act.Attempts != 1 {
		t.Errorf("who claims it next does not see the attempt: %+v", job.Act)
	}
	b.clock.add(2 * time.Minute)
	if err := b.Begin(t.Context(), keys[:1], "<b@x>"); !errors.Is(err, ErrNotDue) {
		t.Errorf("begun after its lease: %v", err)
	}
	b.claim(t)
	if err := b.Begin(t.Context(), keys[:1], "<b@x>"); err != nil {
		t.Fatal(err)
	}
	if a := b.get(t, "PW-000001").Acts[0]; a.Attempts != 2 || a.MessageID != "<a@x>" {
		t.Errorf("the message id is not fixed: %+v", a)
	}
	if err := b.Begin(t.Context(), []string{"none"}, ""); !errors.Is(err, ErrNotDue) {
		t.Errorf("%v", err)
	}
}

// TestFinish goes through every outcome.
func TestFinish(t *testing.T) {
	retry := start.Add(10 * time.Minute)
	cases := []struct {
		outcome leak.Outcome
		want    leak.Act
		action  string
	}{
		{leak.Outcome{State: leak.ActDone, Repeat: true}, leak.Act{State: leak.ActDone, Due: start}, auditlog.OwnerNotified},
		{leak.Outcome{State: leak.ActDue, Retry: retry, Reason: "greylisted"}, leak.Act{State: leak.ActDue, Due: retry, Reason: "greylisted"}, "Notification.OwnerNotifyDeferred"},
		{leak.Outcome{State: leak.ActDue, Reason: "busy"}, leak.Act{State: leak.ActDue, Due: start, Reason: "busy"}, "Notification.OwnerNotifyDeferred"},
		{leak.Outcome{State: leak.ActHeld, Retry: retry, Reason: "cap"}, leak.Act{State: leak.ActHeld, Due: retry, Reason: "cap"}, "Notification.OwnerNotifyHeld"},
		{leak.Outcome{State: leak.ActHeld, Reason: "cap"}, leak.Act{State: leak.ActHeld, Reason: "cap"}, "Notification.OwnerNotifyHeld"},
		{leak.Outcome{State: leak.ActFailed, Reason: "550"}, leak.Act{State: leak.ActFailed, Due: start, Reason: "550"}, "Notification.OwnerNotifyFailed"},
		{leak.Outcome{State: leak.ActDone, DryRun: true}, leak.Act{State: leak.ActSkipped, Due: start, Reason: "dry run"}, "Notification.OwnerNotifySkipped"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.want.State, c.want.Reason), func(t *testing.T) {
			b := open(t)
			b.record(t, aReport(1, 4))
			b.do(t, "PW-000001/notify/1", c.outcome)
			c.want.Key, c.want.Case, c.want.Kind, c.want.At = "PW-000001/notify/1", "PW-000001", leak.Notify, start
			c.want.Attempts, c.want.MessageID, c.want.Sightings = 1, "<PW-000001/notify/1@x>", 1
			if a := b.get(t, "PW-000001").Acts[0]; a != c.want {
				t.Errorf("%+v\nwant %+v", a, c.want)
			}
			if got := b.events(t); got[len(got)-1] != c.action {
				t.Errorf("%v, want %s", got, c.action)
			}
			b.clock.add(20 * time.Minute)
			_, again := b.claim(t)["PW-000001/notify/1"]
			if want := (c.want.State == leak.ActDue || c.want.State == leak.ActHeld) && !c.want.Due.IsZero(); again != want {
				t.Errorf("claimable again: %t", again)
			}
			b.sound(t)
		})
	}
}

// TestFinishFinal: what is final stays, but the world's confirmation counts.
func TestFinishFinal(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	const key = "PW-000001/notify/1"
	b.do(t, key, leak.Outcome{State: leak.ActFailed, Reason: "550"})
	n := len(b.events(t))
	for _, o := range []leak.Outcome{{State: leak.ActFailed}, {State: leak.ActDue}, {State: leak.ActSkipped}, {State: leak.ActDone, DryRun: true}} {
		if err := b.Finish(t.Context(), key, o); err != nil || len(b.events(t)) != n {
			t.Errorf("%v after failed: %v", o, err)
		}
	}
	if err := b.Finish(t.Context(), key, leak.Outcome{State: leak.ActDone}); err != nil || b.get(t, "PW-000001").Acts[0].State != leak.ActDone {
		t.Errorf("done after failed: %v", err)
	}
	for _, state := range []leak.ActState{leak.ActDone, leak.ActFailed, leak.ActDue} {
		if err := b.Finish(t.Context(), key, leak.Outcome{State: state}); err != nil || b.get(t, "PW-000001").Acts[0].State != leak.ActDone {
			t.Errorf("%s after done: %v", state, err)
		}
	}
	if got := len(b.events(t)); got != n+1 {
		t.Errorf("%d events, want %d", got, n+1)
	}
	if err := b.Finish(t.Context(), "none", leak.Outcome{State: leak.ActDone}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := b.Finish(t.Context(), "PW-000001/revoke/1", leak.Outcome{State: "odd"}); err == nil {
		t.Error("an odd outcome is recorded")
	}
	b.sound(t)
}

// TestRevoked: the revocation marks the token, and counts; a dry run does not.
func TestRevoked(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.record(t, aReport(2, 4))
	b.clock.add(time.Hour)
	b.do(t, "PW-000001/revoke/1", leak.Outcome{State: leak.ActDone})
	b.clock.add(time.Minute)
	b.do(t, "PW-000002/revoke/1", leak.Outcome{State: leak.ActDone, DryRun: true})
	if s := b.get(t, "PW-000001").Token.State; s != leak.TokenRevoked {
		t.Errorf("%s", s)
	}
	if s := b.get(t, "PW-000002").Token.State; s != leak.TokenActive {
		t.Errorf("%s", s)
	}
	for since, want := range map[time.Time]int{start: 1, start.Add(time.Hour): 1, start.Add(time.Hour + 1): 0} {
		if n, err := b.RevokedSince(t.Context(), since); err != nil || n != want {
			t.Errorf("since %s: %d, %v, want %d", since, n, err, want)
		}
	}
	revokes := 0
	for _, a := range b.events(t) {
		if a == auditlog.PatSystemRevoke {
			revokes++
		}
	}
	if revokes != 1 {
		t.Errorf("%d revocations in the log", revokes)
	}
	b.sound(t)
}

func TestLastMail(t *testing.T) {
	b := open(t)
	if last, n, err := b.LastMail(t.Context(), "owner1@contoso.example"); err != nil || !last.IsZero() || n != 0 {
		t.Errorf("%s, %d, %v", last, n, err)
	}
	for _, n := range []int{1, 51, 101, 2} { // the first three are of one owner
		b.record(t, aReport(n, 4))
	}
	b.claim(t)
	both := []string{"PW-000001/notify/1", "PW-000002/notify/1"}
	if err := b.Begin(t.Context(), both, "<one@x>"); err != nil {
		t.Fatal(err)
	}
	for _, key := range both {
		if err := b.Finish(t.Context(), key, leak.Outcome{State: leak.ActDone}); err != nil {
			t.Fatal(err)
		}
	}
	if last, n, err := b.LastMail(t.Context(), "OWNER1@contoso.example"); err != nil || !last.Equal(start) || n != 1 {
		t.Errorf("%s, %d, %v", last, n, err)
	}
	b.clock.add(23 * time.Hour)
	b.do(t, "PW-000003/notify/1", leak.Outcome{State: leak.ActDone})
	if last, n, err := b.LastMail(t.Context(), "owner1@contoso.example"); err != nil || !last.Equal(start.Add(23*time.Hour)) || n != 2 {
		t.Errorf("%s, %d, %v", last, n, err)
	}
	b.clock.add(2 * time.Hour)
	if _, n, err := b.LastMail(t.Context(), "owner1@contoso.example"); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if _, n, err := b.LastMail(t.Context(), "owner2@contoso.example"); err != nil || n != 0 {
		t.Errorf("another owner: %d, %v", n, err)
	}
}

func TestBrake(t *testing.T) {
	b := open(t)
	set := func(on bool, reason string, want bool, wantReason string) {
		t.Helper()
		if err := b.SetBrake(t.Context(), on, reason, ""); err != nil {
			t.Fatal(err)
		}
		if got, why, err := b.Brake(t.Context()); err != nil || got != want || why != wantReason {
			t.Errorf("%t, %q, %v", got, why, err)
		}
	}
	set(false, "nothing", false, "")
	set(true, "too many", true, "too many")
	set(true, "again", true, "too many")
	set(false, "checked", false, "")
	if got := b.events(t); !slices.Equal(got, []string{auditlog.BrakeSet, auditlog.BrakeReleased}) {
		t.Errorf("%v", got)
	}
}

// TestAbandon: after a crash the next start need not wait for leases.
func TestAbandon(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.claim(t)
	if err := b.Begin(t.Context(), []string{"PW-000001/notify/1"}, "<a@x>"); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Abandon(t.Context()); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	if job := b.claim(t)["PW-000001/notify/1"]; job.Act.Attempts != 1 || job.Act.MessageID != "<a@x>" {
		t.Errorf("%+v", job.Act)
	}
}

func TestNextDue(t *testing.T) {
	b := open(t)
	next := func(want time.Time) {
		t.Helper()
		if got, err := b.NextDue(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	next(time.Time{})
	b.record(t, aReport(1, 4))
	next(start)
	b.claim(t)
	next(start.Add(time.Minute))
	if err := b.Begin(t.Context(), []string{"PW-000001/notify/1"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), "PW-000001/notify/1", leak.Outcome{State: leak.ActDone}); err != nil {
		t.Fatal(err)
	}
	next(start.Add(time.Hour))
	if err := b.Hold(t.Context(), "PW-000001", "dana"); err != nil {
		t.Fatal(err)
	}
	next(time.Time{})
}

func TestWake(t *testing.T) {
	b := open(t)
	awake := func() bool {
		select {
		case <-b.Wake():
			return true
		default:
			return false
		}
	}
	b.record(t, leak.Report{Parked: []leak.Sighting{aSighting(1, 1)}})
	if awake() {
		t.Error("awake without an act")
	}
	b.record(t, aReport(1, 4))
	b.record(t, aReport(2, 4))
	if !awake() || awake() {
		t.Error("two acts are one value")
	}
	if err := b.Hasten(t.Context(), "PW-000001", "dana"); err != nil || !awake() {
		t.Errorf("not awake after hastening: %v", err)
	}
}

func TestResolve(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	if err := b.Resolve(t.Context(), "PW-000001", leak.ResolvedUsedInTests, "dana", "a fixture"); err != nil {
		t.Fatal(err)
	}
	before := b.dump(t)
	if err := b.Resolve(t.Context(), "PW-000001", leak.ResolvedUsedInTests, "eve", "again"); err != nil || b.dump(t) != before {
		t.Errorf("resolving twice changes something: %v", err)
	}
	c := b.get(t, "PW-000001")
	if c.State != leak.CaseResolved || c.Resolution != leak.ResolvedUsedInTests || c.Acts[0].State != leak.ActDue || c.Acts[1].State != leak.ActSkipped || !strings.Contains(c.Acts[1].Reason, "used_in_tests") {
		t.Errorf("%+v", c)
	}
	if got := b.events(t); !slices.Equal(got[1:], []string{auditlog.CaseChanged, "Response.RevokeSkipped"}) {
		t.Errorf("%v", got)
	}
	if err := b.Reopen(t.Context(), "PW-000001", "dana", "not after all"); err != nil {
		t.Fatal(err)
	}
	if err := b.Reopen(t.Context(), "PW-000001", "dana", ""); err != nil {
		t.Fatal(err)
	}
	if c := b.get(t, "PW-000001"); c.State != leak.CaseOpen || c.Resolution != "" {
		t.Errorf("%+v", c)
	}
	for _, id := range []string{"PW-000009", "PW-1", "PW--00001", "x", "", "PW-000001 "} {
		if err := b.Resolve(t.Context(), id, leak.ResolvedRevoked, "dana", ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := b.Resolve(t.Context(), "PW-000001", "odd", "dana", ""); err == nil {
		t.Error("an odd resolution is taken")
	}
	b.sound(t)
}

// TestResolveWhileTried: a revocation that is under way is not called skipped,
// and its outcome is on record.
func TestResolveWhileTried(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.clock.add(time.Hour)
	b.claim(t)
	if err := b.Begin(t.Context(), []string{"PW-000001/revoke/1"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Resolve(t.Context(), "PW-000001", leak.ResolvedWontFix, "dana", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Hold(t.Context(), "PW-000001", "dana"); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), "PW-000001/revoke/1", leak.Outcome{State: leak.ActDone}); err != nil {
		t.Fatal(err)
	}
	if c := b.get(t, "PW-000001"); c.Acts[1].State != leak.ActDone || c.Token.State != leak.TokenRevoked {
		t.Errorf("%+v", c)
	}
	b.sound(t)
}

func TestHold(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.clock.add(time.Hour)
	b.claim(t)
	for range 2 {
		if err := b.Hold(t.Context(), "PW-000001", "dana"); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Begin(t.Context(), []string{"PW-000001/revoke/1"}, ""); !errors.Is(err, ErrNotDue) {
		t.Errorf("begun though it is held: %v", err)
	}
	b.clock.add(time.Hour)
	if jobs := b.claim(t); len(jobs) != 1 {
		t.Errorf("%v", jobs)
	}
	if c := b.get(t, "PW-000001"); !c.Hold || c.Acts[1].State != leak.ActHeld || c.Acts[1].Reason != "held by dana" {
		t.Errorf("%+v", c)
	}
	b.clock.add(time.Hour)
	for range 2 {
		if err := b.Release(t.Context(), "PW-000001", "dana"); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := b.claim(t)["PW-000001/revoke/1"]; !ok || b.get(t, "PW-000001").Hold {
		t.Error("not due after its release")
	}
	if got := b.events(t); !slices.Equal(got[1:], []string{auditlog.CaseHeld, auditlog.CaseReleased}) {
		t.Errorf("%v", got)
	}
	b.sound(t)
}

// TestHoldBeforePlan: what the plan adds to a case on hold is not due.
func TestHoldBeforePlan(t *testing.T) {
	b := open(t)
	r := aReport(1, 4)
	r.Findings[0].Token.State = leak.TokenExpired
	b.record(t, r)
	if err := b.Hold(t.Context(), "PW-000001", "dana"); err != nil {
		t.Fatal(err)
	}
	b.record(t, aReport(1, 5))
	b.clock.add(2 * time.Hour)
	if jobs := b.claim(t); len(jobs) != 2 {
		t.Errorf("%v", jobs)
	}
}

func TestHasten(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	if err := b.Hold(t.Context(), "PW-000001", "dana"); err != nil {
		t.Fatal(err)
	}
	if err := b.Hasten(t.Context(), "PW-000001", "eve"); err != nil {
		t.Fatal(err)
	}
	b.do(t, "PW-000001/revoke/1", leak.Outcome{State: leak.ActFailed, Reason: "503"})
	if err := b.Hasten(t.Context(), "PW-000001", "eve"); err != nil {
		t.Fatal(err)
	}
	if a := b.claim(t)["PW-000001/revoke/1"].Act; a.Reason != "brought forward by eve" {
		t.Errorf("%+v", a)
	}
	if err := b.Begin(t.Context(), []string{"PW-000001/revoke/1"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), "PW-000001/revoke/1", leak.Outcome{State: leak.ActDone}); err != nil {
		t.Fatal(err)
	}
	if err := b.Hasten(t.Context(), "PW-000001", "eve"); !errors.Is(err, ErrNotDue) {
		t.Errorf("a token is revoked twice: %v", err)
	}
	r := aReport(2, 4)
	r.Findings[0].Token.State = leak.TokenExpired // the plan makes no revocation
	b.record(t, r)
	if err := b.Hasten(t.Context(), "PW-000002", "eve"); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.claim(t)["PW-000002/revoke/1"]; !ok {
		t.Error("no revocation was added")
	}
	b.sound(t)
}
