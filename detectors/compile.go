package detectors

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Options says how a [Matcher] is to behave. The zero value is what a scan
// wants unless it is told otherwise.
type Options struct {
	// Unverified also returns what a scan leaves out: identifiers, and tokens
	// whose checksum is wrong, both graded [Unverified].
	Unverified bool
}

// Matcher finds the tokens of all its formats in one pass. It is made by
// [Compile], never changes, and is safe for concurrent use.
type Matcher struct {
	formats   []Format
	rules     []*rule // by format, nil for one that is left out
	filter    filter
	class     byteSet    // bytes of a run
	wide      [256]bool  // every byte a token of a format that is not Wide may contain
	longest   int        // longest match of a format that is not Wide, with a byte on each side
	reach                // of all formats
	context   reach      // of those with context words, on the lines where these count
	beside    reach      // of those without
	header    reach      // of the header of an armored block
	armorPart [256]uint8 // what a byte may be in an armored block: lineByte, separatorByte, 0: nothing
	scratch   *pool
}

// reach is how far from a change a match may stand and yet depend on it.
type reach struct {
	back  int // it ends so many bytes before the change
	ahead int // it starts so many bytes after it
}

func (r *reach) include(o reach) {
	r.back, r.ahead = max(r.back, o.back), max(r.ahead, o.ahead)
}

// rule is one format, compiled.
type rule struct {
	format   *Format
	index    int
	pattern  *pattern
	boundary byteSet
	first    byteSet
	minLen   int
	maxLen   int
	literals int   // literal bytes that every match has: how specific the format is
	anchored bool  // there are enough of them to stand for the format
	proof    bool  // a checksum or a structure may prove a token
	glued    bool  // a token that is proved needs no boundary
	armor    bool  // the pattern is that of a block of base64 lines, or of its header
	prefix   int   // most bytes of an armored token before BEGIN
	wide     bool  // see Wide
	loose    reach // how far the token goes on, over spaces, beyond the run it is noticed by
	words    []string
	within   int // how far before the token a word may end
	beyond   int // how far after it one may start
	longest  int // the longest word
	shapes   []shape
	class    byteSet  // the class of runs that routed is for
	routed   []routed // how the filter notices it
	checks   bool     // there is a checksum or a structure
}

const (
	defaultWithin = 64
	maxWithin     = 160
	maxWord       = 64
	maxMatch      = 32 << 10
	maxGroup      = 256 // longest text that a pattern may ask for beside its group
	maxAround     = 64  // text with spaces around the run it is noticed by that FindNear goes back over
)

