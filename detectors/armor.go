package detectors

import "bytes"

// An armored block is a header that ends in five dashes, lines of base64, and
// an END line. Its bytes do not stand in one run, so it has a path of its own:
// at the start of a long run, the header is looked for by going back over what
// separates lines; from the header the block is then read forwards.
//
// The lines may also stand in a string literal, a comment or a diff, where
// `\n`, quotes, commas, plus signs and the like separate them, or on one line
// with blanks between. A block looks like this:
//
//	header separator [text with a blank line at its end] line (separator line)*
//	[separator short [separator short]] [separator END]
//
// where a line is at least armorLine bytes of base64, and short is less. What
// does not is cut where the likeness ends.
const (
	armorLine  = 20       // the shortest line but for the last two
	armorGap   = 16       // the longest separator
	armorText  = 96       // the longest text before the lines
	armorMax   = 16 << 10 // the longest block, from the end of its header on
	armorLabel = 48       // the longest END line
	armorAhead = armorText + armorGap + 2
	armorBack  = 2*armorLine + 4*armorGap + armorLabel
)

const (
	dashes    = "-----"
	beginMark = "-----BEGIN "
)

// What a byte may be in an armored block.
const (
	lineByte      = iota + 1 // part of a line of base64
	separatorByte            // part of what is between lines
)

// separates reports whether c may stand between two lines of a block.
func separates(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '"', '\'', '`', ',', '+', '-', '\\', '#', '*', '>', '|', ';':
		return true
	}
	return false
}

// isBase64 reports whether c may stand in a line of a block.
func isBase64(c byte) bool { return isAlnum(c) || c == '+' || c == '/' || c == '=' }

func isEscape(c byte) bool { return c == 'n' || c == 'r' || c == 't' }

// separator returns the end of the separator that starts at i. It stops
// before two dashes, which begin an END line.
func separator(data []byte, i int) int {
	for stop := min(len(data), i+armorGap); i < stop && separates(data[i]); i++ {
		if data[i] == '-' && i+1 < len(data) && data[i+1] == '-' {
			break
		}
		if data[i] == '\\' && i+1 < stop && isEscape(data[i+1]) {
			i++
		}
	}
	return i
}

// line returns the end of the base64 that starts at i.
func line(data []byte, i int) int {
	for i < len(data) && isBase64(data[i]) {
		i++
	}
	return i
}

// block reads the block whose header ends at i, and returns its end, what was
// looked at, and whether it has a line at all.
func block(data []byte, i int) (end, far int, ok bool) {
	whole := data
	data = data[:min(len(data), i+armorMax)]
	j, ok := firstLine(data, i)
	if !ok {
		return 0, 0, false
	}
	for short := 0; short < 2; {
		e := line(data, j)
		if e == j {
			break
		}
		if e-j < armorLine {
			short++
		}
		end = e
		if j = separator(data, e); j == e {
			break
		}
	}
	if j < len(data) && j > 0 && bytes.HasPrefix(data[j:], []byte("-"+dashes)) {
		j++ // the sign of a diff
	}
	if e := endLine(data, j); e > 0 {
		return e, e, true
	}
	if far = end + armorBack; far > len(whole) {
		far = len(whole) + 1
	}
	return end, far, true
}

// firstLine returns where the lines of the block start whose header ends at i.
func firstLine(data []byte, i int) (start int, ok bool) {
	if i >= len(data) || isBase64(data[i]) || data[i] == '-' {
		return 0, false
	}
	j := separator(data, i)
	if line(data, j)-j >= armorLine {
		return j, j > i
	}
	text := data[i:min(len(data), i+armorText)]
	for _, blank := range []string{"\n\n", "\r\n\r\n", `\n\n`, `\r\n\r\n`} {
		if k := bytes.Index(text, []byte(blank)); k >= 0 {
			j = separator(data, i+k)
			return j, line(data, j)-j >= armorLine
		}
	}
	return 0, false
}

// endLine returns the end of the END line at i, or 0.
func endLine(data []byte, i int) int {
	rest := data[i:min(len(data), i+armorLabel)]
	label, ok := bytes.CutPrefix(rest, []byte(dashes+"END "))
	if !ok {
		return 0
	}
	k := bytes.Index(label, []byte(dashes))
	if k < 0 || bytes.IndexByte(label[:k], '\n') >= 0 {
		return 0
	}
	return i + len(rest) - len(label) + k + len(dashes)
}

// armorAt looks for the header of a block whose first line is, or is in, the
// run data[from:to].
func (s *search) armorAt(from, to int) {
	if l := s.inner(from, to); line(s.data[:to], l)-l < armorLine {
		return
	}
	if from == 0 || !separates(s.data[from-1]) {
		if s.near && from == s.floor {
			s.unwind(from)
		}
		return
	}
	if h, ok := s.headerBefore(from); ok {
		s.tryBlock(h)
	}
	if s.near {
		s.unwind(from)
	}
}

