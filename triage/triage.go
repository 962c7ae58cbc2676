// Package triage decides what the candidates of a push are: tokens of ours,
// known to the store of tokens, which become cases; or well formed and not
// known, which are parked and looked up again, because a token may be leaked
// before the store has heard of it.
//
// It is the last that sees a token in clear, and it takes only its digest. It
// keeps nothing: what it found is recorded by the ledger before
// [Triage.Handle] returns nil.
package triage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"patwatch/leak"
)

// What the zero values of [Options] stand for.
const (
	defaultMaxCandidates = 10_000
	defaultKeepParked    = 24 * time.Hour
	lookupBatch          = 1_000 // digests in one question to the store
	recheckBatch         = 500   // parked sightings in one round
	minPause, maxPause   = 30 * time.Second, time.Hour
)

// Parked is a sighting of a token that the store did not know.
type Parked struct {
	ID       int64 // the ledger's
	Sighting leak.Sighting
	Since    time.Time // when it was parked
}

// Options are what a Triage is joined to. The funcs must be safe for concurrent
// use.
type Options struct {
	Keys *leak.Keyring
	// Lookup returns the tokens that the store knows among the digests. A digest
	// that is missing in the answer is unknown; an error says nothing.
	Lookup func(context.Context, []leak.Digest) (map[leak.Digest]leak.Token, error)
	// HighWater returns the time up to which the store has heard of every token.
	HighWater func(context.Context) (time.Time, error)
	// Record puts a report on record, for good when it returns nil. Recording it
	// twice changes nothing.
	Record func(context.Context, leak.Report) error

	// Parked returns sightings that are to be looked up at a time, at most limit.
	Parked func(ctx context.Context, now time.Time, limit int) ([]Parked, error)
	// Unpark forgets parked sightings.
	Unpark func(ctx context.Context, ids []int64) error
	// Postpone leaves parked sightings alone until a time.
	Postpone func(ctx context.Context, ids []int64, until time.Time) error

	Now           func() time.Time
	MinConfidence leak.Confidence // those below are not looked up; 0: leak.Likely
	MaxCandidates int             // of one push, beyond which the scan counts as incomplete; 0: 10,000
	KeepParked    time.Duration   // how long a sighting stays parked at least; 0: 24 h
}

// Triage is what [New] makes. It is safe for concurrent use.
type Triage struct{ Options }

// New returns a Triage.
func New(o Options) *Triage {
	if o.MinConfidence == 0 {
		o.MinConfidence = leak.Likely
	}
	if o.MaxCandidates <= 0 {
		o.MaxCandidates = defaultMaxCandidates
	}
	if o.KeepParked <= 0 {
		o.KeepParked = defaultKeepParked
	}
	return &Triage{o}
}

// Handle looks up the candidates of a push and records what they are, together
// with what of the push was not read. When it returns nil, each candidate is
// one of: of a known token, and on record; unknown, and parked; less sure than
// was asked for; beyond the cap, which is on record as incomplete. When it
// returns an error nothing is known: the push must be handled again, and
// handling it again changes nothing that was recorded before. A store that
// cannot answer is such an error, never "unknown".
//
// A push that leaves nothing to record is not recorded.
func (t *Triage) Handle(ctx context.Context, push leak.Push, cs []leak.Candidate, inc []leak.Incomplete) error {
	report := leak.Report{Push: push, Incomplete: slices.Clone(inc)}
	cs, cut := t.admit(cs)
	if cut > 0 {
		report.Incomplete = append(report.Incomplete, leak.Incomplete{
			Reason: "limited",
			Detail: fmt.Sprintf("%d candidates were looked up, and %d more were not.", len(cs), cut),
		})
	}
	if err := t.sort(ctx, &report, cs); err != nil {
		return fmt.Errorf("looking up the candidates of push %s: %w", push.ID, err)
	}
	if len(report.Findings)+len(report.Parked)+len(report.Incomplete) == 0 {
		return nil
	}
	if err := t.Record(ctx, report); err != nil {
		return fmt.Errorf("recording push %s: %w", push.ID, err)
	}
	return nil
}

// admit returns the candidates that are sure enough, the surest when they are
// too many, and how many were cut.
func (t *Triage) admit(cs []leak.Candidate) ([]leak.Candidate, int) {
	var out []leak.Candidate
	for _, c := range cs {
		if c.Confidence >= t.MinConfidence {
			out = append(out, c)
		}
	}
	if len(out) <= t.MaxCandidates {
		return out, 0
	}
	slices.SortStableFunc(out, func(a, b leak.Candidate) int { return int(b.Confidence) - int(a.Confidence) })
	return out[:t.MaxCandidates], len(out) - t.MaxCandidates
}

// sort looks the candidates up and puts each among the findings or the parked.
func (t *Triage) sort(ctx context.Context, report *leak.Report, cs []leak.Candidate) error {
	digests := make([][]leak.Digest, len(cs))
	for i, c := range cs {
		digests[i] = t.Keys.All(c.Secret.Sum())
	}
	known, err := t.lookup(ctx, slices.Concat(digests...))
	if err != nil {
		return err
	}
	var found findings
	for i, c := range cs {
		s := leak.Sighting{
			Format: c.Format.ID, FormatName: c.Format.Name, Confidence: c.Confidence,
			LastFour: c.Secret.LastFour(), Place: c.Place, Push: report.Push,
		}
		if d, ok := firstKnown(digests[i], known); ok {
			s.Digest = d
			found.add(t.token(known[d], d), s)
			continue
		}
		for _, d := range digests[i] { // the store may come to know it by any of them
			s.Digest = d
			report.Parked = append(report.Parked, s)
		}
	}
	report.Findings = found.list
	return nil
}

// token is what the store knows, as it stands now.
func (t *Triage) token(known leak.Token, d leak.Digest) leak.Token {
	known.State = known.StateAt(t.Now())
	known.Digest = d
	return known
}

func firstKnown(digests []leak.Digest, known map[leak.Digest]leak.Token) (leak.Digest, bool) {
	i := slices.IndexFunc(digests, func(d leak.Digest) bool { _, ok := known[d]; return ok })
	if i < 0 {
		return leak.Digest{}, false
	}
	return digests[i], true
}

// lookup asks the store for each digest once, in questions of bounded size.
func (t *Triage) lookup(ctx context.Context, digests []leak.Digest) (map[leak.Digest]leak.Token, error) {
	slices.SortFunc(digests, func(a, b leak.Digest) int { return slices.Compare(a.Sum[:], b.Sum[:]) })
	digests = slices.Compact(digests)
	known := map[leak.Digest]leak.Token{}
	for some := range slices.Chunk(digests, lookupBatch) {
		answer, err := t.Lookup(ctx, some)
		if err != nil {
			return nil, err
		}
		for d, token := range answer {
			if token.AuthorizationID == "" {
				return nil, errors.New("the store knows a token without its authorization id")
			}
			known[d] = token
		}
	}
	return known, nil
}

// findings are tokens with their sightings, in the order they were added.
type findings struct {
	list []leak.Finding
	at   map[string]int // authorization id -> index
}

func (f *findings) add(token leak.Token, s leak.Sighting) {
	i, ok := f.at[token.AuthorizationID]
	if !ok {
		if f.at == nil {
			f.at = map[string]int{}
		}
		i = len(f.list)
		f.at[token.AuthorizationID] = i
		f.list = append(f.list, leak.Finding{Token: token})
	}
	f.list[i].Sightings = append(f.list[i].Sightings, s)
}
