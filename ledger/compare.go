package ledger

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

// compare finds cases, sightings, acts and incomplete scans that are not what
// the events say: it replays each case's chain of events. It reads a thousand
// cases in one transaction, so that what is recorded meanwhile is seen whole or
// not at all.
func (l *Ledger) compare(ctx context.Context, out *auditlog.Verification) error {
	for last, more := int64(0), true; more; {
		err := l.db.Read(ctx, func(tx *sql.Tx) error {
			rows, err := collect(ctx, tx, scanNumber, `SELECT id FROM cases WHERE id > ? ORDER BY id LIMIT 1000`, last)
			more = len(rows) > 0
			for _, row := range rows {
				last = row
				if err := compareCase(ctx, tx, row, out); err != nil {
					return fmt.Errorf("case %s: %w", caseID(row), err)
				}
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("comparing with the events: %w", err)
		}
	}
	return l.compareIncomplete(ctx, out)
}

func scanNumber(rows *sql.Rows) (n int64, err error) { return n, rows.Scan(&n) }

// A chain is what the events of a case say of it.
type chain struct {
	events    map[int64]auditlog.Event
	seen      int            // discoveries
	last      auditlog.Event // of these
	state     leak.CaseState
	resolved  leak.Resolution
	hold      bool
	revoked   bool
	opened    time.Time
	updated   time.Time
	truncated bool // retention deleted its beginning
}

// compareCase compares one case with its chain.
func compareCase(ctx context.Context, q queryer, row int64, out *auditlog.Verification) error {
	k, err := bareCase(ctx, q, row)
	if err != nil {
		return err
	}
	ch, err := readChain(ctx, q, k.Correlation)
	if err != nil {
		return err
	}
	differs := func(format string, args ...any) {
		out.Report(-1, "case %s is not what its events say: %s", k.ID, fmt.Sprintf(format, args...))
	}
	seen, err := ch.compareSightings(ctx, q, k, differs)
	if err != nil {
		return err
	}
	if !ch.truncated {
		ch.compareCase(k, seen, differs)
	}
	return ch.compareActs(ctx, q, k, differs)
}

func readChain(ctx context.Context, q queryer, correlation string) (*chain, error) {
	ch := &chain{events: map[int64]auditlog.Event{}, state: leak.CaseOpen, truncated: true}
	entries, err := collect(ctx, q, func(rows *sql.Rows) (e auditlog.Entry, err error) {
		return e, rows.Scan(&e.Index, &e.Body)
	}, `SELECT idx, body FROM events WHERE correlation = ? ORDER BY idx`, correlation)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		e, err := entry.Event()
		if err != nil {
			return nil, err
		}
		ch.events[entry.Index] = e
		ch.replay(&e)
	}
	return ch, nil
}

func (ch *chain) replay(e *auditlog.Event) {
	switch e.ActionID {
	case auditlog.PatPublicDiscovery:
		ch.seen++
		ch.last = *e
		ch.revoked = e.Data.String("TokenState") == string(leak.TokenRevoked)
		if e.GUID() == e.CorrelationID {
			ch.truncated, ch.opened = false, e.Timestamp.Time
		}
	case auditlog.CaseChanged:
		ch.state, ch.resolved = leak.CaseState(e.Data.String("NewState")), leak.Resolution(e.Data.String("Resolution"))
	case auditlog.CaseHeld:
		ch.hold = true
	case auditlog.CaseReleased, auditlog.CaseHastened:
		ch.hold = false
	case auditlog.PatSystemRevoke:
		ch.revoked = true
	default:
		return
	}
	ch.updated = e.Timestamp.Time
}

// tokenKeys are the keys of a discovery's data that tell of the token.
var tokenKeys = []string{"CaseId", "AuthorizationId", "DisplayName", "OwnerName", "OwnerId", "OwnerMail", "Scopes", "ValidFrom", "ValidTo"}

func (ch *chain) compareCase(k *kase, seen []leak.Sighting, differs func(string, ...any)) {
	if k.State != ch.state || k.Resolution != ch.resolved || k.Hold != ch.hold || k.Assignee != "" {
		differs("it is %s %s, hold %t, and should be %s %s, hold %t", k.State, k.Resolution, k.Hold, ch.state, ch.resolved, ch.hold)
	}
	if !k.OpenedAt.Equal(ch.opened) || !k.UpdatedAt.Equal(ch.updated) {
		differs("it was opened at %s and updated at %s", ch.opened, ch.updated)
	}
	if k.count != ch.seen || len(seen) != ch.seen {
		differs("it has %d sightings, %d counted, and %d discoveries", len(seen), k.count, ch.seen)
	}
	if (k.Token.State == leak.TokenRevoked) != ch.revoked {
		differs("its token is %s", k.Token.State)
	}
	if len(seen) == 0 {
		return
	}
	want := auditlog.Discovery(k.Case, seen[len(seen)-1])
	if key := differing(want.Data, ch.last.Data, tokenKeys); key != "" || want.ScopeID != ch.last.ScopeID || want.ScopeDisplayName != ch.last.ScopeDisplayName {
		differs("its token's %s", key)
	}
	if !ch.revoked && string(k.Token.State) != ch.last.Data.String("TokenState") {
		differs("its token is %s", k.Token.State)
	}
	if d := k.Token.Digest; !d.IsZero() && !slices.ContainsFunc(seen, func(s leak.Sighting) bool { return s.Digest == d }) {
		differs("its token's digest")
	}
}

// sightingKeys are the keys of a discovery's data that tell of the sighting.
var sightingKeys = []string{
	"AuthorizationId", "Digest", "Format", "FormatName", "Confidence", "Repository", "Commit", "Object", "Path", "Line", "Url",
	"Author", "AuthorMail", "PushId", "Ref", "Source", "PushedAt", "SeenAt", "RecordSha256",
}

// compareSightings compares each sighting with its discovery.
func (ch *chain) compareSightings(ctx context.Context, q queryer, k *kase, differs func(string, ...any)) ([]leak.Sighting, error) {
	return collect(ctx, q, func(rows *sql.Rows) (leak.Sighting, error) {
		var key []byte
		var event int64
		var repository, path, body string
		if err := rows.Scan(&key, &event, &repository, &path, &body); err != nil {
			return leak.Sighting{}, err
		}
		s, err := decodeSighting(repository, path, body)
		if err != nil {
			differs("a sighting of event %d cannot be read", event)
			return s, nil
		}
		if !bytes.Equal(key, sightingKey(k.Token.AuthorizationID, s.Place)) {
			differs("the key of the sighting of event %d", event)
		}
		e, ok := ch.events[event]
		if !ok && ch.truncated {
			return s, nil
		}
		if key := differing(auditlog.Discovery(k.Case, s).Data, e.Data, sightingKeys); key != "" {
			differs("the sighting of event %d: %s", event, key)
		}
		return s, nil
	}, `SELECT key, event, repository, path, body FROM sightings WHERE case_id = ? ORDER BY id`, k.row)
}

// compareActs compares acts that ended with the events of their outcomes.
func (ch *chain) compareActs(ctx context.Context, q queryer, k *kase, differs func(string, ...any)) error {
	told := map[int64]bool{}
	type stored struct {
		act   leak.Act
		event int64
	}
	acts, err := collect(ctx, q, func(rows *sql.Rows) (s stored, err error) {
		a := &s.act
		var due, at int64
		err = rows.Scan(&s.event, &a.Key, &a.Kind, &a.State, &due, &at, &a.Attempts, &a.Reason, &a.MessageID)
		a.At = moment(at)
		return s, err
	}, `SELECT event, key, kind, state, due, at, attempts, reason, message_id FROM acts WHERE case_id = ? ORDER BY id`, k.row)
	if err != nil {
		return err
	}
	for _, s := range acts {
		told[s.event] = true
		e, ok := ch.events[s.event]
		if s.event < 0 || !ok && ch.truncated {
			continue // no outcome yet, or its event was deleted by retention
		}
		state := s.act.State
		if e.ActionID == auditlog.Outcome(k.Case, s.act, leak.Outcome{State: leak.ActDone}).ActionID {
			state = leak.ActDone // for good
		} else if state == leak.ActDue || state == leak.ActHeld {
			continue // planned again since
		}
		want := auditlog.Outcome(k.Case, s.act, leak.Outcome{State: state, Reason: s.act.Reason})
		key := differing(want.Data, e.Data, []string{"Act", "Attempt", "MessageId", "Reason"})
		if key != "" || s.act.State != state || want.ActionID != e.ActionID || !s.act.At.Equal(e.Timestamp.Time) {
			differs("the act %s, %s at %s, %s", s.act.Key, s.act.State, s.act.At, key)
		}
	}
	for index, e := range ch.events {
		if e.ActionID == auditlog.PatSystemRevoke && !told[index] {
			differs("the revocation of event %d has no act", index)
		}
	}
	return nil
}

// differing returns the first of the keys whose values differ, "" when none
// does.
func differing(a, b auditlog.Data, keys []string) string {
	i := slices.IndexFunc(keys, func(key string) bool { return fmt.Sprint(a[key]) != fmt.Sprint(b[key]) })
	if i < 0 {
		return ""
	}
	return keys[i]
}

// compareIncomplete compares incomplete scans with their events.
func (l *Ledger) compareIncomplete(ctx context.Context, out *auditlog.Verification) error {
	var before int64
	for {
		scans, err := l.Incompletes(ctx, before, maxPage)
		if err != nil || len(scans) == 0 {
			return err
		}
		for _, s := range scans {
			before = s.ID
			if err := l.compareScan(ctx, s, out); err != nil {
				return fmt.Errorf("comparing incomplete scan %d with its event: %w", s.ID, err)
			}
		}
	}
}

func (l *Ledger) compareScan(ctx context.Context, s IncompleteScan, out *auditlog.Verification) error {
	var entry auditlog.Entry
	var key []byte
	err := l.db.Reader().QueryRowContext(ctx, `SELECT i.key, i.event, e.body FROM incompletes i LEFT JOIN events e ON e.idx = i.event WHERE i.id = ?`, s.ID).
		Scan(&key, &entry.Index, &entry.Body)
	if err != nil || entry.Body == nil {
		return err // a missing event is found by Invariants, and by the tree
	}
	e, err := entry.Event()
	if err != nil {
		return err
	}
	want := auditlog.ScanIncomplete(s.Push, s.Incomplete)
	keys := []string{"Repository", "Ref", "Commit", "PushId", "Source", "PushedAt", "Reason", "Detail"}
	if differing(want.Data, e.Data, keys) != "" || e.ActionID != want.ActionID || !s.At.Equal(e.Timestamp.Time) ||
		!bytes.Equal(key, hashOf(s.Push.ID, s.Push.Repository, s.Reason, s.Detail)) {
		out.Report(entry.Index, "incomplete scan %d is not what event %d says", s.ID, entry.Index)
	}
	return nil
}
