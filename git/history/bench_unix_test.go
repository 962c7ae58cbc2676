//go:build unix

package history

import (
	"io"
	"os"
	"runtime"
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

func TestBenchAttribute(t *testing.T) {
	r := benchRepo(t)
	var ids []pack.ID
	for i := 1000; i < r.packs[0].Len(); i += r.packs[0].Len() / 20 {
		for r.packs[0].Kind(i) != pack.Blob {
			i++
		}
		ids = append(ids, r.packs[0].ID(i))
	}
	c := cpu()
	g, _ := r.commits(t.Context(), 0)
	t.Log("commits", g.len(), cpu()-c)
	c = cpu()
	tg, _ := r.treeGraph(t.Context(), ids, 0, false)
	t.Log("trees", tg.trees, len(tg.events), cpu()-c)
	c = cpu()
	a, err := r.Attribute(t.Context(), ids, AttributeOptions{})
	t.Log(len(ids), err, cpu()-c, a.Problems)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Log("heap MB", m.HeapSys>>20)
	n := 0
	for _, id := range ids {
		n += len(a.Introductions[id])
		for _, in := range a.Introductions[id] {
			if testing.Verbose() && n < 8 {
				t.Log(id, in.Commit.ID, in.Path, in.Commit.Author, in.Commit.Time, in.Commit.Subject, in.Commit.Reachable)
			}
		}
	}
	t.Log("introductions", n)
}

// TestBenchExact compares the cheap way through trees with the exact one.
func TestBenchExact(t *testing.T) {
	r := benchRepo(t)
	var ids []pack.ID
	p := r.packs[0]
	for i := 0; i < p.Len() && len(ids) < batchSize; i += p.Len()/batchSize/5 + 1 {
		if p.Kind(i) == pack.Blob {
			ids = append(ids, p.ID(i))
		}
	}
	var masks [2][]uint64
	for k, exact := range []bool{false, true} {
		g, err := r.treeGraph(t.Context(), ids, 0, exact)
		if err != nil {
			t.Fatal(err)
		}
		m := newMarker(g)
		var nodes []int32
		for _, id := range ids {
			nodes = append(nodes, g.nodes.find(id.Append(nil)))
		}
		c := cpu()
		m.mark(nodes)
		t.Log("marking", len(ids), "blobs", cpu()-c)
		masks[k] = m.mask
	}
	different, marked := 0, 0
	for i, m := range masks[0] {
		if m != 0 {
			marked++
		}
		if m != masks[1][i] {
			different++
		}
	}
	t.Log("trees marked:", marked)
	if different > 0 {
		t.Errorf("%d of %d masks differ", different, len(masks[0]))
	}
}

// TestBenchFloor measures what any pass over trees or commits costs.
func TestBenchFloor(t *testing.T) {
	r := benchRepo(t)
	for _, kind := range []pack.Kind{pack.Tree, pack.Commit, pack.Blob} {
		c := cpu()
		for _, p := range r.packs {
			err := p.Walk(t.Context(), pack.WalkOptions{Workers: 2, Kinds: []pack.Kind{kind},
				Visit: func(int, *pack.Object) error { return nil },
				Large: func(int, int, int64) {}, Fail: func(int, int, error) {}})
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Log(kind, cpu()-c)
	}
}
