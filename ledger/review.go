package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"patwatch/auditlog"
	"patwatch/leak"
)

// review changes a case in one transaction. f gets it without its sightings.
func (l *Ledger) review(ctx context.Context, doing, id string, f func(context.Context, *change, *kase) error) error {
	row, err := caseRow(id)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	err = l.change(ctx, func(ctx context.Context, c *change) error {
		k, err := bareCase(ctx, c.tx, row)
		if err != nil {
			return err
		}
		return f(ctx, c, k)
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", doing, id, err)
	}
	return nil
}

// Resolve ends the review of a case, with an audit event. Revocations,
// reminders and escalations that are still to come are skipped, each with its
// event, but for those that are being tried right now. The owner is told all
// the same. by is who resolves it, "" for the program itself. Resolving a case
// again with the same resolution changes nothing.
func (l *Ledger) Resolve(ctx context.Context, id string, r leak.Resolution, by, comment string) error {
	if !slices.Contains([]leak.Resolution{leak.ResolvedRevoked, leak.ResolvedFalsePositive, leak.ResolvedUsedInTests, leak.ResolvedWontFix}, r) {
		return fmt.Errorf("resolving %s: a case is resolved as revoked, false_positive, used_in_tests or wont_fix, not %q", id, string(r))
	}
	return l.review(ctx, "resolving", id, func(ctx context.Context, c *change, k *kase) error {
		if k.State == leak.CaseResolved && k.Resolution == r {
			return nil
		}
		if err := c.setState(ctx, k, leak.CaseResolved, r, by, comment); err != nil {
			return err
		}
		return c.skipPending(ctx, k, "the case was resolved as "+string(r))
	})
}

// Reopen makes a resolved case open again, with an audit event. Acts that were
// skipped stay so.
func (l *Ledger) Reopen(ctx context.Context, id, by, comment string) error {
	return l.review(ctx, "reopening", id, func(ctx context.Context, c *change, k *kase) error {
		if k.State == leak.CaseOpen {
			return nil
		}
		return c.setState(ctx, k, leak.CaseOpen, "", by, comment)
	})
}

func (c *change) setState(ctx context.Context, k *kase, s leak.CaseState, r leak.Resolution, by, comment string) error {
	old := k.State
	k.State, k.Resolution, k.UpdatedAt = s, r, c.now
	if _, err := c.append(ctx, auditlog.CaseStateChanged(k.Case, old, auditlog.Person(by), comment), ""); err != nil {
		return err
	}
	_, err := c.exec(ctx, `UPDATE cases SET state = ?, resolution = ?, updated_at = ? WHERE id = ?`, s, r, nanos(c.now), k.row)
	return err
}

func (c *change) skipPending(ctx context.Context, k *kase, reason string) error {
	pending, err := collect(ctx, c.tx, func(rows *sql.Rows) (leak.Act, error) {
		a, _, err := scanAct(rows)
		return a, err
	}, `SELECT `+actColumns+` FROM acts WHERE case_id = ? AND kind <> 'notify' AND state IN ('due', 'held') AND begun = 0 ORDER BY id`, k.row)
	if err != nil {
		return err
	}
	for _, a := range pending {
		if err := c.finish(ctx, k, a, leak.Outcome{State: leak.ActSkipped, Reason: reason}); err != nil {
			return err
		}
	}
	return nil
}

// Hold stops the revocation of a case until it is released or hastened, with an
// audit event. A revocation that is being tried right now is not stopped. by is
// who does it, "" for the program itself.
func (l *Ledger) Hold(ctx context.Context, id, by string) error {
	return l.review(ctx, "holding", id, func(ctx context.Context, c *change, k *kase) error {
		if k.Hold {
			return nil
		}
		if err := c.setHold(ctx, k, true, auditlog.CaseHeld, by); err != nil {
			return err
		}
		_, err := c.exec(ctx, `UPDATE acts SET state = 'held', reason = ?, lease = 0 WHERE case_id = ? AND kind = 'revoke' AND state = 'due' AND begun = 0`, "held by "+auditlog.Person(by).DisplayName, k.row)
		return err
	})
}

// Release ends a hold, with an audit event: the revocation is due when it was,
// or at once if that has passed.
func (l *Ledger) Release(ctx context.Context, id, by string) error {
	return l.review(ctx, "releasing", id, func(ctx context.Context, c *change, k *kase) error {
		if !k.Hold {
			return nil
		}
		if err := c.setHold(ctx, k, false, auditlog.CaseReleased, by); err != nil {
			return err
		}
		_, err := c.exec(ctx, `UPDATE acts SET state = 'due', reason = '', due = iif(due = 0, ?, due) WHERE case_id = ? AND kind = 'revoke' AND state = 'held'`, nanos(c.now), k.row)
		return err
	})
}

// Hasten makes the revocation of a case due at once, with an audit event, and
// ends a hold. One that failed or was skipped is due again, and one is added
// when the plan made none. Its reason names who hastened it, so that the runner
// can tell it from what the policy wants. It returns [ErrNotDue] when the token
// was revoked already.
func (l *Ledger) Hasten(ctx context.Context, id, by string) error {
	return l.review(ctx, "hastening", id, func(ctx context.Context, c *change, k *kase) error {
		done := 0
		err := c.row(ctx, `SELECT count(*) FROM acts WHERE case_id = ? AND kind = 'revoke' AND state = 'done'`, k.row).Scan(&done)
		if err != nil {
			return err
		}
		if done > 0 {
			return ErrNotDue
		}
		if err := c.setHold(ctx, k, false, auditlog.CaseHastened, by); err != nil {
			return err
		}
		reason := "brought forward by " + auditlog.Person(by).DisplayName
		res, err := c.exec(ctx, `UPDATE acts SET state = 'due', reason = ?, due = ? WHERE id = (SELECT max(id) FROM acts WHERE case_id = ? AND kind = 'revoke')`, reason, nanos(c.now), k.row)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return c.addAct(ctx, k.row, leak.Act{Key: k.ID + "/revoke/1", Kind: leak.Revoke, State: leak.ActDue, Due: c.now, Reason: reason})
	})
}

func (c *change) setHold(ctx context.Context, k *kase, hold bool, action, by string) error {
	k.Hold = hold
	if _, err := c.append(ctx, auditlog.Reviewed(action, k.Case, auditlog.Person(by)), ""); err != nil {
		return err
	}
	c.act = true
	_, err := c.exec(ctx, `UPDATE cases SET hold = ?, updated_at = ? WHERE id = ?`, hold, nanos(c.now), k.row)
	return err
}
