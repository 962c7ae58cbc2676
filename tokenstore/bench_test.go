package tokenstore

import (
	"context"
	"strings"
	"testing"

	"patwatch/leak"
)

// BenchmarkImport imports full records from NDJSON as a snapshot; an operation
// is one record.
func BenchmarkImport(b *testing.B) {
	s := newStore(b)
	text := linesOf(0, b.N)
	b.ResetTimer()
	importText(b, s, text, ImportOptions{Snapshot: true})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkLookup looks up batches of 128 digests, one in eight of them known;
// an operation is one digest.
func BenchmarkLookup(b *testing.B) {
	s := newStore(b)
	const known = 100_000
	var text strings.Builder
	text.WriteString(linesOf(0, known))
	importText(b, s, text.String(), ImportOptions{})
	digests := make([]leak.Digest, known)
	for n := range digests {
		digests[n] = s.keys.Of(sum(n / 8 * 8 * (1 + n%8)))
	}
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		batch, at := make([]leak.Digest, 0, 128), 0
		for pb.Next() {
			if batch = append(batch, digests[at%known]); len(batch) == cap(batch) {
				if _, err := s.Lookup(context.Background(), batch); err != nil {
					b.Error(err)
				}
				batch = batch[:0]
			}
			at++
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "digests/s")
}
