package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// escape makes a text of strangers safe to show: what does not print
// (controls, escape sequences, bidirectional overrides, invisible characters,
// bytes that are not UTF-8) becomes an escape as in Go, and so does all white
// space but the plain blank. The result is valid UTF-8 on one line.
func escape(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += n
	}
	return b.String()
}

// wide are the blocks whose characters take two columns of a terminal, after
// Unicode's East Asian Width (UAX #11) and emoji.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff},
	{0xa000, 0xa4cf}, {0xa960, 0xa97f}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe30, 0xfe6f},
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff},
	{0x20000, 0x3fffd},
}

// columns returns how many columns of a terminal s takes.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	for _, block := range wide {
		if r >= block[0] && r <= block[1] {
			return 2
		}
	}
	return 1
}

// clip shortens s to at most n columns, the last of them an ellipsis.
func clip(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	used, end := 0, 0
	for i, r := range s {
		if used += runeColumns(r); used > n-1 {
			break
		}
		end = i + utf8.RuneLen(r)
	}
	if n < 1 {
		return ""
	}
	return s[:end] + "…"
}

// pad fills s with blanks to n columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(n-columns(s), 0))
}

// wrap breaks text at blanks into lines of at most n columns. A word that is
// longer stays whole, so that a path can be copied. Below 1 there is no limit.
func wrap(text string, n int) []string {
	if n < 1 || columns(text) <= n {
		return []string{text}
	}
	var lines []string
	words := strings.Split(text, " ")
	line := words[0]
	for _, word := range words[1:] {
		if columns(line)+1+columns(word) <= n {
			line += " " + word
			continue
		}
		lines = append(lines, line)
		line = word
	}
	return append(lines, line)
}

// number writes n with commas between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(s, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return s[:len(s)-len(strings.TrimPrefix(s, "-"))] + digits
}

// count writes "1 token", "2 tokens".
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// size writes a number of bytes in powers of 1000: "640 B", "3.7 GB", "41 MB".
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n), 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 || v >= 9.95 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + units[i]
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + units[i]
}

// elapsed writes how long something took: "1.4 s", "2 min 05 s", "1 h 02 min".
func elapsed(d time.Duration) string {
	if d < 59950*time.Millisecond {
		return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 1, 64) + " s"
	}
	if d = d.Round(time.Second); d < time.Hour {
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// ago writes when t was, seen from now: "3 days ago", or the date when it is
// ahead of now or now is not known. The zero time is "".
func ago(t, now time.Time) string {
	const day = 24 * time.Hour
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return ""
	case now.IsZero() || d < -time.Hour:
		return "on " + t.UTC().Format(time.DateOnly)
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int64(d/time.Minute), "minute") + " ago"
	case d < day:
		return count(int64(d/time.Hour), "hour") + " ago"
	case d < 14*day:
		return count(int64(d/day), "day") + " ago"
	case d < 60*day:
		return count(int64(d/(7*day)), "week") + " ago"
	case d < 730*day:
		return count(int64(d/(30*day)), "month") + " ago"
	}
	return count(int64(d/(365*day)), "year") + " ago"
}

// short abbreviates the hex name of an object.
func short(id string) string {
	id = escape(id)
	return id[:min(7, len(id))]
}
