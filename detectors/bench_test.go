package detectors

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// sourceLike makes n bytes that have about as many words, long names, hashes
// and rules of dashes as source text has.
func sourceLike(n int) []byte {
	r := rand.New(rand.NewPCG(1, 7))
	word := func() string {
		b := make([]byte, 1+r.IntN(4)+r.IntN(7))
		for i := range b {
			b[i] = "eeeetttaaoooiinnnsssrrllccdddpumfgh"[r.IntN(35)]
		}
		return string(b)
	}
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.Repeat("\t", r.IntN(4)))
		for range 1 + r.IntN(7) {
			switch r.IntN(60) {
			case 0:
				fmt.Fprintf(&b, "%016x%016x%08x", r.Uint64(), r.Uint64(), r.Uint32())
			case 1, 2, 3:
				b.WriteString(word() + "_" + word() + "_" + word())
			case 4, 5:
				b.WriteString(word() + "/" + word() + "/" + word() + ".c")
			case 6:
				b.WriteString(strings.Repeat("-", r.IntN(40)))
			default:
				b.WriteString(word())
			}
			b.WriteString([]string{" ", " ", " ", "(", ", ", " = ", "->", ");"}[r.IntN(8)])
		}
		b.WriteByte('\n')
	}
	return []byte(b.String()[:n])
}

func benchmarkFind(b *testing.B, m *Matcher, data []byte) {
	b.Helper()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var dst []Match
	for b.Loop() {
		dst = m.Find(dst[:0], data)
	}
}

func BenchmarkFind(b *testing.B) {
	data := sourceLike(1 << 20)
	builtin, err := Builtin()
	if err != nil {
		b.Fatal(err)
	}
	var issuer []Format
	for _, f := range builtin {
		if strings.HasPrefix(f.ID, "azure-devops-pat") {
			issuer = append(issuer, f)
		}
	}
	for _, set := range []struct {
		name    string
		formats []Format
	}{{"one issuer", issuer}, {"builtin", builtin}, {"builtin and 10000", append(synthetic(10000), builtin...)}} {
		m, err := Compile(set.formats, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(set.name, func(b *testing.B) { benchmarkFind(b, m, data) })
	}
}

// BenchmarkFindNear counts the bytes of the data, of which one in a hundred
// was changed.
func BenchmarkFindNear(b *testing.B) {
	m := mustBuiltin(b)
	data := sourceLike(1 << 20)
	var changed [][2]int
	for at := 0; at < len(data); at += 5000 {
		changed = append(changed, [2]int{at, at + 50})
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	var dst []Match
	for b.Loop() {
		dst, _ = m.FindNear(dst[:0], data, changed)
	}
}

func BenchmarkCompile(b *testing.B) {
	builtin, err := Builtin()
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{0, 10000} {
		formats := append(synthetic(n), builtin...)
		b.Run(fmt.Sprint(len(formats)), func(b *testing.B) {
			for b.Loop() {
				if _, err := Compile(formats, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
