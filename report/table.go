package report

import (
	"bytes"
	"fmt"
	"strings"

	"patwatch/leak"
)

const (
	maxFiles     = 6  // files shown of one token
	maxSentences = 10 // things not read that are named
	narrow       = 60 // columns below which everything is stacked
	maxLeft      = 60 // columns of the left side, longer paths take a line of their own
	gap          = "   "
)

// A style is an ANSI colour; "" is none.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[1;31m"
	purple style = "\x1b[35m" // unlike yellow, legible on white too
	cyan   style = "\x1b[36m"
	green  style = "\x1b[32m"
)

// A row is one line of a finding: what and where on the left, the rest right.
type row struct {
	left, right           string
	leftStyle, rightStyle style
	head                  bool // names the token, not a place
	whole                 bool // left is a path, to be copied: not wrapped
}

// beside says whether left and right fit in room columns, left filled to n.
func (r row) beside(n, room int) bool {
	return r.right != "" && columns(r.left) <= n && (room == 0 || n+len(gap)+columns(r.right) <= room)
}

// block is a finding made ready to be laid out.
type block struct {
	label string
	style style
	rows  []row
}

// table lays blocks out for one terminal.
type table struct {
	bytes.Buffer
	term   Terminal
	indent int // columns before the left side
	head   int // columns of the left side where it names a token
	left   int // columns of the left side where it is a place
}

// renderTable makes the report for people.
func renderTable(fs []Finding, s Summary, o Options) ([]byte, error) {
	blocks := make([]block, len(fs))
	several := severalRepositories(fs)
	for i, f := range fs {
		blocks[i] = toBlock(f, o, several)
	}
	t := newTable(blocks, o.Terminal)
	for _, b := range blocks {
		t.block(b)
	}
	t.incomplete(s)
	t.closing(fs, s)
	return t.Bytes(), nil
}

func severalRepositories(fs []Finding) bool {
	first := ""
	for _, f := range fs {
		for _, p := range f.Places {
			if first == "" {
				first = p.Repository
			}
			if p.Repository != first {
				return true
			}
		}
	}
	return false
}

// newTable chooses the columns of the layout.
func newTable(blocks []block, term Terminal) *table {
	t := &table{term: term, indent: 2}
	var heads, places []row
	for _, b := range blocks {
		if term.Width == 0 || term.Width >= narrow {
			t.indent = max(t.indent, 2+columns(b.label)+2)
		}
		for _, r := range b.rows {
			if r.head {
				heads = append(heads, r)
			} else {
				places = append(places, r)
			}
		}
	}
	room := t.room(t.indent)
	t.head = bestColumn(heads, room, 0)
	t.left = bestColumn(places, room, t.head)
	t.head = max(t.head, t.left)
	return t
}

// bestColumn returns the width of the left side with which most rows have
// their right side beside it: wanted if no other is better, else the least.
func bestColumn(rows []row, room, wanted int) int {
	var begin, end [maxLeft + 2]int // rows that fit from, and no longer from, this width
	for _, r := range rows {
		most := maxLeft
		if room > 0 {
			most = min(most, room-len(gap)-columns(r.right))
		}
		if least := columns(r.left); r.right != "" && least <= most {
			begin[least]++
			end[most+1]++
		}
	}
	var fit [maxLeft + 1]int
	n, best := 0, 0
	for width := range fit {
		n += begin[width] - end[width]
		fit[width] = n
		if n > fit[best] {
			best = width
		}
	}
	if wanted <= maxLeft && fit[wanted] == fit[best] {
		return wanted
	}
	return best
}

// paint returns s in a colour, if the terminal has any.
func (t *table) paint(c style, s string) string {
	if !t.term.Color || c == plain || s == "" {
		return s
	}
	return string(c) + s + "\x1b[0m"
}

