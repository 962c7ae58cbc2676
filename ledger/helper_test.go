package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

var start = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// plan tells the owner at once of each report's sightings, and revokes an active
// token after an hour.
func plan(c leak.Case, fresh []leak.Sighting, now time.Time) []leak.Act {
	acts := []leak.Act{{Key: fmt.Sprintf("%s/notify/%d", c.ID, len(c.Sightings)), Kind: leak.Notify, State: leak.ActDue, Due: now, Sightings: len(c.Sightings)}}
	if c.Token.State == leak.TokenActive {
		acts = append(acts, leak.Act{Key: c.ID + "/revoke/1", Kind: leak.Revoke, State: leak.ActDue, Due: now.Add(time.Hour)})
	}
	return acts
}

// A bench is an open ledger with its clock.
type bench struct {
	*Ledger
	clock *clock
	path  string
}

func open(t testing.TB) *bench {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "ledger.db"))
}

func openAt(t testing.TB, path string) *bench {
	t.Helper()
	signer, err := auditlog.OpenSigner(filepath.Join(filepath.Dir(path), "audit.key"), "audit.example")
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: start}
	l, err := Open(t.Context(), path, Options{Plan: plan, Now: c.Now, Signer: signer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{l, c, path}
}

// aToken is the n-th token.
func aToken(n int) leak.Token {
	return leak.Token{
		AuthorizationID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n),
		Owner:           leak.Owner{ID: fmt.Sprint("owner-", n%50), Name: fmt.Sprint("Owner ", n%50), Mail: fmt.Sprintf("owner%d@contoso.example", n%50)},
		Organization:    []string{"contoso", "fabrikam"}[n%2], DisplayName: fmt.Sprint("token ", n), Scopes: "vso.code",
		ValidFrom: start.AddDate(-1, 0, 0), ValidTo: start.AddDate(1, 0, 0), State: leak.TokenActive, Digest: aDigest(n),
	}
}

func aDigest(n int) leak.Digest {
	return leak.Digest{Version: 1, Sum: [32]byte{1, byte(n >> 16), byte(n >> 8), byte(n)}}
}

// aSighting is the n-th token on a line of a file of a repository.
func aSighting(n, line int) leak.Sighting {
	push := aPush(fmt.Sprintf("github:%d", n))
	return leak.Sighting{
		Digest: aDigest(n), Format: "azure-devops-pat", FormatName: "Azure DevOps personal access token", Confidence: leak.Verified, LastFour: "abcd",
		Place: leak.Place{
			Repository: push.Repository, Source: leak.Pushed, Commit: "9f2c1e7", Object: "77aa", Path: "deploy/main.tf", Line: line, Column: 7,
			URL: "https://github.com/octo/shop/blob/9f2c1e7/deploy/main.tf", Author: "Mara Lind", Email: "mara@contoso.example", Time: start, Subject: "add deploy",
		},
		Push: push,
	}
}

func aPush(id string) leak.Push {
	return leak.Push{ID: id, Source: "events", Kind: leak.RefUpdated, Repository: "octo/shop", Ref: "refs/heads/main", Before: "aa", After: "bb", PushedAt: start.Add(-time.Minute), SeenAt: start}
}

// aReport is a push with the n-th token on each of the lines.
func aReport(n int, lines ...int) leak.Report {
	f := leak.Finding{Token: aToken(n)}
	for _, line := range lines {
		f.Sightings = append(f.Sightings, aSighting(n, line))
	}
	return leak.Report{Push: aPush(fmt.Sprintf("github:%d", n)), Findings: []leak.Finding{f}}
}

func (b *bench) record(t testing.TB, r leak.Report) {
	t.Helper()
	if err := b.Record(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) get(t testing.TB, id string) leak.Case {
	t.Helper()
	c, err := b.Case(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claim claims all that is due and returns it by key.
func (b *bench) claim(t testing.TB) map[string]leak.Job {
	t.Helper()
	jobs, err := b.Claim(t.Context(), b.clock.Now(), time.Minute, 100)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]leak.Job{}
	for _, j := range jobs {
		out[j.Act.Key] = j
	}
	return out
}

// do claims what is due, begins an act and finishes it.
func (b *bench) do(t testing.TB, key string, o leak.Outcome) {
	t.Helper()
	if _, ok := b.claim(t)[key]; !ok {
		t.Fatalf("%s is not due", key)
	}
	if err := b.Begin(t.Context(), []string{key}, "<"+key+"@x>"); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(t.Context(), key, o); err != nil {
		t.Fatal(err)
	}
}

// events returns the ids of all actions, oldest first.
func (b *bench) events(t testing.TB) []string {
	t.Helper()
	entries, err := b.Entries(t.Context(), 0, maxPage)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, entry := range entries {
		e, err := entry.Event()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.ActionID)
	}
	return out
}

// sound fails the test unless all promises hold and the log verifies.
func (b *bench) sound(t testing.TB) {
	t.Helper()
	violations, err := b.Invariants(t.Context())
	if err != nil || len(violations) > 0 {
		t.Errorf("%v, %v", violations, err)
	}
	v, err := b.Verify(t.Context())
	if err != nil || !v.Intact() {
		t.Errorf("%v, %v", v.Problems, err)
	}
}

// dump is everything in the database that a report can change.
func (b *bench) dump(t testing.TB) string {
	t.Helper()
	out := ""
	for _, table := range []string{"cases", "sightings", "acts", "events", "parked", "incompletes", "settings"} {
		out += table + "\n" + dumpTable(t, b.Ledger, table)
	}
	return out
}

func dumpTable(t testing.TB, l *Ledger, table string) string {
	t.Helper()
	rows, err := l.db.Reader().QueryContext(context.WithoutCancel(t.Context()), `SELECT * FROM `+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			out += fmt.Sprintf("%s=%v ", columns[i], *v.(*any))
		}
		out += "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
