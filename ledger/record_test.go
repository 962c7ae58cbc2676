package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

func TestRecord(t *testing.T) {
	b := open(t)
	r := aReport(1, 4, 9)
	r.Parked = []leak.Sighting{aSighting(7, 1)}
	r.Incomplete = []leak.Incomplete{{Reason: "too-large", Detail: "A blob of 70 MiB."}}
	b.record(t, r)
	c := b.get(t, "PW-000001")
	if c.State != leak.CaseOpen || c.Token != aToken(1) || !c.OpenedAt.Equal(start) || !auditlog.IsUUID(c.Correlation) {
		t.Errorf("%+v", c)
	}
	if !slices.Equal(c.Sightings, r.Findings[0].Sightings) {
		t.Errorf("%+v\nwant %+v", c.Sightings, r.Findings[0].Sightings)
	}
	if len(c.Acts) != 2 || c.Acts[0].Key != "PW-000001/notify/2" || c.Acts[0].Case != c.ID || c.Acts[0].Sightings != 2 || c.Acts[1].Kind != leak.Revoke {
		t.Errorf("%+v", c.Acts)
	}
	want := []string{auditlog.PatPublicDiscovery, auditlog.PatPublicDiscovery, auditlog.IncompleteScan}
	if got := b.events(t); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	parked, err := b.Parked(t.Context(), start, 10)
	if err != nil || len(parked) != 1 || parked[0].Sighting != r.Parked[0] || !parked[0].Since.Equal(start) {
		t.Errorf("%+v, %v", parked, err)
	}
	scans, err := b.Incompletes(t.Context(), 0, 0)
	if err != nil || len(scans) != 1 || scans[0].Incomplete != r.Incomplete[0] || scans[0].Push != r.Push {
		t.Errorf("%+v, %v", scans, err)
	}
	b.sound(t)
}

// TestTwice: handling a report twice changes nothing, not a byte.
func TestTwice(t *testing.T) {
	b := open(t)
	r := aReport(1, 4, 9)
	r.Findings = append(r.Findings, aReport(2, 4).Findings...)
	r.Parked = []leak.Sighting{aSighting(7, 1)}
	r.Incomplete = []leak.Incomplete{{Reason: "gone", Detail: "The repository is gone."}}
	b.record(t, r)
	before := b.dump(t)
	b.clock.add(time.Hour)
	b.record(t, r)
	r.Findings[0].Sightings = slices.Concat(r.Findings[0].Sightings, r.Findings[0].Sightings)
	r.Findings = append(r.Findings, r.Findings...)
	b.record(t, r)
	if after := b.dump(t); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

// TestSame says which sightings are the same.
func TestSame(t *testing.T) {
	base := aSighting(1, 4)
	cases := []struct {
		name  string
		alter func(s *leak.Sighting)
		same  bool
	}{
		{"commit", func(s *leak.Sighting) { s.Place.Commit = "other" }, true},
		{"column", func(s *leak.Sighting) { s.Place.Column = 99 }, true},
		{"push", func(s *leak.Sighting) { s.Push.ID = "github:99" }, true},
		{"digest by another pepper", func(s *leak.Sighting) { s.Digest = leak.Digest{Version: 2, Sum: [32]byte{9}} }, true},
		{"repository", func(s *leak.Sighting) { s.Place.Repository = "octo/fork" }, false},
		{"blob", func(s *leak.Sighting) { s.Place.Object = "88bb" }, false},
		{"path", func(s *leak.Sighting) { s.Place.Path = "other" }, false},
		{"path that is not UTF-8", func(s *leak.Sighting) { s.Place.Path = "deploy\xff" }, false},
		{"line", func(s *leak.Sighting) { s.Place.Line = 5 }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := open(t)
			b.record(t, aReport(1, 4))
			r, s := aReport(1), base
			c.alter(&s)
			r.Findings[0].Sightings = []leak.Sighting{s}
			b.record(t, r)
			got := b.get(t, "PW-000001").Sightings
			if same := len(got) == 1; same != c.same {
				t.Errorf("%d sightings", len(got))
			}
			if !c.same && got[1] != s {
				t.Errorf("%+v\nwant %+v", got[1], s)
			}
			b.sound(t)
		})
	}
}

// TestParkedSame: bytes that no encoding has tell two places apart.
func TestParkedSame(t *testing.T) {
	b := open(t)
	one, two := aSighting(1, 4), aSighting(1, 4)
	one.Place.Path, two.Place.Path = "a\xfe", "a\xff"
	b.record(t, leak.Report{Parked: []leak.Sighting{one, two, one}})
	parked, err := b.Parked(t.Context(), start, 10)
	if err != nil || len(parked) != 2 || parked[0].Sighting != one || parked[1].Sighting != two {
		t.Errorf("%+v, %v", parked, err)
	}
}

