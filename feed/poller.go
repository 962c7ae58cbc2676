package feed

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"patwatch/leak"
)

// Gap is a time of which events may be missing, as the API was read: what
// happened in it may have been shown up to hours later, or never.
type Gap struct {
	From, To time.Time
	Source   string // "events"
	Reason   string // "overrun": more events than the API shows; "errors": it did not answer; "down": nobody asked
}

// Metrics count what a [Poller] did. They may be read at any time.
type Metrics struct {
	Polls     atomic.Int64 // at least one page was read
	Unchanged atomic.Int64 // pages that the API said are what they were
	Errors    atomic.Int64 // pages that could not be read, or not to their end
	Limited   atomic.Int64 // of those, that the API refused for now
	Events    atomic.Int64 // events of all types, each once
	Pushes    atomic.Int64 // pushes that were published
	Repeated  atomic.Int64 // events that were known already
	Malformed atomic.Int64 // events that could not be read
	Gaps      atomic.Int64
	Failures  atomic.Int64 // publishing, or writing down a gap, did not work and was tried again

	Overlap  [pages]atomic.Int64 // per page of the last poll: share of events that the poll before had, in thousandths; -1: not known
	Interval atomic.Int64        // nanoseconds between polls
	LastPoll atomic.Int64        // Unix time in seconds; 0: none yet
}

// Options say how a [Poller] works. API and Publish must be given.
type Options struct {
	API *API
	// Publish takes the pushes of a poll, the oldest first. nil means that they
	// are safe. After an error the same pushes are published again, and nothing
	// is polled until they are: the func may have kept them in spite of it.
	Publish func(context.Context, []leak.Push) error
	// Gap takes a gap, under the same rules. nil: gaps are only counted.
	Gap func(context.Context, Gap) error

	// Fastest is the shortest interval between polls, for coverage. 0: what the
	// API asks for is never undercut.
	Fastest time.Duration
	Since   time.Time    // of the last poll of the run before; zero: there was none
	Log     *slog.Logger // nil: nothing is logged
}

// Poller polls GitHub's public events. Its methods may be called at any time,
// but Run only once.
type Poller struct {
	o       Options
	metrics Metrics

	seen     *memory
	previous [pages][]string // keys of the poll before, per page
	ends     [pages]bool     // whether nothing older follows a page
	last     time.Time       // of the last poll that read something; zero: none
	down     bool            // last is from the run before
	failed   bool            // pages failed since last
	interval time.Duration
	errors   int // polls in a row that read nothing
}

const (
	defaultInterval = time.Minute
	slowest         = 2 * time.Minute
	firstRetry      = time.Second
	maxRetry        = 5 * time.Minute
	remembered      = 20_000 // keys of events
)

// New returns a Poller.
func New(o Options) *Poller {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Gap == nil {
		o.Gap = func(context.Context, Gap) error { return nil }
	}
	p := &Poller{o: o, seen: newMemory(remembered), last: o.Since, down: !o.Since.IsZero(), interval: defaultInterval}
	if o.Fastest > 0 {
		p.interval = o.Fastest
	}
	return p
}

// Metrics returns the counters.
func (p *Poller) Metrics() *Metrics { return &p.metrics }

// Run polls until ctx ends, and returns its error. Nothing else ends it:
// errors are logged, counted and tried again.
func (p *Poller) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		wait := p.poll(ctx)
		p.metrics.Interval.Store(int64(wait))
		sleep(ctx, wait)
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// A round is what one poll read.
type round struct {
	keys    [pages][]string
	fresh   []leak.Push // the oldest first
	known   []string    // keys that are to be remembered once the pushes are safe
	overlap [pages]float64
	read    int  // pages
	oldest  int  // the last page that has events, -1: none
	ended   bool // nothing older is shown than what was read
	asked   time.Duration
	left    int // requests
	reset   time.Time
	err     error
}

