package triage

import (
	"context"
	"fmt"
	"time"

	"patwatch/leak"
)

// Recheck looks up every parked sighting whose time has come. One that the
// store knows by now is recorded as [Triage.Handle] would have, and then no
// longer parked. One that it does not is forgotten when the store's high-water
// mark has passed the time of the push and it was parked for at least the time
// the options say; until then it is postponed, a while that grows with its age.
//
// After an error, or a crash, those that were not settled are looked up again
// by the next call; nothing is lost and nothing is recorded twice.
func (t *Triage) Recheck(ctx context.Context) error {
	for now := t.Now(); ; {
		parked, err := t.Parked(ctx, now, recheckBatch)
		if err != nil {
			return fmt.Errorf("reading parked sightings: %w", err)
		}
		if len(parked) == 0 {
			return nil
		}
		if err := t.recheck(ctx, parked, now); err != nil {
			return fmt.Errorf("looking up %d parked sightings again: %w", len(parked), err)
		}
	}
}

func (t *Triage) recheck(ctx context.Context, parked []Parked, now time.Time) error {
	// The mark is read before the look-up: what the store hears of in between
	// must not count as looked up.
	high, err := t.HighWater(ctx)
	if err != nil {
		return fmt.Errorf("reading the store's high-water mark: %w", err)
	}
	digests := make([]leak.Digest, len(parked))
	for i, p := range parked {
		digests[i] = p.Sighting.Digest
	}
	known, err := t.lookup(ctx, digests)
	if err != nil {
		return err
	}
	if err := t.record(ctx, parked, known); err != nil {
		return err
	}
	var settled []int64
	later := map[time.Time][]int64{}
	for _, p := range parked {
		if _, ok := known[p.Sighting.Digest]; ok || t.over(p, high, now) {
			settled = append(settled, p.ID)
			continue
		}
		until := now.Add(pause(now.Sub(p.Since)))
		later[until] = append(later[until], p.ID)
	}
	return t.settle(ctx, settled, later)
}

// record reports the sightings that are known by now, push by push.
func (t *Triage) record(ctx context.Context, parked []Parked, known map[leak.Digest]leak.Token) error {
	var pushes []string
	found := map[string]*findings{}
	push := map[string]leak.Push{}
	for _, p := range parked {
		token, ok := known[p.Sighting.Digest]
		if !ok {
			continue
		}
		id := p.Sighting.Push.ID
		if found[id] == nil {
			pushes = append(pushes, id)
			found[id], push[id] = &findings{}, p.Sighting.Push
		}
		found[id].add(t.token(token, p.Sighting.Digest), p.Sighting)
	}
	for _, id := range pushes {
		if err := t.Record(ctx, leak.Report{Push: push[id], Findings: found[id].list}); err != nil {
			return fmt.Errorf("recording push %s: %w", id, err)
		}
	}
	return nil
}

// over reports whether a sighting that the store still does not know need not be
// looked up again. The push's own time comes from strangers and may lie in the
// future: the time we heard of it bounds it, and the token was there by then.
func (t *Triage) over(p Parked, high, now time.Time) bool {
	pushed := p.Sighting.Push.SeenAt
	if pushed.IsZero() {
		pushed = p.Since
	}
	return high.After(pushed) && !now.Before(p.Since.Add(t.KeepParked))
}

func (t *Triage) settle(ctx context.Context, settled []int64, later map[time.Time][]int64) error {
	if len(settled) > 0 {
		if err := t.Unpark(ctx, settled); err != nil {
			return err
		}
	}
	for until, ids := range later {
		if err := t.Postpone(ctx, ids, until); err != nil {
			return err
		}
	}
	return nil
}

// pause is how long to wait before a sighting of an age is looked up again.
func pause(age time.Duration) time.Duration {
	return min(max(age/4, minPause), maxPause).Round(time.Second)
}
