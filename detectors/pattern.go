package detectors

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// A pattern is compiled into a tree of four kinds of node. Nearly all patterns
// are a concatenation of classes with counts; the tree keeps those as they
// are, so that "[A-Za-z0-9_-]{80,800}" is one node and not 800 states.
type nodeOp uint8

const (
	opClass  nodeOp = iota // min to max bytes of set
	opConcat               // subs one after the other
	opAlt                  // one of subs
	opRepeat               // subs[0], min to max times
)

// endless is the count, and the length, of what has no bound.
const endless = 1 << 30

// maxDepth bounds the nesting of a pattern.
const maxDepth = 64

type node struct {
	op       nodeOp
	apart    bool  // of a class: no byte of set is in the class that stands right before it
	slot     uint8 // of a class: which memo of a walk it uses
	set      byteSet
	min, max int
	subs     []*node

	minLen, maxLen int
}

// pattern is a compiled pattern: the token, and what must stand right before
// and after it (the parts of the pattern outside its group), nil for nothing.
type pattern struct {
	before, token, after *node
}

var (
	errGroups = errors.New("more than one group, or a group inside another construct: the token is the one group at the top level; write (?:...) for the others")
	errEmpty  = errors.New("the pattern matches the empty string: give it a literal prefix and a length")
)

// parsePattern compiles an RE2 pattern. A byte of 0x80 or more is matched by
// nothing in it, not even by a negated class.
func parsePattern(src string) (*pattern, error) {
	re, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", redact(err))
	}
	p := &pattern{}
	before, token, after, err := splitGroup(re)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		res []*syntax.Regexp
		to  **node
	}{{before, &p.before}, {token, &p.token}, {after, &p.after}} {
		if len(part.res) == 0 {
			continue
		}
		if *part.to, err = parseConcat(part.res, 0); err != nil {
			return nil, err
		}
	}
	if p.token == nil || p.token.minLen == 0 {
		return nil, errEmpty
	}
	return p, nil
}

// redact keeps the code of a syntax error and drops the text it quotes.
func redact(err error) error {
	var se *syntax.Error
	if errors.As(err, &se) {
		return errors.New(se.Code.String())
	}
	return err
}

// splitGroup takes a pattern apart at its one capturing group, if it has one.
func splitGroup(re *syntax.Regexp) (before, token, after []*syntax.Regexp, err error) {
	if re.Op == syntax.OpCapture {
		return nil, re.Sub, nil, nil
	}
	if re.Op != syntax.OpConcat {
		return nil, []*syntax.Regexp{re}, nil, nil
	}
	at := -1
	for i, sub := range re.Sub {
		if sub.Op != syntax.OpCapture {
			continue
		}
		if at >= 0 {
			return nil, nil, nil, errGroups
		}
		at = i
	}
	if at < 0 {
		return nil, re.Sub, nil, nil
	}
	return re.Sub[:at], re.Sub[at].Sub, re.Sub[at+1:], nil
}

func parseNode(re *syntax.Regexp, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errors.New("the pattern is nested too deeply")
	}
	switch re.Op {
	case syntax.OpLiteral:
		return parseLiteral(re)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return parseClass(re)
	case syntax.OpEmptyMatch:
		return newConcat(nil), nil
	case syntax.OpConcat:
		return parseConcat(re.Sub, depth+1)
	case syntax.OpAlternate:
		return parseAlt(re.Sub, depth+1)
	case syntax.OpStar:
		return parseRepeat(re.Sub[0], 0, endless, depth+1)
	case syntax.OpPlus:
		return parseRepeat(re.Sub[0], 1, endless, depth+1)
	case syntax.OpQuest:
		return parseRepeat(re.Sub[0], 0, 1, depth+1)
	case syntax.OpRepeat:
		hi := re.Max
		if hi < 0 {
			hi = endless
		}
		return parseRepeat(re.Sub[0], re.Min, hi, depth+1)
	case syntax.OpCapture:
		return nil, errGroups
	case syntax.OpNoMatch:
		return nil, errors.New("the pattern matches nothing")
	}
	return nil, errors.New("^, $, \\A, \\z and \\b are not supported: say with boundary what may not touch the token")
}

func parseLiteral(re *syntax.Regexp) (*node, error) {
	subs := make([]*node, 0, len(re.Rune))
	for _, r := range re.Rune {
		if r >= 0x80 {
			return nil, errors.New("the pattern holds a character that is not ASCII")
		}
		var set byteSet
		set.add(byte(r))
		if c := byte(r) | 0x20; re.Flags&syntax.FoldCase != 0 && c >= 'a' && c <= 'z' {
			set.add(c)
			set.add(c &^ 0x20)
		}
		subs = append(subs, newClass(set, 1, 1))
	}
	return newConcat(subs), nil
}