func (t *table) block(b block) {
	margin := "  " + t.paint(b.style, b.label) + strings.Repeat(" ", max(t.indent-2-columns(b.label), 0))
	if t.indent == 2 {
		t.WriteString(t.paint(b.style, b.label) + "\n")
		margin = "  "
	}
	for _, r := range b.rows {
		t.row(margin, r)
		margin = strings.Repeat(" ", t.indent)
	}
	t.WriteByte('\n')
}

// row writes left and right side by side if there is room, else right below
// left and further in.
func (t *table) row(margin string, r row) {
	rest := strings.Repeat(" ", t.indent)
	column := t.left
	if r.head {
		column = t.head
	}
	if r.beside(column, t.room(t.indent)) {
		t.WriteString(margin + t.paint(r.leftStyle, r.left) + pad("", column-columns(r.left)) +
			gap + t.paint(r.rightStyle, r.right) + "\n")
		return
	}
	if r.whole {
		t.WriteString(margin + t.paint(r.leftStyle, r.left) + "\n")
	} else {
		t.lines(margin, rest, r.left, r.leftStyle)
	}
	if r.right != "" {
		t.lines(rest+"  ", rest+"  ", r.right, r.rightStyle)
	}
}

// lines writes text wrapped, the first line after first and the others after
// rest.
func (t *table) lines(first, rest, text string, c style) {
	for _, line := range wrap(text, t.room(columns(rest))) {
		t.WriteString(first + t.paint(c, line) + "\n")
		first = rest
	}
}

// room is what is left of a line after used columns; 0: no limit.
func (t *table) room(used int) int {
	if t.term.Width == 0 {
		return 0
	}
	return max(t.term.Width-used, 16)
}

// toBlock says in words where a token stands.
func toBlock(f Finding, o Options, several bool) block {
	b := block{label: f.Confidence.String(), style: confidenceStyle(f.Confidence)}
	token := f.Secret.Mask()
	if o.ShowSecrets {
		token = escape(shown(f.Secret, true))
	}
	b.rows = append(b.rows, row{left: escape(f.Format.Name), right: token, leftStyle: bold, head: true})
	files := byFile(f.Places)
	for i, places := range files {
		if i == maxFiles-1 && len(files) > maxFiles {
			b.rows = append(b.rows, row{left: "and in " + count(int64(len(files)-i), "other file"), leftStyle: dim})
			break
		}
		b.rows = append(b.rows, row{left: where(places[0], several), right: how(places[0], o), rightStyle: dim, whole: true})
		if more := others(places); more != "" {
			b.rows = append(b.rows, row{left: more, leftStyle: dim})
		}
	}
	return b
}

func confidenceStyle(c leak.Confidence) style {
	switch c {
	case leak.Verified:
		return red
	case leak.Likely:
		return purple
	case leak.Possible:
		return cyan
	}
	return dim
}

