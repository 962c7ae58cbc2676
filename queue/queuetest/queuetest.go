// Package queuetest is what every queue of pushes must pass, whatever it is
// made of.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/queue"
)

// Queue is what is tested.
type Queue interface {
	Publish(ctx context.Context, pushes []leak.Push) (int, error)
	Claim(ctx context.Context, worker string, lanes []queue.Lane, limit int, lease time.Duration) ([]queue.Item, error)
	Wait(ctx context.Context, lanes []queue.Lane) error
	Done(ctx context.Context, item queue.Item) error
	Release(ctx context.Context, item queue.Item, at time.Time) error
	Retry(ctx context.Context, item queue.Item, at time.Time, reason string) error
	Slow(ctx context.Context, item queue.Item, reason string) error
	Dead(ctx context.Context, item queue.Item, reason string) error
	Extend(ctx context.Context, item *queue.Item, lease time.Duration) error
	List(ctx context.Context, query queue.Query) ([]queue.Entry, error)
	RetryDead(ctx context.Context, ids ...string) (int, error)
	Drop(ctx context.Context, ids ...string) (int, error)
	Stats(ctx context.Context) (queue.Stats, error)
	AddGap(ctx context.Context, g queue.Gap) error
	Gaps(ctx context.Context) ([]queue.Gap, error)
	FillGap(ctx context.Context, id int64) error
	Close() error
}

// Run tests queues. open opens the one that is kept in a folder, and makes it
// when there is none.
func Run(t *testing.T, open func(ctx context.Context, dir string, o queue.Options) (Queue, error)) {
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"Order", order}, {"Dedupe", dedupe}, {"Chains", chains}, {"NoChains", noChains}, {"Spoiled", spoiled},
		{"Retry", retry}, {"LastAttempt", lastAttempt}, {"Release", release}, {"Lease", lease}, {"Crashes", crashes},
		{"Slow", slow}, {"Dead", dead}, {"Unreadable", unreadable}, {"Fair", fair}, {"Wait", wait},
		{"ClockSetBack", clockSetBack}, {"Gaps", gaps}, {"Stats", stats}, {"Workers", workers}, {"List", list},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{T: t, open: open, dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
			b.options = queue.Options{Now: b.clock, Rand: func() float64 { return 0.5 }, MaxAttempts: 5, MinBackoff: time.Second, MaxBackoff: time.Minute, MaxChain: 4}
			b.restart()
			t.Cleanup(func() { b.must(b.q.Close()) })
			c.test(b)
		})
	}
}

// A bench is a queue under test, with its clock.
type bench struct {
	*testing.T
	open    func(ctx context.Context, dir string, o queue.Options) (Queue, error)
	dir     string
	options queue.Options
	q       Queue

	mu  sync.Mutex
	now time.Time
}

func (b *bench) clock() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now }

func (b *bench) pass(d time.Duration) { b.mu.Lock(); defer b.mu.Unlock(); b.now = b.now.Add(d) }

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// restart closes the queue, if it is open, and opens it.
func (b *bench) restart() {
	b.Helper()
	if b.q != nil {
		b.must(b.q.Close())
	}
	q, err := b.open(b.Context(), b.dir, b.options)
	b.must(err)
	b.q = q
}

// push is the push of "repository/ref/before/after", whose id it is.
func push(what string) leak.Push {
	f := strings.Split(what, "/")
	return leak.Push{ID: what, Source: "test", Kind: leak.RefUpdated, Repository: "own/" + f[0], Ref: f[1], Before: f[2], After: f[3]}
}

func (b *bench) publish(whats ...string) {
	b.Helper()
	var pushes []leak.Push
	for _, w := range whats {
		pushes = append(pushes, push(w))
	}
	added, err := b.q.Publish(b.Context(), pushes)
	b.must(err)
	if added != len(whats) {
		b.Fatalf("%d of %d were added", added, len(whats))
	}
}

func (b *bench) claim(limit int, lanes ...queue.Lane) []queue.Item {
	b.Helper()
	if lanes == nil {
		lanes = []queue.Lane{queue.Fast}
	}
	items, err := b.q.Claim(b.Context(), "w", lanes, limit, time.Minute)
	b.must(err)
	return items
}

