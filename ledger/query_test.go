package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

// several returns a ledger with 12 cases, an hour apart; the odd ones are
// fabrikam's, every third is in another repository, every fourth of another
// format, the first is resolved.
func several(t testing.TB) *bench {
	b := open(t)
	for n := range 12 {
		r := aReport(n, 4)
		s := &r.Findings[0].Sightings[0]
		if n%3 == 0 {
			s.Place.Repository = "acme/notebook"
		}
		if n%4 == 0 {
			s.Format = "github-ghp"
		}
		b.record(t, r)
		b.clock.add(time.Hour)
	}
	if err := b.Resolve(t.Context(), "PW-000001", leak.ResolvedWontFix, "dana", "a joke"); err != nil {
		t.Fatal(err)
	}
	return b
}

func numbers(cases []leak.Case) string {
	var out []string
	for _, c := range cases {
		out = append(out, strings.TrimLeft(strings.TrimPrefix(c.ID, "PW-"), "0"))
	}
	return strings.Join(out, " ")
}

func TestCases(t *testing.T) {
	b := several(t)
	cases := []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "12 11 10 9 8 7 6 5 4 3 2 1"},
		{"limit", Query{Limit: 2}, "12 11"},
		{"from", Query{From: start.Add(10 * time.Hour)}, "12 11"},
		{"to", Query{To: start.Add(2 * time.Hour)}, "2 1"},
		{"open", Query{State: leak.CaseOpen, To: start.Add(3 * time.Hour)}, "3 2"},
		{"resolved", Query{State: leak.CaseResolved}, "1"},
		{"resolution", Query{Resolution: leak.ResolvedWontFix}, "1"},
		{"other resolution", Query{Resolution: leak.ResolvedRevoked}, ""},
		{"organization", Query{Organization: "Fabrikam"}, "12 10 8 6 4 2"},
		{"owner", Query{Owner: "Owner3@contoso.example"}, "4"},
		{"repository", Query{Repository: "acme/notebook"}, "10 7 4 1"},
		{"format", Query{Format: "github-ghp"}, "9 5 1"},
		{"all of them", Query{Format: "github-ghp", Organization: "contoso", Repository: "acme/notebook", State: leak.CaseResolved, Text: "joke"}, "1"},
		{"text", Query{Text: "token owner7"}, "8"},
		{"beginning of a word", Query{Text: "NOTE acm"}, "10 7 4 1"},
		{"text of a comment", Query{Text: "joke"}, "1"},
		{"no such text", Query{Text: "absent"}, ""},
		{"text without a word", Query{Text: `"*('`}, ""},
		{"text of an operator", Query{Text: `notebook OR AND NOT "`}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			page, err := b.Cases(t.Context(), c.q)
			if err != nil || numbers(page.Cases) != c.want {
				t.Errorf("%s, %v, want %s", numbers(page.Cases), err, c.want)
			}
			if (page.Next != "") != (c.q.Limit > 0) {
				t.Errorf("next %q", page.Next)
			}
			for _, c := range page.Cases {
				if len(c.Sightings) != 1 || len(c.Acts) != 2 {
					t.Errorf("%s: %d sightings, %d acts", c.ID, len(c.Sightings), len(c.Acts))
				}
			}
		})
	}
}

