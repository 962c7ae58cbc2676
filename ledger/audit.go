package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"patwatch/auditlog"
)

// Checkpoint signs the log as it is now, stores the signed note and returns it;
// when nothing was added since the last one, it returns that. Send it to where
// who can write to this machine cannot: only a copy elsewhere shows that the
// end of the log was rewritten. The error is [ErrNoSigner] without a key.
func (l *Ledger) Checkpoint(ctx context.Context) (string, error) {
	if l.signer == nil {
		return "", ErrNoSigner
	}
	var note string
	err := l.change(ctx, func(ctx context.Context, c *change) (err error) {
		note, err = c.checkpoint(ctx, l.signer)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("making a checkpoint: %w", err)
	}
	return note, nil
}

func (c *change) checkpoint(ctx context.Context, signer *auditlog.Signer) (string, error) {
	var size int64
	var note sql.NullString
	err := c.row(ctx, `SELECT coalesce(max(idx) + 1, 0), (SELECT note FROM checkpoints WHERE size = (SELECT coalesce(max(idx) + 1, 0) FROM events)) FROM events`).Scan(&size, &note)
	if err != nil || note.Valid {
		return note.String, err
	}
	root, err := tlog.TreeHash(size, hashReader(ctx, c.tx))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(size, root)
	if err != nil {
		return "", err
	}
	_, err = c.exec(ctx, `INSERT INTO checkpoints(size, note) VALUES (?, ?)`, size, signed)
	return signed, err
}

func hashReader(ctx context.Context, q queryer) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		return readHashes(indexes, func(leaf int64) *sql.Row { return q.QueryRowContext(ctx, readHash, leaf) })
	})
}

// Prove returns the proof that an event is in the log, by the oldest checkpoint
// that covers it, so that the proof of an event is always the same one; a
// checkpoint is made when none does. It checks the proof before it returns it.
func (l *Ledger) Prove(ctx context.Context, id string) (auditlog.Proof, error) {
	e, err := l.Event(ctx, id)
	if err != nil {
		return auditlog.Proof{}, err
	}
	if l.verifier == nil {
		return auditlog.Proof{}, ErrNoSigner
	}
	var note string
	err = l.db.Reader().QueryRowContext(ctx, `SELECT note FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1`, e.Index).Scan(&note)
	if none(err) {
		note, err = l.Checkpoint(ctx)
	}
	if err != nil {
		return auditlog.Proof{}, fmt.Errorf("proving event %d: %w", e.Index, err)
	}
	c, err := l.verifier.Open(note)
	if err != nil {
		return auditlog.Proof{}, fmt.Errorf("proving event %d: %w", e.Index, err)
	}
	return auditlog.Prove(hashReader(ctx, l.db.Reader()), c, note, e.Index, e.Body)
}

// Verify reads the whole log and compares every event, hash and checkpoint with
// each other, and cases, sightings, acts and incomplete scans with the events
// that tell of them. trusted are checkpoints that were kept elsewhere: they
// count as those in the ledger do. Without a key no signature is checked.
// An error means that the log could not be read; what is wrong with it is in
// the result.
func (l *Ledger) Verify(ctx context.Context, trusted ...string) (auditlog.Verification, error) {
	// Before the events: one that is made meanwhile is of more events.
	notes, err := collect(ctx, l.db.Reader(), scanText, `SELECT note FROM checkpoints ORDER BY size`)
	if err != nil {
		return auditlog.Verification{}, fmt.Errorf("reading the checkpoints: %w", err)
	}
	out, err := auditlog.Verify(l.leaves(ctx), append(notes, trusted...), l.verifier)
	if err != nil {
		return out, err
	}
	if err := l.checkpointSizes(ctx, &out); err != nil {
		return out, err
	}
	return out, l.compare(ctx, &out)
}

// leaves are the events with their hashes, in the order of the log.
func (l *Ledger) leaves(ctx context.Context) iter.Seq2[auditlog.Leaf, error] {
	return func(yield func(auditlog.Leaf, error) bool) {
		rows, err := l.db.Reader().QueryContext(ctx, `SELECT idx, hashes, body FROM events ORDER BY idx`)
		if err != nil {
			yield(auditlog.Leaf{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var leaf auditlog.Leaf
			var hashes []byte
			err := rows.Scan(&leaf.Index, &hashes, &leaf.Body)
			leaf.Hashes = splitHashes(hashes)
			if !yield(leaf, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(auditlog.Leaf{}, err)
		}
	}
}

// checkpointSizes finds checkpoints that are filed under another size than they
// have.
func (l *Ledger) checkpointSizes(ctx context.Context, out *auditlog.Verification) error {
	if l.verifier == nil {
		return nil
	}
	_, err := collect(ctx, l.db.Reader(), func(rows *sql.Rows) (size int64, err error) {
		var note string
		if err := rows.Scan(&size, &note); err != nil {
			return 0, err
		}
		if c, err := l.verifier.Open(note); err == nil && c.Size != size {
			out.Report(-1, "the checkpoint of %d events is filed as one of %d", c.Size, size)
		}
		return size, nil
	}, `SELECT size, note FROM checkpoints`)
	if err != nil {
		return fmt.Errorf("reading the checkpoints: %w", err)
	}
	return nil
}

// retainBatch is how many events one transaction deletes.
const retainBatch = 5000

// Retain deletes the bodies of events from before a time and returns how many.
// Their hashes stay, so the rest of the log still verifies, and each deletion
// is itself an event. Cases stay. Events are deleted in the order of the log:
// one whose clock was behind stays until those before it are old enough.
func (l *Ledger) Retain(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for {
		n := 0
		err := l.change(ctx, func(ctx context.Context, c *change) (err error) {
			n, err = c.retain(ctx, before)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("deleting old events: %w", err)
		}
		total += n
		if n < retainBatch {
			return total, nil
		}
	}
}

func (c *change) retain(ctx context.Context, before time.Time) (int, error) {
	var first, end sql.NullInt64
	err := c.row(ctx, `SELECT (SELECT min(idx) FROM events WHERE body IS NOT NULL),
		coalesce((SELECT min(idx) FROM events WHERE at >= ?), (SELECT max(idx) + 1 FROM events))`, auditlog.Time{Time: before}.String()).Scan(&first, &end)
	if err != nil || !first.Valid || first.Int64 >= end.Int64 {
		return 0, err
	}
	through := min(end.Int64, first.Int64+retainBatch) - 1
	if _, err := c.exec(ctx, `DELETE FROM search WHERE rowid BETWEEN ? AND ?`, first.Int64, through); err != nil {
		return 0, err
	}
	if _, err := c.exec(ctx, `UPDATE events SET body = NULL WHERE idx BETWEEN ? AND ?`, first.Int64, through); err != nil {
		return 0, err
	}
	n := through - first.Int64 + 1
	_, err = c.append(ctx, auditlog.RetentionApplied(before, n, through, auditlog.System()), "")
	return int(n), err
}