// TestLaterSighting: a known case gets the sighting, and its acts come from the
// plan, which sees all.
func TestLaterSighting(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4))
	b.clock.add(time.Minute)
	r := aReport(1, 4, 9)
	r.Push.ID, r.Findings[0].Token.DisplayName = "github:77", "renamed"
	b.record(t, r)
	c := b.get(t, "PW-000001")
	if len(c.Sightings) != 2 || c.Token.DisplayName != "renamed" || !c.UpdatedAt.Equal(start.Add(time.Minute)) || !c.OpenedAt.Equal(start) {
		t.Errorf("%+v", c)
	}
	keys := []string{}
	for _, a := range c.Acts {
		keys = append(keys, a.Key)
	}
	if !slices.Equal(keys, []string{"PW-000001/notify/1", "PW-000001/revoke/1", "PW-000001/notify/2"}) {
		t.Errorf("%v", keys)
	}
	b.sound(t)
}

// TestChain: the first discovery is the parent, and all share the correlation.
func TestChain(t *testing.T) {
	b := open(t)
	b.record(t, aReport(1, 4, 9))
	b.do(t, "PW-000001/notify/2", leak.Outcome{State: leak.ActDone})
	c := b.get(t, "PW-000001")
	entries, err := b.Entries(t.Context(), 0, 10)
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d events, %v", len(entries), err)
	}
	for i, entry := range entries {
		e, err := entry.Event()
		if err != nil || e.CorrelationID != c.Correlation || (e.GUID() == c.Correlation) != (i == 0) {
			t.Errorf("%d: %+v, %v", i, e, err)
		}
	}
	first, _ := entries[0].Event()
	second, _ := entries[1].Event()
	third, _ := entries[2].Event()
	if first.ActivityID != second.ActivityID || first.ActivityID == third.ActivityID {
		t.Error("an activity is one transaction")
	}
}

// TestOldToken: a token that was revoked before gets a case that says so.
func TestOldToken(t *testing.T) {
	b := open(t)
	for n, state := range []leak.TokenState{leak.TokenRevoked, leak.TokenExpired, ""} {
		r := aReport(n+1, 4)
		r.Findings[0].Token.State = state
		b.record(t, r)
	}
	if c := b.get(t, "PW-000001"); c.Token.State != leak.TokenRevoked || len(c.Acts) != 1 {
		t.Errorf("%+v", c)
	}
	if c := b.get(t, "PW-000002"); c.Token.State != leak.TokenExpired || len(c.Acts) != 1 {
		t.Errorf("%+v", c)
	}
	if c := b.get(t, "PW-000003"); c.Token.State != leak.TokenActive || len(c.Acts) != 2 {
		t.Errorf("%+v", c)
	}
	r := aReport(1, 5)
	b.record(t, r)
	if c := b.get(t, "PW-000001"); c.Token.State != leak.TokenRevoked {
		t.Errorf("a token came back to life: %+v", c.Token)
	}
	b.sound(t)
}

// TestWhole: a report is recorded whole or not at all.
func TestWhole(t *testing.T) {
	b := open(t)
	before := b.dump(t)
	r := aReport(1, 4)
	r.Findings = append(r.Findings, leak.Finding{Token: leak.Token{AuthorizationID: "x"}})
	if err := b.Record(t.Context(), r); err == nil {
		t.Error("a finding without a sighting is recorded")
	}
	r.Findings[1] = leak.Finding{Sightings: r.Findings[0].Sightings}
	if err := b.Record(t.Context(), r); err == nil {
		t.Error("a finding without an authorization id is recorded")
	}
	b.plan = func(leak.Case, []leak.Sighting, time.Time) []leak.Act { return []leak.Act{{Key: "k"}} }
	if err := b.Record(t.Context(), aReport(1, 4)); err == nil {
		t.Error("an act without a kind is recorded")
	}
	if after := b.dump(t); after != before {
		t.Errorf("is\n%s", after)
	}
	b.plan = nil
	b.record(t, aReport(1, 4))
	if c := b.get(t, "PW-000001"); len(c.Acts) != 0 {
		t.Errorf("%+v", c.Acts)
	}
	b.sound(t)
}

// TestHostileRecord: what strangers write cannot make a leak unrecordable, and
// does not break what is read back.
func TestHostileRecord(t *testing.T) {
	b := open(t)
	r := aReport(1, 4)
	s := &r.Findings[0].Sightings[0]
	s.Place.Time = time.Unix(1<<55, 0)
	s.Push.PushedAt = time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Place.Author, s.Place.Subject, s.Place.Path = "\xff\xfe", "\x00'; DROP TABLE cases; --", strings.Repeat("p/", 50_000)+"\x00\xff"
	r.Findings[0].Token.DisplayName = "\xff\u202e<b>"
	r.Findings[0].Token.ValidTo = time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)
	r.Push.PushedAt = s.Push.PushedAt
	r.Incomplete = []leak.Incomplete{{Reason: "too-large", Detail: "\xff"}}
	b.record(t, r)
	c := b.get(t, "PW-000001")
	if got := c.Sightings[0]; got.Place.Path != s.Place.Path || !got.Place.Time.IsZero() || got.Place.Subject != s.Place.Subject {
		t.Errorf("%.300v", got)
	}
	b.record(t, r)
	if c := b.get(t, "PW-000001"); len(c.Sightings) != 1 {
		t.Errorf("%d sightings", len(c.Sightings))
	}
	b.sound(t)
}

