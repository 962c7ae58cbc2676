package history

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	errTree   = errors.New("the tree is malformed")
	errCommit = errors.New("the commit is malformed")
)

// An entryKind is what the mode of a tree's entry says it is.
type entryKind uint8

const (
	entryOther entryKind = iota // a commit of another repository, or an unknown mode
	entryTree
	entryBlob // a file or a symbolic link
)

// A treeScanner reads the entries of a tree: "MODE NAME\0" and a raw id each.
type treeScanner struct {
	data   []byte
	idSize int
	pos    int

	kind entryKind
	name []byte // of the entry last read
	id   []byte
}

// next reads the next entry. At the end, and where the tree is malformed, it
// returns false: see whole.
func (s *treeScanner) next() bool {
	b := s.data[s.pos:]
	space := bytes.IndexByte(b[:min(len(b), 12)], ' ')
	if space <= 0 {
		return false
	}
	end := bytes.IndexByte(b, 0)
	if end <= space || len(b)-end-1 < s.idSize {
		return false
	}
	s.kind = kindOfMode(b[:space])
	s.name, s.id = b[space+1:end], b[end+1:end+1+s.idSize]
	s.pos += end + 1 + s.idSize
	return true
}

// whole says whether all of the tree was read.
func (s *treeScanner) whole() bool { return s.pos == len(s.data) }

func kindOfMode(digits []byte) entryKind {
	mode := 0
	for _, d := range digits {
		if d < '0' || d > '7' {
			return entryOther
		}
		mode = (mode<<3 | int(d-'0')) & 0o777777
	}
	switch mode & 0o170000 {
	case 0o040000:
		return entryTree
	case 0o100000, 0o120000:
		return entryBlob
	}
	return entryOther
}

// What stands before the ids of a commit's tree and parents.
const (
	treeWord   = "tree "
	parentWord = "parent "
)

// linksSize is the size of the lines of a commit that name its tree and n
// parents.
func linksSize(idSize, n int) int {
	return len(treeWord) + 2*idSize + 1 + n*(len(parentWord)+2*idSize+1)
}

// wholeLinks says whether the start of a commit has all of the lines that
// commitLinks reads, and shows that there are no more of them.
func wholeLinks(start []byte, idSize int) bool {
	n := 0
	for at := linksSize(idSize, 0); at+len(parentWord) <= len(start); at = linksSize(idSize, n) {
		if string(start[at:at+len(parentWord)]) != parentWord {
			return true
		}
		n++
	}
	return false
}

// commitLinks appends the raw ids of a commit's tree and parents to dst.
func commitLinks(dst, data []byte, idSize int) ([]byte, error) {
	rest, ok := bytes.CutPrefix(data, []byte(treeWord))
	for n := 0; ok; n++ {
		if len(rest) < 2*idSize+1 || rest[2*idSize] != '\n' {
			return dst, errCommit
		}
		var raw [32]byte
		if _, err := hex.Decode(raw[:], rest[:2*idSize]); err != nil {
			return dst, errCommit
		}
		dst = append(dst, raw[:idSize]...)
		rest, ok = bytes.CutPrefix(rest[2*idSize+1:], []byte(parentWord))
		if n > maxParents {
			return dst, errCommit
		}
	}
	if len(dst) == 0 {
		return dst, errCommit
	}
	return dst, nil
}

const (
	maxParents = 1 << 16
	maxSubject = 1000 // bytes of a subject that are kept
)

// details are the parts of a commit that people read.
type details struct {
	author, email, subject string
	time                   time.Time
}

// commitDetails reads author and subject. What is malformed stays empty.
func commitDetails(data []byte) (d details) {
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	latin := false
	for line := range bytes.Lines(head) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if v, ok := bytes.CutPrefix(line, []byte("author ")); ok && d.author == "" && d.email == "" {
			d.author, d.email, d.time = signature(v)
		}
		if v, ok := bytes.CutPrefix(line, []byte("encoding ")); ok {
			latin = isLatin1(string(v))
		}
	}
	d.subject = subject(body)
	if latin {
		d.author, d.email, d.subject = fromLatin1(d.author), fromLatin1(d.email), fromLatin1(d.subject)
	}
	return d
}

// signature reads "NAME <EMAIL> SECONDS ZONE".
func signature(v []byte) (name, email string, when time.Time) {
	open, close := bytes.IndexByte(v, '<'), bytes.LastIndexByte(v, '>')
	if open < 0 || close < open {
		return strings.TrimSpace(string(v)), "", when
	}
	name, email = strings.TrimSpace(string(v[:open])), string(v[open+1:close])
	f := strings.Fields(string(v[close+1:]))
	if len(f) == 0 {
		return name, email, when
	}
	sec, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || sec < 0 || sec > 1<<40 {
		return name, email, when
	}
	when = time.Unix(sec, 0).UTC()
	if len(f) > 1 {
		when = when.In(zone(f[1]))
	}
	return name, email, when
}

// zone reads "+0130"; what is no zone is UTC.
func zone(s string) *time.Location {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 5 || n%100 > 59 || n%100 < -59 || n == 0 {
		return time.UTC
	}
	return time.FixedZone("", (n/100*60+n%100)*60)
}

// subject returns the first paragraph of a message as one line.
func subject(body []byte) string {
	body = bytes.TrimLeft(body, "\n")
	body, _, _ = bytes.Cut(body, []byte("\n\n"))
	line := strings.Join(strings.FieldsFunc(string(body[:min(len(body), 4*maxSubject)]), func(c rune) bool { return c == '\n' || c == '\r' }), " ")
	line = strings.TrimSpace(line)
	if len(line) > maxSubject {
		cut := maxSubject
		for cut > maxSubject-utf8.UTFMax && !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut]
	}
	return line
}

func isLatin1(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "iso-8859-15", "windows-1252", "cp1252":
		return true
	}
	return false
}

// fromLatin1 turns each byte into the character that it is in ISO 8859-1.
func fromLatin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
