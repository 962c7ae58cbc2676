package fetch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// LimiterOptions say how many requests go to one host. The zero value of each
// field is the default.
type LimiterOptions struct {
	Concurrency int           // requests at once; 0: 64
	PerSecond   float64       // requests a second over time; 0: 200
	Burst       int           // requests at once after a pause; 0: Concurrency
	Patience    time.Duration // a longer wait is an error instead; 0: 5 s
}

// Limiter is the one gate through which all requests to a host go. It keeps to
// a number of them at once and to a rate, and to the pauses that the host asks
// for. It is safe for concurrent use.
type Limiter struct {
	o     LimiterOptions
	slots chan struct{}

	mu      sync.Mutex
	next    time.Time // when the next request may start, if tokens were spent evenly
	until   time.Time // the host's pause
	refused int       // pauses in a row
}

const (
	defaultPause = time.Minute
	maxPause     = 15 * time.Minute
)

// NewLimiter returns a Limiter.
func NewLimiter(o LimiterOptions) *Limiter {
	if o.Concurrency <= 0 {
		o.Concurrency = 64
	}
	if o.PerSecond <= 0 {
		o.PerSecond = 200
	}
	if o.Burst <= 0 {
		o.Burst = o.Concurrency
	}
	if o.Patience <= 0 {
		o.Patience = 5 * time.Second
	}
	return &Limiter{o: o, slots: make(chan struct{}, o.Concurrency)}
}

// Acquire waits for its turn. release must be called when the request is over.
// When the turn is further away than Patience the error is a [*Throttled], at
// once; when ctx ends first, it is ctx's.
func (l *Limiter) Acquire(ctx context.Context) (release func(), err error) {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = sync.OnceFunc(func() { <-l.slots })
	if err := l.turn(ctx); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// turn waits for the rate and for the host's pause.
func (l *Limiter) turn(ctx context.Context) error {
	wait := l.reserve()
	if wait > l.o.Patience {
		return &Throttled{wait}
	}
	if wait <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reserve takes a token and returns how long it is until it may be used. It
// takes none when that is longer than anybody waits.
func (l *Limiter) reserve() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	each := time.Duration(float64(time.Second) / l.o.PerSecond)
	if full := now.Add(-each * time.Duration(l.o.Burst-1)); l.next.Before(full) {
		l.next = full
	}
	wait := max(l.next.Sub(now), l.until.Sub(now))
	if wait <= l.o.Patience {
		l.next = l.next.Add(each)
	}
	return wait
}

// Pause lets no request start for as long as the host asks for: after is its
// Retry-After, 0 when it gave none. Then the pause is a minute, and longer each
// time it is refused again. It returns how long the pause is.
func (l *Limiter) Pause(after time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if after <= 0 {
		after = defaultPause << min(l.refused, 4)
		after += time.Duration(rand.Int64N(int64(after) / 4))
	}
	after = min(after, maxPause)
	l.refused++
	if until := time.Now().Add(after); until.After(l.until) {
		l.until = until
	}
	return after
}

// Answered notes that the host answers as it should.
func (l *Limiter) Answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = 0
}
