//go:build unix

package history

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"patwatch/git/pack"
)

// benchRepo opens the repository that PATWATCH_BENCH_REPO names.
func benchRepo(tb testing.TB) *Repository {
	tb.Helper()
	path := os.Getenv("PATWATCH_BENCH_REPO")
	if path == "" {
		tb.Skip("PATWATCH_BENCH_REPO names no repository")
	}
	r, err := Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return r
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestBenchWalk(t *testing.T) {
	r := benchRepo(t)
	c := cpu()
	s, err := r.WalkBlobs(t.Context(), BlobOptions{
		Visit: func(int, *Blob) error { return nil },
		Large: func(int, pack.ID, int64, func() (io.ReadCloser, error)) error { return nil },
	})
	t.Log(s, err, cpu()-c, r.Problems())
}
