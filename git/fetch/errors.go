package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What an error of this package wraps, when it is not one of the types below.
// Any other error is one of the network or of the server, and may be gone when
// tried again.
var (
	// ErrGone: there is no such repository, or it is private now.
	ErrGone = errors.New("the repository is gone or private")
	// ErrBlocked: the host refuses to show the repository.
	ErrBlocked = errors.New("the repository is blocked")
	// ErrMissing: the repository is there, but not the commit or ref.
	ErrMissing = errors.New("what was pushed is not there any more")
	// ErrProtocol: the answer is not what the protocol says. Asking again gives
	// the same.
	ErrProtocol = errors.New("not an answer of git's protocol")
	// ErrUnsupported: the repository is of a kind that cannot be read.
	ErrUnsupported = errors.New("the repository has another object format")
	// ErrName: the repository, a ref or a commit has a name that cannot be.
	ErrName = errors.New("not a valid name")
)

// Throttled is the error of a host that asks for fewer requests, or of a
// limiter that still waits on its behalf.
type Throttled struct {
	RetryAfter time.Duration // how long nothing should be asked
}

// Error says how long to wait.
func (t *Throttled) Error() string {
	return fmt.Sprintf("the host asks to wait for %s", t.RetryAfter.Round(time.Second))
}

// Renamed is the error of a repository that has another name now. To is
// "owner/name", or "" when the answer did not give one on the same host.
type Renamed struct{ To string }

// Error says what it is called now.
func (r *Renamed) Error() string {
	if r.To == "" {
		return "the repository was renamed, or the host sends elsewhere"
	}
	return "the repository is " + r.To + " now"
}

// ServerError is an answer that says that the server failed.
type ServerError struct{ Status int }

// Error gives the status.
func (e *ServerError) Error() string {
	return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
}
