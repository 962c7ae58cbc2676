package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"patwatch/auditlog"
	"patwatch/leak"
)

// How many rows a page has.
const (
	defaultPage = 100
	maxPage     = 1000
)

func pageSize(limit int) int {
	if limit <= 0 {
		return defaultPage
	}
	return min(limit, maxPage)
}

// Query selects cases or events. A zero field selects all; all fields must hold.
type Query struct {
	From, To     time.Time      // opened, or happened: From and later, before To
	State        leak.CaseState // of the case; for events, of the case they belong to
	Resolution   leak.Resolution
	Organization string // letter case aside
	Owner        string // mail address, letter case aside
	Repository   string // "owner/name"
	Format       string // id of a format that was seen
	Action       string // events only: an action's id, or an area with a dot: "Token."
	Case         string // events only: of the case with this id
	Text         string // words that all stand somewhere; each may be the beginning of one
	After        string // the Next of the page before; "": from the newest
	Limit        int    // at most; 0: 100, and never more than 1,000
}

// CasePage is a page of cases, newest first.
type CasePage struct {
	Cases []leak.Case
	Next  string // for [Query.After]; "" when there is no more
}

// EventPage is a page of events, newest first.
type EventPage struct {
	Entries []auditlog.Entry
	Next    string // for [Query.After]; "" when there is no more
}

// where collects the conditions of a query.
type where struct {
	from, order string // of events
	conditions  []string
	args        []any
}

func (w *where) add(condition string, args ...any) {
	w.conditions = append(w.conditions, condition)
	w.args = append(w.args, args...)
}

