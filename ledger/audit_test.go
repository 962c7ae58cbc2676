package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

// full returns a ledger in which everything happened once.
func full(t testing.TB) *bench {
	b := open(t)
	r := aReport(1, 4, 9)
	r.Parked = []leak.Sighting{aSighting(70, 1)}
	r.Incomplete = []leak.Incomplete{{Reason: "too-large", Detail: "A blob of 70 MiB."}}
	b.record(t, r)
	b.record(t, aReport(2, 4))
	b.do(t, "PW-000001/notify/2", leak.Outcome{State: leak.ActDone})
	b.clock.add(2 * time.Minute)
	b.do(t, "PW-000002/notify/1", leak.Outcome{State: leak.ActFailed, Reason: "550"})
	b.clock.add(time.Hour)
	b.do(t, "PW-000001/revoke/1", leak.Outcome{State: leak.ActDone})
	if err := errors.Join(
		b.Postpone(t.Context(), []int64{1}, b.clock.Now()),
		b.Hold(t.Context(), "PW-000002", "dana"),
		b.Resolve(t.Context(), "PW-000001", leak.ResolvedRevoked, "dana", "done"),
		b.SetBrake(t.Context(), true, "too many", ""),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Log(t.Context(), auditlog.AccessLog("", auditlog.Person("dana"))); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) exec(t testing.TB, query string, args ...any) error {
	t.Helper()
	return b.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), query, args...)
		return err
	})
}

// columns returns what of each table is stored, generated columns left out.
func columns(t testing.TB, l *Ledger) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, table := range []string{"cases", "sightings", "acts", "events", "checkpoints", "incompletes"} {
		names, err := collect(t.Context(), l.db.Reader(), scanText, `SELECT name FROM pragma_table_info(?)`, table)
		if err != nil || len(names) < 2 {
			t.Fatal(names, err)
		}
		out[table] = names
	}
	return out
}

// TestTampering changes every column of every row, one at a time: each is found
// by Verify or by Invariants. The few that cannot be, because they say nothing
// of what happened, are named.
func TestTampering(t *testing.T) {
	whole := full(t)
	whole.sound(t)
	free := []string{
		"acts.due", "acts.lease", "acts.sightings", "acts.id", "sightings.id", "incompletes.id", // when, in which order, and for whom it is claimed
	}
	pending := []string{"acts.state", "acts.reason", "acts.message_id", "acts.at", "acts.attempts", "acts.begun", "acts.key", "acts.kind", "acts.event"} // of acts that are still to be done
	for table, names := range columns(t, whole.Ledger) {
		for _, name := range names {
			column := table + "." + name
			if slices.Contains(free, column) {
				continue
			}
			t.Run(column, func(t *testing.T) {
				where := ""
				if slices.Contains(pending, column) {
					where = " AND state IN ('done', 'failed')"
				}
				tamper(t, whole, table, name, where)
			})
		}
	}
}