func parseClass(re *syntax.Regexp) (*node, error) {
	var set byteSet
	switch re.Op {
	case syntax.OpAnyChar:
		set.addRange(0, 0x7f)
	case syntax.OpAnyCharNotNL:
		set.addRange(0, 0x7f)
		nl := setOf("\n")
		set = set.minus(&nl)
	default:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			set.addRange(re.Rune[i], re.Rune[i+1])
		}
	}
	if set.len() == 0 {
		return nil, errors.New("a character class without ASCII characters matches nothing")
	}
	return newClass(set, 1, 1), nil
}

func parseConcat(res []*syntax.Regexp, depth int) (*node, error) {
	subs := make([]*node, 0, len(res))
	for _, re := range res {
		n, err := parseNode(re, depth)
		if err != nil {
			return nil, err
		}
		subs = append(subs, n)
	}
	return newConcat(subs), nil
}

func parseAlt(res []*syntax.Regexp, depth int) (*node, error) {
	n := &node{op: opAlt, minLen: endless}
	for _, re := range res {
		sub, err := parseNode(re, depth)
		if err != nil {
			return nil, err
		}
		n.subs = append(n.subs, sub)
		n.minLen = min(n.minLen, sub.minLen)
		n.maxLen = max(n.maxLen, sub.maxLen)
	}
	return n, nil
}

func parseRepeat(re *syntax.Regexp, lo, hi, depth int) (*node, error) {
	sub, err := parseNode(re, depth)
	if err != nil {
		return nil, err
	}
	if len(sub.subs) == 1 && sub.op == opConcat {
		sub = sub.subs[0]
	}
	if sub.op == opClass && (sub.min == 1 && sub.max == 1 || lo == hi && sub.min == sub.max) {
		return newClass(sub.set, times(sub.min, lo), times(sub.max, hi)), nil
	}
	if sub.op == opClass && lo == 0 && hi == 1 && sub.min <= 1 { // (?:x{1,5})? and (?:x*)?
		return newClass(sub.set, 0, sub.max), nil
	}
	if sub.minLen == 0 {
		return nil, errors.New("a group that may be empty is repeated: give its content a shortest length")
	}
	return &node{op: opRepeat, subs: []*node{sub}, min: lo, max: hi,
		minLen: times(sub.minLen, lo), maxLen: times(sub.maxLen, hi)}, nil
}

func newClass(set byteSet, lo, hi int) *node {
	return &node{op: opClass, set: set, min: lo, max: hi, minLen: lo, maxLen: hi}
}

// newConcat flattens, merges neighbours of the same class, and notes which
// classes are apart from the one before.
func newConcat(subs []*node) *node {
	n := &node{op: opConcat}
	for _, sub := range subs {
		if sub.op == opConcat {
			for _, s := range sub.subs {
				n.push(s)
			}
			continue
		}
		n.push(sub)
	}
	for i, sub := range n.subs {
		n.minLen = plus(n.minLen, sub.minLen)
		n.maxLen = plus(n.maxLen, sub.maxLen)
		if i > 0 && n.subs[i-1].op == opClass && n.subs[i-1].min > 0 {
			first, empty := sub.first()
			sub.apart = first.apart(&n.subs[i-1].set) && (!empty || sub.op == opClass)
		}
	}
	return n
}

func (n *node) push(sub *node) {
	if last := len(n.subs) - 1; last >= 0 && sub.op == opClass &&
		n.subs[last].op == opClass && n.subs[last].set == sub.set {
		p := n.subs[last]
		n.subs[last] = newClass(p.set, plus(p.min, sub.min), plus(p.max, sub.max))
		return
	}
	own := *sub // apart depends on the neighbour
	own.apart = false
	n.subs = append(n.subs, &own)
}

func plus(a, b int) int { return min(endless, a+b) }

func times(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	if a >= endless/b {
		return endless
	}
	return a * b
}

// union returns every byte that n may match.
func (n *node) union() byteSet {
	if n.op == opClass {
		return n.set
	}
	var set byteSet
	for _, sub := range n.subs {
		s := sub.union()
		set.addAll(&s)
	}
	return set
}

// tight returns every byte that a class of n which is not loose may match.
func (n *node) tight() byteSet {
	var set byteSet
	if n.op == opClass && !n.set.loose() {
		return n.set
	}
	for _, sub := range n.subs {
		s := sub.tight()
		set.addAll(&s)
	}
	return set
}

// first returns every byte that a match of n may start with, and whether n
// matches the empty string.
func (n *node) first() (set byteSet, empty bool) {
	switch n.op {
	case opClass:
		return n.set, n.min == 0
	case opAlt:
		for _, sub := range n.subs {
			s, e := sub.first()
			set.addAll(&s)
			empty = empty || e
		}
		return set, empty
	case opRepeat:
		set, empty = n.subs[0].first()
		return set, empty || n.min == 0
	}
	for _, sub := range n.subs {
		s, e := sub.first()
		set.addAll(&s)
		if !e {
			return set, false
		}
	}
	return set, true
}
