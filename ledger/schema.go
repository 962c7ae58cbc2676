package ledger

// migrations make the database what it is: the one at index n leads from
// version n to n+1. Those that were released are never changed.
//
// Times are nanoseconds since 1970, 0 for none. What an event is about is read
// out of its body by generated columns, so that no column can say anything but
// what was hashed.
func migrations() []string { return []string{v1} }

const v1 = `
CREATE TABLE cases (
	id               INTEGER PRIMARY KEY,
	authorization_id TEXT NOT NULL UNIQUE,
	correlation      TEXT NOT NULL UNIQUE,
	state            TEXT NOT NULL CHECK (state IN ('open', 'resolved')),
	resolution       TEXT NOT NULL DEFAULT '',
	assignee         TEXT NOT NULL DEFAULT '',
	hold             INTEGER NOT NULL DEFAULT 0,
	opened_at        INTEGER NOT NULL,
	updated_at       INTEGER NOT NULL,
	sightings        INTEGER NOT NULL DEFAULT 0, -- rows of that table
	token            TEXT NOT NULL,              -- leak.Token as JSON
	organization     TEXT GENERATED ALWAYS AS (lower(token->>'organization')) VIRTUAL,
	owner_mail       TEXT GENERATED ALWAYS AS (lower(token->>'owner_mail')) VIRTUAL
) STRICT;
CREATE INDEX cases_organization ON cases(organization);
CREATE INDEX cases_owner_mail ON cases(owner_mail);
CREATE INDEX cases_state ON cases(state);

CREATE TABLE sightings (
	id         INTEGER PRIMARY KEY,
	case_id    INTEGER NOT NULL REFERENCES cases(id),
	key        BLOB NOT NULL,           -- hash of token, repository, blob, path and line
	event      INTEGER NOT NULL,        -- its discovery's index
	repository TEXT NOT NULL,           -- these two may hold any bytes, and JSON not
	path       TEXT NOT NULL,
	body       TEXT NOT NULL,           -- leak.Sighting as JSON
	format     TEXT GENERATED ALWAYS AS (body->>'format') VIRTUAL,
	UNIQUE (case_id, key) -- in this order, so that new ones are added at the end
) STRICT;
CREATE INDEX sightings_repository ON sightings(repository);

CREATE TABLE acts (
	id         INTEGER PRIMARY KEY,
	key        TEXT NOT NULL UNIQUE,
	case_id    INTEGER NOT NULL REFERENCES cases(id),
	kind       TEXT NOT NULL CHECK (kind IN ('notify', 'revoke', 'remind', 'escalate')),
	state      TEXT NOT NULL CHECK (state IN ('due', 'done', 'failed', 'held', 'skipped')),
	due        INTEGER NOT NULL,            -- 0: not by itself
	at         INTEGER NOT NULL DEFAULT 0,
	attempts   INTEGER NOT NULL DEFAULT 0,
	reason     TEXT NOT NULL DEFAULT '',
	message_id TEXT NOT NULL DEFAULT '',
	sightings  INTEGER NOT NULL DEFAULT 0,
	lease      INTEGER NOT NULL DEFAULT 0,  -- claimed until
	begun      INTEGER NOT NULL DEFAULT 0,  -- 1: tried under the lease, and no outcome yet
	event      INTEGER NOT NULL DEFAULT -1  -- its last outcome's index
) STRICT;
CREATE INDEX acts_case ON acts(case_id);
CREATE INDEX acts_due ON acts(due) WHERE state IN ('due', 'held');
CREATE INDEX acts_lease ON acts(lease) WHERE lease > 0;
CREATE INDEX acts_done ON acts(kind, at) WHERE state = 'done';

CREATE TABLE events (
	idx          INTEGER PRIMARY KEY,      -- leaf of the tree
	hashes       BLOB NOT NULL,            -- its own, and of the subtrees it completes
	body         TEXT,                     -- NULL: deleted by retention
	guid         TEXT GENERATED ALWAYS AS (substr(body->>'id', -36)) VIRTUAL,
	at           TEXT GENERATED ALWAYS AS (body->>'timestamp') VIRTUAL,
	action       TEXT GENERATED ALWAYS AS (body->>'actionId') VIRTUAL,
	correlation  TEXT GENERATED ALWAYS AS (body->>'correlationId') VIRTUAL,
	scope        TEXT GENERATED ALWAYS AS (body->>'scopeId') VIRTUAL,
	owner_mail   TEXT GENERATED ALWAYS AS (lower(body->>'$.data.OwnerMail')) VIRTUAL,
	repository   TEXT GENERATED ALWAYS AS (body->>'$.data.Repository') VIRTUAL
) STRICT;
CREATE UNIQUE INDEX events_guid ON events(guid);
CREATE INDEX events_at ON events(at);
CREATE INDEX events_action ON events(action, at);
CREATE INDEX events_correlation ON events(correlation, at);
CREATE INDEX events_scope ON events(scope, at);
CREATE INDEX events_owner ON events(owner_mail, at) WHERE owner_mail IS NOT NULL;
CREATE INDEX events_repository ON events(repository, at) WHERE repository IS NOT NULL;
CREATE VIRTUAL TABLE search USING fts5(text, content='', contentless_delete=1, detail=none);

CREATE TABLE checkpoints (
	size INTEGER PRIMARY KEY,
	note TEXT NOT NULL
) STRICT;

CREATE TABLE parked (
	id         INTEGER PRIMARY KEY,
	key        BLOB NOT NULL UNIQUE,
	since      INTEGER NOT NULL,
	due        INTEGER NOT NULL,
	repository TEXT NOT NULL,
	path       TEXT NOT NULL,
	body       TEXT NOT NULL
) STRICT;
CREATE INDEX parked_due ON parked(due);
CREATE INDEX parked_repository ON parked(repository);

CREATE TABLE incompletes (
	id     INTEGER PRIMARY KEY,
	key    BLOB NOT NULL UNIQUE, -- hash of push, reason and detail
	event  INTEGER NOT NULL,
	at     INTEGER NOT NULL,
	reason TEXT NOT NULL,
	detail TEXT NOT NULL,
	push   TEXT NOT NULL         -- leak.Push as JSON
) STRICT;

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`
