package notifier

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Outcome is what came of handing a mail to a server that did not accept it.
type Outcome int

// The outcomes, the least hopeful first.
const (
	Permanent Outcome = iota + 1 // it will never take this mail: do not try again
	Temporary                    // it was not taken now: try again later
	Unknown                      // it may have been taken: send the same again, with the same Message-ID
)

// String returns "permanent", "temporary" or "unknown outcome".
func (o Outcome) String() string {
	switch o {
	case Permanent:
		return "permanent"
	case Temporary:
		return "temporary"
	}
	return "unknown outcome"
}

// Error says why a mail was not accepted. It is one line, and holds neither
// credentials nor anything of the mail.
type Error struct {
	Outcome  Outcome
	Code     int    // of the server's answer; 0: there was none
	Enhanced string // "5.1.1", if the server gives such codes
	err      error
}

// Error returns the outcome and the reason.
func (e *Error) Error() string {
	switch {
	case e.Code != 0 && e.Enhanced != "":
		return fmt.Sprintf("%s: the mail server answered %d %s", e.Outcome, e.Code, e.Enhanced)
	case e.Code != 0:
		return fmt.Sprintf("%s: the mail server answered %d", e.Outcome, e.Code)
	}
	return fmt.Sprintf("%s: %s", e.Outcome, line1(e.err))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Permanent reports whether the mail will never be taken.
func (e *Error) Permanent() bool { return e.Outcome == Permanent }

// Unknown reports whether the mail may have been taken.
func (e *Error) Unknown() bool { return e.Outcome == Unknown }

// RetryAfter returns 10 seconds when the server could not be asked, else 0: mail
// servers do not say.
func (e *Error) RetryAfter() time.Duration {
	if e.Outcome == Temporary && e.Code == 0 {
		return 10 * time.Second
	}
	return 0
}

// classify reads what the library says of a mail that was not sent, or was and
// then something failed. It returns nil when the server took it.
func classify(err error, delivered bool) *Error {
	if err == nil || delivered {
		return nil
	}
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		return &Error{Outcome: Temporary, err: err}
	}
	e := &Error{Outcome: Temporary, Code: failed.ErrorCode(), Enhanced: failed.EnhancedStatusCode(), err: reason(failed.Reason)}
	switch {
	case e.Code == 0 && failed.Reason == gomail.ErrSMTPDataClose:
		e.Outcome = Unknown
	case ours(e.Code):
	case e.Code >= 500:
		e.Outcome = Permanent
	}
	return e
}

// ours says whether a code is about who sends, not about the mail: the mail can
// be sent once somebody has mended the configuration.
func ours(code int) bool {
	switch code {
	case 530, 534, 535, 538: // authentication is needed, too weak, wrong, needs TLS
		return true
	}
	return false
}

// reason is what the library was doing when the connection failed. Its own
// text has the recipient in it.
func reason(r gomail.SendErrReason) error {
	if r == gomail.ErrSMTPDataClose {
		return errors.New("the connection was lost after the mail was sent and before the server answered")
	}
	return fmt.Errorf("the connection was lost: %s", r)
}

// line1 is an error's text, bounded and in one line.
func line1(err error) string {
	if err == nil {
		return "no reason is known"
	}
	return clean(err.Error(), 200)
}

// isMessageID says whether s is "local@domain" of characters that need no
// quoting.
func isMessageID(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > 250 {
		return false
	}
	for _, c := range []byte(local + domain) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("-_.+=", rune(c)) {
			return false
		}
	}
	return true
}

// references is the value of the header, a line for each id.
func references(ids []string) string {
	const most = 20
	if len(ids) > most {
		ids = ids[len(ids)-most:]
	}
	return "<" + strings.Join(ids, ">\r\n <") + ">"
}

// boundary between the parts of a mail, the same for the same mail.
func boundary(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "pw" + hex.EncodeToString(sum[:16])
}
