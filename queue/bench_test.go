package queue_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/queue"
)

// BenchmarkPublish publishes in batches of 100, as the events API gives them; an
// operation is one push.
func BenchmarkPublish(b *testing.B) {
	q := openFile(b, filepath.Join(b.TempDir(), "queue.db"))
	all := pushes(b.N)
	b.ResetTimer()
	for len(all) > 0 {
		n := min(100, len(all))
		if _, err := q.Publish(b.Context(), all[:n]); err != nil {
			b.Fatal(err)
		}
		all = all[n:]
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
}

// BenchmarkClaimDone has 8 workers that claim up to 16 items and settle each by
// itself; an operation is one item.
func BenchmarkClaimDone(b *testing.B) {
	q := openFile(b, filepath.Join(b.TempDir(), "queue.db"))
	all := pushes(b.N)
	for i := range all {
		all[i].Kind = leak.BranchCreated // no chains: an item is a push
	}
	if _, err := q.Publish(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() { drain(b, q) })
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

func drain(b *testing.B, q *queue.Queue) {
	for {
		items, err := q.Claim(b.Context(), "w", []queue.Lane{queue.Fast}, 16, time.Minute)
		if err != nil || len(items) == 0 {
			if err != nil {
				b.Error(err)
			}
			return
		}
		for _, i := range items {
			if err := q.Done(b.Context(), i); err != nil {
				b.Error(err)
			}
		}
	}
}
