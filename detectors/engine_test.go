package detectors

import (
	"fmt"
	"testing"
	"time"
)

func TestTmp(t *testing.T) {
	fs, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	t0 := time.Now()
	m, err := Compile(fs, Options{})
	fmt.Println(len(fs), time.Since(t0))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("class", string(m.class.bytes()), "run", m.filter.run, "lead", m.filter.lead, "tail", m.filter.tail, len(m.filter.grams), len(m.filter.routes), len(m.filter.runs), "shorter", m.filter.shorter, "classes", len(m.filter.exact))
	fmt.Println("wide", string(m.wide.bytes()), m.longest, m.back, m.ahead)
}