// addIf adds a condition on a value unless that is zero.
func addIf[T comparable](w *where, value T, condition string) {
	var zero T
	if value != zero {
		w.add(condition, value)
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Cases returns the cases that q selects, with their sightings and acts.
func (l *Ledger) Cases(ctx context.Context, q Query) (CasePage, error) {
	w, err := q.cases()
	if err != nil {
		return CasePage{}, err
	}
	limit := pageSize(q.Limit)
	read := l.db.Reader()
	found, err := collect(ctx, read, func(rows *sql.Rows) (*kase, error) { return scanCase(rows) },
		`SELECT `+caseColumns+` FROM cases`+w.String()+` ORDER BY id DESC LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return CasePage{}, fmt.Errorf("selecting cases: %w", err)
	}
	var page CasePage
	if len(found) > limit {
		found = found[:limit]
		page.Next = found[limit-1].ID
	}
	for _, k := range found {
		if k.Sightings, err = sightingsOf(ctx, read, k.row); err == nil {
			k.Acts, err = actsOf(ctx, read, k.row)
		}
		if err != nil {
			return CasePage{}, fmt.Errorf("reading case %s: %w", k.ID, err)
		}
		page.Cases = append(page.Cases, k.Case)
	}
	return page, nil
}

func (q *Query) cases() (*where, error) {
	var w where
	if q.Action != "" || q.Case != "" {
		return nil, errors.New("cases are not selected by action or case")
	}
	if q.After != "" {
		row, err := caseRow(q.After)
		if err != nil {
			return nil, fmt.Errorf("the page after %q: %w", q.After, ErrBadCursor)
		}
		w.add(`id < ?`, row)
	}
	addIf(&w, nanos(q.From), `opened_at >= ?`)
	addIf(&w, nanos(q.To), `opened_at < ?`)
	addIf(&w, string(q.State), `state = ?`)
	addIf(&w, string(q.Resolution), `resolution = ?`)
	addIf(&w, q.Organization, `organization = lower(?)`)
	addIf(&w, q.Owner, `owner_mail = lower(?)`)
	addIf(&w, q.Repository, `id IN (SELECT case_id FROM sightings WHERE repository = ?)`)
	addIf(&w, q.Format, `EXISTS (SELECT 1 FROM sightings WHERE case_id = cases.id AND format = ?)`)
	if match := match(q.Text); match != "" {
		w.add(`correlation IN (SELECT correlation FROM events WHERE idx IN (SELECT rowid FROM search WHERE search MATCH ?))`, match)
	} else if q.Text != "" {
		w.add(`false`)
	}
	return &w, nil
}

// Events returns the events that q selects, by their time; those with a text in
// the order of the log, which is the same but for clocks that went back.
func (l *Ledger) Events(ctx context.Context, q Query) (EventPage, error) {
	w, err := q.events()
	if err != nil {
		return EventPage{}, err
	}
	limit := pageSize(q.Limit)
	type found struct {
		auditlog.Entry
		at string
	}
	rows, err := collect(ctx, l.db.Reader(), func(rows *sql.Rows) (f found, err error) {
		return f, rows.Scan(&f.Index, &f.Body, &f.at)
	}, `SELECT idx, body, at FROM `+w.from+w.String()+` ORDER BY `+w.order+` LIMIT ?`, append(w.args, limit+1)...)
	if err != nil {
		return EventPage{}, fmt.Errorf("selecting events: %w", err)
	}
	var page EventPage
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = rows[limit-1].at + ";" + strconv.FormatInt(rows[limit-1].Index, 10)
	}
	for _, r := range rows {
		page.Entries = append(page.Entries, r.Entry)
	}
	return page, nil
}

func (q *Query) events() (*where, error) {
	w := where{from: `events`, order: `at DESC, idx DESC`}
	if match := match(q.Text); match != "" {
		// The search index gives its hits in the order of the log, and one by one.
		w = where{from: `search CROSS JOIN events ON events.idx = search.rowid`, order: `search.rowid DESC`}
		w.add(`search MATCH ?`, match)
	} else if q.Text != "" {
		w.add(`false`)
	}
	w.add(`at IS NOT NULL`) // retention deletes bodies
	if q.After != "" {
		at, index, ok := strings.Cut(q.After, ";")
		n, err := strconv.ParseInt(index, 10, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("the page after %q: %w", q.After, ErrBadCursor)
		}
		if w.from == `events` {
			w.add(`(at, idx) < (?, ?)`, at, n)
		} else {
			w.add(`search.rowid < ?`, n)
		}
	}
	if !q.From.IsZero() {
		w.add(`at >= ?`, auditlog.Time{Time: q.From}.String())
	}
	if !q.To.IsZero() {
		w.add(`at < ?`, auditlog.Time{Time: q.To}.String())
	}
	if q.Organization != "" {
		w.add(`scope = ?`, auditlog.OrganizationID(q.Organization))
	}
	addIf(&w, q.Owner, `owner_mail = lower(?)`)
	addIf(&w, q.Repository, `repository = ?`)
	if area, ok := strings.CutSuffix(q.Action, "."); ok {
		w.add(`action > ? AND action < ?`, area+".", area+"/") // a slash is what follows a dot
	} else {
		addIf(&w, q.Action, `action = ?`)
	}
	if err := q.ofCases(&w); err != nil {
		return nil, err
	}
	return &w, nil
}

// ofCases adds the conditions on the cases that events belong to.
func (q *Query) ofCases(w *where) error {
	const of = `correlation IN (SELECT correlation FROM cases WHERE `
	addIf(w, string(q.State), of+`state = ?)`)
	addIf(w, string(q.Resolution), of+`resolution = ?)`)
	addIf(w, q.Format, of+`id IN (SELECT case_id FROM sightings WHERE format = ?))`)
	if q.Case == "" {
		return nil
	}
	row, err := caseRow(q.Case)
	if err != nil {
		return err
	}
	w.add(of+`id = ?)`, row)
	return nil
}

// match turns what people write into a query of the search index: every word
// must stand somewhere, or be the beginning of one that does. "" when there is
// no word in it.
func match(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if len(words) > 20 {
		words = words[:20]
	}
	for i, w := range words {
		words[i] = `"` + w + `"*`
	}
	return strings.Join(words, " ")
}

// Event returns one event by its id, or by the UUID that is the last part of
// it. The error is [ErrNotFound] when there is none.
func (l *Ledger) Event(ctx context.Context, id string) (auditlog.Entry, error) {
	guid := id
	if _, g, err := auditlog.SplitID(id); err == nil {
		guid = g
	}
	var e auditlog.Entry
	err := l.db.Reader().QueryRowContext(ctx, `SELECT idx, body FROM events WHERE guid = ?1 AND ?2 IN (guid, body->>'id')`, guid, id).Scan(&e.Index, &e.Body)
	if none(err) {
		return e, fmt.Errorf("event %q: %w", id, ErrNotFound)
	}
	if err != nil {
		return e, fmt.Errorf("reading event %q: %w", id, err)
	}
	return e, nil
}

// Entries returns events in the order of the log, from an index on, at most
// limit: those to send on to another system. Those that retention deleted have
// no body.
func (l *Ledger) Entries(ctx context.Context, from int64, limit int) ([]auditlog.Entry, error) {
	out, err := collect(ctx, l.db.Reader(), func(rows *sql.Rows) (e auditlog.Entry, err error) {
		return e, rows.Scan(&e.Index, &e.Body)
	}, `SELECT idx, body FROM events WHERE idx >= ? ORDER BY idx LIMIT ?`, from, pageSize(limit))
	if err != nil {
		return nil, fmt.Errorf("reading events from %d on: %w", from, err)
	}
	return out, nil
}
