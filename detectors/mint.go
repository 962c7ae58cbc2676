package detectors

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Mint makes up a token of f: random, right in pattern, checksum and
// structure, and nobody's. Equal formats and equally seeded generators give
// equal tokens. It is what a program plants in front of its own matcher to
// see that a format works. A format none of whose tokens can be made is an
// error.
func Mint(f Format, r *rand.Rand) ([]byte, error) {
	m, err := NewMinter(f)
	if err != nil {
		return nil, err
	}
	return m.Mint(r)
}

// Plant makes up a text in which a matcher of f finds exactly one token, and
// returns both: what must stand round the token stands there, a context word
// included.
func Plant(f Format, r *rand.Rand) (text, token []byte, err error) {
	m, err := NewMinter(f)
	if err != nil {
		return nil, nil, err
	}
	text, token, err = m.Match(r)
	if err != nil {
		return nil, nil, err
	}
	if len(f.Context) > 0 {
		text = append([]byte(f.Context[0]+" = "), text...)
	}
	return append(text, '\n'), token, nil
}

// Minter makes up tokens of one format; it is faster than [Mint] for many. It
// is not safe for concurrent use.
type Minter struct {
	f     Format
	proof *proof
	tree  *syntax.Regexp
	match *regexp.Regexp
	maker func(m *Minter, r *rand.Rand) []byte // nil: the pattern and the sum suffice

	classes map[*syntax.Regexp]string
}

// tries is how many drawn tokens Mint may throw away before it gives up; the
// most demanding built-in format needs about 30.
const tries = 5000

// NewMinter prepares to make up tokens of f.
func NewMinter(f Format) (*Minter, error) {
	p, err := f.compileProof()
	if err != nil {
		return nil, fmt.Errorf("detectors: minting %s: %w", f.ID, err)
	}
	tree, err := syntax.Parse(f.Pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("detectors: minting %s: the pattern is not RE2", f.ID)
	}
	match, err := regexp.Compile("^(?:" + f.Pattern + ")$")
	if err != nil {
		return nil, fmt.Errorf("detectors: minting %s: the pattern is not RE2", f.ID)
	}
	f.proof = p
	return &Minter{f: f, proof: p, tree: tree, match: match, maker: makers()[f.Structure],
		classes: make(map[*syntax.Regexp]string)}, nil
}

// Mint makes up one token that counts in full. The token is the caller's.
func (m *Minter) Mint(r *rand.Rand) ([]byte, error) {
	_, token, err := m.Match(r)
	return token, err
}

// Draw makes up one token without looking whether it counts: one of ten
// thousand may look like a placeholder, and some formats' structures refuse
// most of them. ok is false when the token had no room for its checksum.
func (m *Minter) Draw(r *rand.Rand) (token []byte, ok bool) {
	_, token, ok = m.draw(r)
	return token, ok
}

// Match makes up a text that the pattern matches, and the token in it, which
// is the whole text unless the pattern has a group. A context word is not part
// of it.
func (m *Minter) Match(r *rand.Rand) (text, token []byte, err error) {
	for range tries {
		text, token, ok := m.draw(r)
		if ok && m.match.Match(text) && m.counts(token) {
			return text, token, nil
		}
	}
	return nil, nil, fmt.Errorf("detectors: minting %s: %w", m.f.ID, errMint)
}

var errMint = errors.New("no drawn token counts; the pattern and the checksum, structure or reject rules may contradict each other")

// counts reports whether token has the best grade its tier can have.
func (m *Minter) counts(token []byte) bool {
	if !m.proof.holds(token) || !m.f.plausible(token, m.proof) && m.f.Tier != Checked {
		return false
	}
	_, ok := m.f.judge(token, true)
	return ok
}

// draw returns a text and the token in it, sealed.
func (m *Minter) draw(r *rand.Rand) (text, token []byte, ok bool) {
	d := drawing{r: r, classes: m.classes, from: -1}
	d.draw(m.tree)
	if d.from < 0 {
		d.from, d.to = 0, len(d.text)
	}
	token = append([]byte(nil), d.text[d.from:d.to]...)
	if m.maker != nil {
		token = m.maker(m, r)
	}
	ok = m.proof.sum == nil || m.proof.sum.seal(token)
	text = append(d.text[:d.from:d.from], token...)
	return append(text, d.text[d.to:]...), token, ok
}

