package queue

import (
	"context"
	"database/sql"

	"patwatch/internal/sqlite"
)

// migrations make the database what it is; those that were released never
// change. Times are nanoseconds since 1970, 0 for none.
func migrations() []string { return []string{v1} }

const v1 = `
CREATE TABLE lines ( -- the waiting pushes of a repository in a lane
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	lane   TEXT NOT NULL,
	key    TEXT NOT NULL,              -- the repository
	ready  INTEGER NOT NULL DEFAULT 0, -- not before; while an item is out: the end of its lease
	turn   INTEGER NOT NULL,           -- the place in the lane
	claim  INTEGER NOT NULL DEFAULT 0, -- of the item that is out; 0: none
	worker TEXT NOT NULL DEFAULT '',
	UNIQUE (lane, key)
) STRICT;
CREATE INDEX lines_ready ON lines(lane, ready, turn);
CREATE INDEX lines_turn ON lines(turn);

CREATE TABLE pushes (
	seq        INTEGER PRIMARY KEY AUTOINCREMENT, -- the order
	line       INTEGER REFERENCES lines(id),      -- NULL: a dead letter
	id         TEXT NOT NULL,
	lane       TEXT NOT NULL,
	repository TEXT NOT NULL,                     -- for people
	added      INTEGER NOT NULL,
	attempts   INTEGER NOT NULL DEFAULT 0,        -- times it was handed out
	claim      INTEGER NOT NULL DEFAULT 0,        -- of the item it is in; stale unless its line has the same
	dead       INTEGER NOT NULL DEFAULT 0,        -- since when
	reason     TEXT NOT NULL DEFAULT '',          -- of the last failure
	body       TEXT NOT NULL                      -- leak.Push as JSON
) STRICT;
CREATE INDEX pushes_line ON pushes(line, seq) WHERE line IS NOT NULL;
CREATE INDEX pushes_dead ON pushes(seq) WHERE line IS NULL;
CREATE INDEX pushes_id ON pushes(id);
CREATE INDEX pushes_lane ON pushes(lane, dead, added);

CREATE TABLE seen ( -- ids; those of one source grow, so their pages lie together
	id TEXT PRIMARY KEY,
	at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_at ON seen(at);

CREATE TABLE gaps (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	source TEXT NOT NULL,
	reason TEXT NOT NULL,
	since  INTEGER NOT NULL,
	until  INTEGER NOT NULL
) STRICT;
`

// statements are those that run for each push.
type statements struct {
	remember, forget, findLine, addLine, insert       *sql.Stmt
	promote, next, waiting, take, lend                *sql.Stmt
	mine, remove, bury, fail, move, rest, leave, drop *sql.Stmt
	extend                                            *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *sqlite.DB) error {
	for _, p := range []struct {
		to    **sql.Stmt
		query string
	}{
		{&s.remember, `INSERT INTO seen (id, at) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET at = ?2 WHERE at <= ?3`},
		{&s.forget, `DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE at < ? LIMIT ?)`},
		{&s.findLine, `SELECT id FROM lines WHERE lane = ? AND key = ?`},
		{&s.addLine, `INSERT INTO lines (lane, key, turn) VALUES (?1, ?2, ` + lastTurn + `) RETURNING id`},
		{&s.insert, `INSERT INTO pushes (line, id, lane, repository, added, dead, reason, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},

		{&s.promote, `UPDATE lines SET ready = 0 WHERE lane = ?1 AND (ready BETWEEN 1 AND ?2 OR ready > ?3)`},
		{&s.next, `SELECT id FROM lines WHERE lane = ? AND ready = 0 ORDER BY turn LIMIT ?`},
		{&s.waiting, `SELECT seq, attempts, reason, added, body FROM pushes WHERE line = ? ORDER BY seq LIMIT ?`},
		{&s.take, `UPDATE pushes SET attempts = attempts + 1, claim = ?2 WHERE seq = ?1`},
		{&s.lend, `UPDATE lines SET ready = ?2, claim = ?3, worker = ?4 WHERE id = ?1`},
		{&s.mine, `SELECT EXISTS (SELECT 1 FROM lines WHERE id = ? AND claim = ?)`},
		{&s.remove, `DELETE FROM pushes WHERE seq = ?`},
		{&s.bury, `UPDATE pushes SET line = NULL, dead = ?2, reason = ?3 WHERE seq = ?1`},
		{&s.fail, `UPDATE pushes SET attempts = attempts - ?2, reason = coalesce(nullif(?3, ''), reason) WHERE seq = ?1`},
		{&s.move, `UPDATE pushes SET line = ?2, lane = ?3, attempts = 0, dead = 0 WHERE seq = ?1`},
		{&s.rest, `SELECT EXISTS (SELECT 1 FROM pushes WHERE line = ?)`},
		{&s.leave, `UPDATE lines SET ready = ?2, claim = 0, worker = '', turn = ` + lastTurn + ` WHERE id = ?1`},
		{&s.drop, `DELETE FROM lines WHERE id = ?`},
		{&s.extend, `UPDATE lines SET ready = ?3 WHERE id = ?1 AND claim = ?2`},
	} {
		stmt, err := db.Prepare(ctx, p.query)
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}

// lastTurn is the place behind everyone else.
const lastTurn = `(SELECT coalesce(max(turn), 0) + 1 FROM lines)`
