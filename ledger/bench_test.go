package ledger

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkRecord records small reports from 16 goroutines: a new token in one
// place, so a case, a sighting, an event and two acts each, synced to disk.
func BenchmarkRecord(b *testing.B) {
	l := open(b)
	var n atomic.Int64
	b.SetParallelism(16) // times GOMAXPROCS, and see below
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Record(b.Context(), aReport(int(n.Add(1)), 4)); err != nil {
				b.Fatal(err)
			}
		}
	})
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
