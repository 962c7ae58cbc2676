package leak

import "time"

// Sighting is a token seen at a place: a [Candidate] without its secret, so it
// may be stored. Two are the same when repository, blob, path and line of their
// places and their tokens are.
type Sighting struct {
	Digest     Digest     `json:"digest"`
	Format     string     `json:"format"`      // id
	FormatName string     `json:"format_name"` // for people
	Confidence Confidence `json:"confidence"`
	LastFour   string     `json:"last_four"` // see [Secret.LastFour]
	Place      Place      `json:"place"`
	Push       Push       `json:"push"` // zero when it was not a push that it was heard of by
}

// Finding is a token of ours and where it was seen: what one push leaked.
type Finding struct {
	Token     Token
	Sightings []Sighting
}

// Incomplete says what of a push was not read, and why.
type Incomplete struct {
	Reason string // a word: "truncated", "too-large", "gone", "corrupt", "timeout", "limited"
	Detail string // a sentence; no bytes of what was scanned
}

// Report is what came of one push. Recording it twice changes nothing.
type Report struct {
	Push       Push
	Findings   []Finding    // tokens that the store knows
	Parked     []Sighting   // well formed, but not known to the store yet
	Incomplete []Incomplete // empty: everything was read
}

// CaseState says whether reviewers are done with a [Case].
type CaseState string

// The states of a [Case].
const (
	CaseOpen     CaseState = "open"
	CaseResolved CaseState = "resolved"
)

// Resolution is why a [Case] was resolved.
type Resolution string

// The resolutions.
const (
	ResolvedRevoked       Resolution = "revoked"
	ResolvedFalsePositive Resolution = "false_positive"
	ResolvedUsedInTests   Resolution = "used_in_tests"
	ResolvedWontFix       Resolution = "wont_fix"
)

// Case is one leaked token: everything that is known and done about it. There
// is one for each authorization id.
type Case struct {
	ID          string     `json:"id"` // "PW-000123"
	State       CaseState  `json:"state"`
	Resolution  Resolution `json:"resolution,omitempty"`
	Assignee    string     `json:"assignee,omitempty"`
	Hold        bool       `json:"hold,omitempty"` // a reviewer stopped its revocation
	Token       Token      `json:"token"`          // as the store had it when the case was opened or last seen
	Correlation string     `json:"correlation"`    // UUID that all its audit events share
	OpenedAt    time.Time  `json:"opened_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	Sightings   []Sighting `json:"sightings"` // oldest first
	Acts        []Act      `json:"acts"`      // oldest first
}

// ActKind says what an [Act] does.
type ActKind string

// The kinds of an [Act].
const (
	Notify   ActKind = "notify"   // tell the owner
	Revoke   ActKind = "revoke"   // revoke the token at its issuer
	Remind   ActKind = "remind"   // tell the owner again before the token is revoked
	Escalate ActKind = "escalate" // tell the organization's admins
)

// ActState says how far an [Act] is.
type ActState string

// The states of an [Act].
const (
	ActDue     ActState = "due"     // to be done at Due; claimed ones too
	ActDone    ActState = "done"    // the world confirmed it
	ActFailed  ActState = "failed"  // it will not be tried again
	ActHeld    ActState = "held"    // stopped by a reviewer, the cap or the brake; may become due again
	ActSkipped ActState = "skipped" // the policy says no, or it is a dry run
)

// Act is something due or done in the world for a [Case]. It is on record
// before it is done, under a key that makes it unique.
type Act struct {
	Key       string    `json:"key"` // "PW-000123/notify/1"
	Case      string    `json:"case"`
	Kind      ActKind   `json:"kind"`
	State     ActState  `json:"state"`
	Due       time.Time `json:"due"`
	At        time.Time `json:"at,omitzero"` // of the last outcome
	Attempts  int       `json:"attempts"`
	Reason    string    `json:"reason,omitempty"`     // why it failed, was held or skipped
	MessageID string    `json:"message_id,omitempty"` // of the mail; fixed with the first attempt, shared by acts told in one mail
	Sightings int       `json:"sightings,omitempty"`  // how many of the case's sightings existed when it was planned
}

// Job is an act that was claimed, with its case.
type Job struct {
	Act  Act
	Case Case
}

// Outcome is what came of trying an act once.
type Outcome struct {
	State  ActState  // ActDue: try again at Retry
	Retry  time.Time // for ActDue and ActHeld
	Reason string    // a word or sentence without secrets; "" when done
	Repeat bool      // it may have been done before: a repetition after an unknown outcome
	DryRun bool      // nothing was done in the world
}
