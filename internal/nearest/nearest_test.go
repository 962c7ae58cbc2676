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

func TestNameOfFormats(t *testing.T) {
	names := []string{"table", "json", "jsonl", "sarif"}
	for word, want := range map[string]string{
		"jsn": "json", "jsonk": "json", "JSON": "", "tabel": "table", "x": "", "": "", "serif": "sarif", "lnosj": "",
	} {
		if got := Name(word, names); got != want {
			t.Errorf("Name(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzDistance(f *testing.F) {
	f.Add("scan", "scna")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 200 || len(b) > 200 {
			return
		}
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a == b) || d > max(len(a), len(b)) || d < max(len(a), len(b))-min(len(a), len(b)) {
			t.Errorf("distance(%q, %q) = %d, back %d", a, b, d, distance(b, a))
		}
	})
}