// one claims the only item there is.
func (b *bench) one(want string) queue.Item {
	b.Helper()
	items := b.claim(10)
	b.want(items, want)
	return items[0]
}

// ids are the ids of items: "a+b c" for a chain of two and another item.
func ids(items []queue.Item) string {
	var out []string
	for _, i := range items {
		var chain []string
		for _, p := range i.Pushes {
			chain = append(chain, p.ID)
		}
		out = append(out, strings.Join(chain, "+"))
	}
	return strings.Join(out, " ")
}

func (b *bench) want(items []queue.Item, want string) {
	b.Helper()
	if got := ids(items); got != want {
		b.Fatalf("claimed %q, want %q", got, want)
	}
}

func order(b *bench) {
	b.publish("a/m/1/2", "a/n/1/2", "b/m/1/2", "a/m/5/6")
	first := b.claim(10)
	b.want(first, "a/m/1/2 b/m/1/2")
	b.want(b.claim(10), "")
	b.must(b.q.Done(b.Context(), first[0]))
	b.restart()
	next := b.one("a/n/1/2")
	b.must(b.q.Done(b.Context(), next))
	b.must(b.q.Done(b.Context(), b.one("a/m/5/6")))
	b.must(b.q.Done(b.Context(), first[1]))
	b.want(b.claim(10), "")

	numbered := push("old/m/1/2")
	numbered.RepositoryID = 7
	renamed := push("new/n/2/3")
	renamed.RepositoryID = 7
	_, err := b.q.Publish(b.Context(), []leak.Push{numbered, renamed})
	b.must(err)
	b.want(b.claim(10), "old/m/1/2") // one repository under two names
}

func dedupe(b *bench) {
	b.publish("a/m/1/2")
	again := func(want int) {
		b.Helper()
		added, err := b.q.Publish(b.Context(), []leak.Push{push("a/m/1/2"), push("a/m/1/2")})
		if err != nil || added != want {
			b.Errorf("%d were added, want %d, %v", added, want, err)
		}
	}
	again(0)
	b.must(b.q.Done(b.Context(), b.one("a/m/1/2")))
	b.pass(47 * time.Hour)
	b.restart()
	again(0)
	b.want(b.claim(10), "")
	b.pass(2 * time.Hour)
	again(1)
	b.one("a/m/1/2")
	if added, err := b.q.Publish(b.Context(), nil); added != 0 || err != nil {
		b.Error(added, err)
	}
}

func chains(b *bench) {
	b.publish("a/m/1/2", "a/n/8/9", "a/m/2/3", "a/m/3/4", "a/m/4/5", "a/m/5/6")
	item := b.one("a/m/1/2+a/m/2/3+a/m/3/4+a/m/4/5") // MaxChain
	if item.Before() != "1" || item.After() != "5" || item.Attempt != 1 {
		b.Errorf("%+v", item)
	}
	b.must(b.q.Done(b.Context(), item))
	b.must(b.q.Done(b.Context(), b.one("a/n/8/9")))
	b.must(b.q.Done(b.Context(), b.one("a/m/5/6")))
}

func noChains(b *bench) {
	for name, change := range map[string]func(*leak.Push){
		"other ref":         func(p *leak.Push) { p.Ref = "n" },
		"does not join":     func(p *leak.Push) { p.Before = "x" },
		"unknown before":    func(p *leak.Push) { p.Before = "" },
		"deletion":          func(p *leak.Push) { p.Kind = leak.RefDeleted },
		"creation":          func(p *leak.Push) { p.Kind = leak.BranchCreated },
		"renamed":           func(p *leak.Push) { p.Repository = "own/other" },
		"a kind of its own": func(p *leak.Push) { p.Kind = "new" },
	} {
		first, second := push(name+"/m/1/2"), push(name+"/m/2/3")
		first.RepositoryID, second.RepositoryID = 5, 5
		change(&second)
		_, err := b.q.Publish(b.Context(), []leak.Push{first, second})
		b.must(err)
		b.must(b.q.Done(b.Context(), b.one(first.ID)))
		b.must(b.q.Done(b.Context(), b.one(second.ID)))
	}
	// What stands between two pushes of a ref must stay between them.
	deleted := push("a/m/2/0")
	deleted.Kind = leak.RefDeleted
	_, err := b.q.Publish(b.Context(), []leak.Push{push("a/m/1/2"), deleted, push("a/m/2/3")})
	b.must(err)
	b.one("a/m/1/2")
}

