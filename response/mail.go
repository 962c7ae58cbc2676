package response

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"patwatch/leak"
)

// MailKind says what an item of a [Mail] is about.
type MailKind string

// The kinds of an [Item].
const (
	Leaked     MailKind = "leaked"
	Reminder   MailKind = "reminder"
	Revoked    MailKind = "revoked"
	Escalation MailKind = "escalation"
)

// Mail is what is to be told in one mail.
type Mail struct {
	ID         string // the key of its first act
	MessageID  string // "local@domain"; the same whenever the same acts are told
	References []string
	To         []string
	Items      []Item
}

// Item is one act that a [Mail] tells of.
type Item struct {
	Kind      MailKind
	Case      leak.Case
	Sightings []leak.Sighting // to tell about
	Earlier   int             // sightings that were told before
	RevokedAt time.Time       // zero: not by us
	RevokeAt  time.Time       // zero: not planned
	RevokeNow bool
	Held      bool
	Reason    string // of an escalation
}

// newMail makes the mail of acts that are told together.
func newMail(cfg *Config, jobs []leak.Job, to []string, domain string, now time.Time) Mail {
	slices.SortFunc(jobs, func(a, b leak.Job) int { return cmp.Compare(a.Act.Key, b.Act.Key) })
	m := Mail{ID: jobs[0].Act.Key, To: to, MessageID: messageID(jobs, domain)}
	if again := slices.ContainsFunc(jobs, func(j leak.Job) bool { return repeated(j.Act) }); again && jobs[0].Act.MessageID != "" {
		m.MessageID = jobs[0].Act.MessageID // it may have arrived; others that it told of may be done
	}
	for i := range jobs {
		m.Items = append(m.Items, newItem(cfg, &jobs[i], now))
		for _, a := range jobs[i].Case.Acts {
			if a.State == leak.ActDone && a.MessageID != "" && a.MessageID != m.MessageID && len(m.References) < 20 && !slices.Contains(m.References, a.MessageID) {
				m.References = append(m.References, a.MessageID)
			}
		}
	}
	return m
}

// messageID is made of the acts' keys, so that a mail which surely did not arrive
// has another one when it is sent again with other acts: mail programs hide the
// second of two with the same.
func messageID(jobs []leak.Job, domain string) string {
	name := strings.ReplaceAll(strings.ToLower(jobs[0].Act.Key), "/", ".")
	if len(jobs) > 1 {
		h := sha256.New()
		for _, j := range jobs {
			h.Write([]byte(j.Act.Key + "\x00"))
		}
		name += "." + hex.EncodeToString(h.Sum(nil)[:8])
	}
	return name + "@" + domain
}

func newItem(cfg *Config, j *leak.Job, now time.Time) Item {
	it := Item{Kind: itemKind(j.Act), Case: j.Case, Held: j.Case.Hold, Sightings: j.Case.Sightings}
	if it.Kind == Leaked {
		for _, a := range of(&j.Case, leak.Notify) {
			if a.State == leak.ActDone {
				it.Earlier = max(it.Earlier, min(a.Sightings, len(j.Case.Sightings)))
			}
		}
		if it.Earlier < len(j.Case.Sightings) {
			it.Sightings = j.Case.Sightings[it.Earlier:]
		}
	}
	for _, a := range of(&j.Case, leak.Revoke) {
		switch {
		case a.State == leak.ActDone:
			it.RevokedAt = a.At
		case cfg.DryRun || cfg.mode(j.Case.Token) == Off && !strings.Contains(a.Reason, hastened):
		case a.State == leak.ActDue && a.Due.After(now):
			it.RevokeAt = a.Due
		case a.State == leak.ActDue:
			it.RevokeNow = true
		case a.State == leak.ActHeld:
			it.Held = true
		}
	}
	if it.Kind == Escalation {
		it.Reason = escalation(j)
	}
	return it
}

func itemKind(a leak.Act) MailKind {
	switch {
	case a.Kind == leak.Escalate:
		return Escalation
	case a.Kind == leak.Remind:
		return Reminder
	case strings.HasSuffix(a.Key, "/notify/revoked"):
		return Revoked
	}
	return Leaked
}

// escalation says why the admins are told.
func escalation(j *leak.Job) string {
	why, kind := "The owner cannot be reached", leak.Notify
	switch {
	case strings.HasSuffix(j.Act.Key, "/revoke"):
		why, kind = "The token could not be revoked", leak.Revoke
	case strings.Contains(j.Act.Key, "/brake-"):
		why, kind = "We stopped all revocations", leak.Revoke
	}
	for _, a := range slices.Backward(of(&j.Case, kind)) {
		if a.Reason != "" {
			return why + ": " + a.Reason
		}
	}
	return why
}
