package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	names := []string{"scan", "serve", "formats", "--exit-code", "data_dir"}
	for word, want := range map[string]string{
		"scna": "scan", "sevre": "serve", "format": "formats", "--exitcode": "--exit-code", "data-dir": "data_dir",
		"": "", "x": "", "zzzzzz": "", strings.Repeat("scan", 100): "",
	} {
		if got := Name(word, names); got != want {
			t.Errorf("Name(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"scan", "scna", 1}, {"scan", "can", 1}, {"kitten", "sitting", 3}, {"abc", "abc", 0},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if back := distance(c.b, c.a); back != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.b, c.a, back, c.want)
		}
	}
}
