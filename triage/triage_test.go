package triage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/leak"
)

var (
	start   = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	errDown = errors.New("the store is down")
)

// world is a store of tokens and a ledger, in memory.
type world struct {
	mu       sync.Mutex
	now      time.Time
	high     time.Time
	tokens   map[leak.Digest]leak.Token
	asked    []int // digests in each question
	reports  []leak.Report
	parked   map[int64]Parked
	until    map[int64]time.Time
	fail     map[string]error // by the name of the call
	onLookup func()
	keys     *leak.Keyring
}

func ring(t testing.TB, versions ...int) *leak.Keyring {
	t.Helper()
	var peppers []leak.Pepper
	for _, v := range versions {
		peppers = append(peppers, leak.Pepper{Version: v, Key: leak.NewSecret([]byte(strings.Repeat(fmt.Sprint(v), 32)))})
	}
	k, err := leak.NewKeyring(peppers...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWorld(t testing.TB) *world {
	return &world{
		now: start, high: start.Add(-time.Hour), tokens: map[leak.Digest]leak.Token{}, parked: map[int64]Parked{},
		until: map[int64]time.Time{}, fail: map[string]error{}, keys: ring(t, 1, 2),
	}
}

func (w *world) options() Options {
	return Options{
		Keys: w.keys, Lookup: w.lookup, HighWater: w.highWater, Record: w.record,
		Parked: w.list, Unpark: w.unpark, Postpone: w.postpone, Now: func() time.Time { return w.now },
	}
}

func (w *world) lookup(_ context.Context, ds []leak.Digest) (map[leak.Digest]leak.Token, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, len(ds))
	out := map[leak.Digest]leak.Token{}
	for _, d := range ds {
		if token, ok := w.tokens[d]; ok {
			out[d] = token
		}
	}
	if w.onLookup != nil {
		w.onLookup()
	}
	return out, w.fail["lookup"]
}

func (w *world) highWater(context.Context) (time.Time, error) { return w.high, w.fail["high"] }

// record parks what is new, as the ledger does.
func (w *world) record(_ context.Context, r leak.Report) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail["record"]; err != nil {
		return err
	}
	w.reports = append(w.reports, r)
	for _, s := range r.Parked {
		id := int64(len(w.until) + 1)
		w.parked[id], w.until[id] = Parked{id, s, w.now}, w.now
	}
	return nil
}

func (w *world) list(_ context.Context, now time.Time, limit int) ([]Parked, error) {
	var out []Parked
	for id, p := range w.parked {
		if !w.until[id].After(now) && len(out) < limit {
			out = append(out, p)
		}
	}
	return out, w.fail["parked"]
}

func (w *world) unpark(_ context.Context, ids []int64) error {
	if err := w.fail["unpark"]; err != nil {
		return err
	}
	for _, id := range ids {
		delete(w.parked, id)
	}
	return nil
}

func (w *world) postpone(_ context.Context, ids []int64, until time.Time) error {
	for _, id := range ids {
		w.until[id] = until
	}
	return w.fail["postpone"]
}

// issue makes the store know a token, by the digest of a pepper.
func (w *world) issue(secret leak.Secret, pepper int, token leak.Token) {
	all := w.keys.All(secret.Sum())
	i := slices.IndexFunc(all, func(d leak.Digest) bool { return d.Version == pepper })
	w.tokens[all[i]] = token
}

func candidate(n int, c leak.Confidence) leak.Candidate {
	return leak.Candidate{
		Format: leak.Format{ID: "azure-devops-pat", Name: "Azure DevOps personal access token"}, Confidence: c,
		Secret: leak.NewSecret(fmt.Appendf(nil, "candidate number %06d", n)),
		Place:  leak.Place{Repository: "octo/shop", Object: "aa", Path: "main.tf", Line: n},
	}
}

func aPush(id string) leak.Push {
	return leak.Push{ID: id, Repository: "octo/shop", PushedAt: start.Add(-time.Minute), SeenAt: start.Add(-30 * time.Second)}
}