// tamper changes a column in each row of a copy.
func tamper(t *testing.T, whole *bench, table, name, where string) {
	rows, err := collect(t.Context(), whole.db.Reader(), scanNumber, `SELECT rowid FROM `+table+` WHERE 1`+where)
	if err != nil || len(rows) == 0 {
		t.Fatal(rows, err)
	}
	if name == "begun" { // says nothing once the act is done
		return
	}
	for _, row := range rows {
		b := copyOf(t, whole)
		// A number becomes another, a text gets a letter more, a hash another last byte.
		change := `CASE typeof(` + name + `) WHEN 'integer' THEN ` + name + ` + 1000 WHEN 'blob' THEN CAST(substr(` + name + `, 1, length(` + name + `) - 1) || x'00' AS BLOB) ELSE ` + name + ` || 'x' END`
		switch table + "." + name { // another of the values that may be
		case "acts.state":
			change = `CASE state WHEN 'failed' THEN 'skipped' ELSE 'failed' END`
		case "acts.kind":
			change = `CASE kind WHEN 'notify' THEN 'remind' ELSE 'notify' END`
		case "cases.state":
			change = `CASE state WHEN 'open' THEN 'resolved' ELSE 'open' END`
		}
		if name == "token" || name == "body" && table != "events" || name == "push" {
			change = `replace(` + name + `, 'contoso', 'c0ntoso')`
			if name == "push" {
				change = `replace(push, 'octo', '0cto')`
			}
		}
		_ = b.exec(t, `PRAGMA defer_foreign_keys = ON`)
		if err := b.exec(t, `UPDATE `+table+` SET `+name+` = `+change+` WHERE rowid = ?`, row); err != nil {
			continue // the database itself refuses it
		}
		if !b.alarmed(t) {
			t.Errorf("row %d: not found", row)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// alarmed reports whether anything is found.
func (b *bench) alarmed(t testing.TB) bool {
	t.Helper()
	v, err := b.Verify(t.Context())
	if err != nil || !v.Intact() {
		return true
	}
	violations, err := b.Invariants(t.Context())
	return err != nil || len(violations) > 0
}

// copyOf opens a copy of the database. Its clock is the original's.
func copyOf(t testing.TB, b *bench) *bench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	raw, err := sql.Open("sqlite", b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.ExecContext(t.Context(), `VACUUM INTO ?`, path); err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), path, Options{Plan: plan, Now: b.clock.Now, Signer: b.signer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &bench{l, b.clock, path}
}

// TestRowsGone deletes each row, and adds some.
func TestRowsGone(t *testing.T) {
	whole := full(t)
	newest, err := whole.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"cases", "sightings", "events"} {
		rows, err := collect(t.Context(), whole.db.Reader(), scanNumber, `SELECT rowid FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			b := copyOf(t, whole)
			if err := b.exec(t, `DELETE FROM `+table+` WHERE rowid = ?`, row); err == nil && !b.alarmed(t) {
				t.Errorf("%s: row %d is gone, and nothing is found", table, row)
			}
		}
	}
	b := copyOf(t, whole)
	if err := b.exec(t, `DELETE FROM checkpoints WHERE size > 10`); err != nil {
		t.Fatal(err)
	}
	if err := b.exec(t, `DELETE FROM events WHERE idx > 9`); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Verify(t.Context(), newest); err != nil || v.Intact() {
		t.Errorf("the end of the log is gone, and a checkpoint kept elsewhere does not show it: %v", err)
	}
	for name, query := range map[string]string{
		"act done":       `INSERT INTO acts(key, case_id, kind, state, due, attempts) VALUES ('x', 1, 'revoke', 'done', 0, 1)`,
		"case":           `INSERT INTO cases(authorization_id, correlation, state, opened_at, updated_at, token) VALUES ('x', 'y', 'open', 0, 0, '{"authorization_id":"x"}')`,
		"sighting":       `INSERT INTO sightings(case_id, key, event, repository, path, body) SELECT case_id, x'00', event, repository, 'other', body FROM sightings LIMIT 1`,
		"incomplete":     `INSERT INTO incompletes(key, event, at, reason, detail, push) VALUES (x'00', 0, 0, 'a', 'b', '{}')`,
		"event":          `INSERT INTO events(idx, hashes, body) SELECT max(idx) + 1, hashes, body FROM events WHERE idx = 3`,
		"body deleted":   `UPDATE events SET body = NULL WHERE idx = 0`,
		"act undone":     `UPDATE acts SET state = 'due', attempts = 0, due = 1 WHERE kind = 'revoke' AND state = 'done'`,
		"act taken away": `DELETE FROM acts WHERE kind = 'revoke' AND state = 'done'`,
	} {
		b := copyOf(t, whole)
		if err := b.exec(t, query); err == nil && !b.alarmed(t) {
			t.Errorf("%s: not found", name)
		}
	}
}

// TestRewritten: who rewrites the end of the log with all its hashes is found by
// a checkpoint that was kept elsewhere.
func TestRewritten(t *testing.T) {
	whole := full(t)
	note, err := whole.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := copyOf(t, whole)
	if err := b.exec(t, `DELETE FROM checkpoints`); err != nil {
		t.Fatal(err)
	}
	if err := b.exec(t, `DELETE FROM events WHERE idx = (SELECT max(idx) FROM events)`); err != nil {
		t.Fatal(err)
	}
	if err := b.exec(t, `DELETE FROM search WHERE rowid = (SELECT max(idx) + 1 FROM events)`); err != nil {
		t.Fatal(err)
	}
	if err := b.Log(t.Context(), auditlog.AccessLog("", auditlog.Person("eve"))); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Verify(t.Context()); err != nil || !v.Intact() {
		t.Fatalf("%+v, %v", v, err)
	}
	if v, err := b.Verify(t.Context(), note); err != nil || v.Intact() {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := whole.Verify(t.Context(), note, note); err != nil || !v.Intact() || v.Checkpoints != 4 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestCheckpointOfLedger(t *testing.T) {
	b := open(t)
	first, err := b.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.record(t, aReport(1, 4))
	second, err := b.Checkpoint(t.Context())
	if err != nil || second == first {
		t.Errorf("%s, %v", second, err)
	}
	if again, err := b.Checkpoint(t.Context()); err != nil || again != second {
		t.Errorf("%s, %v", again, err)
	}
	bare, err := Open(t.Context(), b.path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if _, err := bare.Checkpoint(t.Context()); !errors.Is(err, ErrNoSigner) {
		t.Errorf("%v", err)
	}
	if v, err := bare.Verify(t.Context()); err != nil || !v.Intact() || v.Checkpoints != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	page, err := bare.Events(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := page.Entries[0].Event()
	if _, err := bare.Prove(t.Context(), e.ID); !errors.Is(err, ErrNoSigner) {
		t.Errorf("%v", err)
	}
	b.sound(t)
}

// TestPublicKey: who has the public key only can verify and prove what was
// signed, and sign nothing.
func TestPublicKey(t *testing.T) {
	b := full(t)
	v, err := auditlog.NewVerifier(b.signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), b.path, Options{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got, err := l.Verify(t.Context()); err != nil || !got.Intact() || got.Checkpoints != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	entries, err := l.Entries(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]error{0: nil, len(entries) - 1: ErrNoSigner} {
		e, err := entries[i].Event()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Prove(t.Context(), e.ID); !errors.Is(err, want) {
			t.Errorf("event %d: %v, want %v", i, err, want)
		}
	}
}

// TestProve: a third party checks the file alone.
func TestProve(t *testing.T) {
	b := full(t)
	public, err := os.ReadFile(filepath.Join(filepath.Dir(b.path), "audit.key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := auditlog.NewVerifier(string(public))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := b.Entries(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		e, err := entry.Event()
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Prove(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		file, err := auditlog.ParseProof(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := file.Check(v); err != nil || got.ID != e.ID {
			t.Errorf("%d: %s, %v", entry.Index, got.ID, err)
		}
	}
	if _, err := b.Prove(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	first, _ := entries[0].Event()
	if err := b.exec(t, `UPDATE events SET body = replace(body, 'octo', '0cto') WHERE idx = 0`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Prove(t.Context(), first.ID); err == nil || !strings.Contains(err.Error(), "altered") {
		t.Errorf("an altered event is proved: %v", err)
	}
}

func TestRetain(t *testing.T) {
	b := full(t)
	before, err := b.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cutoff := start.Add(2 * time.Minute)
	n, err := b.Retain(t.Context(), cutoff)
	if err != nil || n != 5 {
		t.Fatalf("%d, %v", n, err)
	}
	b.sound(t)
	after, err := b.Verify(t.Context())
	if err != nil || after.Deleted != 5 || after.Size != before.Size+1 || after.Checkpoints != before.Checkpoints {
		t.Errorf("%+v, %v", after, err)
	}
	page, err := b.Events(t.Context(), Query{To: cutoff})
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("%v, %v", page.Entries, err)
	}
	if page, err = b.Events(t.Context(), Query{Text: "main"}); err != nil || len(page.Entries) != 0 {
		t.Errorf("%v, %v", page.Entries, err)
	}
	if n, err = b.Retain(t.Context(), cutoff); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if c := b.get(t, "PW-000001"); len(c.Sightings) != 2 {
		t.Errorf("%+v", c)
	}
	b.record(t, aReport(1, 4, 9, 14))
	if n, err = b.Retain(t.Context(), b.clock.Now().Add(time.Hour)); err != nil || n == 0 {
		t.Errorf("%d, %v", n, err)
	}
	b.sound(t)
	if entries, err := b.Entries(t.Context(), 0, 1); err != nil || len(entries) != 1 || entries[0].Body != nil {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestLogWhole: several events are recorded together or not at all.
func TestLogWhole(t *testing.T) {
	b := open(t)
	bad := auditlog.AccessLog("", auditlog.System())
	bad.Data = auditlog.Data{"a": strings.Repeat("x", 2<<20)}
	if err := b.Log(t.Context(), auditlog.AccessLog("", auditlog.System()), bad); err == nil || len(b.events(t)) != 0 {
		t.Errorf("%v, %v", err, b.events(t))
	}
}

// TestInvariantsTell: a violation says what should be, and of what it is not.
func TestInvariantsTell(t *testing.T) {
	b := full(t)
	if err := b.exec(t, `UPDATE cases SET sightings = 7 WHERE id = 2`); err != nil {
		t.Fatal(err)
	}
	got, err := b.Invariants(t.Context())
	if err != nil || len(got) != 1 || got[0] != (Violation{"A case counts its sightings.", "PW-000002"}) {
		t.Errorf("%v, %v", got, err)
	}
	b = open(t)
	b.record(t, aReport(1, 4))
	b.record(t, leak.Report{Parked: []leak.Sighting{aSighting(9, 1)}})
	b.clock.add(3 * time.Hour)
	got, err = b.Invariants(t.Context())
	if err != nil || fmt.Sprint(got) != "[{An act that is due is tried. PW-000001/notify/1} {An act that is due is tried. PW-000001/revoke/1} {A parked sighting is looked up again. parked sighting 1}]" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestInvariantsBound: not more subjects than people read.
func TestInvariantsBound(t *testing.T) {
	b := open(t)
	for n := range maxSubjects + 5 {
		b.record(t, aReport(n, 4))
	}
	if err := b.exec(t, `UPDATE cases SET sightings = 7`); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Invariants(t.Context()); err != nil || len(got) != maxSubjects {
		t.Errorf("%d, %v", len(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Invariants(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
