package notifier

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a name from outside safe to show in one line: whatever is not
// visible (control characters, those that turn the direction of text, zero
// width, line separators, bytes that are not UTF-8) becomes U+FFFD, an address
// no mail program makes a link of, and what is longer than max runes is cut in
// its middle.
func clean(s string, max int) string {
	if len(s) > 64*max { // not to walk over a megabyte
		s = s[:32*max] + s[len(s)-32*max:]
	}
	s = strings.Map(visible, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "://", "[:]//")
	if n := utf8.RuneCountInString(s); n > max {
		r := []rune(s)
		head := (max - 1) / 2
		s = string(r[:head]) + "…" + string(r[n-(max-1-head):])
	}
	return s
}

func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r) && r != '\u2028' && r != '\u2029':
		return ' '
	case unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r) && !unicode.Is(unicode.Variation_Selector, r) && !blank(r):
		return r
	}
	return utf8.RuneError
}

// blank says whether a rune that counts as a letter shows as nothing.
func blank(r rune) bool {
	switch r {
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800', '\u034F':
		return true
	}
	return false
}

// or returns s, or what to say when it is empty.
func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// link returns an address if it is one of the web without credentials, else "".
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(s) > 2000 {
		return ""
	}
	for _, r := range s {
		if r <= ' ' || r > '~' || strings.ContainsRune("\"'<>`\\", r) {
			return ""
		}
	}
	return s
}
