package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"patwatch/leak"
)

// Item is what a worker claims: one push, or several of one ref that were
// waiting and join, the After of each being the Before of the next.
//
// To read a chain in one fetch, want every After and have the Before of the
// first: a later push may have been forced, and then what an earlier one brought
// is not reached from the last.
type Item struct {
	Lane    Lane
	Pushes  []leak.Push // at least one
	Added   time.Time   // when the first was published
	Attempt int         // this is the n-th, from 1
	Reason  string      // why the attempt before failed; "" on the first
	Until   time.Time   // when the lease ends, by the queue's clock

	line, claim int64
	seqs        []int64 // of Pushes
}

// Before returns what the ref pointed to before the first push.
func (i *Item) Before() string { return i.Pushes[0].Before }

// After returns what the ref points to after the last push.
func (i *Item) After() string { return i.Pushes[len(i.Pushes)-1].After }

// joins reports whether next continues what last did to one ref.
func joins(last, next *leak.Push) bool {
	return last.Kind == leak.RefUpdated && next.Kind == leak.RefUpdated && last.Ref == next.Ref &&
		last.After != "" && last.After == next.Before && last.Repository == next.Repository
}

// What a push may hold. Anything longer is not from the sources we know.
const (
	maxID   = 256
	maxBody = 16 << 10
)

// A row is a push as it is stored.
type row struct {
	push  leak.Push
	lane  Lane
	added time.Time
	body  string
	dead  string // why it cannot be handed out
}

func newRow(p leak.Push, now time.Time) row {
	p.PushedAt, p.SeenAt = storable(p.PushedAt), storable(p.SeenAt)
	r := row{push: p, lane: Fast, added: now}
	if p.Kind == leak.MadePublic || p.Kind == leak.WholeHistory {
		r.lane = Slow
	}
	body, err := json.Marshal(p)
	switch {
	case err != nil:
		r.dead = "it cannot be stored"
	case len(body) > maxBody || len(p.ID) > maxID:
		r.dead = fmt.Sprintf("it is too large: %d bytes", len(body))
	case p.Repository == "":
		r.dead = "it has no repository"
	case p.ID == "":
		r.dead = "it has no id"
	}
	if r.dead == "" {
		r.body = string(body)
		return r
	}
	return r.cut(body)
}

// cut makes a push that cannot be handed out small enough to be kept.
func (r row) cut(body []byte) row {
	if r.push.ID == "" || len(r.push.ID) > maxID {
		sum := sha256.Sum256(body)
		r.push.ID = "nameless:" + hex.EncodeToString(sum[:16])
	}
	short := leak.Push{
		ID: r.push.ID, Source: clip(r.push.Source), Kind: leak.PushKind(clip(string(r.push.Kind))), RepositoryID: r.push.RepositoryID,
		Repository: clip(r.push.Repository), Ref: clip(r.push.Ref), Before: clip(r.push.Before), After: clip(r.push.After),
		PushedAt: r.push.PushedAt, SeenAt: r.push.SeenAt,
	}
	r.push = short
	small, _ := json.Marshal(short) // its times can be stored
	r.body = string(small)
	return r
}

func clip(s string) string {
	if len(s) > maxID {
		s = s[:maxID]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// storable is a time that JSON can hold; others become zero.
func storable(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// lineKey names a repository: by its number, which a rename does not change, or
// by its name.
func lineKey(p leak.Push) string {
	if p.RepositoryID != 0 {
		return strconv.FormatInt(p.RepositoryID, 10)
	}
	return "name " + strings.ToLower(p.Repository)
}
