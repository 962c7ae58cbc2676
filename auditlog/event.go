// Package auditlog says what an audit event is, and proves that a log of them
// was not altered.
//
// An [Event] is Azure DevOps' audit log entry: its names, fields and texts are
// kept byte for byte, so that rules written for that log fire on this one. What
// this program does and Azure has no name for gets a name in the same style.
// The functions that make events ([Discovery], [Outcome], …) are pure.
//
// [Event.Canonical] gives the bytes that are stored, and those bytes are a leaf
// of a Merkle tree (RFC 6962, by golang.org/x/mod/sumdb/tlog). [Append] adds a
// leaf, a [Signer] signs a [Checkpoint] of the tree, a [Proof] shows to anyone
// who has the signer's public key that an event is in it, and [Verify] checks a
// whole log. The package keeps nothing: where hashes lie is the caller's
// affair.
package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxEvent is how long the stored form of an event may be, in bytes.
const maxEvent = 1 << 20

// Event is one entry of the audit log. Fields that end in ID or CUID, but ID
// itself, are UUIDs and left out of the JSON when empty, since Azure DevOps'
// clients fail on an empty one.
type Event struct {
	ID                      string   `json:"id"` // see [EventID]
	CorrelationID           string   `json:"correlationId,omitempty"`
	ActivityID              string   `json:"activityId,omitempty"`
	ActorCUID               string   `json:"actorCUID,omitempty"`
	ActorUserID             string   `json:"actorUserId,omitempty"`
	ActorClientID           string   `json:"actorClientId,omitempty"`
	ActorUPN                string   `json:"actorUPN"`
	AuthenticationMechanism string   `json:"authenticationMechanism"`
	Timestamp               Time     `json:"timestamp"`
	ScopeType               string   `json:"scopeType"` // "organization", or "deployment" for what concerns none
	ScopeDisplayName        string   `json:"scopeDisplayName"`
	ScopeID                 string   `json:"scopeId,omitempty"`
	ProjectID               string   `json:"projectId,omitempty"`
	ProjectName             string   `json:"projectName,omitempty"`
	IPAddress               Nullable `json:"ipAddress"`
	UserAgent               string   `json:"userAgent"`
	ActionID                string   `json:"actionId"`
	Data                    Data     `json:"data"`
	Details                 string   `json:"details"`
	Area                    string   `json:"area"`
	Category                string   `json:"category"`
	CategoryDisplayName     string   `json:"categoryDisplayName"`
	ActorDisplayName        string   `json:"actorDisplayName"`
	ActorImageURL           Nullable `json:"actorImageUrl"`
}

// Data is what the placeholders of an event's details are filled from, and more
// that rules may want. A number that was read is a [json.Number].
type Data map[string]any

// String returns the value of a key if it is a string, else "".
func (d Data) String(key string) string {
	s, _ := d[key].(string)
	return s
}

// Nullable is a string that JSON has as null when it is empty.
type Nullable string

// MarshalJSON writes "" as null.
func (n Nullable) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// Time is a moment as Azure DevOps writes it: UTC, to 100 nanoseconds.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.0000000-07:00"

// String returns the time as the log has it: "2026-06-01T15:00:42.1234567+00:00".
func (t Time) String() string { return t.UTC().Format(timeLayout) }

// MarshalText writes what [Time.String] returns, and the zero time as "".
func (t Time) MarshalText() ([]byte, error) {
	if t.IsZero() {
		return nil, nil
	}
	return []byte(t.String()), nil
}

// MarshalJSON writes what [Time.String] returns, and the zero time as "".
func (t Time) MarshalJSON() ([]byte, error) {
	text, err := t.MarshalText()
	return append(append([]byte{'"'}, text...), '"'), err
}

// UnmarshalText reads a time of RFC 3339 and "", which is the zero time. What
// is finer than 100 nanoseconds is cut.
func (t *Time) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*t = Time{}
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || parsed.UTC().Year() < 1 || parsed.UTC().Year() > 9999 {
		return errors.New("an audit event's timestamp is not a time of RFC 3339")
	}
	*t = Time{parsed.UTC().Truncate(tick)}
	return nil
}

// UnmarshalJSON reads what [Time.MarshalJSON] wrote.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return errors.New("an audit event's timestamp is not a string")
	}
	return t.UnmarshalText([]byte(s))
}

// Canonical returns the event as it is stored, exported and hashed: one line of
// JSON, its fields in the order of the struct, the keys of its data sorted. It
// is an error when the event is longer than 1 MiB or a value of its data has no
// JSON. [ParseEvent] reads it.
func (e *Event) Canonical() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the event %s: %w", e.ActionID, err)
	}
	if len(b) > maxEvent {
		return nil, fmt.Errorf("the event %s has %d bytes; %d are allowed", e.ActionID, len(b), maxEvent)
	}
	return b, nil
}

// ParseEvent reads one entry, at most 1 MiB of JSON. Fields it does not know
// are passed over. It accepts more than [Event.Canonical] writes: what is
// hashed is always the bytes that were stored, never an event encoded again.
func ParseEvent(b []byte) (Event, error) {
	if len(b) > maxEvent {
		return Event{}, fmt.Errorf("an audit event of %d bytes; %d are allowed", len(b), maxEvent)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var e Event
	if err := d.Decode(&e); err != nil {
		return Event{}, errors.New("an audit event that is not the JSON of one")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Event{}, errors.New("an audit event with something after it")
	}
	return e, nil
}

// Entry is an event at its place in the log.
type Entry struct {
	Index int64  // the number of its leaf, from 0
	Body  []byte // as [Event.Canonical] made it; nil when retention deleted it
}

// Event reads the entry's body.
func (e Entry) Event() (Event, error) {
	if e.Body == nil {
		return Event{}, fmt.Errorf("event %d was deleted by retention", e.Index)
	}
	ev, err := ParseEvent(e.Body)
	if err != nil {
		return Event{}, fmt.Errorf("event %d: %w", e.Index, err)
	}
	return ev, nil
}