func TestHandle(t *testing.T) {
	w := newWorld(t)
	active := leak.Token{AuthorizationID: "a", State: leak.TokenActive}
	w.issue(candidate(1, 0).Secret, 2, active)
	w.issue(candidate(2, 0).Secret, 1, leak.Token{AuthorizationID: "b", State: leak.TokenRevoked})
	w.issue(candidate(3, 0).Secret, 1, leak.Token{AuthorizationID: "c", State: leak.TokenActive, ValidTo: start})
	again := candidate(1, leak.Likely)
	again.Place.Line = 9
	cs := []leak.Candidate{candidate(1, leak.Verified), candidate(2, leak.Likely), candidate(3, leak.Verified), candidate(4, leak.Likely), again, candidate(5, leak.Possible), candidate(6, leak.Unverified)}
	inc := []leak.Incomplete{{Reason: "gone"}}
	if err := New(w.options()).Handle(t.Context(), aPush("p"), cs, inc); err != nil {
		t.Fatal(err)
	}
	if len(w.reports) != 1 {
		t.Fatalf("%d reports", len(w.reports))
	}
	r := w.reports[0]
	states := map[string]leak.TokenState{}
	for _, f := range r.Findings {
		states[f.Token.AuthorizationID] = f.Token.State
		for _, s := range f.Sightings {
			if s.Digest != f.Token.Digest || s.Push.ID != "p" || s.LastFour == "" || s.FormatName == "" || s.Place.Line == 0 {
				t.Errorf("%+v", s)
			}
		}
	}
	want := map[string]leak.TokenState{"a": leak.TokenActive, "b": leak.TokenRevoked, "c": leak.TokenExpired}
	if fmt.Sprint(states) != fmt.Sprint(want) || len(r.Findings[0].Sightings) != 2 {
		t.Errorf("%v with %d sightings, want %v", states, len(r.Findings[0].Sightings), want)
	}
	if len(r.Parked) != 2 || r.Parked[0].Place.Line != 4 || r.Parked[0].Digest == r.Parked[1].Digest {
		t.Errorf("parked: %+v", r.Parked)
	}
	if len(r.Incomplete) != 1 || r.Incomplete[0] != inc[0] {
		t.Errorf("incomplete: %+v", r.Incomplete)
	}
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, "candidate number") {
		t.Error("the report has a token in clear")
	}
}

// TestNothing: a push without candidates costs no look-up and no record, one
// that was not read whole is recorded.
func TestNothing(t *testing.T) {
	w := newWorld(t)
	tr := New(w.options())
	if err := tr.Handle(t.Context(), aPush("p"), []leak.Candidate{candidate(1, leak.Possible)}, nil); err != nil || len(w.reports)+len(w.asked) != 0 {
		t.Errorf("%v, %v, %v", err, w.reports, w.asked)
	}
	if err := tr.Handle(t.Context(), aPush("q"), nil, []leak.Incomplete{{Reason: "gone"}}); err != nil || len(w.reports) != 1 {
		t.Errorf("%v, %v", err, w.reports)
	}
}

// TestStoreDown: an error of the store is never taken for "unknown", not even
// when it comes with an answer, and nothing is recorded.
func TestStoreDown(t *testing.T) {
	w := newWorld(t)
	w.fail["lookup"] = errDown
	err := New(w.options()).Handle(t.Context(), aPush("p"), []leak.Candidate{candidate(1, leak.Verified)}, []leak.Incomplete{{Reason: "gone"}})
	if !errors.Is(err, errDown) || len(w.reports) != 0 {
		t.Errorf("%v, %v", err, w.reports)
	}
	w.fail = map[string]error{"record": errDown}
	if err := New(w.options()).Handle(t.Context(), aPush("p"), []leak.Candidate{candidate(1, leak.Verified)}, nil); !errors.Is(err, errDown) {
		t.Errorf("a ledger that is down: %v", err)
	}
	w.fail = nil
	w.issue(candidate(1, 0).Secret, 2, leak.Token{})
	if err := New(w.options()).Handle(t.Context(), aPush("p"), []leak.Candidate{candidate(1, leak.Verified)}, nil); err == nil {
		t.Error("a token without an authorization id is recorded")
	}
}

// TestLaterBatchFails: an error of any question is an error of all.
func TestLaterBatchFails(t *testing.T) {
	w := newWorld(t)
	w.onLookup = func() {
		if len(w.asked) == 2 {
			w.fail["lookup"] = errDown
		}
	}
	var cs []leak.Candidate
	for i := range lookupBatch {
		cs = append(cs, candidate(i, leak.Verified))
	}
	if err := New(w.options()).Handle(t.Context(), aPush("p"), cs, nil); !errors.Is(err, errDown) || len(w.reports) != 0 {
		t.Errorf("%v, %d reports", err, len(w.reports))
	}
	if !slices.Equal(w.asked, []int{lookupBatch, lookupBatch}) {
		t.Errorf("questions of %v", w.asked)
	}
}

// TestCap: of too many candidates the surest are looked up, and the record says
// how many were not.
func TestCap(t *testing.T) {
	w := newWorld(t)
	w.keys = ring(t, 1)
	o := w.options()
	o.MaxCandidates = 3
	cs := []leak.Candidate{candidate(1, leak.Likely), candidate(2, leak.Likely), candidate(3, leak.Likely), candidate(4, leak.Verified), candidate(5, leak.Likely)}
	if err := New(o).Handle(t.Context(), aPush("p"), cs, nil); err != nil {
		t.Fatal(err)
	}
	r := w.reports[0]
	if len(r.Parked) != 3 || r.Parked[0].Place.Line != 4 || r.Parked[1].Place.Line != 1 {
		t.Errorf("%+v", r.Parked)
	}
	want := leak.Incomplete{Reason: "limited", Detail: "3 candidates were looked up, and 2 more were not."}
	if len(r.Incomplete) != 1 || r.Incomplete[0] != want {
		t.Errorf("%+v", r.Incomplete)
	}
}

