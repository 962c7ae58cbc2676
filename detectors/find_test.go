package detectors

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// describe lists matches without their bytes.
func describe(m *Matcher, ms []Match) string {
	var b strings.Builder
	for _, x := range ms {
		fmt.Fprintf(&b, "%s[%d:%d] %v (%d:%d); ", m.formats[x.Format].ID, x.Start, x.End, x.Grade, x.From, x.To)
	}
	return b.String()
}

// TestFindIsTheReference compares Find with the plainest way there is.
func TestFindIsTheReference(t *testing.T) {
	m := mustBuiltin(t)
	ref := newReference(t, m)
	n := rounds(100)
	s := newSoup(t, m, 7)
	found := 0
	for range n {
		data := s.data(s.r.IntN(1500))
		got, want := m.Find(nil, data), ref.find(data)
		found += len(want)
		if !sameMatches(got, want) {
			t.Fatalf("\n got %s\nwant %s", describe(m, got), describe(m, want))
		}
	}
	if found < 3*n {
		t.Errorf("only %d matches in %d pieces", found, n)
	}
}

// TestEvidenceIsAll: cut out of its data with nothing but its evidence, a
// match is still found.
func TestEvidenceIsAll(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 8)
	for range 300 {
		data := s.data(s.r.IntN(2000))
		for _, x := range m.Find(nil, data) {
			from, to := max(x.From, 0), min(x.To, len(data))
			y := x
			y.Start, y.End = x.Start-from, x.End-from
			if !contains(m.Find(nil, data[from:to]), y) {
				t.Fatalf("%s needs more than its evidence, %s", m.formats[x.Format].ID, describe(m, []Match{x}))
			}
		}
	}
}

// TestFindOnSource compares Find with the reference on real text: the first
// bytes of files of the standard library.
func TestFindOnSource(t *testing.T) {
	m := mustBuiltin(t)
	ref := newReference(t, m)
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no go command here: %v", err)
	}
	root := filepath.Join(strings.TrimSpace(string(goroot)), "src", "crypto")
	left := rounds(20)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || left == 0 || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		left--
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data = data[:min(len(data), 20000)]
		if got, want := m.Find(nil, data), ref.find(data); !sameMatches(got, want) {
			t.Errorf("%s:\n got %s\nwant %s", d.Name(), describe(m, got), describe(m, want))
		}
		return nil
	})
	if err != nil {
		t.Skipf("no source of the standard library here: %v", err)
	}
}
