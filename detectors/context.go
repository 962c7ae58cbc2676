package detectors

import "bytes"

// near looks for a context word of r beside the token data[start:end], and
// returns the evidence, data[from:to], that spans both.
//
// A word, in any case, ends at most r.within bytes and contextBreaks line
// breaks before the token, or starts at most r.beyond bytes after it on the
// same line. For a format with an anchor that is all, and a word inside the
// token counts too. Without an anchor any string of the right length would do,
// so what surrounds it must look like an assignment: see [rule.assigned] for
// what must stand right before the token; between a word before and the token
// there is at most one line break, and nothing but letters, digits, quotes,
// spaces and the punctuation of names, calls and assignments.
func (r *rule) near(data []byte, start, end int) (from, to int, ok bool) {
	last := end + lineEnd(data[end:min(len(data), end+r.beyond+r.longest)])
	if r.anchored {
		first := linesBefore(data, max(0, start-r.within-r.longest), start)
		for _, w := range r.words {
			lo, hi := max(first, start-r.within-len(w)), min(last, end+r.beyond+len(w))
			if i := indexFold(data[lo:hi], w); i >= 0 {
				i += lo
				return min(i, start), max(i+len(w), end), true
			}
		}
		return 0, 0, false
	}
	lead, ok := r.assigned(data, start)
	if !ok {
		return 0, 0, false
	}
	first := plain(data, max(0, start-r.within-r.longest), start)
	for _, w := range r.words {
		lo, hi := max(first, start-r.within-len(w)), min(last, end+r.beyond+len(w))
		if i := indexFold(data[lo:start], w); i >= 0 {
			return min(lo+i, lead), end, true
		}
		if i := indexFold(data[end:hi], w); i >= 0 {
			return lead, end + i + len(w), true
		}
	}
	return 0, 0, false
}

// contextBreaks is how many line breaks may stand between a context word and
// the token after it.
const contextBreaks = 1

// linesBefore returns the first position from lo on, from which to start there
// are at most contextBreaks line breaks.
func linesBefore(data []byte, lo, start int) int {
	breaks := 0
	for i := start - 1; i >= lo; i-- {
		if data[i] != '\n' {
			continue
		}
		if breaks++; breaks > contextBreaks {
			return i + 1
		}
	}
	return lo
}

// lineEnd returns where the line ends that b starts in.
func lineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return i
	}
	return len(b)
}

// plain returns the first position from lo on, from which to start there is
// nothing that ends an assignment.
func plain(data []byte, lo, start int) int {
	breaks := 0
	for i := start - 1; i >= lo; i-- {
		switch c := data[i]; {
		case c == '\n':
			if breaks++; breaks > contextBreaks {
				return i + 1
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("_.-\"'`\\ \t\r=:>(,/[{"), c) < 0:
			return i + 1
		}
	}
	return lo
}

const (
	maxBlanks = 8  // between an operator and a token
	maxName   = 32 // the longest option or scheme before one
	maxBefore = maxName + maxBlanks + len("\\\"") + 1
)

// assigned reports whether what stands right before data[start] gives a value:
// one of = : > ( , then at most maxBlanks blanks and at most one quote (with
// or without a backslash before it). After blanks an authentication scheme
// (Bearer, Basic, Token), an option's name (--token) or a context word will do
// as well. From is the first byte it rests on.
func (r *rule) assigned(data []byte, start int) (from int, ok bool) {
	i := start
	if i > 0 && (data[i-1] == '"' || data[i-1] == '\'' || data[i-1] == '`') {
		if i--; i > 0 && data[i-1] == '\\' {
			i--
		}
	}
	blanks := i
	for i > 0 && blanks-i < maxBlanks && (data[i-1] == ' ' || data[i-1] == '\t') {
		i--
	}
	if i == 0 {
		return 0, false
	}
	switch data[i-1] {
	case '=', ':', '>', '(', ',':
		return i - 1, true
	}
	if i == blanks {
		return 0, false
	}
	return r.named(data, i)
}

// named reports whether data[:end] ends in a word that a token follows.
func (r *rule) named(data []byte, end int) (from int, ok bool) {
	i := end
	for i > 0 && end-i < maxName && (isAlnum(data[i-1]) || data[i-1] == '-' || data[i-1] == '_') {
		i--
	}
	name := data[i:end]
	if len(name) > 2 && name[0] == '-' && name[1] == '-' {
		return i, true
	}
	for _, scheme := range []string{"bearer", "basic", "token"} {
		if equalFold(name, scheme) {
			return i - 1, true
		}
	}
	for _, w := range r.words {
		if equalFold(name, w) {
			return i - 1, true
		}
	}
	return 0, false
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// equalFold reports whether b is word, in any case; word is lower case.
func equalFold(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i := range b {
		if lowerByte(b[i]) != word[i] {
			return false
		}
	}
	return true
}

// indexFold returns where word, which is lower case, stands first in b, in any
// case, or -1.
func indexFold(b []byte, word string) int {
	for i := 0; i+len(word) <= len(b); i++ {
		if lowerByte(b[i]) == word[0] && equalFold(b[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}