// Compile makes a matcher for formats. It returns an error, which names every
// format that cannot be found and says what to change in it, if there is one,
// and when formats is empty; then the matcher is nil. Errors quote no pattern.
func Compile(formats []Format, o Options) (*Matcher, error) {
	if len(formats) == 0 {
		return nil, errors.New("compile formats: the set is empty: enable at least one format")
	}
	m := &Matcher{formats: slices.Clone(formats), rules: make([]*rule, len(formats)), scratch: newPool(o.Unverified)}
	var errs []error
	classes := map[string]byteSet{}
	for i := range m.formats {
		f := &m.formats[i]
		if f.Tier == Identifier && len(f.Context) == 0 && !o.Unverified {
			continue
		}
		r, err := newRule(f, i, classes)
		if err != nil {
			errs = append(errs, fmt.Errorf("compile format %q: %w", f.ID, err))
			continue
		}
		m.rules[i] = r
	}
	errs = append(errs, m.route()...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.measure()
	return m, nil
}

// newRule compiles what concerns one format alone. Boundaries, which many
// formats share, are kept in classes.
func newRule(f *Format, index int, classes map[string]byteSet) (*rule, error) {
	if err := f.prepare(); err != nil {
		return nil, err
	}
	p, err := parsePattern(f.Pattern)
	if err != nil {
		return nil, err
	}
	r := &rule{format: f, index: index, pattern: p, minLen: p.token.minLen, maxLen: p.token.maxLen,
		checks: f.Checksum != nil || f.Structure != ""}
	boundary, known := classes[f.Boundary]
	if !known {
		if boundary, err = classSet(f.Boundary); err != nil {
			return nil, err
		}
		classes[f.Boundary] = boundary
	}
	r.boundary = boundary
	if err := r.bound(f); err != nil {
		return nil, err
	}
	if err := r.context(f); err != nil {
		return nil, err
	}
	slot := uint8(index * 3)
	p.token.number(&slot)
	r.first, _ = p.token.first()
	r.proof = r.checks && f.Tier == Checked
	r.shapes = p.shapes()
	r.literals = maxMatch
	for _, v := range r.shapes {
		r.literals = min(r.literals, v.literals())
	}
	r.anchored = r.literals >= 3
	r.glued = r.anchored && r.proof
	r.prefix, r.armor = armorPrefix(r.shapes)
	return r, nil
}

// bound checks the lengths.
func (r *rule) bound(f *Format) error {
	if f.MaxLength > 0 {
		r.maxLen = min(r.maxLen, f.MaxLength)
	}
	switch {
	case r.maxLen >= endless:
		return errors.New("the pattern has no longest match: replace * and + and {n,} by {n,m}, or set max_length")
	case r.maxLen > maxMatch:
		return fmt.Errorf("the longest match is %d bytes, and %d is the most: lower the counts or set max_length", r.maxLen, maxMatch)
	case r.minLen > r.maxLen:
		return fmt.Errorf("the shortest match is %d bytes, longer than max_length", r.minLen)
	}
	for _, part := range []*node{r.pattern.before, r.pattern.after} {
		if part != nil && part.maxLen > maxGroup {
			return fmt.Errorf("the pattern beside the group can be longer than %d bytes: bound its counts", maxGroup)
		}
	}
	return nil
}

// context compiles the context words.
func (r *rule) context(f *Format) error {
	r.within, r.beyond = defaultWithin, defaultWithin/2
	if f.Within > 0 {
		r.within, r.beyond = f.Within, min(f.Within, r.beyond)
	}
	if r.within > maxWithin {
		return fmt.Errorf("within is %d, and %d is the most", f.Within, maxWithin)
	}
	for _, w := range f.Context {
		if w == "" || len(w) > maxWord {
			return fmt.Errorf("a context word has %d bytes, and 1 to %d are possible", len(w), maxWord)
		}
		r.longest = max(r.longest, len(w))
		r.words = append(r.words, strings.ToLower(w))
	}
	if f.Tier == Context && len(r.words) == 0 {
		return errors.New("the tier is context, and there are no context words")
	}
	return nil
}

// number gives long classes their memo slots.
func (n *node) number(slot *uint8) {
	if n.op == opClass && n.max >= memoFrom {
		n.slot = *slot & 7
		*slot++
	}
	for _, sub := range n.subs {
		sub.number(slot)
	}
}

// routed is a route of one rule: by a gram, or by the length of a run.
type routed struct {
	rule *rule
	gram *gramRoute
	run  *runRoute
}

// extras are the bytes that may join letters, digits, '_' and '-' in the class
// of a run, the cheapest first: each makes runs of ordinary text longer.
const extras = "~%+!$@&=#?*.:/"

// route finds the class of runs and a route for every variant of every rule.
func (m *Matcher) route() []error {
	m.class.addRange('A', 'Z')
	m.class.addRange('a', 'z')
	m.class.addRange('0', '9')
	m.class.addAll(new(setOf("_-")))
	freq := rarity()
	var errs []error
	for _, r := range m.rules {
		if r == nil {
			continue
		}
		if err := m.widen(r, freq); err != nil {
			errs = append(errs, fmt.Errorf("compile format %q: %w", r.format.ID, err))
		}
	}
	if len(errs) > 0 {
		return errs
	}
	var all []routed
	for _, r := range m.rules {
		if r == nil {
			continue
		}
		if r.class != m.class { // others have widened it since
			r.setRoutes(&m.class, freq)
		}
		all = append(all, r.routed...)
	}
	return m.filter.build(all, m.class, m.armored())
}

// widen adds to the class the fewest bytes with which r has its routes.
func (m *Matcher) widen(r *rule, freq func(*byteSet) float64) error {
	if r.armor {
		m.class.addAll(new(setOf("+/=")))
		return nil
	}
	if r.setRoutes(&m.class, freq) {
		return nil
	}
	union := r.pattern.token.union()
	var more []byteSet
	all := m.class
	for i := range len(extras) {
		if c := extras[i]; union.has(c) && !m.class.has(c) {
			more = append(more, setOf(string(c)))
			all.add(c)
		}
	}
	if !r.setRoutes(&all, freq) {
		return r.refuse(&all)
	}
	for i := range more {
		for j := range more[:i+1] {
			class := m.class
			class.addAll(&more[i])
			class.addAll(&more[j])
			if j == i {
				class = m.class
				class.addAll(&more[i])
			}
			if r.setRoutes(&class, freq) {
				m.class = class
				return nil
			}
		}
	}
	m.class = all
	return nil
}

// refuse says why r has no routes even with the widest class.
func (r *rule) refuse(class *byteSet) error {
	shortest := maxAtoms
	for _, v := range r.shapes {
		shortest = min(shortest, v.longestRun(class))
	}
	if shortest < minRun {
		return errShort(shortest)
	}
	return errNoAnchor
}

// setRoutes finds a route for each variant of r in runs of a class, and reports
// whether all have one.
func (r *rule) setRoutes(class *byteSet, freq func(*byteSet) float64) bool {
	r.class, r.routed = *class, r.routed[:0]
	if r.armor {
		return true
	}
	for _, v := range r.shapes {
		gram, byGram := v.gramRoute(class, freq)
		if byGram && (gram.tail >= goodTail || r.glued) {
			r.routed = append(r.routed, routed{rule: r, gram: &gram})
			continue
		}
		run, byRun := v.runRoute(class, &r.boundary)
		byRun = byRun && !r.glued && (len(r.words) > 0 || r.checks || v.literals() >= 2)
		switch {
		case byRun:
			r.routed = append(r.routed, routed{rule: r, run: &run})
		case byGram:
			r.routed = append(r.routed, routed{rule: r, gram: &gram})
		default:
			return false
		}
	}
	return true
}

func (m *Matcher) armored() []*rule {
	var out []*rule
	for _, r := range m.rules {
		if r != nil && r.armor {
			out = append(out, r)
		}
	}
	return out
}

// measure computes how far matches reach.
func (m *Matcher) measure() {
	wide := m.class
	for _, r := range m.rules {
		if r == nil {
			continue
		}
		m.beside.include(r.beside())
		m.context.include(r.reach())
		if r.armor {
			head := r.prefix + armorLabel
			m.header.include(reach{back: head + armorAhead, ahead: head + r.beside().ahead + r.reach().ahead})
			continue
		}
		wide.addAll(new(r.pattern.token.tight()))
		m.longest = max(m.longest, r.maxLen+2)
	}
	for i := range m.wide {
		c := byte(i)
		m.wide[c] = wide.has(c)
		switch {
		case isBase64(c):
			m.armorPart[c] = lineByte
		case separates(c):
			m.armorPart[c] = separatorByte
		}
	}
	m.reach = reach{back: m.beside.back + m.context.back, ahead: m.beside.ahead + m.context.ahead}
	if len(m.filter.armor) > 0 {
		m.reach = reach{back: m.reach.back + armorBack, ahead: m.reach.ahead + m.header.back}
	}
}

// beside returns how far the pattern itself looks beyond the run that a token
// is noticed by. It finds out whether that is too far: see Wide.
func (r *rule) beside() reach {
	at := reach{1, 1}
	if p := r.pattern.before; p != nil {
		at.ahead += p.maxLen
	}
	if p := r.pattern.after; p != nil {
		at.back += p.maxLen
	}
	if r.armor {
		return at
	}
	if r.wide = max(r.loose.back, r.loose.ahead) > maxAround; r.wide {
		return at
	}
	return reach{at.back + r.loose.back, at.ahead + r.loose.ahead}
}

// reach returns how far a token of r may be from its context word.
func (r *rule) reach() reach {
	if len(r.words) == 0 {
		return reach{}
	}
	return reach{back: r.beyond + r.longest + 1, ahead: max(r.within+r.longest, maxBefore) + 1}
}

// Formats returns the formats, in the order in which Match.Format counts them.
// The caller must not change them.
func (m *Matcher) Formats() []Format { return m.formats }

// Wide reports whether matches of a format span so much that [Matcher.FindNear]
// may miss how a change far from their start alters them. When a Wide match of
// the base is cut by a change, the caller must run [Matcher.Find] on the whole
// data; [Matcher.Inherit] says so.
func (m *Matcher) Wide(format int) bool {
	r := m.rules[format]
	return r != nil && (r.armor || r.wide)
}

// Reach returns how many bytes before and after a changed span
// [Matcher.FindNear] looks at most, before it follows runs.
func (m *Matcher) Reach() int { return max(m.ahead, m.back) }

// Overlap returns how many bytes two consecutive windows of a stream must
// share, so that every match lies, with its evidence, wholly inside one.
func (m *Matcher) Overlap() int {
	n := m.longest + m.ahead + m.back
	for _, r := range m.rules {
		if r != nil && (r.armor || r.wide) {
			n = max(n, r.maxLen+armorMax+m.ahead+m.back)
		}
	}
	return n
}