func TestMinConfidence(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.MinConfidence = leak.Possible
	if err := New(o).Handle(t.Context(), aPush("p"), []leak.Candidate{candidate(1, leak.Possible), candidate(2, leak.Unverified)}, nil); err != nil {
		t.Fatal(err)
	}
	if r := w.reports[0]; len(r.Parked) != 2 || r.Parked[0].Place.Line != 1 {
		t.Errorf("%+v", r.Parked)
	}
}

// TestOneQuestion: one token in many places is asked for once.
func TestOneQuestion(t *testing.T) {
	w := newWorld(t)
	var cs []leak.Candidate
	for i := range 50 {
		c := candidate(1, leak.Verified)
		c.Place.Line = i
		cs = append(cs, c)
	}
	if err := New(w.options()).Handle(t.Context(), aPush("p"), cs, nil); err != nil || !slices.Equal(w.asked, []int{2}) {
		t.Errorf("%v, questions of %v", err, w.asked)
	}
}

// park handles a push with one unknown token and returns it.
func park(t *testing.T, w *world, tr *Triage) leak.Secret {
	t.Helper()
	c := candidate(7, leak.Verified)
	if err := tr.Handle(t.Context(), aPush("late"), []leak.Candidate{c}, nil); err != nil || len(w.parked) != 2 {
		t.Fatalf("%v, %d parked", err, len(w.parked))
	}
	w.reports = nil
	return c.Secret
}

// TestRecheckFinds: a token that the store hears of later is not lost.
func TestRecheckFinds(t *testing.T) {
	for _, pepper := range []int{1, 2} {
		w := newWorld(t)
		tr := New(w.options())
		secret := park(t, w, tr)
		if err := tr.Recheck(t.Context()); err != nil || len(w.reports) != 0 || len(w.parked) != 2 {
			t.Fatalf("%v, %v, %v", err, w.reports, w.parked)
		}
		w.issue(secret, pepper, leak.Token{AuthorizationID: "a", State: leak.TokenActive})
		if err := tr.Recheck(t.Context()); err != nil || len(w.reports) != 0 {
			t.Fatalf("looked up before its time: %v, %v", err, w.reports)
		}
		w.now = w.now.Add(time.Minute)
		if err := tr.Recheck(t.Context()); err != nil || len(w.reports) != 1 {
			t.Fatalf("%v, %v", err, w.reports)
		}
		r := w.reports[0]
		if r.Push.ID != "late" || len(r.Findings) != 1 || r.Findings[0].Token.AuthorizationID != "a" || r.Findings[0].Sightings[0].Digest.Version != pepper {
			t.Errorf("%+v", r)
		}
		if len(w.parked) != 1 {
			t.Errorf("%d are still parked, want the digest of the other pepper", len(w.parked))
		}
	}
}

// TestRecheckKeeps: a sighting is forgotten only when both conditions hold.
func TestRecheckKeeps(t *testing.T) {
	seen := aPush("").SeenAt
	cases := []struct {
		name string
		high time.Time
		age  time.Duration
		kept bool
	}{
		{"young, store behind", seen.Add(-time.Hour), time.Hour, true},
		{"young, store past", seen.Add(time.Hour), 24*time.Hour - time.Second, true},
		{"old, store behind", seen.Add(-time.Second), 1000 * time.Hour, true},
		{"old, store at the push", seen, 1000 * time.Hour, true},
		{"old, store past", seen.Add(time.Second), 24 * time.Hour, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			tr := New(w.options())
			park(t, w, tr)
			w.now, w.high = start.Add(c.age), c.high
			if err := tr.Recheck(t.Context()); err != nil || (len(w.parked) > 0) != c.kept {
				t.Errorf("%v, %d parked", err, len(w.parked))
			}
			for id := range w.parked {
				if until := w.until[id]; !until.After(w.now) || until.Sub(w.now) > maxPause {
					t.Errorf("looked up again at %s, now is %s", until, w.now)
				}
			}
		})
	}
}