// spoiled: one push must not keep those it is chained to from being read.
func spoiled(b *bench) {
	b.publish("a/m/1/2", "a/m/2/3")
	for range 3 {
		b.must(b.q.Retry(b.Context(), b.one("a/m/1/2+a/m/2/3"), b.clock(), "bad"))
	}
	b.must(b.q.Dead(b.Context(), b.one("a/m/1/2"), "bad"))
	b.must(b.q.Done(b.Context(), b.one("a/m/2/3")))
}

func retry(b *bench) {
	b.publish("a/m/1/2", "a/n/2/3", "b/m/1/2")
	items := b.claim(1)
	b.must(b.q.Retry(b.Context(), items[0], time.Time{}, "timeout"))
	b.must(b.q.Done(b.Context(), b.one("b/m/1/2"))) // a waits, what is behind it too
	b.pass(700 * time.Millisecond)
	b.want(b.claim(10), "")
	b.restart()
	b.pass(100 * time.Millisecond) // half a second and half of that
	item := b.one("a/m/1/2")
	if item.Attempt != 2 || item.Reason != "timeout" {
		b.Errorf("%+v", item)
	}
	b.must(b.q.Retry(b.Context(), item, b.clock().Add(time.Hour), "throttled"))
	b.pass(59 * time.Minute)
	b.want(b.claim(10), "")
	b.pass(time.Minute)
	item = b.one("a/m/1/2")
	b.must(b.q.Retry(b.Context(), item, b.clock().Add(1000*time.Hour), "throttled"))
	b.pass(24 * time.Hour)
	b.one("a/m/1/2")
}

func lastAttempt(b *bench) {
	b.publish("a/m/1/2")
	for n := 1; n <= 5; n++ {
		item := b.one("a/m/1/2")
		if item.Attempt != n {
			b.Errorf("attempt %d is said to be %d", n, item.Attempt)
		}
		b.must(b.q.Retry(b.Context(), item, time.Time{}, "refused"))
		b.pass(time.Minute)
	}
	b.want(b.claim(10), "")
	b.deadLetter("a/m/1/2", "refused")
}

// deadLetter checks that there is one, with a reason.
func (b *bench) deadLetter(id, reason string) {
	b.Helper()
	entries, err := b.q.List(b.Context(), queue.Query{State: queue.DeadLetter})
	if err != nil || len(entries) != 1 || entries[0].Push.ID != id || !strings.Contains(entries[0].Reason, reason) || entries[0].Dead.IsZero() {
		b.Fatalf("%+v, %v", entries, err)
	}
}

func release(b *bench) {
	b.publish("a/m/1/2")
	for range 20 {
		item := b.one("a/m/1/2")
		if item.Attempt != 1 {
			b.Fatalf("%+v", item)
		}
		b.must(b.q.Release(b.Context(), item, time.Time{}))
	}
	b.must(b.q.Release(b.Context(), b.one("a/m/1/2"), b.clock().Add(time.Minute)))
	b.want(b.claim(10), "")
	b.pass(time.Minute)
	b.one("a/m/1/2")
}

