package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Violation is a promise that does not hold.
type Violation struct {
	Rule    string // what should be: a sentence
	Subject string // of what it is not: a case, an act, an event
}

// overdue is how long an act may be due before something is wrong with who
// should do it.
const overdue = time.Hour

// A rule is a promise and the query of the subjects for which it does not hold.
type rule struct{ promise, query string }

// rules may use @overdue, a time, and @gone, the index through which retention
// deleted events.
var rules = []rule{
	{"A case has a sighting.",
		`SELECT printf('PW-%06d', id) FROM cases WHERE id NOT IN (SELECT case_id FROM sightings)`},
	{"A case counts its sightings.",
		`SELECT printf('PW-%06d', id) FROM cases WHERE sightings <> (SELECT count(*) FROM sightings WHERE case_id = cases.id)`},
	{"A case has the authorization id of its token.",
		`SELECT printf('PW-%06d', id) FROM cases WHERE authorization_id IS NOT token->>'authorization_id'`},
	{"A case begins with its discovery.",
		`SELECT printf('PW-%06d', id) FROM cases WHERE NOT EXISTS (SELECT 1 FROM events WHERE guid = cases.correlation AND action = 'Token.PatPublicDiscoveryEvent')
		AND (SELECT min(event) FROM sightings WHERE case_id = cases.id) > @gone`},
	{"A sighting has a case and a discovery event of its own.",
		`SELECT 'sighting ' || s.id FROM sightings s LEFT JOIN cases c ON c.id = s.case_id LEFT JOIN events e ON e.idx = s.event
		WHERE c.id IS NULL OR s.event > @gone AND (e.action IS NOT 'Token.PatPublicDiscoveryEvent' OR e.correlation IS NOT c.correlation)
		UNION ALL SELECT 'event ' || event FROM sightings GROUP BY event HAVING count(*) > 1`},
	{"A discovery event has its sighting.",
		`SELECT 'event ' || idx FROM events WHERE action = 'Token.PatPublicDiscoveryEvent' AND idx NOT IN (SELECT event FROM sightings)`},
	{"An act has a case.",
		`SELECT key FROM acts WHERE case_id NOT IN (SELECT id FROM cases)`},
	{"What was done was begun, and is on record as an event after the discovery.",
		`SELECT a.key FROM acts a LEFT JOIN events e ON e.idx = a.event WHERE a.state = 'done'
		AND (a.attempts < 1 OR a.event < (SELECT min(event) FROM sightings WHERE case_id = a.case_id) OR a.event > @gone AND e.body->>'$.data.Act' IS NOT a.key)`},
	{"What failed is on record as an event.",
		`SELECT a.key FROM acts a LEFT JOIN events e ON e.idx = a.event WHERE a.state = 'failed' AND (a.event < 0 OR a.event > @gone AND e.body->>'$.data.Act' IS NOT a.key)`},
	{"A revocation by the system was an act.",
		`SELECT 'event ' || idx FROM events WHERE action = 'Token.PatSystemRevokeEvent' AND idx NOT IN (SELECT event FROM acts WHERE kind = 'revoke')`},
	{"A token is revoked once.",
		`SELECT printf('PW-%06d', case_id) FROM acts WHERE kind = 'revoke' AND state = 'done' GROUP BY case_id HAVING count(*) > 1`},
	{"An act that is due is tried.",
		`SELECT a.key FROM acts a JOIN cases c ON c.id = a.case_id WHERE a.state = 'due' AND a.due > 0 AND max(a.due, a.lease) < @overdue AND NOT (a.kind = 'revoke' AND c.hold)`},
	{"An incomplete scan is on record as an event.",
		`SELECT 'incomplete scan ' || i.id FROM incompletes i LEFT JOIN events e ON e.idx = i.event WHERE i.event > @gone AND e.action IS NOT 'Scan.Incomplete'`},
	{"Events are numbered from 0 without a gap.",
		`SELECT count(*) || ' events to number ' || max(idx) FROM events HAVING count(*) <> coalesce(max(idx) + 1, 0)`},
	{"Only the oldest events are deleted.",
		`SELECT 'event ' || idx FROM events WHERE body IS NULL AND idx > @gone`},
	{"A checkpoint is of events that are there.",
		`SELECT 'checkpoint ' || size FROM checkpoints WHERE size > (SELECT coalesce(max(idx) + 1, 0) FROM events)`},
	{"A parked sighting is looked up again.",
		`SELECT 'parked sighting ' || id FROM parked WHERE due < @overdue`},
}

// maxSubjects is how many subjects of a rule are told.
const maxSubjects = 20

// Invariants checks the promises that can be seen in the records, and returns
// where they do not hold, at most 20 subjects of each. [Ledger.Verify] checks
// the records against the log, and the log against itself.
func (l *Ledger) Invariants(ctx context.Context) ([]Violation, error) {
	if err := l.db.Check(ctx); err != nil {
		return nil, err
	}
	var out []Violation
	err := l.db.Read(ctx, func(tx *sql.Tx) (err error) {
		out, err = broken(ctx, tx, l.now())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("checking the ledger: %w", err)
	}
	return out, nil
}

func broken(ctx context.Context, q queryer, now time.Time) ([]Violation, error) {
	var gone int64
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(CAST(body->>'$.data.Through' AS INTEGER)), -1) FROM events WHERE action = 'AuditLog.RetentionApplied'`).Scan(&gone)
	if err != nil {
		return nil, err
	}
	var out []Violation
	for _, r := range rules {
		subjects, err := collect(ctx, q, scanText, r.query+` LIMIT @max`,
			sql.Named("overdue", nanos(now.Add(-overdue))), sql.Named("gone", gone), sql.Named("max", maxSubjects))
		if err != nil {
			return nil, fmt.Errorf("that %q: %w", r.promise, err)
		}
		for _, s := range subjects {
			out = append(out, Violation{r.promise, s})
		}
	}
	return out, nil
}
