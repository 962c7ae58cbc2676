package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

// maxLease is how long an act may be claimed for. A lease that runs longer was
// written by a clock that was wrong, and counts as run out.
const maxLease = time.Hour

// claimable selects acts that are due: also those that the cap or the brake
// held until a time, but no revocation of a case that a reviewer holds.
const claimable = ` FROM acts JOIN cases ON cases.id = acts.case_id
	WHERE acts.state IN ('due', 'held') AND acts.due > 0 AND acts.due <= @now AND (acts.lease <= @now OR acts.lease > @far)
	AND NOT (acts.kind = 'revoke' AND cases.hold) `

// Claim returns acts that are due at now, oldest first, at most max, and keeps
// them from being claimed again until now + lease (an hour at most). No act is
// claimed twice at once, not even by two programs. After a crash an act is
// claimable again when its lease has run out, or after [Ledger.Abandon].
func (l *Ledger) Claim(ctx context.Context, now time.Time, lease time.Duration, max int) ([]leak.Job, error) {
	args := []any{sql.Named("now", nanos(now)), sql.Named("far", nanos(now.Add(maxLease))), sql.Named("max", max)}
	var one int
	err := l.db.Reader().QueryRowContext(ctx, `SELECT 1`+claimable+`LIMIT 1`, args...).Scan(&one)
	if none(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for due acts: %w", err)
	}
	var keys []string
	err = l.change(ctx, func(ctx context.Context, c *change) (err error) {
		keys, err = collect(ctx, c.tx, scanText, `SELECT acts.key`+claimable+`ORDER BY acts.due, acts.id LIMIT @max`, args...)
		for _, key := range keys {
			if err == nil {
				_, err = c.exec(ctx, `UPDATE acts SET state = 'due', lease = ?, begun = 0 WHERE key = ?`, nanos(now.Add(min(lease, maxLease))), key)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claiming due acts: %w", err)
	}
	return l.jobs(ctx, keys)
}

func scanText(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) }

// jobs returns acts with their cases; acts of one case share it.
func (l *Ledger) jobs(ctx context.Context, keys []string) ([]leak.Job, error) {
	var out []leak.Job
	cases := map[int64]leak.Case{}
	for _, key := range keys {
		a, row, err := scanAct(l.db.Reader().QueryRowContext(ctx, `SELECT `+actColumns+` FROM acts WHERE key = ?`, key))
		if err != nil {
			return nil, fmt.Errorf("reading the act %s: %w", key, err)
		}
		c, ok := cases[row]
		if !ok {
			k, err := wholeCase(ctx, l.db.Reader(), row)
			if err != nil {
				return nil, fmt.Errorf("reading the case of the act %s: %w", key, err)
			}
			c = k.Case
			cases[row] = c
		}
		out = append(out, leak.Job{Act: a, Case: c})
	}
	return out, nil
}

// Begin puts on record that acts are about to be tried, before the world is
// touched: each has one attempt more, and messageID if it had none. It returns
// [ErrNotDue], and changes nothing, when one of them was not claimed, its lease
// ran out, it was begun under this lease before, or a reviewer stopped it: then
// none of them may be tried. A crash after Begin leaves attempts without an
// outcome, from which the next who claims the act knows that it may have been
// done.
func (l *Ledger) Begin(ctx context.Context, keys []string, messageID string) error {
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		for _, key := range keys {
			res, err := c.exec(ctx, `UPDATE acts SET attempts = attempts + 1, at = 0, begun = 1, message_id = iif(message_id = '', ?, message_id)
				WHERE key = ? AND state = 'due' AND begun = 0 AND lease > ?
				AND NOT (kind = 'revoke' AND (SELECT hold FROM cases WHERE cases.id = acts.case_id))`, messageID, key, nanos(c.now))
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				return errors.Join(fmt.Errorf("%s: %w", key, ErrNotDue), err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("beginning %s: %w", strings.Join(keys, ", "), err)
	}
	return nil
}

// Finish puts on record what came of trying an act, with its audit event and what
// the plan makes of it, in one transaction, and gives up the claim. A revocation
// that was done also marks the case's token as revoked. An outcome for an act that was done is
// ignored, and so is any other than done for an act that failed or was skipped:
// only the world's confirmation outweighs them. An act that is held without a
// time to retry at stays so until someone hastens or releases it.
func (l *Ledger) Finish(ctx context.Context, key string, o leak.Outcome) error {
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		a, row, err := scanAct(c.row(ctx, `SELECT `+actColumns+` FROM acts WHERE key = ?`, key))
		if none(err) {
			return ErrNotFound
		}
		if err != nil || ignored(a.State, o) {
			return err
		}
		k, err := bareCase(ctx, c.tx, row)
		if err != nil {
			return err
		}
		if err := c.finish(ctx, k, a, o); err != nil {
			return err
		}
		return l.planActs(ctx, c, k, nil)
	})
	if err != nil {
		return fmt.Errorf("finishing %s: %w", key, err)
	}
	return nil
}

// ignored says whether an outcome comes too late.
func ignored(was leak.ActState, o leak.Outcome) bool {
	switch was {
	case leak.ActDone:
		return true
	case leak.ActFailed, leak.ActSkipped:
		return o.State != leak.ActDone || o.DryRun
	}
	return false
}

func (c *change) finish(ctx context.Context, k *kase, a leak.Act, o leak.Outcome) error {
	if !knownState(o.State) {
		return fmt.Errorf("an outcome cannot be %q", string(o.State))
	}
	a.State, a.At, a.Reason = o.State, c.now, o.Reason
	if o.DryRun && o.State == leak.ActDone {
		a.State = leak.ActSkipped
	}
	if o.State == leak.ActDue || o.State == leak.ActHeld {
		a.Due = o.Retry
	}
	if o.State == leak.ActDue && a.Due.IsZero() {
		a.Due = c.now
	}
	e := auditlog.Outcome(k.Case, a, o)
	event, err := c.append(ctx, e, "")
	if err != nil {
		return err
	}
	c.act = true
	a.Reason = e.Data.String("Reason")
	_, err = c.exec(ctx, `UPDATE acts SET state = ?, due = ?, at = ?, reason = ?, lease = 0, begun = 0, event = ? WHERE key = ?`,
		a.State, nanos(a.Due), nanos(a.At), a.Reason, event, a.Key)
	if err != nil || a.Kind != leak.Revoke || a.State != leak.ActDone {
		return err
	}
	k.Token.State = leak.TokenRevoked
	return c.update(ctx, k)
}

// Abandon gives up all claims, so that acts which a crash left claimed are due
// at once. Only who knows that no one else works on them may call it. It
// returns how many there were.
func (l *Ledger) Abandon(ctx context.Context) (int, error) {
	var n int64
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		res, err := c.exec(ctx, `UPDATE acts SET lease = 0, begun = 0 WHERE state = 'due' AND lease > 0`)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		c.act = n > 0
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("giving up claims: %w", err)
	}
	return int(n), nil
}

