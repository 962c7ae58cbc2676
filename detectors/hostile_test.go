package detectors

import (
	"strings"
	"testing"
)

// steps runs Find and returns how many bytes the exact matcher read.
func steps(m *Matcher, data []byte) int {
	s := search{m: m, data: data, walk: new(walk)}
	s.walk.reset(data)
	m.filter.scan(&s, 0, len(data))
	return s.walk.steps
}

// mostSteps is how many bytes the exact matcher may read for each byte of data,
// whatever the data are.
const mostSteps = 100

func boundedSteps(t *testing.T, m *Matcher, name string, data []byte) {
	t.Helper()
	if n := steps(m, data); n > mostSteps*len(data) {
		t.Errorf("%s: %d bytes read for each of %d", name, n/len(data), len(data))
	}
}

// TestHostileDataTakeLinearTime feeds what makes naive matchers quadratic:
// anchors repeated over a megabyte, with everything that can keep a pattern
// going behind them.
func TestHostileDataTakeLinearTime(t *testing.T) {
	m := mustBuiltin(t)
	s := newSoup(t, m, 11)
	bodies := []string{"", "eyJ", "a", "A1", "0", ".", "eyJhbGciOi.", "_", "-", "=", "/", "a-", "Aa0_", "\n", " "}
	size := rounds(1 << 14)
	for i, token := range s.tokens {
		if i%2 == 1 {
			continue
		}
		for k := 1; k <= min(len(token), 24); k += 3 {
			body := bodies[(i+k)%len(bodies)]
			unit := token[:k] + body
			data := []byte(strings.Repeat(unit, size/len(unit)+1))
			boundedSteps(t, m, m.formats[s.owner(m, i)].ID+" "+body, data)
		}
	}
}

// owner returns the format of the i-th token of s.
func (s *soup) owner(m *Matcher, i int) int {
	for f, r := range m.rules {
		if r == nil {
			continue
		}
		if i < 2 {
			return f
		}
		i -= 2
	}
	return -1
}

// TestLongClasses: whole tokens again and again, without anything between.
func TestLongClasses(t *testing.T) {
	m := mustBuiltin(t)
	for name, text := range map[string]string{
		"JWT heads":         "eyJ",
		"JWT heads, dotted": "eyJ.",
		"JWT parts":         "eyJhbGciOiJIUzI1NiJ9.",
		"dots":              ".",
		"one letter":        "a",
		"hex":               "0123456789abcdef",
		"dashes":            "-",
		"equals":            "=",
		"words":             "mailgun = 0123456789abcdef0123456789abcdef, ",
	} {
		boundedSteps(t, m, name, []byte(strings.Repeat(text, rounds(1<<20)/len(text))))
	}
}
