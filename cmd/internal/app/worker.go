package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"patwatch/git/fetch"
	"patwatch/leak"
	"patwatch/queue"
	"patwatch/scanner"
)

// A worker takes pushes from the queue, reads what they added and hands what it
// finds to triage.
type worker struct {
	queue  *queue.Queue
	git    *fetch.Client
	scan   *scanner.Scanner
	handle func(context.Context, leak.Push, []leak.Candidate, []leak.Incomplete) error
	web    string // address of repositories' pages, for permalinks
	log    *slog.Logger
	counts workerCounts
}

// workerCounts are what a worker did since it started.
type workerCounts struct {
	handled, failed, incomplete, candidates, bytes atomic.Int64
}

const (
	fastLease = 10 * time.Minute
	slowLease = time.Hour
	goneAgain = 10 * time.Minute // a repository that is gone is asked for once more after so long
)

// run handles pushes of a lane, at most so many at once, until ctx ends; then it
// finishes what is in hand and returns.
func (w *worker) run(ctx context.Context, lane queue.Lane, atOnce int, lease time.Duration) {
	slots := make(chan struct{}, atOnce)
	var inHand sync.WaitGroup
	defer inHand.Wait()
	for ctx.Err() == nil {
		if w.queue.Wait(ctx, []queue.Lane{lane}) != nil {
			return
		}
		slots <- struct{}{} // at least one is free
		items, err := w.queue.Claim(ctx, "serve", []queue.Lane{lane}, atOnce-len(slots)+1, lease)
		<-slots
		if err != nil {
			w.log.Error("claiming pushes", "error", err)
			if sleep(ctx, time.Second) != nil {
				return
			}
			continue
		}
		for _, item := range items {
			slots <- struct{}{}
			inHand.Go(func() {
				defer func() { <-slots }()
				w.settle(context.WithoutCancel(ctx), item)
			})
		}
	}
}

// sleep waits, and returns ctx's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle handles an item and tells the queue what came of it.
func (w *worker) settle(ctx context.Context, item queue.Item) {
	started := time.Now()
	next, err := w.try(ctx, &item)
	if err != nil {
		w.counts.failed.Add(1)
	}
	if failed := next(); failed != nil {
		err = errors.Join(err, failed)
	}
	push := &item.Pushes[len(item.Pushes)-1]
	if err != nil {
		w.log.Warn("push", "repository", push.Repository, "id", push.ID, "attempt", item.Attempt, "error", err)
		return
	}
	w.counts.handled.Add(int64(len(item.Pushes)))
	w.log.Debug("push", "repository", push.Repository, "id", push.ID, "took", time.Since(started))
}

// try handles an item and returns how it is to be settled.
func (w *worker) try(ctx context.Context, item *queue.Item) (next func() error, err error) {
	retry := func(err error) (func() error, error) {
		return func() error { return w.queue.Retry(ctx, *item, time.Time{}, err.Error()) }, err
	}
	defer func() {
		if p := recover(); p != nil { // a hostile pack must not stop the others
			next, err = retry(fmt.Errorf("panic: %v", p))
			w.log.Error("panic while handling a push", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	result, err := w.git.Push(ctx, changeOf(item))
	if err != nil {
		return w.unread(ctx, item, err)
	}
	defer result.Release()
	candidates, missed, err := w.read(ctx, result)
	if err != nil {
		return retry(err)
	}
	push := item.Pushes[len(item.Pushes)-1]
	push.Repository = result.Repository
	if err := w.handle(ctx, push, candidates, missed); err != nil {
		return retry(err)
	}
	w.counts.candidates.Add(int64(len(candidates)))
	w.counts.incomplete.Add(int64(len(missed)))
	if again(result.Missed) && item.Attempt < 3 {
		return func() error { return w.queue.Slow(ctx, *item, "read in part") }, nil
	}
	return func() error { return w.queue.Done(ctx, *item) }, nil
}

// again reports whether the slow lane may get more.
func again(missed []fetch.Missed) bool {
	for _, m := range missed {
		switch m.Reason {
		case fetch.Truncated, fetch.TimedOut, fetch.CutOff, fetch.Corrupt:
			return true
		}
	}
	return false
}

// unread says what follows from a push of which nothing could be read.
func (w *worker) unread(ctx context.Context, item *queue.Item, err error) (func() error, error) {
	var throttled *fetch.Throttled
	if errors.As(err, &throttled) {
		return func() error { return w.queue.Release(ctx, *item, time.Now().Add(throttled.RetryAfter)) }, err
	}
	reason := ""
	switch {
	case errors.Is(err, fetch.ErrGone), errors.Is(err, fetch.ErrMissing):
		if item.Attempt < 2 {
			return func() error { return w.queue.Retry(ctx, *item, time.Now().Add(goneAgain), err.Error()) }, err
		}
		reason = "gone"
	case errors.Is(err, fetch.ErrBlocked):
		reason = "gone"
	case errors.Is(err, fetch.ErrUnsupported), errors.Is(err, fetch.ErrName), errors.Is(err, fetch.ErrProtocol) && item.Attempt >= 3:
		reason = "unreadable"
	default:
		return func() error { return w.queue.Retry(ctx, *item, time.Time{}, err.Error()) }, err
	}
	push := item.Pushes[len(item.Pushes)-1]
	if err := w.handle(ctx, push, nil, []leak.Incomplete{{Reason: reason, Detail: err.Error()}}); err != nil {
		return func() error { return w.queue.Retry(ctx, *item, time.Time{}, err.Error()) }, err
	}
	w.counts.incomplete.Add(1)
	return func() error { return w.queue.Done(ctx, *item) }, nil
}

// read scans what a push brought.
func (w *worker) read(ctx context.Context, result *fetch.Result) (found []leak.Candidate, missed []leak.Incomplete, err error) {
	for _, m := range result.Missed {
		missed = append(missed, leak.Incomplete{Reason: string(m.Reason), Detail: m.Detail})
	}
	for i := range result.Parts {
		part := &result.Parts[i]
		w.counts.bytes.Add(int64(len(part.Pack)))
		of := scanner.Pushed{Repository: result.Repository, URL: w.web + "/" + result.Repository, Dropped: part.Dropped}
		tally, err := w.scan.Push(ctx, part.Objects, of, func(c leak.Candidate) error { found = append(found, c); return nil })
		if err != nil {
			return nil, nil, err
		}
		for _, detail := range tally.Incomplete {
			missed = append(missed, leak.Incomplete{Reason: "limited", Detail: detail})
		}
	}
	return found, missed, nil
}

// changeOf is what an item asks the host for.
func changeOf(item *queue.Item) fetch.Change {
	last := &item.Pushes[len(item.Pushes)-1]
	c := fetch.Change{Repository: last.Repository, ID: last.RepositoryID, Ref: last.Ref, Before: item.Before(), After: item.After()}
	for _, p := range item.Pushes[:len(item.Pushes)-1] {
		c.Via = append(c.Via, p.After)
	}
	switch last.Kind {
	case leak.RefUpdated:
		c.Kind = fetch.Updated
	case leak.BranchCreated:
		c.Kind = fetch.Branch
	case leak.TagCreated:
		c.Kind = fetch.Tag
	case leak.RefDeleted:
		c.Kind = fetch.Delete
	case leak.MadePublic, leak.WholeHistory:
		c.Kind = fetch.All
	}
	return c
}