// TestFullCase: a case cannot grow without end, and what is left out is on
// record.
func TestFullCase(t *testing.T) {
	b := open(t)
	lines := make([]int, maxSightings+5)
	for i := range lines {
		lines[i] = i + 1
	}
	b.record(t, aReport(1, lines...))
	b.record(t, aReport(1, lines...))
	scans, err := b.Incompletes(t.Context(), 0, 0)
	if err != nil || len(scans) != 1 || !strings.Contains(scans[0].Detail, "5 more") {
		t.Errorf("%+v, %v", scans, err)
	}
	if c := b.get(t, "PW-000001"); len(c.Sightings) != maxSightings || len(c.Acts) != 2 {
		t.Errorf("%d sightings, %d acts", len(c.Sightings), len(c.Acts))
	}
	b.sound(t)
}

// TestConcurrentRecord: the same and different tokens from many goroutines.
func TestConcurrentRecord(t *testing.T) {
	b := open(t)
	var wait sync.WaitGroup
	for g := range 16 {
		wait.Go(func() {
			for i := range 20 {
				if err := b.Record(t.Context(), aReport(i, g%4+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	page, err := b.Cases(t.Context(), Query{})
	if err != nil || len(page.Cases) != 20 {
		t.Fatalf("%d cases, %v", len(page.Cases), err)
	}
	for _, c := range page.Cases {
		if len(c.Sightings) != 4 {
			t.Errorf("%s has %d sightings", c.ID, len(c.Sightings))
		}
	}
	if got := len(b.events(t)); got != 80 {
		t.Errorf("%d events", got)
	}
	b.sound(t)
}

// TestTwoPrograms: two open ledgers on one file keep one log.
func TestTwoPrograms(t *testing.T) {
	a := open(t)
	b := openAt(t, a.path)
	var wait sync.WaitGroup
	for i, l := range []*bench{a, b} {
		wait.Go(func() {
			for n := range 25 {
				if err := l.Record(t.Context(), aReport(n, i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if got := len(a.events(t)); got != 50 {
		t.Errorf("%d events", got)
	}
	b.sound(t)
}

func TestPark(t *testing.T) {
	b := open(t)
	var r leak.Report
	for i := range 5 {
		r.Parked = append(r.Parked, aSighting(i, 1))
	}
	b.record(t, r)
	ids := func(at time.Time) (out []int64) {
		t.Helper()
		parked, err := b.Parked(t.Context(), at, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parked {
			out = append(out, p.ID)
		}
		return out
	}
	if got := ids(start); fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("%v", got)
	}
	if err := b.Postpone(t.Context(), []int64{1, 2}, start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := b.Unpark(t.Context(), []int64{3, 99}); err != nil {
		t.Fatal(err)
	}
	if got := ids(start); fmt.Sprint(got) != "[4 5]" {
		t.Errorf("%v", got)
	}
	if got := ids(start.Add(time.Hour)); fmt.Sprint(got) != "[4 5 1]" {
		t.Errorf("%v", got)
	}
	b.record(t, r) // the third is parked again
	if got := ids(start); len(got) != 3 || got[0] != 4 || got[1] != 5 {
		t.Errorf("%v", got)
	}
}

// TestParkCap: tokens that someone makes up do not fill the disk, and what is
// left out is on record, once.
func TestParkCap(t *testing.T) {
	b := open(t)
	r := leak.Report{Push: aPush("p")}
	for i := range maxParked + 3 {
		r.Parked = append(r.Parked, aSighting(i, 1))
	}
	for range 2 {
		b.record(t, r)
		s, err := b.Stats(t.Context())
		if err != nil || s.Parked != maxParked || s.Incomplete != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	scans, err := b.Incompletes(t.Context(), 0, 0)
	if err != nil || !strings.Contains(scans[0].Detail, "3 more") {
		t.Errorf("%+v, %v", scans, err)
	}
	other := aSighting(1, 1)
	other.Place.Repository = "acme/notebook"
	b.record(t, leak.Report{Push: aPush("q"), Parked: []leak.Sighting{other}})
	if s, err := b.Stats(t.Context()); err != nil || s.Parked != maxParked+1 {
		t.Errorf("another repository: %+v, %v", s, err)
	}
}