// byFile splits places by file, in the order in which files come first. What
// has no path is split by object.
func byFile(places []leak.Place) [][]leak.Place {
	type file struct{ repository, path, object string }
	index := map[file]int{}
	var out [][]leak.Place
	for _, p := range places {
		key := file{repository: p.Repository, path: p.Path}
		if p.Path == "" {
			key.object = p.Object
		}
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// where is the left side of a place: something to click on or to copy.
func where(p leak.Place, several bool) string {
	name := p.Path
	switch {
	case name == "" && p.Object != "":
		name = "object " + short(p.Object)
	case name == "" && p.Source == leak.Stream:
		name = "standard input"
	case several && p.Repository != "":
		name = strings.TrimRight(p.Repository, "/") + "/" + name
	}
	return fmt.Sprintf("%s:%d", escape(name), p.Line)
}

// how is the right side of a place: who brought the token in, and when.
func how(p leak.Place, o Options) string {
	switch {
	case p.Commit != "":
		text := "added in " + short(p.Commit)
		if p.Author != "" {
			text += " by " + clip(escape(p.Author), 32)
		}
		if when := ago(p.Time, o.Now); when != "" {
			text += ", " + when
		}
		return text + standing(p)
	case p.Source == leak.Unreachable:
		return "in no commit"
	case p.Source == leak.History:
		return "interrupted before its commit was found"
	case p.Source == leak.Staged:
		return "staged, not committed yet"
	case p.Source == leak.WorkTree:
		return "not committed yet"
	}
	return ""
}

// standing is what became of the token: "; still in HEAD".
func standing(p leak.Place) string {
	switch {
	case p.Source == leak.Unreachable:
		return "; on no branch"
	case p.Standing == leak.InHead:
		return "; still in HEAD"
	case p.Standing == leak.OnBranch && p.Branch == "refs/stash":
		return "; still in the stash"
	case p.Standing == leak.OnBranch:
		return "; still on " + clip(escape(p.Branch), 32)
	case p.Standing == leak.Gone:
		return "; no longer there"
	}
	return ""
}

// others says where else in the same file: in which commits, else on which
// lines.
func others(places []leak.Place) string {
	commits, lines := map[string]bool{}, map[int]bool{}
	for _, p := range places {
		if p.Commit != "" {
			commits[p.Commit] = true
		}
		lines[p.Line] = true
	}
	switch {
	case len(commits) > 1:
		return "also in " + count(int64(len(commits)-1), "other commit")
	case len(lines) > 1:
		return "also on " + count(int64(len(lines)-1), "other line")
	}
	return ""
}

// incomplete says what was not read.
func (t *table) incomplete(s Summary) {
	if s.Complete {
		return
	}
	n := int64(len(s.Incomplete))
	head := "INCOMPLETE: not everything could be read, and what was not may hold tokens."
	if n > 0 {
		head = "INCOMPLETE: " + count(n, "thing") + " could not be read, and may hold tokens:"
	}
	t.lines("", "", head, red)
	for i, sentence := range s.Incomplete {
		if i == maxSentences-1 && n > maxSentences {
			t.lines("  - ", "    ", fmt.Sprintf("and %s more; --format json names all", number(n-int64(i))), plain)
			break
		}
		t.lines("  - ", "    ", escape(sentence), plain)
	}
	t.WriteByte('\n')
}

// closing is the summary sentence, and what to do.
func (t *table) closing(fs []Finding, s Summary) {
	found, c := "No tokens found.", green
	if len(fs) > 0 {
		found = fmt.Sprintf("%s in %s.", count(int64(len(fs)), "token"), count(int64(countPlaces(fs)), "place"))
		c = bold
	} else if !s.Complete {
		found, c = "No tokens found in what could be read.", purple
	}
	ended := "nothing skipped"
	if !s.Complete {
		ended = "not complete"
	}
	text := fmt.Sprintf("%s Read %s, in %s; %s.", found, extent(s), elapsed(s.Elapsed), ended)
	t.lines("", "", text, c)
	if len(fs) > 0 {
		t.lines("", "", advice(fs), plain)
	}
}

// advice says what to do about the tokens.
func advice(fs []Finding) string {
	it, is := "it", "It is"
	if len(fs) > 1 {
		it, is = "them", "They are"
	}
	if uncommitted(fs) {
		return is + " not committed yet: take " + it + " out of the files. Revoke " + it + " all the same if others could read them."
	}
	return "Revoke " + it + ": deleting the commit does not help. More: patwatch scan --help, --format json"
}

// uncommitted says whether everything was found in the index and the work tree.
func uncommitted(fs []Finding) bool {
	for _, f := range fs {
		for _, p := range f.Places {
			if p.Source != leak.Staged && p.Source != leak.WorkTree {
				return false
			}
		}
	}
	return true
}

// extent says how much was read: "9 blobs of 2 commits and 3 files, 41 kB".
func extent(s Summary) string {
	var parts []string
	if s.Blobs > 0 || s.Commits > 0 {
		blobs := count(s.Blobs, "blob")
		if s.Commits > 0 {
			blobs += " of " + count(s.Commits, "commit")
		}
		parts = append(parts, blobs)
	}
	if s.Files > 0 || len(parts) == 0 {
		parts = append(parts, count(s.Files, "file"))
	}
	return strings.Join(parts, " and ") + ", " + size(s.Bytes)
}