func lease(b *bench) {
	b.publish("a/m/1/2")
	old := b.one("a/m/1/2")
	b.pass(50 * time.Second)
	b.must(b.q.Extend(b.Context(), &old, time.Minute))
	b.pass(59 * time.Second)
	b.want(b.claim(10), "")
	b.pass(time.Second)
	item := b.one("a/m/1/2")
	if item.Attempt != 2 {
		b.Errorf("%+v", item)
	}
	for name, err := range map[string]error{
		"done": b.q.Done(b.Context(), old), "retry": b.q.Retry(b.Context(), old, time.Time{}, ""), "slow": b.q.Slow(b.Context(), old, ""),
		"dead": b.q.Dead(b.Context(), old, ""), "release": b.q.Release(b.Context(), old, time.Time{}), "extend": b.q.Extend(b.Context(), &old, time.Minute),
		"no item": b.q.Done(b.Context(), queue.Item{}),
	} {
		if !errors.Is(err, queue.ErrLost) {
			b.Errorf("%s of an item that another one has: %v", name, err)
		}
	}
	b.must(b.q.Done(b.Context(), item))
	if err := b.q.Done(b.Context(), item); !errors.Is(err, queue.ErrLost) {
		b.Errorf("done twice: %v", err)
	}
	b.publish("a/m/2/3")
	late := b.one("a/m/2/3")
	b.pass(time.Hour)
	b.must(b.q.Done(b.Context(), late)) // nobody else has it: the work counts
	b.want(b.claim(10), "")
	for _, l := range []time.Duration{0, -1, 100 * time.Hour} {
		if _, err := b.q.Claim(b.Context(), "w", []queue.Lane{queue.Fast}, 1, l); err == nil {
			b.Errorf("a lease of %v is given", l)
		}
	}
}

// crashes: a push that ends each worker that has it is given up.
func crashes(b *bench) {
	b.publish("a/m/1/2", "a/n/2/3")
	for range 5 {
		b.one("a/m/1/2")
		b.restart()
		b.pass(time.Minute)
	}
	b.must(b.q.Done(b.Context(), b.one("a/n/2/3")))
	b.deadLetter("a/m/1/2", "handed out 5 times")
}

func slow(b *bench) {
	whole := leak.Push{ID: "p", Kind: leak.MadePublic, Repository: "own/p"}
	_, err := b.q.Publish(b.Context(), []leak.Push{whole})
	b.must(err)
	b.want(b.claim(10), "")
	b.publish("a/m/1/2", "a/n/2/3")
	b.must(b.q.Slow(b.Context(), b.one("a/m/1/2"), "huge"))
	b.one("a/n/2/3")
	items := b.claim(10, queue.Slow)
	b.want(items, "p a/m/1/2")
	if items[1].Reason != "huge" || items[1].Attempt != 1 || items[1].Lane != queue.Slow {
		b.Errorf("%+v", items[1])
	}
	b.must(b.q.Slow(b.Context(), items[1], "still"))
	b.want(b.claim(10, queue.Slow), "")
	b.pass(30 * time.Second)
	items = b.claim(10, queue.Fast, queue.Slow)
	b.want(items, "a/m/1/2")
	b.must(b.q.Done(b.Context(), items[0]))
}

func dead(b *bench) {
	b.publish("a/m/1/2", "a/n/2/3", "b/m/1/2")
	items := b.claim(10)
	b.must(b.q.Dead(b.Context(), items[0], "gone "+strings.Repeat("x", 10_000)))
	b.restart()
	b.deadLetter("a/m/1/2", "gone")
	count := func(what string, want int) func(int, error) {
		return func(n int, err error) {
			b.Helper()
			if err != nil || n != want {
				b.Errorf("%s: %d, want %d, %v", what, n, want, err)
			}
		}
	}
	count("retry of one that is not there", 0)(b.q.RetryDead(b.Context(), "x", "b/m/1/2"))
	count("retry", 1)(b.q.RetryDead(b.Context(), "a/m/1/2"))
	item := b.one("a/m/1/2") // before the one that was behind it
	if item.Attempt != 1 {
		b.Errorf("%+v", item)
	}
	b.must(b.q.Dead(b.Context(), item, "gone"))
	b.must(b.q.Dead(b.Context(), b.one("a/n/2/3"), "gone"))
	count("retry of all", 2)(b.q.RetryDead(b.Context()))
	count("drop of a waiting one", 1)(b.q.Drop(b.Context(), "a/m/1/2"))
	b.must(b.q.Dead(b.Context(), b.one("a/n/2/3"), "gone"))
	count("drop of all dead ones", 1)(b.q.Drop(b.Context()))
	count("drop of a claimed one", 1)(b.q.Drop(b.Context(), "b/m/1/2"))
	b.must(b.q.Done(b.Context(), items[1]))
	if s, err := b.q.Stats(b.Context()); err != nil || s.Dead != 0 || s.Lanes[queue.Fast].Pushes != 0 {
		b.Errorf("%+v, %v", s, err)
	}
}