// poll reads all pages once and returns how long to wait until the next time.
func (p *Poller) poll(ctx context.Context) time.Duration {
	r := p.read(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if r.err != nil {
		p.failed = true
		p.o.Log.Warn("polling events", "error", r.err)
	}
	if r.read == 0 {
		p.errors++
		return p.backoff(r.err)
	}
	p.errors = 0
	now := time.Now()
	slices.Reverse(r.fresh)
	if len(r.fresh) > 0 && !p.insist(ctx, "publishing pushes", func() error { return p.o.Publish(ctx, r.fresh) }) {
		return 0
	}
	for _, key := range r.known {
		p.seen.add(key)
	}
	p.metrics.Pushes.Add(int64(len(r.fresh)))
	gap := p.gap(r, now)
	if gap != nil && !p.insist(ctx, "writing down a gap", func() error { return p.o.Gap(ctx, *gap) }) {
		return 0
	}
	if gap != nil {
		p.metrics.Gaps.Add(1)
		p.o.Log.Warn("events are missing", "from", gap.From, "to", gap.To, "reason", gap.Reason)
	}
	p.previous, p.last, p.down, p.failed = r.keys, now, false, r.err != nil
	p.metrics.Polls.Add(1)
	p.metrics.LastPoll.Store(now.Unix())
	p.interval = p.pace(r, gap != nil)
	if r.err != nil {
		return max(p.interval, p.backoff(r.err))
	}
	return p.interval
}

// read reads the pages, the newest first.
func (p *Poller) read(ctx context.Context) *round {
	r := &round{oldest: -1, left: -1, keys: p.previous}
	before := map[string]bool{}
	for _, keys := range p.previous {
		for _, k := range keys {
			before[k] = true
		}
	}
	for n := range pages {
		p.metrics.Overlap[n].Store(-1)
	}
	for n := 0; n < pages && !r.ended; n++ {
		got, err := p.o.API.page(ctx, n+1)
		if err != nil {
			r.err = err
			p.metrics.Errors.Add(1)
			return r
		}
		r.read++
		if got.unchanged {
			p.metrics.Unchanged.Add(1)
		} else {
			p.take(r, n, got)
			p.ends[n] = got.last
		}
		r.asked, r.left, r.reset, r.ended = got.asked, got.remaining, got.reset, p.ends[n]
		p.measure(r, n, before)
	}
	return r
}

// take decodes the events of page n.
func (p *Poller) take(r *round, n int, got *page) {
	now := time.Now()
	if got.broken {
		p.metrics.Errors.Add(1)
		r.err = errBroken
	}
	r.keys[n] = nil
	for _, raw := range got.events {
		key, push, err := Decode(raw, "events", now)
		if err != nil {
			p.metrics.Malformed.Add(1)
			p.o.Log.Debug("an event was passed over", "error", err)
			continue
		}
		r.keys[n] = append(r.keys[n], key)
		if p.seen.has(key) || slices.Contains(r.known, key) {
			p.metrics.Repeated.Add(1)
			continue
		}
		r.known = append(r.known, key)
		p.metrics.Events.Add(1)
		if push != nil {
			r.fresh = append(r.fresh, *push)
		}
	}
}

// measure says how much of page n the poll before had.
func (p *Poller) measure(r *round, n int, before map[string]bool) {
	if len(r.keys[n]) == 0 {
		return
	}
	r.oldest = n
	if len(before) == 0 {
		return
	}
	both := 0
	for _, k := range r.keys[n] {
		if before[k] {
			both++
		}
	}
	r.overlap[n] = float64(both) / float64(len(r.keys[n]))
	p.metrics.Overlap[n].Store(int64(1000 * r.overlap[n]))
}

// gap returns the time before this poll of which events may be missing.
func (p *Poller) gap(r *round, now time.Time) *Gap {
	connected := r.ended || r.oldest >= 0 && r.overlap[r.oldest] > 0 || r.oldest < 0 && r.err == nil
	if connected || p.last.IsZero() {
		return nil
	}
	g := &Gap{From: p.last, To: now, Source: "events", Reason: "overrun"}
	if p.failed {
		g.Reason = "errors"
	}
	if p.down {
		g.Reason = "down"
	}
	return g
}

// Overlaps of the oldest page between which the interval is right.
const (
	tooLittle = 0.3
	plenty    = 0.6
)

// pace returns the interval until the next poll: shorter when the window
// hardly reaches back to the poll before, longer when it does by far; never
// shorter than what the API asks for, unless Fastest says so, nor than what is
// left of the quota can pay for.
func (p *Poller) pace(r *round, gap bool) time.Duration {
	next := p.interval
	overlap := 1.0
	if r.oldest >= 0 && !r.ended {
		overlap = r.overlap[r.oldest]
	}
	switch {
	case gap:
		next /= 2
	case overlap < tooLittle:
		next = next * 4 / 5
	case overlap > plenty:
		next = next * 5 / 4
	}
	asked := r.asked
	if asked <= 0 {
		asked = defaultInterval
	}
	least, most := asked, max(asked, slowest)
	if p.o.Fastest > 0 {
		least, most = min(p.o.Fastest, asked), asked
	}
	next = min(max(next, least), most)
	if until := time.Until(r.reset); r.left >= 0 && until > 0 {
		next = max(next, until*pages/time.Duration(max(r.left, 1)))
	}
	return next
}

// backoff returns how long to wait after an error.
func (p *Poller) backoff(err error) time.Duration {
	var limited *RateLimited
	if errors.As(err, &limited) {
		p.metrics.Limited.Add(1)
		if limited.RetryAfter > 0 {
			return limited.RetryAfter
		}
		return jitter(time.Minute << min(max(p.errors-1, 0), 4))
	}
	return jitter(min(firstRetry<<min(max(p.errors-1, 0), 16), maxRetry))
}

// jitter adds up to a quarter.
func jitter(d time.Duration) time.Duration { return d + time.Duration(rand.Int64N(int64(d)/4)) }

// insist calls f until it returns nil, which it reports, or ctx ends.
func (p *Poller) insist(ctx context.Context, what string, f func() error) bool {
	for n := 0; ; n++ {
		err := f()
		if err == nil {
			return true
		}
		p.metrics.Failures.Add(1)
		p.o.Log.Error(what, "error", err)
		sleep(ctx, jitter(min(firstRetry<<min(n, 16), maxRetry)))
		if ctx.Err() != nil {
			return false
		}
	}
}

var errBroken = errors.New("the API's answer is cut off or not JSON")

// A memory holds the latest keys.
type memory struct {
	keys  map[string]bool
	order []string // a ring
	next  int
}

func newMemory(n int) *memory {
	return &memory{keys: make(map[string]bool, n), order: make([]string, n)}
}

func (m *memory) has(key string) bool { return m.keys[key] }

func (m *memory) add(key string) {
	delete(m.keys, m.order[m.next])
	m.order[m.next] = key
	m.keys[key] = true
	m.next = (m.next + 1) % len(m.order)
}