// TestRecheckReadsMarkFirst: the store hears of the token, and its mark moves,
// right after the look-up. The sighting must stay.
func TestRecheckReadsMarkFirst(t *testing.T) {
	w := newWorld(t)
	tr := New(w.options())
	secret := park(t, w, tr)
	w.now = start.Add(48 * time.Hour)
	w.onLookup = func() {
		w.issue(secret, 2, leak.Token{AuthorizationID: "a", State: leak.TokenActive})
		w.high = w.now
		w.onLookup = nil
	}
	if err := tr.Recheck(t.Context()); err != nil || len(w.parked) != 2 {
		t.Fatalf("%v, %d parked", err, len(w.parked))
	}
	w.now = w.now.Add(maxPause)
	if err := tr.Recheck(t.Context()); err != nil || len(w.reports) != 1 || len(w.parked) != 0 {
		t.Errorf("%v, %v, %d parked", err, w.reports, len(w.parked))
	}
}

// TestRecheckFutureEvent: the time that a stranger gave a push cannot keep it
// parked for ever.
func TestRecheckFutureEvent(t *testing.T) {
	w := newWorld(t)
	tr := New(w.options())
	for i, push := range []leak.Push{{ID: "future", PushedAt: start.AddDate(900, 0, 0), SeenAt: start}, {ID: "no times"}} {
		if err := tr.Handle(t.Context(), push, []leak.Candidate{candidate(i, leak.Verified)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.now = start.Add(25 * time.Hour)
	w.high = start.Add(time.Second)
	if err := tr.Recheck(t.Context()); err != nil || len(w.parked) != 0 {
		t.Errorf("%v, %d parked", err, len(w.parked))
	}
}

// TestRecheckFails: whatever fails, the sighting stays or is on record.
func TestRecheckFails(t *testing.T) {
	for _, call := range []string{"parked", "high", "lookup", "record", "unpark", "postpone"} {
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			tr := New(w.options())
			secret := park(t, w, tr)
			w.issue(secret, 1, leak.Token{AuthorizationID: "a", State: leak.TokenActive})
			w.now, w.high = start.Add(48*time.Hour), start.Add(-time.Hour)
			w.fail[call] = errDown
			if err := tr.Recheck(t.Context()); !errors.Is(err, errDown) {
				t.Fatalf("%v", err)
			}
			if len(w.parked) < 2 && len(w.reports) == 0 {
				t.Fatal("the sighting is lost")
			}
			w.fail = map[string]error{}
			w.now, w.high = w.now.Add(maxPause), w.now
			if err := tr.Recheck(t.Context()); err != nil || len(w.reports) == 0 || len(w.parked) != 0 {
				t.Errorf("%v, %v, %d parked", err, w.reports, len(w.parked))
			}
		})
	}
}

// TestRecheckMany: more than a round's worth, of several pushes, one report each.
func TestRecheckMany(t *testing.T) {
	w := newWorld(t)
	w.keys = ring(t, 1)
	tr := New(w.options())
	for p := range 3 {
		var cs []leak.Candidate
		for i := range recheckBatch {
			c := candidate(p*recheckBatch+i, leak.Verified)
			cs = append(cs, c)
			w.issue(c.Secret, 1, leak.Token{AuthorizationID: fmt.Sprint(p, i), State: leak.TokenActive})
		}
		saved := w.tokens
		w.tokens = nil
		if err := tr.Handle(t.Context(), aPush(fmt.Sprint(p)), cs, nil); err != nil {
			t.Fatal(err)
		}
		w.tokens = saved
	}
	w.reports = nil
	if err := tr.Recheck(t.Context()); err != nil || len(w.parked) != 0 {
		t.Fatalf("%v, %d parked", err, len(w.parked))
	}
	found := 0
	for _, r := range w.reports {
		found += len(r.Findings)
	}
	if found != 3*recheckBatch {
		t.Errorf("%d findings", found)
	}
}

func TestPause(t *testing.T) {
	cases := map[time.Duration]time.Duration{0: minPause, -time.Hour: minPause, time.Hour: 15 * time.Minute, 24 * time.Hour: maxPause}
	for age, want := range cases {
		if got := pause(age); got != want {
			t.Errorf("%s: %s, want %s", age, got, want)
		}
	}
}

// TestConcurrent: many pushes at once.
func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	tr := New(w.options())
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			if err := tr.Handle(t.Context(), aPush(fmt.Sprint(i)), []leak.Candidate{candidate(i, leak.Verified)}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(w.reports) != 16 {
		t.Errorf("%d reports", len(w.reports))
	}
}

func BenchmarkHandle(b *testing.B) {
	w := newWorld(b)
	w.issue(candidate(1, 0).Secret, 2, leak.Token{AuthorizationID: "a", State: leak.TokenActive})
	o := w.options()
	o.Record = func(context.Context, leak.Report) error { return nil }
	tr := New(o)
	cs := []leak.Candidate{candidate(1, leak.Verified), candidate(2, leak.Likely)}
	for b.Loop() {
		if err := tr.Handle(b.Context(), aPush("p"), cs, nil); err != nil {
			b.Fatal(err)
		}
		w.asked = w.asked[:0]
	}
}
