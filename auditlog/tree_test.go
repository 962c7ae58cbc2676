package auditlog

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// memory keeps the leaves of a log with their hashes.
type memory struct{ leaves []Leaf }

func (m *memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		leaf, place := Locate(i)
		if leaf >= int64(len(m.leaves)) || place >= len(m.leaves[leaf].Hashes) {
			return nil, fmt.Errorf("no hash %d", i)
		}
		out = append(out, m.leaves[leaf].Hashes[place])
	}
	return out, nil
}

func (m *memory) WriteHashes(leaf int64, hashes []tlog.Hash) error {
	m.leaves = append(m.leaves, Leaf{Entry: Entry{Index: leaf}, Hashes: hashes})
	return nil
}

func (m *memory) add(t testing.TB, body []byte) {
	t.Helper()
	n := int64(len(m.leaves))
	if err := Append(m, n, body); err != nil {
		t.Fatal(err)
	}
	m.leaves[n].Body = body
}

func (m *memory) all() iter.Seq2[Leaf, error] {
	return func(yield func(Leaf, error) bool) {
		for _, l := range m.leaves {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func (m *memory) clone() *memory {
	out := &memory{slices.Clone(m.leaves)}
	for i, l := range out.leaves {
		out.leaves[i].Hashes = slices.Clone(l.Hashes)
		out.leaves[i].Body = slices.Clone(l.Body)
	}
	return out
}

// aLog returns a log of n events.
func aLog(t testing.TB, n int) *memory {
	t.Helper()
	m := &memory{}
	for i := range n {
		e := AccessLog("contoso", Person(fmt.Sprint("reviewer ", i)))
		e.Stamp(at, NewUUID(), NewUUID())
		b, err := e.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		m.add(t, b)
	}
	return m
}

func aSigner(t testing.TB) (*Signer, *Verifier) {
	t.Helper()
	s, err := OpenSigner(filepath.Join(t.TempDir(), "audit.key"), "audit.example")
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

// sign returns the checkpoint of the first n events.
func (m *memory) sign(t testing.TB, s *Signer, n int) string {
	t.Helper()
	root, err := tlog.TreeHash(int64(n), m)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(int64(n), root)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestTree: the edge that a verification grows is the tree of the library, at
// every size.
func TestTree(t *testing.T) {
	m := &memory{}
	var e edge
	for n := range 70 {
		want, err := tlog.TreeHash(int64(n), m)
		if err != nil || e.root() != want {
			t.Fatalf("%d: %v, %v, want %v", n, err, e.root(), want)
		}
		m.add(t, []byte{byte(n)})
		if got := e.add(tlog.RecordHash([]byte{byte(n)})); !slices.Equal(got, m.leaves[n].Hashes) {
			t.Fatalf("%d: %v, want %v", n, got, m.leaves[n].Hashes)
		}
	}
}

func TestAppendFails(t *testing.T) {
	m := aLog(t, 1)
	m.leaves = nil
	if err := Append(m, 1, []byte("x")); err == nil {
		t.Error("an event is appended whose neighbour's hash is missing")
	}
	if err := Append(full{m}, 0, []byte("x")); !errors.Is(err, errFull) {
		t.Errorf("%v", err)
	}
}

var errFull = errors.New("full")

type full struct{ *memory }

func (full) WriteHashes(int64, []tlog.Hash) error { return errFull }

func TestVerify(t *testing.T) {
	s, v := aSigner(t)
	m := aLog(t, 21)
	checkpoints := []string{m.sign(t, s, 21), m.sign(t, s, 0), m.sign(t, s, 13)}
	got, err := Verify(m.all(), checkpoints, v)
	if err != nil || !got.Intact() || got.Size != 21 || got.Checkpoints != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got, err := Verify(m.all(), checkpoints, nil); err != nil || !got.Intact() || got.Checkpoints != 0 {
		t.Errorf("without a key: %+v, %v", got, err)
	}
}

// TestVerifyFinds alters a log in every way there is.
func TestVerifyFinds(t *testing.T) {
	s, v := aSigner(t)
	other, _ := aSigner(t)
	whole := aLog(t, 21)
	checkpoints := []string{whole.sign(t, s, 13), whole.sign(t, s, 21)}
	cases := []struct {
		name  string
		alter func(m *memory, checkpoints *[]string)
		want  string
	}{
		{"body", func(m *memory, _ *[]string) { m.leaves[5].Body[40] ^= 1 }, "event 5 was altered"},
		{"leaf hash", func(m *memory, _ *[]string) { m.leaves[5].Hashes[0][0] ^= 1 }, "event 5 was altered"},
		{"body and leaf hash", func(m *memory, _ *[]string) {
			m.leaves[4].Body = []byte("{}")
			m.leaves[4].Hashes[0] = tlog.RecordHash([]byte("{}"))
		}, "over event 5"},
		{"inner hash", func(m *memory, _ *[]string) { m.leaves[7].Hashes[2][0] ^= 1 }, "over event 7"},
		{"one hash too many", func(m *memory, _ *[]string) { m.leaves[6].Hashes = append(m.leaves[6].Hashes, tlog.Hash{}) }, "over event 6"},
		{"no hash", func(m *memory, _ *[]string) { m.leaves[6].Hashes = nil }, "event 6 has no hash"},
		{"rewritten", func(m *memory, _ *[]string) { *m = *aLog(t, 21) }, "not those of the checkpoint"},
		{"one left out", func(m *memory, _ *[]string) { m.leaves = slices.Delete(m.leaves, 9, 10) }, "event 9 is missing"},
		{"one twice", func(m *memory, _ *[]string) { m.leaves = slices.Insert(m.leaves, 9, m.leaves[3]) }, "event 9 is missing; 3 follows"},
		{"cut off", func(m *memory, _ *[]string) { m.leaves = m.leaves[:20] }, "its end was cut off"},
		{"empty", func(m *memory, _ *[]string) { m.leaves = nil }, "its end was cut off"},
		{"body deleted", func(m *memory, _ *[]string) { m.leaves[2].Body = nil }, "event 2 was deleted"},
		{"checkpoint of another key", func(m *memory, c *[]string) { *c = append(*c, m.sign(t, other, 5)) }, "not signed by the key"},
		{"checkpoint altered", func(m *memory, c *[]string) { (*c)[0] = strings.Replace((*c)[0], "\n13\n", "\n12\n", 1) }, "not signed by the key"},
		{"checkpoint of other events", func(m *memory, c *[]string) { *c = append(*c, aLog(t, 13).sign(t, s, 13)) }, "first 13 events are not"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, signed := whole.clone(), slices.Clone(checkpoints)
			c.alter(m, &signed)
			got, err := Verify(m.all(), signed, v)
			if err != nil || !strings.Contains(fmt.Sprint(got.Problems), c.want) {
				t.Errorf("%v, %v, want %q", got.Problems, err, c.want)
			}
		})
	}
}

// TestVerifyRetention: bodies may be missing when a later event says why.
func TestVerifyRetention(t *testing.T) {
	m := aLog(t, 9)
	e := RetentionApplied(at, 4, 3, System())
	e.Stamp(at, NewUUID(), NewUUID())
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	m.add(t, b)
	for i := range 4 {
		m.leaves[i].Body = nil
	}
	if got, err := Verify(m.all(), nil, nil); err != nil || !got.Intact() || got.Deleted != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	m.leaves[4].Body = nil
	if got, _ := Verify(m.all(), nil, nil); got.Intact() {
		t.Error("a body is missing that retention did not delete")
	}
}

func TestVerifyBounds(t *testing.T) {
	m := aLog(t, maxProblems+5)
	for i := range m.leaves {
		m.leaves[i].Body = []byte("{}")
	}
	got, err := Verify(m.all(), nil, nil)
	if err != nil || len(got.Problems) != maxProblems || got.More == 0 {
		t.Errorf("%d problems and %d more, %v", len(got.Problems), got.More, err)
	}
	broken := func(yield func(Leaf, error) bool) { yield(Leaf{}, errFull) }
	if _, err := Verify(broken, nil, nil); !errors.Is(err, errFull) {
		t.Errorf("a log that cannot be read: %v", err)
	}
}

func TestCheckpoint(t *testing.T) {
	s, v := aSigner(t)
	signed, err := s.Sign(7, tlog.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := v.Open(signed); err != nil || c != (Checkpoint{"audit.example", 7, tlog.Hash{1}}) {
		t.Errorf("%+v, %v", c, err)
	}
	_, foreign := aSigner(t)
	for name, text := range map[string]string{
		"empty": "", "no signature": "audit.example\n7\n\n", "too long": strings.Repeat("x", maxNote+1),
		"size": strings.Replace(signed, "\n7\n", "\n8\n", 1), "origin": strings.Replace(signed, "audit.example\n7", "other\n7", 1),
	} {
		if _, err := v.Open(text); err == nil {
			t.Errorf("%s: taken for a checkpoint", name)
		}
	}
	if _, err := foreign.Open(signed); err == nil {
		t.Error("a checkpoint of another key is taken")
	}
	for _, bad := range []string{"", "a\n1\n", "a\n-1\nAAAA\n", "a\n01\nAAAA\n", "\n1\n" + strings.Repeat("A", 43) + "=\n", "a\n1\nAAAA\n"} {
		if _, err := parseCheckpoint(bad); err == nil {
			t.Errorf("%q is taken for a checkpoint", bad)
		}
	}
	if _, err := NewVerifier("x"); err == nil {
		t.Error("x is taken for a key")
	}
}

func TestOpenSigner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.key")
	var all [8]*Signer
	var wait sync.WaitGroup
	for i := range all {
		wait.Go(func() {
			s, err := OpenSigner(path, "audit.example")
			if err != nil {
				t.Error(err)
			}
			all[i] = s
		})
	}
	wait.Wait()
	for _, s := range all {
		if s == nil || s.Public() != all[0].Public() {
			t.Fatal("programs that start at once have different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil || strings.TrimSpace(string(public)) != all[0].Public() {
		t.Errorf("%s, %v", public, err)
	}
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	secret, _ := os.ReadFile(path)
	if printed := fmt.Sprintf("%+v %#v", all[0], *all[0]); strings.Contains(printed, strings.TrimSpace(string(secret))) {
		t.Error("a signer prints its key")
	}
}

func TestOpenSignerRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s, _ := aSigner(t)
	cases := map[string]string{
		"empty": write("empty", "", 0o600), "public": write("public", s.Public(), 0o600),
		"folder": dir, "no folder": filepath.Join(dir, "none", "key"),
	}
	if runtime.GOOS != "windows" {
		cases["open to all"] = write("open", "x", 0o644)
	}
	for name, path := range cases {
		if _, err := OpenSigner(path, "audit.example"); err == nil {
			t.Errorf("%s: taken for a key", name)
		}
	}
	if _, err := OpenSigner(filepath.Join(dir, "fresh"), "two words"); err == nil {
		t.Error("a name with a space is taken")
	}
}

func TestProof(t *testing.T) {
	s, v := aSigner(t)
	m := aLog(t, 21)
	for _, size := range []int{1, 8, 21} {
		signed := m.sign(t, s, size)
		c, err := v.Open(signed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			p, err := Prove(m, c, signed, int64(i), m.leaves[i].Body)
			if err != nil {
				t.Fatal(err)
			}
			back, err := ParseProof(p.Encode())
			if err != nil {
				t.Fatal(err)
			}
			e, of, err := back.Check(v)
			if err != nil || of != c || e.ActorUPN != fmt.Sprint("reviewer ", i) {
				t.Fatalf("%d of %d: %+v, %+v, %v", i, size, e, of, err)
			}
		}
	}
}

// TestProofFails: no byte of a proof file may be changed.
func TestProofFails(t *testing.T) {
	s, v := aSigner(t)
	m := aLog(t, 9)
	signed := m.sign(t, s, 9)
	c, err := v.Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Prove(m, c, signed, 4, m.leaves[4].Body)
	if err != nil {
		t.Fatal(err)
	}
	file := p.Encode()
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1
		back, err := ParseProof(bad)
		if err != nil {
			continue
		}
		if _, _, err := back.Check(v); err == nil {
			t.Errorf("byte %d (%q) may be changed", i, file[i])
		}
	}
	if _, err := Prove(m, c, signed, 4, []byte("{}")); err == nil {
		t.Error("another event is proved")
	}
	if _, err := Prove(m, c, signed, 9, m.leaves[4].Body); err == nil {
		t.Error("an event after the checkpoint is proved")
	}
	p.Index = 9
	if _, _, err := p.Check(v); err == nil {
		t.Error("an event after the checkpoint is checked")
	}
}

func TestParseProofRefuses(t *testing.T) {
	head := proofHeader + "\nindex 1\nevent {}\n"
	hash := strings.Repeat("A", 43) + "=\n"
	for _, bad := range []string{
		"", "x", proofHeader, head, "x" + head + "\n", strings.Replace(head, "1", "01", 1) + "\n", strings.Replace(head, "1", "-1", 1) + "\n",
		strings.Replace(head, "event", "events", 1) + "\n", head + "AAAA\n\nx", head + strings.Repeat(hash, maxProofHashes+1) + "\nx",
		proofHeader + "\nindex 1\nevent \n\nx", strings.Repeat("x", maxEvent+maxNote+maxProofHashes*64+1),
	} {
		if _, err := ParseProof([]byte(bad)); err == nil {
			t.Errorf("%.60q is taken for a proof", bad)
		}
	}
	if _, err := ParseProof([]byte(head + hash + "\nx")); err != nil {
		t.Error(err)
	}
}

// FuzzParseProof: what is read is written the same, and never proves anything
// under a key that did not sign it.
func FuzzParseProof(f *testing.F) {
	s, v := aSigner(f)
	m := aLog(f, 3)
	signed := m.sign(f, s, 3)
	c, err := v.Open(signed)
	if err != nil {
		f.Fatal(err)
	}
	p, err := Prove(m, c, signed, 1, m.leaves[1].Body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Encode())
	f.Add([]byte(proofHeader + "\nindex 0\nevent {}\n\n"))
	_, foreign := aSigner(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Encode(), b) {
			t.Fatalf("written as %q, read from %q", p.Encode(), b)
		}
		if _, _, err := p.Check(foreign); err == nil {
			t.Fatal("a proof holds that no one signed")
		}
	})
}
