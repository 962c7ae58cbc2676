package report

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain/päth 文.go":       "plain/päth 文.go",
		"a\tb\nc\rd\x00":        `a\tb\nc\rd\x00`,
		"\x1b[31mred\x1b[0m":    `\x1b[31mred\x1b[0m`,
		"\u009b2J":              `\u009b2J`,
		"\u202egnp.exe":         `\u202egnp.exe`,
		"\u2066\u2069\u200b":    `\u2066\u2069\u200b`,
		"\xff\xc3":              `\xff\xc3`,
		"�":                     "�",
		"no\u00a0break\u2028":   `no\u00a0break\u2028`,
		"\U000e0041\U0001f600x": "\\U000e0041\U0001f600x",
		`quotes " ' \ stay`:     `quotes " ' \ stay`,
	} {
		if got := escape(in); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestColumnsAndClip(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		n       int
		clipped string
	}{
		{"", 0, 0, ""},
		{"abc", 3, 3, "abc"},
		{"abcd", 4, 3, "ab…"},
		{"abcd", 4, 1, "…"},
		{"abcd", 4, 0, ""},
		{"ab", 2, -1, ""},
		{"文字列", 6, 5, "文字…"},
		{"文字列", 6, 4, "文…"},
		{"e\u0301a", 2, 2, "e\u0301a"},
		{"😀", 2, 2, "😀"},
	} {
		if got := columns(c.in); got != c.columns {
			t.Errorf("columns(%q) = %d, want %d", c.in, got, c.columns)
		}
		if got := clip(c.in, c.n); got != c.clipped {
			t.Errorf("clip(%q, %d) = %q, want %q", c.in, c.n, got, c.clipped)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{
		{"", 10, ""},
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two|three"},
		{"one two three", 3, "one|two|three"},
		{"averylongword to see", 6, "averylongword|to see"},
	} {
		if got := strings.Join(wrap(c.in, c.n), "|"); got != c.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(-1234567), "-1,234,567"},
		{count(1, "token"), "1 token"}, {count(0, "token"), "0 tokens"}, {count(1200, "blob"), "1,200 blobs"},
		{size(0), "0 B"}, {size(999), "999 B"}, {size(1000), "1.0 kB"}, {size(9949), "9.9 kB"}, {size(9950), "10 kB"},
		{size(999_600), "1.0 MB"}, {size(3_712_345_678), "3.7 GB"}, {size(1 << 62), "4.6 EB"},
		{elapsed(-1), "0.0 s"}, {elapsed(1412 * time.Millisecond), "1.4 s"}, {elapsed(59960 * time.Millisecond), "1 min 00 s"}, {elapsed(3599*time.Second + 600*time.Millisecond), "1 h 00 min"},
		{elapsed(125 * time.Second), "2 min 05 s"}, {elapsed(62 * time.Minute), "1 h 02 min"},
		{rate(3_100_000_000, 2*time.Second), ", 1.6 GB/s"}, {rate(5, time.Millisecond), ""}, {rate(0, time.Hour), ""},
		{short("0123456789"), "0123456"}, {short("01"), "01"}, {short("\x1b[31m"), `\x1b[31`},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{0, "just now"}, {-time.Minute, "just now"}, {-2 * time.Hour, "on 2026-03-14"},
		{time.Minute, "1 minute ago"}, {59 * time.Minute, "59 minutes ago"}, {time.Hour, "1 hour ago"},
		{23 * time.Hour, "23 hours ago"}, {72 * time.Hour, "3 days ago"}, {14 * 24 * time.Hour, "2 weeks ago"},
		{60 * 24 * time.Hour, "2 months ago"}, {729 * 24 * time.Hour, "24 months ago"}, {730 * 24 * time.Hour, "2 years ago"},
	} {
		if got := ago(now.Add(-c.before), now); got != c.want {
			t.Errorf("%v before is %q, want %q", c.before, got, c.want)
		}
	}
	if got := ago(time.Time{}, now); got != "" {
		t.Errorf("the zero time is %q", got)
	}
	if got := ago(now, time.Time{}); got != "on 2026-03-14" {
		t.Errorf("without a now: %q", got)
	}
}

func TestUnderstandsANSI(t *testing.T) {
	for _, c := range []struct {
		goos, env string
		want      bool
	}{
		{"linux", "", true},
		{"linux", "TERM=dumb", false},
		{"windows", "", false},
		{"windows", "WT_SESSION=1", true},
		{"windows", "TERM=xterm", true},
		{"windows", "ConEmuANSI=ON", true},
	} {
		key, value, _ := strings.Cut(c.env, "=")
		getenv := func(k string) string {
			if k == key {
				return value
			}
			return ""
		}
		if got := understandsANSI(c.goos, getenv); got != c.want {
			t.Errorf("%s with %q: %v, want %v", c.goos, c.env, got, c.want)
		}
	}
}

func TestDetectTerminalOfAFile(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := DetectTerminal(f, os.Getenv); got != (Terminal{}) {
		t.Errorf("a file is %+v, want the zero value", got)
	}
}
