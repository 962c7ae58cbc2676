package leak

import "time"

// PushKind says what happened to a ref, and so how to read what it added.
type PushKind string

// The kinds of a [Push].
const (
	RefUpdated    PushKind = "update"     // Before and After are known
	BranchCreated PushKind = "branch"     // Ref is known; After may be
	TagCreated    PushKind = "tag"        // Ref is known; After may be
	MadePublic    PushKind = "public"     // all of the repository
	RefDeleted    PushKind = "delete"     // nothing to read; what was dropped is Before
	WholeHistory  PushKind = "repository" // read everything again, as a replay
)

// Push is one thing that made content public: what a queue holds and a worker
// reads. Every field comes from strangers.
type Push struct {
	ID           string    `json:"id"`     // unique, and the same when it is heard of again: "github:34872209580"
	Source       string    `json:"source"` // how it was heard of: "events", "webhook", "archive", "replay"
	Kind         PushKind  `json:"kind"`
	RepositoryID int64     `json:"repository_id,omitempty"` // 0: not known
	Repository   string    `json:"repository"`              // "owner/name" when it was pushed
	Ref          string    `json:"ref,omitempty"`           // "refs/heads/main"
	Before       string    `json:"before,omitempty"`        // hex; "" when it is not known, and when there was nothing
	After        string    `json:"after,omitempty"`         // hex; "" when it is not known
	PushedAt     time.Time `json:"pushed_at"`
	SeenAt       time.Time `json:"seen_at"`
}
