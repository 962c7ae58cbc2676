package auditlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"patwatch/leak"
)

// maxValue is how long a string of an event's data may be, in bytes: names and
// paths come from strangers.
const maxValue = 4 << 10

// Actor is who did something: a person, or this program.
type Actor struct {
	UserID      string // UUID
	UPN         string // the name of the account
	DisplayName string
	IPAddress   string
	UserAgent   string
	Mechanism   string // how the actor was known, as "FedAuth"
}

// System is this program, under the name that Azure DevOps' own acts have.
func System() Actor {
	return Actor{UserID: serviceID, UPN: "Azure DevOps Service", DisplayName: "Azure DevOps Service"}
}

// Person returns the actor of a person who is known by a name: an account, a
// mail address, or who is logged in at the machine. Its user id is derived from
// the name. "" is [System].
func Person(name string) Actor {
	if name == "" {
		return System()
	}
	return Actor{UserID: nameUUID("user", name), UPN: name, DisplayName: name}
}

// newEvent returns an event of an action in an organization ("": of none), by
// an actor. Strings of the data are cut to their limit, empty ones left out.
func newEvent(action, organization string, by Actor, data Data) Event {
	t := find(action)
	data = trim(data)
	e := Event{
		ActorCUID: zeroUUID, ActorUserID: by.UserID, ActorClientID: zeroUUID,
		ActorUPN: cut(oneLine(by.UPN)), ActorDisplayName: cut(oneLine(by.DisplayName)),
		AuthenticationMechanism: cut(oneLine(by.Mechanism)),
		IPAddress:               Nullable(cut(oneLine(by.IPAddress))), UserAgent: cut(oneLine(by.UserAgent)),
		ScopeType: "deployment", ScopeDisplayName: "patwatch (Deployment)", ScopeID: zeroUUID,
		ActionID: action, Data: data, Details: t.fill(data),
		Area: t.area(), Category: t.category, CategoryDisplayName: capitalise(t.category),
	}
	if by.UserID != serviceID {
		e.ActorCUID = by.UserID
	}
	if organization != "" {
		e.ScopeType = "organization"
		e.ScopeDisplayName = cut(oneLine(organization)) + " (Organization)"
		e.ScopeID = OrganizationID(organization)
	}
	return e
}

func trim(data Data) Data {
	out := make(Data, len(data))
	for k, v := range data {
		switch v := v.(type) {
		case string:
			if v != "" {
				out[k] = cut(v)
			}
		default:
			out[k] = v
		}
	}
	return out
}