// headerBefore returns where the header ends whose block may have its first
// line in the run that starts at from.
func (s *search) headerBefore(from int) (end int, ok bool) {
	i, breaks := s.back(from)
	if i > 0 && s.data[i-1] == '-' {
		return i, true
	}
	if breaks < 2 {
		return 0, false
	}
	lo := max(0, i-armorText)
	k := bytes.LastIndex(s.data[lo:i], []byte(dashes))
	return lo + k + len(dashes), k >= 0
}

// back goes back over a separator that ends at or, with an escape that looks
// like base64, a byte after from. It counts line breaks.
func (s *search) back(from int) (start, breaks int) {
	i, data := from, s.data
	if i < len(data) && i > 0 && data[i-1] == '\\' && isEscape(data[i]) {
		i++
	}
	for stop := max(0, from-armorGap-1); i > stop; i-- {
		c := data[i-1]
		escaped := i > 1 && data[i-2] == '\\' && isEscape(c)
		if c == '\n' || escaped && c == 'n' {
			breaks++
		}
		if !escaped && (!separates(c) || c == '-' && i > 1 && data[i-2] == '-') {
			break
		}
	}
	return i, breaks
}

// unwind follows a block back from a line in its middle to its header. It is
// done once in a window, from the first long run of base64.
func (s *search) unwind(from int) {
	if s.wound {
		return
	}
	s.wound = true
	for i, stop := from, max(0, from-armorMax); i > stop; {
		start := i
		for start > stop && isBase64(s.data[start-1]) {
			start--
		}
		if from-i > 0 && i-start < armorLine-armorGap {
			return
		}
		if h, ok := s.headerBefore(start); ok {
			s.tryBlock(h)
		}
		end, _ := s.back(start)
		if end >= start {
			return
		}
		i = end
	}
}

// inner returns from, the run's start, or where its base64 starts.
func (s *search) inner(from, to int) int {
	for from < to && !isBase64(s.data[from]) {
		from++
	}
	return from
}

// tryBlock tries each armored format on the block whose header ends at h. A
// pattern may be that of the header alone, or of the whole block.
func (s *search) tryBlock(h int) {
	lo := max(0, h-armorLabel)
	begin := bytes.LastIndex(s.data[lo:h], []byte(beginMark))
	end, far, ok := block(s.data, h)
	if begin < 0 || !ok {
		return
	}
	begin += lo
	for _, r := range s.m.filter.armor {
		w := s.walker()
		for start := begin; start >= max(0, begin-r.prefix); start-- {
			if !r.first.has(s.data[start]) || start > 0 && r.boundary.has(s.data[start-1]) {
				continue
			}
			if ends := w.ends(r.pattern.token, start, start+r.maxLen); reaches(ends, h) || reaches(ends, end) {
				s.acceptBlock(r, start, end, far)
			}
		}
	}
}

func reaches(ends []span, at int) bool {
	for _, e := range ends {
		if e.lo <= at && at <= e.hi {
			return true
		}
	}
	return false
}

// armorPrefix reports whether a pattern is that of an armored block, and how
// many bytes its token may have before BEGIN.
func armorPrefix(vs []shape) (prefix int, ok bool) {
	for _, v := range vs {
		token := v.variant[v.from:v.to]
		i := token.index(beginMark)
		if i < 0 {
			return 0, false
		}
		_, n := token[:i].length()
		prefix = max(prefix, n)
	}
	return prefix, len(vs) > 0 && prefix <= maxGroup
}

// index returns the atom at which text is spelt out in v, or -1.
func (v variant) index(text string) int {
	for i := 0; i+len(text) <= len(v); i++ {
		k := 0
		for k < len(text) && v[i+k].gap == 0 && v[i+k].set == setOf(text[k:k+1]) {
			k++
		}
		if k == len(text) {
			return i
		}
	}
	return -1
}

func (s *search) acceptBlock(r *rule, start, end, far int) {
	grade, ok := r.format.judge(s.data[start:end], s.m.scratch.unverified)
	if !ok {
		return
	}
	c := candidate{rule: r, start: start}
	c.best = Match{Format: r.index, Grade: grade, Start: start, End: end, From: start, To: far}
	if r.boundary.len() > 0 {
		c.best.From--
	}
	if !s.beside(&c) {
		return
	}
	m := c.best
	if len(r.words) > 0 && grade != Verified {
		from, to, ok := r.near(s.data, start, end)
		if !ok {
			return
		}
		m.From, m.To = min(m.From, from), max(m.To, to)
	}
	s.dst = append(s.dst, m)
}