// drawing is a text in the making that follows a pattern.
type drawing struct {
	r        *rand.Rand
	classes  map[*syntax.Regexp]string // the characters of classes met so far
	text     []byte
	from, to int // the first group
}

// spread is by how much a repetition may exceed its least count.
const spread = 40

func (d *drawing) draw(re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		d.text = append(d.text, string(re.Rune)...)
	case syntax.OpCharClass:
		d.text = append(d.text, d.pick(re))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		d.text = append(d.text, base62[d.r.IntN(len(base62))])
	case syntax.OpCapture:
		from := len(d.text)
		d.each(re.Sub)
		if re.Cap == 1 {
			d.from, d.to = from, len(d.text)
		}
	case syntax.OpConcat:
		d.each(re.Sub)
	case syntax.OpAlternate:
		d.draw(re.Sub[d.r.IntN(len(re.Sub))])
	case syntax.OpStar:
		d.repeat(re.Sub[0], 0, -1)
	case syntax.OpPlus:
		d.repeat(re.Sub[0], 1, -1)
	case syntax.OpQuest:
		d.repeat(re.Sub[0], 0, 1)
	case syntax.OpRepeat:
		d.repeat(re.Sub[0], re.Min, re.Max)
	}
}

func (d *drawing) each(subs []*syntax.Regexp) {
	for _, sub := range subs {
		d.draw(sub)
	}
}

func (d *drawing) repeat(re *syntax.Regexp, least, most int) {
	if most < 0 || most > least+spread {
		most = least + spread
	}
	for range least + d.r.IntN(most-least+1) {
		d.draw(re)
	}
}

// pick returns a character of a class: one that tokens are made of if the
// class has any, a blank if it has blanks only.
func (d *drawing) pick(re *syntax.Regexp) byte {
	chars, ok := d.classes[re]
	if !ok {
		chars = classChars(re)
		d.classes[re] = chars
	}
	return chars[d.r.IntN(len(chars))]
}

// classChars returns the characters of a class to pick from, at least one.
func classChars(re *syntax.Regexp) string {
	var usual, other []byte
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for c := re.Rune[i]; c <= min(re.Rune[i+1], '~'); c++ {
			if isTokenByte(byte(c)) {
				usual = append(usual, byte(c))
			} else if c >= ' ' {
				other = append(other, byte(c))
			}
		}
	}
	switch {
	case len(usual) > 0:
		return string(usual)
	case len(other) > 0:
		return string(other[:1])
	}
	return "\n"
}

func isTokenByte(c byte) bool {
	return strings.IndexByte(base62, c) >= 0 || strings.IndexByte("+/=-_.~%", c) >= 0
}

// NearMiss returns a copy of token in which one character of the body is
// another of the same class, and the checksum is left: what a checksum must
// refuse. ok is false when f has no checksum, or no such change was found.
func (m *Minter) NearMiss(token []byte, r *rand.Rand) (near []byte, ok bool) {
	if m.proof.sum == nil {
		return nil, false
	}
	body := len(m.proof.body(token))
	if body == 0 {
		return nil, false
	}
	for range tries {
		near = append(near[:0], token...)
		i := len(near) - 1 - r.IntN(body)
		near[i] = sibling(near[i], r)
		sealed := append([]byte(nil), near...)
		// Sealing restores the checksum: if it gives another token, the
		// change was in what is covered and not in the checksum itself.
		if near[i] != token[i] && m.proof.sum.seal(sealed) && !m.proof.sum.holds(near) && string(sealed) != string(token) {
			return near, true
		}
	}
	return nil, false
}

// sibling returns a random character of c's class, perhaps c.
func sibling(c byte, r *rand.Rand) byte {
	for _, class := range []string{digits, lower, upper} {
		if strings.IndexByte(class, c) >= 0 {
			return class[r.IntN(len(class))]
		}
	}
	return c
}
