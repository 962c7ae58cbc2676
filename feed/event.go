package feed

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"patwatch/leak"
)

var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9._-]{1,100}$`)
	objectName     = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	eventID        = regexp.MustCompile(`^[0-9]{1,20}$`)

	errEvent = errors.New("malformed event")
)

// payload is what the types of events that matter have, before October 2025
// and since.
type payload struct {
	RepositoryID int64  `json:"repository_id"`
	PushID       int64  `json:"push_id"`
	Ref          string `json:"ref"`
	RefType      string `json:"ref_type"`
	Head         string `json:"head"`
	Before       string `json:"before"`
}

// Decode reads one event of the events API or of an archive. key tells it from
// all others, and push is nil when the event makes nothing public. An event
// that is malformed is an error, which holds no bytes of it.
func Decode(raw []byte, source string, seen time.Time) (key string, push *leak.Push, err error) {
	var e github.Event
	if err := json.Unmarshal(raw, &e); err != nil {
		return "", nil, fmt.Errorf("%w: not an object of the right shape", errEvent)
	}
	if !eventID.MatchString(e.GetID()) {
		return "", nil, fmt.Errorf("%w: id", errEvent)
	}
	switch e.GetType() {
	case "PushEvent", "CreateEvent", "PublicEvent":
	default:
		return keyOf(&e), nil, nil
	}
	var p payload
	if e.RawPayload != nil && e.GetType() != "PublicEvent" {
		if err := json.Unmarshal(*e.RawPayload, &p); err != nil {
			return "", nil, fmt.Errorf("%w: payload of a %s", errEvent, e.GetType())
		}
	}
	push, err = pushOf(&e, &p)
	if err != nil {
		return "", nil, err
	}
	if push == nil {
		return keyOf(&e), nil, nil
	}
	push.Source, push.SeenAt, push.PushedAt = source, seen, e.GetCreatedAt().Time
	if push.PushedAt.IsZero() || push.PushedAt.After(seen) {
		push.PushedAt = seen
	}
	return push.ID, push, nil
}

// keyOf names an event that has no number of its own: ids of different types
// do not compare.
func keyOf(e *github.Event) string {
	kind := e.GetType()
	return "github:" + kind[:min(len(kind), 64)] + ":" + e.GetID()
}

// pushOf is what an event makes public, nil when that is nothing.
func pushOf(e *github.Event, p *payload) (*leak.Push, error) {
	out := &leak.Push{ID: keyOf(e), RepositoryID: p.RepositoryID, Repository: e.GetRepo().GetName()}
	if out.RepositoryID == 0 {
		out.RepositoryID = e.GetRepo().GetID()
	}
	if !repositoryName.MatchString(out.Repository) || strings.HasSuffix(out.Repository, "/..") || strings.HasSuffix(out.Repository, "/.") {
		return nil, fmt.Errorf("%w: name of the repository", errEvent)
	}
	if e.Public != nil && !e.GetPublic() {
		return nil, nil
	}
	switch e.GetType() {
	case "PublicEvent":
		out.Kind = leak.MadePublic
		return out, nil
	case "CreateEvent":
		return createdRef(out, p)
	}
	return movedRef(out, p)
}

// createdRef is a new branch or tag. A new repository has nothing yet.
func createdRef(out *leak.Push, p *payload) (*leak.Push, error) {
	switch p.RefType {
	case "branch":
		out.Kind, out.Ref = leak.BranchCreated, "refs/heads/"+strings.TrimPrefix(p.Ref, "refs/heads/")
	case "tag":
		out.Kind, out.Ref = leak.TagCreated, "refs/tags/"+strings.TrimPrefix(p.Ref, "refs/tags/")
	default:
		return nil, nil
	}
	if !validRef(out.Ref) {
		return nil, fmt.Errorf("%w: ref", errEvent)
	}
	return out, nil
}

// movedRef is a push.
func movedRef(out *leak.Push, p *payload) (*leak.Push, error) {
	if p.PushID > 0 {
		out.ID = fmt.Sprintf("github:%d", p.PushID)
	}
	var ok [2]bool
	out.Before, ok[0] = object(p.Before)
	out.After, ok[1] = object(p.Head)
	if out.Ref = p.Ref; !ok[0] || !ok[1] || !validRef(p.Ref) {
		return nil, fmt.Errorf("%w: ref or commits of a push", errEvent)
	}
	switch {
	case out.After == "":
		return nil, nil
	case out.Before == "" && strings.HasPrefix(p.Ref, "refs/tags/"):
		out.Kind = leak.TagCreated
	case out.Before == "":
		out.Kind = leak.BranchCreated
	default:
		out.Kind = leak.RefUpdated
	}
	return out, nil
}

// object checks the name of an object; zeros stand for none.
func object(id string) (string, bool) {
	if strings.Trim(id, "0") == "" {
		return "", true
	}
	return id, objectName.MatchString(id)
}

func validRef(ref string) bool {
	if len(ref) > 1024 || !strings.HasPrefix(ref, "refs/") || strings.HasSuffix(ref, "/") {
		return false
	}
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] == 0x7f {
			return false
		}
	}
	return true
}
