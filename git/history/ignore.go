package history

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	maxIgnoreFile = 1 << 20
	maxPatterns   = 10_000
	maxPattern    = 4096 // bytes; longer ones are left out, so that more is read
)

// An ignorePattern is a line of a .gitignore file (gitignore(5)). go-git's
// reading of them is not used: it ignores files that git does not, and what is
// ignored is not read.
type ignorePattern struct {
	re      *regexp.Regexp // over bytes taken as Latin-1
	domain  string         // the directory that it holds for, with a slash after it; "": all
	name    bool           // it is matched with the last element alone
	dirOnly bool
	include bool // it says what is not ignored
}

// parseIgnore returns the patterns of a file. What git would not understand
// matches nothing and is left out.
func parseIgnore(b []byte, domain string) (list []ignorePattern) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(b) {
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if p, ok := parsePattern(string(line), domain); ok {
			list = append(list, p)
		}
	}
	return list
}

func parsePattern(line, domain string) (p ignorePattern, ok bool) {
	line = trimSpaces(line)
	if line == "" || line[0] == '#' || len(line) > maxPattern {
		return p, false
	}
	p.domain = domain
	line, p.include = strings.CutPrefix(line, "!")
	line, p.dirOnly = strings.CutSuffix(line, "/")
	p.name = !strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	expr, ok := wildcards(line)
	if !ok || line == "" {
		return p, false
	}
	var err error
	p.re, err = regexp.Compile(`(?s)\A` + expr + `\z`)
	return p, err == nil
}

// trimSpaces takes spaces off the end, but not one that a backslash protects.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
			end = min(i+1, len(line))
		} else if line[i] != ' ' {
			end = i + 1
		}
	}
	return line[:end]
}

// matches says whether the pattern is about a path.
func (p *ignorePattern) matches(file string, dir bool) bool {
	if p.dirOnly && !dir {
		return false
	}
	file = strings.TrimPrefix(file, p.domain)
	if p.name {
		file = path.Base(file)
	}
	return p.re.MatchString(fromLatin1(file))
}

// wildcards translates git's wildcards into a regular expression. It returns
// false for a pattern that can match nothing.
func wildcards(p string) (expr string, ok bool) {
	var out strings.Builder
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '*':
			stars := len(p[i:]) - len(strings.TrimLeft(p[i:], "*"))
			end := i + stars
			whole := stars > 1 && (i == 0 || p[i-1] == '/') && (end == len(p) || p[end] == '/')
			switch {
			case whole && end == len(p):
				out.WriteString(`.*`)
			case whole:
				out.WriteString(`(?:.*/)?`)
				end++
			default:
				out.WriteString(`[^/]*`)
			}
			i = end - 1
		case '?':
			out.WriteString(`[^/]`)
		case '[':
			set, n, ok := byteSet(p[i+1:])
			if !ok {
				return "", false
			}
			out.WriteString(set)
			i += n
		case '\\':
			if i++; i == len(p) {
				return "", false
			}
			fallthrough
		default:
			out.WriteString(regexp.QuoteMeta(fromLatin1(p[i : i+1])))
		}
	}
	return out.String(), true
}

// byteSet translates what stands after an opening bracket, and returns the
// length of it.
func byteSet(p string) (expr string, n int, ok bool) {
	var in [256]bool
	rest := strings.TrimLeft(p[:min(len(p), 1)], "!^") + p[min(len(p), 1):]
	negated := len(rest) < len(p)
	for first := true; first || !strings.HasPrefix(rest, "]"); first = false {
		if rest, ok = addBytes(&in, rest); !ok {
			return "", 0, false
		}
	}
	var out strings.Builder
	for c, has := range in {
		if has != negated && c != '/' {
			out.WriteString(regexp.QuoteMeta(string(rune(c))) + "|")
		}
	}
	expr = "(?:" + strings.TrimSuffix(out.String(), "|") + ")"
	return expr, len(p) - len(rest) + 1, out.Len() > 0
}

const byteClasses = "alnum alpha blank cntrl digit graph lower print punct space upper xdigit"

// addBytes adds the byte, range or class at the start of what stands between
// brackets, and returns what comes after it.
func addBytes(in *[256]bool, p string) (rest string, ok bool) {
	if name, after, found := strings.Cut(p, ":]"); found && strings.HasPrefix(name, "[:") && !strings.Contains(name, "]") {
		if name = name[2:]; !slices.Contains(strings.Fields(byteClasses), name) {
			return "", false
		}
		class := regexp.MustCompile("[[:" + name + ":]]")
		for c := range in[:128] {
			in[c] = in[c] || class.MatchString(string(rune(c)))
		}
		return after, true
	}
	from, p, ok := oneByte(p)
	to := from
	if ok && len(p) > 1 && p[0] == '-' && p[1] != ']' {
		to, p, ok = oneByte(p[1:])
	}
	for c := int(from); ok && c <= int(to); c++ {
		in[c] = true
	}
	return p, ok
}

// oneByte takes a byte, which a backslash may protect.
func oneByte(p string) (c byte, rest string, ok bool) {
	p = strings.TrimPrefix(p, `\`)
	if p == "" {
		return 0, "", false
	}
	return p[0], p[1:], true
}

// ignored says whether the last pattern that is about a path ignores it.
func ignored(list []ignorePattern, file string, dir bool) bool {
	for _, p := range slices.Backward(list) {
		if p.matches(file, dir) {
			return !p.include
		}
	}
	return false
}