func unreadable(b *bench) {
	long := strings.Repeat("x", 1<<20)
	bad := []leak.Push{
		{Repository: "own/a"}, {ID: "no repository"}, {ID: long, Repository: "own/a"},
		{ID: "long ref", Repository: "own/a", Ref: long}, {ID: "long name", Repository: long},
	}
	added, err := b.q.Publish(b.Context(), append(bad, push("a/m/1/2")))
	if err != nil || added != len(bad)+1 {
		b.Fatalf("%d, %v", added, err)
	}
	b.one("a/m/1/2")
	entries, err := b.q.List(b.Context(), queue.Query{State: queue.DeadLetter})
	if err != nil || len(entries) != len(bad) {
		b.Fatalf("%d dead letters, %v", len(entries), err)
	}
	for _, e := range entries {
		if e.Reason == "" || len(e.Push.ID) > 300 || e.Push.ID == "" || len(e.Push.Ref) > 300 {
			b.Errorf("%.500v", e)
		}
	}
	odd := push("odd/m/1/2")
	odd.PushedAt, odd.Ref = time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC), "\xff\x00'\"\u202e"
	_, err = b.q.Publish(b.Context(), []leak.Push{odd})
	b.must(err)
	b.one("odd/m/1/2")
}

// fair: a repository with many pushes waits as long as every other.
func fair(b *bench) {
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("busy/m%d/1/2", i))
	}
	b.publish(many...)
	b.publish("a/m/1/2", "b/m/1/2", "c/m/1/2")
	var seen []string
	for range 8 {
		items := b.claim(1)
		seen = append(seen, items[0].Pushes[0].Repository)
		b.must(b.q.Done(b.Context(), items[0]))
		b.publish(fmt.Sprintf("busy/n%d/1/2", len(seen)))
	}
	if got := strings.Join(seen[:5], " "); got != "own/busy own/a own/b own/c own/busy" {
		b.Error(got)
	}
}

func wait(b *bench) {
	lanes := []queue.Lane{queue.Fast}
	done := make(chan error, 1)
	go func() { done <- b.q.Wait(b.Context(), lanes) }()
	b.publish("a/m/1/2")
	b.must(<-done)
	b.must(b.q.Wait(b.Context(), lanes)) // at once: there is one
	item := b.one("a/m/1/2")
	ctx, cancel := context.WithCancel(b.Context())
	go func() { done <- b.q.Wait(ctx, lanes) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		b.Error(err)
	}
	b.must(b.q.Release(b.Context(), item, time.Time{}))
	b.must(b.q.Wait(b.Context(), lanes))
}

// clockSetBack: what was due by a clock that was wrong is not due for ever.
func clockSetBack(b *bench) {
	b.pass(1000 * time.Hour)
	b.publish("a/m/1/2", "b/m/1/2", "c/m/1/2")
	items := b.claim(2)
	b.must(b.q.Retry(b.Context(), items[0], b.clock().Add(time.Hour), "x"))
	b.pass(-1000 * time.Hour)
	got := strings.Fields(ids(b.claim(10)))
	slices.Sort(got)
	if strings.Join(got, " ") != "a/m/1/2 b/m/1/2 c/m/1/2" {
		b.Errorf("claimed %v", got)
	}
	b.publish("d/m/1/2")
	b.one("d/m/1/2")
	if err := b.q.Done(b.Context(), items[1]); !errors.Is(err, queue.ErrLost) {
		b.Error(err)
	}
}