// NextDue returns when the next act can be claimed, zero when there is none that
// waits. Acts that another program adds show here, and not by [Ledger.Wake].
func (l *Ledger) NextDue(ctx context.Context) (time.Time, error) {
	const waiting = ` FROM acts JOIN cases ON cases.id = acts.case_id
		WHERE acts.state IN ('due', 'held') AND acts.due > 0 AND NOT (acts.kind = 'revoke' AND cases.hold) `
	var due, claimed sql.NullInt64
	err := l.db.Reader().QueryRowContext(ctx, `SELECT (SELECT acts.due`+waiting+`AND acts.lease = 0 ORDER BY acts.due LIMIT 1),
		(SELECT min(max(acts.due, acts.lease))`+waiting+`AND acts.lease > 0)`).Scan(&due, &claimed)
	if err != nil {
		return time.Time{}, fmt.Errorf("looking for the next due act: %w", err)
	}
	if claimed.Valid && (!due.Valid || claimed.Int64 < due.Int64) {
		due = claimed
	}
	return moment(due.Int64), nil
}

// LastMail returns when the owner with a mail address was last told or reminded
// (zero: never), and how many mails that were in the 24 hours before now.
// Several acts that were told in one mail count as one.
func (l *Ledger) LastMail(ctx context.Context, ownerMail string) (time.Time, int, error) {
	const sent = ` FROM acts JOIN cases ON cases.id = acts.case_id
		WHERE cases.owner_mail = lower(@mail) AND acts.kind IN ('notify', 'remind') AND acts.state = 'done'`
	var last sql.NullInt64
	var count int
	err := l.db.Reader().QueryRowContext(ctx, `SELECT (SELECT max(acts.at)`+sent+`),
		(SELECT count(DISTINCT iif(acts.message_id = '', acts.key, acts.message_id))`+sent+` AND acts.at > @since)`,
		sql.Named("mail", ownerMail), sql.Named("since", nanos(l.now().Add(-24*time.Hour)))).Scan(&last, &count)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("reading the last mail to an owner: %w", err)
	}
	return moment(last.Int64), count, nil
}

// RevokedSince returns how many tokens were revoked at or after a time.
func (l *Ledger) RevokedSince(ctx context.Context, t time.Time) (int, error) {
	var n int
	err := l.db.Reader().QueryRowContext(ctx, `SELECT count(*) FROM acts WHERE kind = 'revoke' AND state = 'done' AND at >= ?`, nanos(t)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting revocations: %w", err)
	}
	return n, nil
}

// Brake reports whether all revocations are stopped, and why.
func (l *Ledger) Brake(ctx context.Context) (on bool, reason string, err error) {
	err = l.db.Reader().QueryRowContext(ctx, `SELECT value FROM settings WHERE name = 'brake'`).Scan(&reason)
	if none(err) {
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("reading the brake: %w", err)
	}
	return true, reason, nil
}

// SetBrake stops or resumes all revocations, with an audit event. by is who did
// it, "" for the program itself. Setting it as it is changes nothing. It is for
// who runs acts to ask [Ledger.Brake] before a revocation.
func (l *Ledger) SetBrake(ctx context.Context, on bool, reason, by string) error {
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		query, args := `DELETE FROM settings WHERE name = 'brake'`, []any{}
		if on {
			query, args = `INSERT INTO settings(name, value) VALUES ('brake', ?) ON CONFLICT DO NOTHING`, []any{reason}
		}
		res, err := c.exec(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = c.append(ctx, auditlog.Brake(on, reason, auditlog.Person(by)), "")
		return err
	})
	if err != nil {
		return fmt.Errorf("setting the brake: %w", err)
	}
	return nil
}

func knownKind(k leak.ActKind) bool {
	return slices.Contains([]leak.ActKind{leak.Notify, leak.Revoke, leak.Remind, leak.Escalate}, k)
}

func knownState(s leak.ActState) bool {
	return slices.Contains([]leak.ActState{leak.ActDue, leak.ActDone, leak.ActFailed, leak.ActHeld, leak.ActSkipped}, s)
}
