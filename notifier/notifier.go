// Package notifier writes the mails that patwatch sends and delivers them.
//
// [Render] makes the words: a pure function from what is to be said to text and
// HTML. [Mailer] hands a message to a mail server and says what came of it:
// accepted, or an [Error] that is temporary, permanent, or of unknown outcome.
// Neither has state of the program: whom to tell what, when and how often is
// decided elsewhere.
//
// Names, paths and repositories come from strangers. Nothing of them reaches a
// header, markup or a terminal as anything but visible characters of one line.
package notifier

import (
	"time"

	"patwatch/leak"
)

// Kind says what a mail, or an item of it, is about.
type Kind string

// The kinds of a [Notice] and of an [Item].
const (
	Leaked     Kind = "leaked"     // to the owner: the token was found in public
	Reminder   Kind = "reminder"   // to the owner: it is still valid
	Revoked    Kind = "revoked"    // to the owner: it was revoked
	Escalation Kind = "escalation" // to the organization's admins
	Digest     Kind = "digest"     // several items in one mail; not of an item
)

// Notice is what one mail says.
type Notice struct {
	ID         string    // names the mail for people and machines; the same on every attempt
	MessageID  string    // "local@domain", without brackets; the same on every attempt
	References []string  // Message-IDs of earlier mails about the same, oldest first
	From       string    // "name <address>"; also whom to ask
	To         []string  // addresses
	Date       time.Time // the same on every attempt
	Items      []Item    // at least one
	ReviewURL  string    // address of the reviewers' pages; "": not mentioned
}

// Kind returns the kind of the only item, or [Digest].
func (n *Notice) Kind() Kind {
	if len(n.Items) == 1 {
		return n.Items[0].Kind
	}
	return Digest
}

// Item is one leaked token in a [Notice].
type Item struct {
	Kind        Kind
	Case        string // its id
	Correlation string // of its audit events
	Token       leak.Token
	Sightings   []leak.Sighting // to tell about, oldest first
	Earlier     int             // sightings that the owner was told of before

	// What was and will be done. All zero: the policy leaves it to the owner.
	RevokedAt time.Time // by us
	RevokeAt  time.Time // by us, unless the owner does it first
	RevokeNow bool      // we are about to
	Held      bool      // a reviewer stopped it

	Reason    string // of an escalation: a sentence without its full stop
	ManageURL string // https page on which the owner revokes tokens; "": described in words
}

// Message is a mail as [Render] wrote it.
type Message struct {
	ID, MessageID string
	References    []string
	From          string
	To            []string
	Date          time.Time
	Subject       string
	Text, HTML    string
}