// TestPages: pages neither repeat nor leave out, also when cases come meanwhile.
func TestPages(t *testing.T) {
	b := several(t)
	var got []string
	q := Query{Limit: 5}
	for n := 100; ; n++ {
		page, err := b.Cases(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, numbers(page.Cases))
		b.record(t, aReport(n, 4))
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if s := strings.Join(got, " "); s != "12 11 10 9 8 7 6 5 4 3 2 1" {
		t.Errorf("%s", s)
	}
	for _, q := range []Query{{After: "x"}, {After: "3"}, {Action: "Token."}, {Case: "PW-000001"}} {
		if _, err := b.Cases(t.Context(), q); err == nil || q.After != "" && !errors.Is(err, ErrBadCursor) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for _, id := range []string{"PW-000099", "", "PW-01"} {
		if _, err := b.Case(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// indexes are the numbers of the events of a page.
func indexes(entries []auditlog.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, fmt.Sprint(e.Index))
	}
	return strings.Join(out, " ")
}

func TestEvents(t *testing.T) {
	b := several(t) // events 0 to 11 are discoveries, 12 the state, 13 the revocation that was skipped
	person := auditlog.Person("dana")
	if err := b.Log(t.Context(), auditlog.AccessLog("contoso", person), auditlog.PolicyValueUpdated("", "policy.revoke", "after", person)); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0"},
		{"from", Query{From: start.Add(11 * time.Hour)}, "15 14 13 12 11"},
		{"to", Query{To: start.Add(2 * time.Hour)}, "1 0"},
		{"between", Query{From: start.Add(2 * time.Hour), To: start.Add(4 * time.Hour)}, "3 2"},
		{"another zone", Query{To: start.Add(2 * time.Hour).In(time.FixedZone("x", 3600*5))}, "1 0"},
		{"action", Query{Action: auditlog.CaseChanged}, "12"},
		{"area", Query{Action: "AuditLog."}, "14"},
		{"part of an area", Query{Action: "Audit."}, ""},
		{"organization", Query{Organization: "FABRIKAM"}, "11 9 7 5 3 1"},
		{"owner", Query{Owner: "OWNER0@contoso.example"}, "13 12 0"},
		{"repository", Query{Repository: "acme/notebook"}, "9 6 3 0"},
		{"case", Query{Case: "PW-000001"}, "13 12 0"},
		{"state", Query{State: leak.CaseResolved}, "13 12 0"},
		{"resolution", Query{Resolution: leak.ResolvedWontFix, Action: "Case."}, "12"},
		{"format", Query{Format: "github-ghp"}, "13 12 8 4 0"},
		{"text", Query{Text: "notebook"}, "9 6 3 0"},
		{"actor", Query{Text: "dana"}, "15 14 12"},
		{"text and action", Query{Text: "dana", Action: "AuditLog."}, "14"},
		{"text without a word", Query{Text: "--"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			page, err := b.Events(t.Context(), c.q)
			if err != nil || indexes(page.Entries) != c.want || page.Next != "" {
				t.Errorf("%s, %v, %v, want %s", indexes(page.Entries), page.Next, err, c.want)
			}
		})
	}
}

// TestEventPages: also when many events have one time, and clocks go back.
func TestEventPages(t *testing.T) {
	b := open(t)
	for n := range 7 {
		b.record(t, aReport(n, 1, 2, 3))
		b.clock.add(time.Duration(n%3-1) * time.Minute)
	}
	for _, limit := range []int{1, 2, 5, 20, 21} {
		var got []int64
		var times []string
		q := Query{Limit: limit}
		for {
			page, err := b.Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range page.Entries {
				e, err := entry.Event()
				if err != nil {
					t.Fatal(err)
				}
				got, times = append(got, entry.Index), append(times, e.Timestamp.String())
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		slices.Reverse(times)
		if !slices.IsSorted(times) {
			t.Errorf("limit %d: not by time: %v", limit, times)
		}
		slices.Sort(got)
		if len(got) != 21 || len(slices.Compact(got)) != 21 {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
	for _, after := range []string{"x", ";", "2026;x"} {
		if _, err := b.Events(t.Context(), Query{After: after}); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%q: %v", after, err)
		}
	}
	if _, err := b.Events(t.Context(), Query{Case: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestEvent(t *testing.T) {
	b := several(t)
	page, err := b.Events(t.Context(), Query{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	e, err := page.Entries[0].Event()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{e.ID, e.GUID()} {
		if got, err := b.Event(t.Context(), id); err != nil || got.Index != 13 {
			t.Errorf("%q: %d, %v", id, got.Index, err)
		}
	}
	for _, id := range []string{"", "x", strings.Replace(e.ID, "25", "26", 1), auditlog.NewUUID()} {
		if _, err := b.Event(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestStats(t *testing.T) {
	b := several(t)
	b.record(t, leak.Report{Push: aPush("p"), Parked: []leak.Sighting{aSighting(99, 1)}, Incomplete: []leak.Incomplete{{Reason: "gone"}}})
	s, err := b.Stats(t.Context())
	if err != nil || s.OpenCases != 11 || s.ResolvedCases != 1 || s.Sightings != 12 || s.Events != 15 || s.Parked != 1 || s.Incomplete != 1 ||
		s.Acts[leak.ActDue] != 23 || s.Acts[leak.ActSkipped] != 1 || !s.OldestDue.Equal(start) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestIncompletes(t *testing.T) {
	b := open(t)
	for n := range 5 {
		b.record(t, leak.Report{Push: aPush(fmt.Sprint(n)), Incomplete: []leak.Incomplete{{Reason: "gone", Detail: "It is gone."}}})
	}
	var got []string
	var before int64
	for {
		scans, err := b.Incompletes(t.Context(), before, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(scans) == 0 {
			break
		}
		for _, s := range scans {
			got, before = append(got, s.Push.ID), s.ID
		}
	}
	if fmt.Sprint(got) != "[4 3 2 1 0]" {
		t.Errorf("%v", got)
	}
}

// FuzzMatch: no text makes the search fail.
func FuzzMatch(f *testing.F) {
	for _, s := range []string{"", "a", `"`, "a OR b", "NEAR(a b)", "a* -b +c ^d", "text:a", "\x00é", "🙂", strings.Repeat("x ", 100)} {
		f.Add(s)
	}
	b := several(f)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := b.Events(t.Context(), Query{Text: text, Limit: 1}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPlans: no list is read by going through a whole table, but where a filter
// has no index and the order has one.
func TestPlans(t *testing.T) {
	b := open(t)
	explain := func(query string, args ...any) string {
		t.Helper()
		steps, err := collect(t.Context(), b.db.Reader(), func(rows *sql.Rows) (step string, err error) {
			var id, parent, unused int
			return step, rows.Scan(&id, &parent, &unused, &step)
		}, `EXPLAIN QUERY PLAN `+query, args...)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(steps, "; ")
	}
	events := func(q Query) string {
		w, err := q.events()
		if err != nil {
			t.Fatal(err)
		}
		return explain(`SELECT idx, body, at FROM `+w.from+w.String()+` ORDER BY `+w.order+` LIMIT 10`, w.args...)
	}
	cases := map[string]struct{ plan, want string }{
		"events":             {events(Query{}), "events_at"},
		"of a time":          {events(Query{From: start, To: start}), "events_at"},
		"next page":          {events(Query{After: "2026;7"}), "events_at"},
		"of an action":       {events(Query{Action: "Token.x"}), "events_action"},
		"of an organization": {events(Query{Organization: "contoso"}), "events_scope"},
		"of an owner":        {events(Query{Owner: "a@b"}), "events_owner"},
		"of a repository":    {events(Query{Repository: "a/b"}), "events_repository"},
		"of a case":          {events(Query{Case: "PW-000001"}), "events_correlation"},
		"with a text":        {events(Query{Text: "a"}), "SCAN search VIRTUAL TABLE"},
		"one event":          {explain(`SELECT idx FROM events WHERE guid = 'x'`), "events_guid"},
		"due acts":           {explain(`SELECT acts.key`+claimable+`ORDER BY acts.due LIMIT 1`, sql.Named("now", 1), sql.Named("far", 1)), "acts_due"},
		"parked":             {explain(`SELECT id FROM parked WHERE due <= 1 ORDER BY due, id LIMIT 1`), "parked_due"},
		"revocations":        {explain(`SELECT count(*) FROM acts WHERE kind = 'revoke' AND state = 'done' AND at >= 1`), "acts_done"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(c.plan, c.want) || strings.Contains(c.plan, "TEMP B-TREE") && name != "of a case" {
				t.Errorf("%s, want %s", c.plan, c.want)
			}
		})
	}
}
