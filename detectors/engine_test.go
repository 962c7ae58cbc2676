package detectors

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func loadTmp(t testing.TB) []Format {
	fs, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	out := fs[:0]
	for _, f := range fs {
		if f.ID == "url-basic-auth" || f.ID == "peer-freemius-secret-key" {
			continue
		}
		out = append(out, f)
	}
	return out
}

func TestTmp(t *testing.T) {
	fs := loadTmp(t)
	t0 := time.Now()
	m, err := Compile(fs, Options{})
	fmt.Println(len(fs), time.Since(t0))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("class", string(m.class.bytes()), "run", m.filter.run, "lead", m.filter.lead, "tail", m.filter.tail, len(m.filter.grams), len(m.filter.routes), len(m.filter.runs), "shorter", m.filter.shorter, "classes", len(m.filter.exact))
	fmt.Println("wide", string(m.wide.bytes()), m.longest, m.back, m.ahead)
	for _, p := range m.filter.runs {
		fmt.Print(p.rule.format.ID, " ")
	}
	for i, r := range m.rules {
		if m.Wide(i) {
			fmt.Println("WIDE", r.format.ID)
		}
	}
}

func BenchmarkTmp(b *testing.B) {
	m, err := Compile(loadTmp(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile("/tmp/gittar")
	if err != nil {
		b.Skip()
	}
	b.SetBytes(int64(len(data)))
	var dst []Match
	for b.Loop() {
		dst = m.Find(dst[:0], data)
	}
	n := map[string]int{}
	for _, x := range dst {
		n[m.formats[x.Format].ID]++
	}
	fmt.Println(len(dst), n)
}
