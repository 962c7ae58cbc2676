package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
)

// maxSightings is how many sightings of one case are kept. Who pushes the same
// token everywhere must not fill the disk; the rest is on record as incomplete.
const maxSightings = 1000

// Record puts what came of a push on record, in one transaction: a case for
// each token that has none, its new sightings with a discovery event each, the
// acts that the plan makes of them, sightings of unknown tokens, and what was
// not read. When it returns nil, all of it is synced to disk; when it returns an
// error, none of it is on record, or all (the commit's answer was lost), and the
// report must be recorded again. Recording a report again changes nothing.
//
// It is safe for concurrent use; reports that come at once share a commit.
func (l *Ledger) Record(ctx context.Context, r leak.Report) error {
	err := l.change(ctx, func(ctx context.Context, c *change) error {
		for _, f := range r.Findings {
			if err := l.finding(ctx, c, r.Push, f); err != nil {
				return fmt.Errorf("the finding %s: %w", f.Token.AuthorizationID, err)
			}
		}
		if err := c.parkAll(ctx, r.Push, r.Parked); err != nil {
			return fmt.Errorf("parking: %w", err)
		}
		for _, i := range r.Incomplete {
			if err := c.incomplete(ctx, r.Push, i); err != nil {
				return fmt.Errorf("what was not read: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recording push %s: %w", r.Push.ID, err)
	}
	return nil
}

// finding records one token and its sightings.
func (l *Ledger) finding(ctx context.Context, c *change, push leak.Push, f leak.Finding) error {
	if f.Token.AuthorizationID == "" || len(f.Sightings) == 0 {
		return errors.New("a finding needs an authorization id and a sighting")
	}
	token := cleanToken(f.Token)
	k, err := c.open(ctx, token)
	if err != nil {
		return err
	}
	switch {
	case k.Token.State == leak.TokenRevoked:
		token.State = leak.TokenRevoked // the store may hear of it later than we did it
	case token.State == "":
		token.State = leak.TokenActive
	}
	k.Token = token
	fresh, err := c.sightings(ctx, k, push, f.Sightings)
	if err != nil || len(fresh) == 0 {
		return err
	}
	if err := c.update(ctx, k); err != nil {
		return err
	}
	return l.planActs(ctx, c, k, fresh)
}

// sightings records those sightings that are new to the case, and returns them.
func (c *change) sightings(ctx context.Context, k *kase, push leak.Push, seen []leak.Sighting) (fresh []leak.Sighting, err error) {
	dropped := 0
	for _, s := range seen {
		s = cleanSighting(s)
		added, err := c.sighting(ctx, k, s)
		switch {
		case errors.Is(err, errFull):
			dropped++
		case err != nil:
			return nil, err
		case added:
			fresh = append(fresh, s)
		}
	}
	if dropped > 0 {
		i := leak.Incomplete{Reason: "limited", Detail: fmt.Sprintf("Case %s has %d sightings; %d more of this push were not kept.", k.ID, maxSightings, dropped)}
		err = c.incomplete(ctx, push, i)
	}
	return fresh, err
}

// A kase is a case as a transaction has it.
type kase struct {
	leak.Case
	row    int64
	count  int  // sightings
	opened bool // by this transaction
}

// open returns the case of a token, a new one if there is none.
func (c *change) open(ctx context.Context, token leak.Token) (*kase, error) {
	k, err := scanCase(c.row(ctx, readOpenCase, token.AuthorizationID))
	if err == nil {
		return k, nil
	}
	if !none(err) {
		return nil, fmt.Errorf("reading the case: %w", err)
	}
	k = &kase{opened: true, Case: leak.Case{
		State: leak.CaseOpen, Token: token, Correlation: auditlog.NewUUID(), OpenedAt: c.now, UpdatedAt: c.now,
	}}
	text, err := encode(token)
	if err != nil {
		return nil, err
	}
	res, err := c.exec(ctx, addCase,
		token.AuthorizationID, k.Correlation, k.State, nanos(c.now), nanos(c.now), text)
	if err != nil {
		return nil, fmt.Errorf("opening the case: %w", err)
	}
	k.row, err = res.LastInsertId()
	k.ID = caseID(k.row)
	return k, err
}

// update stores the case's token and how many sightings it has.
func (c *change) update(ctx context.Context, k *kase) error {
	text, err := encode(k.Token)
	if err != nil {
		return err
	}
	k.UpdatedAt = c.now
	_, err = c.exec(ctx, updateCase, text, k.count, nanos(c.now), k.row)
	if err != nil {
		return fmt.Errorf("updating the case: %w", err)
	}
	return nil
}

var errFull = errors.New("there is no room for more")

// sighting records one sighting with its discovery event, unless it is there.
func (c *change) sighting(ctx context.Context, k *kase, s leak.Sighting) (added bool, err error) {
	key := sightingKey(k.Token.AuthorizationID, s.Place)
	if !k.opened || k.count > 0 {
		var one int
		err := c.row(ctx, knowsSighting, k.row, key).Scan(&one)
		if err == nil {
			return false, nil
		}
		if !none(err) {
			return false, fmt.Errorf("reading a sighting: %w", err)
		}
	}
	if k.count >= maxSightings {
		return false, errFull
	}
	guid := ""
	if k.count == 0 {
		guid = k.Correlation // the parent of all that follows
	}
	event, err := c.append(ctx, auditlog.Discovery(k.Case, s), guid)
	if err != nil {
		return false, err
	}
	body, err := encode(s)
	if err != nil {
		return false, err
	}
	_, err = c.exec(ctx, addSighting,
		k.row, key, event, s.Place.Repository, s.Place.Path, body)
	if err != nil {
		return false, fmt.Errorf("storing a sighting: %w", err)
	}
	k.count++
	return true, nil
}

// planActs asks the plan what follows from fresh sightings and stores the acts
// whose keys are new.
func (l *Ledger) planActs(ctx context.Context, c *change, k *kase, fresh []leak.Sighting) error {
	if l.plan == nil {
		return nil
	}
	full := k.Case
	full.Sightings = fresh
	if !k.opened {
		var err error
		if full.Sightings, err = sightingsOf(ctx, c.tx, k.row); err != nil {
			return err
		}
		if full.Acts, err = actsOf(ctx, c.tx, k.row); err != nil {
			return err
		}
	}
	for _, a := range l.plan(full, fresh, c.now) {
		if err := c.addAct(ctx, k.row, a); err != nil {
			return fmt.Errorf("the act %s: %w", a.Key, err)
		}
	}
	return nil
}

func (c *change) addAct(ctx context.Context, row int64, a leak.Act) error {
	if a.Key == "" || !knownKind(a.Kind) || !knownState(a.State) {
		return errors.New("an act needs a key, a kind and a state")
	}
	c.act = true
	_, err := c.exec(ctx, addPlanned,
		a.Key, row, a.Kind, a.State, nanos(a.Due), a.Reason, a.Sightings)
	return err
}

// incomplete records that a push was not read whole, with an event, once.
func (c *change) incomplete(ctx context.Context, push leak.Push, i leak.Incomplete) error {
	push = cleanPush(push)
	key := hashOf(push.ID, push.Repository, i.Reason, i.Detail)
	var one int
	err := c.row(ctx, `SELECT 1 FROM incompletes WHERE key = ?`, key).Scan(&one)
	if err == nil || !none(err) {
		return err
	}
	event, err := c.append(ctx, auditlog.ScanIncomplete(push, i), "")
	if err != nil {
		return err
	}
	body, err := encode(push)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `INSERT INTO incompletes(key, event, at, reason, detail, push) VALUES (?, ?, ?, ?, ?, ?)`,
		key, event, nanos(c.now), i.Reason, i.Detail, body)
	return err
}

// sightingKey is what makes two sightings of a token the same.
func sightingKey(token string, p leak.Place) []byte {
	return hashOf(token, p.Repository, p.Object, p.Path, strconv.Itoa(p.Line))
}

// hashOf is a hash of strings that no other strings have.
func hashOf(parts ...string) []byte {
	h := sha256.New()
	for _, p := range parts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return h.Sum(nil)
}

// caseID is how people name a case.
func caseID(row int64) string { return fmt.Sprintf("PW-%06d", row) }

// caseRow is the reverse of caseID.
func caseRow(id string) (int64, error) {
	number, ok := strings.CutPrefix(id, "PW-")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n < 1 || caseID(n) != id {
		return 0, fmt.Errorf("case %q: %w", id, ErrNotFound)
	}
	return n, nil
}

// encode is the stored form of a record.
func encode(record any) (string, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return "", fmt.Errorf("encoding a record: %w", err)
	}
	return string(b), nil
}

// cleanToken, cleanPush and cleanSighting make what strangers wrote fit for
// JSON, so that the record is read as it was written: times that it has no form
// for become zero, and bytes that are not UTF-8 are replaced. The repository and
// the path, which say what is the same place, are stored apart, as they are.
func cleanToken(t leak.Token) leak.Token {
	t.ValidFrom, t.ValidTo = encodable(t.ValidFrom), encodable(t.ValidTo)
	for _, s := range []*string{&t.AuthorizationID, &t.Owner.ID, &t.Name, &t.Mail, &t.Organization, &t.DisplayName, &t.Scopes} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	return t
}

func cleanPush(p leak.Push) leak.Push {
	p.PushedAt, p.SeenAt = encodable(p.PushedAt), encodable(p.SeenAt)
	for _, s := range []*string{&p.ID, &p.Source, &p.Repository, &p.Ref, &p.Before, &p.After} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	return p
}

func cleanSighting(s leak.Sighting) leak.Sighting {
	s.Push = cleanPush(s.Push)
	s.Place.Time = encodable(s.Place.Time)
	p := &s.Place
	for _, s := range []*string{&p.Commit, &p.Object, &p.URL, &p.Author, &p.Email, &p.Subject, &p.Branch, &s.LastFour, &s.Format, &s.FormatName} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	return s
}

// encodable is a time that JSON can hold: a commit may claim any year.
func encodable(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}
