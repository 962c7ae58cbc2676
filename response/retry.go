package response

import (
	"errors"
	"time"

	"patwatch/leak"
)

// A schedule says when to try again, and when to give up.
type schedule struct {
	pauses []time.Duration // the last one from then on
	most   int             // attempts
}

// mailAgain gives up after nearly five days.
var mailAgain = schedule{[]time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}, 60}

// revokeAgain gives up after a good three days.
var revokeAgain = schedule{[]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}, 80}

// after returns the pause after an attempt that failed, counted from 1.
func (s schedule) after(attempt int) time.Duration {
	return s.pauses[min(max(attempt, 1), len(s.pauses))-1]
}

// outcome says what came of an attempt.
func outcome(a leak.Act, err error, now time.Time, s schedule) leak.Outcome {
	o := leak.Outcome{State: leak.ActDone, Repeat: repeated(a)}
	if err == nil {
		return o
	}
	o.State, o.Reason = leak.ActDue, keeping(a, err.Error())
	attempt := a.Attempts + 1
	wait := s.after(attempt)
	var says interface{ Permanent() bool }
	if errors.As(err, &says) && says.Permanent() || attempt >= s.most {
		o.State = leak.ActFailed
		return o
	}
	var unknown interface{ Unknown() bool }
	if errors.As(err, &unknown) && unknown.Unknown() {
		o.Reason += " (" + unclear + ")"
		wait = min(wait, 10*time.Second*time.Duration(attempt))
	}
	var later interface{ RetryAfter() time.Duration }
	if errors.As(err, &later) {
		if t := later.RetryAfter(); t > wait || t > 0 && attempt <= 3 {
			wait = t
		}
	}
	o.Retry = now.Add(wait)
	return o
}

// repeated says whether an act may have been done by an attempt before: one whose
// outcome was not clear, or is not on record.
func repeated(a leak.Act) bool {
	return a.Attempts > 0 && (a.At.IsZero() || len(a.Reason) > len(unclear) && a.Reason[len(a.Reason)-len(unclear)-1:] == unclear+")")
}
