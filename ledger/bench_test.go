package ledger

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkRecord records small reports from 16 goroutines: a new token in one
// place, so a case, a sighting, an event and two acts each, synced to disk.
func BenchmarkRecord(b *testing.B) {
	l := open(b)
	b.ReportAllocs()
	b.ResetTimer()
	var n atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
				if err := l.Record(b.Context(), aReport(int(i), 4)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
}

// BenchmarkVerify verifies a log, per event.
func BenchmarkVerify(b *testing.B) {
	l := open(b)
	const cases = 500
	for n := range cases {
		l.record(b, aReport(n, 4))
	}
	b.ResetTimer()
	for b.Loop() {
		if v, err := l.Verify(b.Context()); err != nil || !v.Intact() {
			b.Fatal(fmt.Sprint(v.Problems), err)
		}
	}
	b.ReportMetric(float64(b.N*cases)/b.Elapsed().Seconds(), "events/s")
}