func gaps(b *bench) {
	at := func(minute int) time.Time { return b.now.Add(time.Duration(minute) * time.Minute) }
	for _, g := range [][2]int{{0, 5}, {0, 5}, {10, 20}, {5, 7}, {30, 25}} {
		b.must(b.q.AddGap(b.Context(), queue.Gap{From: at(g[0]), To: at(g[1]), Source: "events", Reason: "overflow"}))
	}
	b.must(b.q.AddGap(b.Context(), queue.Gap{From: at(1), To: at(2), Source: "events", Reason: "stopped"}))
	b.restart()
	show := func() (out []string, all []queue.Gap) {
		all, err := b.q.Gaps(b.Context())
		b.must(err)
		for _, g := range all {
			out = append(out, fmt.Sprint(g.From.Sub(b.now).Minutes(), "-", g.To.Sub(b.now).Minutes(), " ", g.Reason))
		}
		return out, all
	}
	got, all := show()
	if want := "0-7 overflow, 1-2 stopped, 10-20 overflow, 25-30 overflow"; strings.Join(got, ", ") != want {
		b.Fatalf("%q, want %q", got, want)
	}
	b.must(b.q.FillGap(b.Context(), all[0].ID))
	if got, _ := show(); len(got) != 3 {
		b.Error(got)
	}
}

func stats(b *bench) {
	b.publish("a/m/1/2")
	start := b.clock()
	b.pass(time.Hour)
	b.publish("a/n/1/2", "b/m/1/2")
	items := b.claim(1)
	s, err := b.q.Stats(b.Context())
	if f := s.Lanes[queue.Fast]; err != nil || f.Pushes != 3 || f.Out != 1 || !f.Oldest.Equal(start) || s.Dead != 0 {
		b.Errorf("%+v, %v", s, err)
	}
	b.must(b.q.Slow(b.Context(), items[0], "huge"))
	s, err = b.q.Stats(b.Context())
	if f, slow := s.Lanes[queue.Fast], s.Lanes[queue.Slow]; err != nil || f.Pushes != 2 || f.Out != 0 || slow.Pushes != 1 || !slow.Oldest.Equal(start) {
		b.Errorf("%+v, %v", s, err)
	}
}

func list(b *bench) {
	b.publish("a/m/1/2", "b/m/1/2", "a/n/1/2")
	b.claim(1)
	for want, q := range map[string]queue.Query{
		"a/m/1/2 b/m/1/2 a/n/1/2": {}, "a/m/1/2 a/n/1/2": {Repository: "OWN/a"}, "a/m/1/2": {State: queue.Claimed},
		"b/m/1/2 a/n/1/2": {State: queue.Waiting}, "": {State: queue.DeadLetter}, "a/m/1/2 b/m/1/2": {Limit: 2},
	} {
		entries, err := b.q.List(b.Context(), q)
		b.must(err)
		var got []string
		for _, e := range entries {
			got = append(got, e.Push.ID)
			if (e.State == queue.Claimed) != (e.Worker == "w") {
				b.Errorf("%+v", e)
			}
		}
		if strings.Join(got, " ") != want {
			b.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	first, err := b.q.List(b.Context(), queue.Query{Limit: 1})
	b.must(err)
	rest, err := b.q.List(b.Context(), queue.Query{After: first[0].Number})
	if err != nil || len(rest) != 2 {
		b.Errorf("%d on the next page, %v", len(rest), err)
	}
}

// workers: many at once read each push once, and each repository's in order.
func workers(b *bench) {
	const repositories, each = 20, 30
	for i := range each {
		var whats []string
		for r := range repositories {
			whats = append(whats, fmt.Sprintf("r%d/m/%d/x%d", r, i, i))
		}
		b.publish(whats...)
	}
	var mu sync.Mutex
	seen := map[string][]string{}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				items, err := b.q.Claim(b.Context(), "w", []queue.Lane{queue.Fast}, 4, time.Minute)
				if err != nil || len(items) == 0 {
					if s, _ := b.q.Stats(b.Context()); err != nil || s.Lanes[queue.Fast].Pushes == 0 {
						return
					}
					continue
				}
				for _, i := range items {
					mu.Lock()
					seen[i.Pushes[0].Repository] = append(seen[i.Pushes[0].Repository], i.Before())
					mu.Unlock()
					if err := b.q.Done(b.Context(), i); err != nil {
						b.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	for r, got := range seen {
		for i, before := range got {
			if before != fmt.Sprint(i) {
				b.Fatalf("%s: %v", r, got)
			}
		}
	}
	if len(seen) != repositories || len(seen["own/r3"]) != each {
		b.Errorf("%d repositories, %d of one", len(seen), len(seen["own/r3"]))
	}
}