// cut shortens a string to its limit, at the start of a rune, and replaces what
// is not UTF-8.
func cut(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxValue {
		return s
	}
	end := maxValue - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Stamp gives the event its time, its id, and the activity it is part of. An
// event that has no correlation id yet is the first of its chain: its own UUID
// becomes the correlation id. guid and activity are UUIDs, see [NewUUID].
func (e *Event) Stamp(at time.Time, guid, activity string) {
	e.Timestamp = Time{at.UTC().Truncate(tick)}
	e.ID = EventID(e.Timestamp.Time, guid)
	e.ActivityID = activity
	if e.CorrelationID == "" {
		e.CorrelationID = guid
	}
}

// ofCase returns an event of a case's chain: it has the case's correlation id
// and says whose token it is.
func ofCase(action string, c leak.Case, by Actor, data Data) Event {
	data["CaseId"] = c.ID
	data["AuthorizationId"] = c.Token.AuthorizationID
	data["DisplayName"] = c.Token.DisplayName
	data["OwnerName"] = c.Token.Name
	data["OwnerId"] = c.Token.Owner.ID
	data["OwnerMail"] = c.Token.Mail
	e := newEvent(action, c.Token.Organization, by, data)
	e.CorrelationID = c.Correlation
	return e
}

// Discovery is the event of a token that was seen at a place in public. The
// first of a case has the case's correlation id as its own UUID: it is the
// parent of all that follows. RecordSha256 in its data is the hash of the
// sighting as JSON: with it the event vouches for the whole record.
func Discovery(c leak.Case, s leak.Sighting) Event {
	data := Data{
		"Digest": s.Digest.String(), "Format": s.Format, "FormatName": s.FormatName, "Confidence": s.Confidence.String(),
		"Repository": s.Place.Repository, "Commit": s.Place.Commit, "Object": s.Place.Object, "Path": s.Place.Path,
		"Url": s.Place.URL, "Author": s.Place.Author, "AuthorMail": s.Place.Email,
		"PushId": s.Push.ID, "Ref": s.Push.Ref, "Source": s.Push.Source,
		"PushedAt": stamp(s.Push.PushedAt), "SeenAt": stamp(s.Push.SeenAt),
		"Scopes": c.Token.Scopes, "ValidFrom": stamp(c.Token.ValidFrom), "ValidTo": stamp(c.Token.ValidTo),
		"TokenState": string(c.Token.State),
	}
	if s.Place.Line > 0 {
		data["Line"] = s.Place.Line
	}
	if record, err := json.Marshal(s); err == nil { // times outside of years 1 to 9999 have no JSON
		sum := sha256.Sum256(record)
		data["RecordSha256"] = hex.EncodeToString(sum[:])
	}
	return ofCase(PatPublicDiscovery, c, System(), data)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// repetition is the text for a mail that may be one too many.
const repetition = " What came of an earlier attempt is not known, so it may have been done twice."

// Outcome is the event of what came of trying an act of a case once. A dry run
// never has the event of the act itself: it was skipped.
func Outcome(c leak.Case, a leak.Act, o leak.Outcome) Event {
	data := Data{
		"Act": a.Key, "Attempt": a.Attempts, "MessageId": a.MessageID, "Reason": o.Reason,
		"Retry": stamp(o.Retry),
	}
	state := o.State
	if o.DryRun {
		data["DryRun"] = true
		if state == leak.ActDone {
			state = leak.ActSkipped
		}
	}
	if o.Reason == "" && state != leak.ActDone {
		data["Reason"] = defaultReason(o)
	}
	if o.Repeat {
		data["Repeat"] = true
		data["Repetition"] = repetition
	}
	return ofCase(outcomeAction(a.Kind, state), c, System(), data)
}

func defaultReason(o leak.Outcome) string {
	if o.DryRun {
		return "dry run"
	}
	return "no reason was given"
}

// outcomeAction returns the action of an act of a kind that ended in a state.
func outcomeAction(kind leak.ActKind, state leak.ActState) string {
	done, base := PatSystemRevoke, "Response.Revoke"
	switch kind {
	case leak.Notify:
		done, base = OwnerNotified, "Notification.OwnerNotify"
	case leak.Remind:
		done, base = OwnerReminded, "Notification.OwnerRemind"
	case leak.Escalate:
		done, base = AdministratorsNotified, "Notification.AdministratorsNotify"
	}
	switch state {
	case leak.ActDone:
		return done
	case leak.ActFailed:
		return base + "Failed"
	case leak.ActHeld:
		return base + "Held"
	case leak.ActSkipped:
		return base + "Skipped"
	}
	return base + "Deferred"
}

// ScanIncomplete is the event of a push that was not read whole.
func ScanIncomplete(p leak.Push, i leak.Incomplete) Event {
	return newEvent(IncompleteScan, "", System(), Data{
		"Repository": p.Repository, "Ref": p.Ref, "Commit": p.After, "PushId": p.ID, "Source": p.Source,
		"PushedAt": stamp(p.PushedAt), "Reason": i.Reason, "Detail": i.Detail,
	})
}

// CaseStateChanged is the event of a case that was resolved or opened again. c
// is the case as it is now, old its state before.
func CaseStateChanged(c leak.Case, old leak.CaseState, by Actor, comment string) Event {
	return ofCase(CaseChanged, c, by, Data{
		"OldState": string(old), "NewState": string(c.State), "Resolution": string(c.Resolution), "Comment": comment,
	})
}

// Reviewed is the event of what a reviewer did to the revocation of a case:
// action is [CaseHeld], [CaseReleased] or [CaseHastened].
func Reviewed(action string, c leak.Case, by Actor) Event {
	return ofCase(action, c, by, Data{})
}

// Brake is the event of all revocations being stopped (on) or resumed.
func Brake(on bool, reason string, by Actor) Event {
	action := BrakeReleased
	if on {
		action = BrakeSet
	}
	return newEvent(action, "", by, Data{"Reason": reason})
}

// AccessLog is the event of someone looking at the log of an organization, or
// of all ("").
func AccessLog(organization string, by Actor) Event {
	return newEvent(LogAccessed, organization, by, Data{})
}

// DownloadLog is the event of someone exporting the log of an organization, or
// of all (""), in a format.
func DownloadLog(organization, format string, by Actor) Event {
	return newEvent(LogDownloaded, organization, by, Data{"Format": format})
}

// PolicyValueUpdated is the event of a policy of an organization, or of all
// (""), getting another value.
func PolicyValueUpdated(organization, policy, value string, by Actor) Event {
	return newEvent(PolicyUpdated, organization, by, Data{"PolicyName": policy, "PolicyValue": value})
}

// RetentionApplied is the event of the bodies of count events being deleted
// because they are from before a time: those that were left up to and with the
// one whose index is through.
func RetentionApplied(before time.Time, count, through int64, by Actor) Event {
	return newEvent(LogRetained, "", by, Data{
		"Before": stamp(before), "Count": strconv.FormatInt(count, 10), "Through": strconv.FormatInt(through, 10),
	})
}
