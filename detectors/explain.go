package detectors

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Explain says in a few lines what format i declares and what was derived from
// it. It quotes no vector.
func (m *Matcher) Explain(i int) string {
	f, r := &m.formats[i], m.rules[i]
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", label, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s\n", f.ID)
	line("name", "%s (%s, %s)", f.Name, f.Issuer, f.Kind)
	line("tier", "%s", f.Tier)
	line("pattern", "%s", f.Pattern)
	if r == nil {
		line("used", "only with --unverified: an identifier is no secret")
		return b.String()
	}
	line("length", "%d to %d bytes", r.minLen, r.maxLen)
	line("found by", "%s", r.route())
	line("boundary", "%s", r.edges())
	if f.Checksum != nil {
		line("checksum", "%s; a wrong one %s", f.Checksum.Family, mismatchWords(f.Mismatch))
	}
	if f.Structure != "" {
		line("structure", "%s; a wrong one %s", f.Structure, mismatchWords(f.Mismatch))
	}
	if len(f.Context) > 0 {
		line("context", "within %d bytes: %s", r.within, strings.Join(f.Context, ", "))
	}
	if f.Note != "" {
		line("note", "%s", f.Note)
	}
	line("vectors", "%d", len(f.Vectors))
	return b.String()
}

// route says how the filter notices a token.
func (r *rule) route() string {
	switch {
	case r.armor:
		return "its header line before base64 lines"
	case r.anchored:
		return fmt.Sprintf("its literal text, %d bytes of it", r.literals)
	}
	return "the length of a run of its characters"
}

func (r *rule) edges() string {
	switch {
	case r.format.Boundary == "":
		return "none"
	case r.glued:
		return r.format.Boundary + " must not touch it, unless its checksum or structure is right"
	}
	return r.format.Boundary + " must not touch it"
}

func mismatchWords(policy string) string {
	if policy == "lower" {
		return "lowers its grade"
	}
	return "drops it"
}

// CheckVector looks for a vector's token with a matcher of its format alone. It
// returns nil when a valid one is found whole, and one that is not valid is not
// found, or only at a lower grade than the format's tokens have. The error does
// not hold the token.
func CheckVector(f Format, v Vector) error {
	token, err := v.Token()
	if err != nil {
		return err
	}
	m, err := Compile([]Format{f}, Options{})
	if err != nil {
		return err
	}
	text, err := surround(f, token)
	if err != nil {
		return err
	}
	found, inFull := false, false
	for _, match := range m.Resolve(m.Find(nil, text)) {
		if bytes.Equal(text[match.Start:match.End], token) {
			found, inFull = true, match.Grade >= f.Tier.grade()
		}
	}
	switch {
	case v.Valid && !found:
		return errors.New("is valid but is not found: compare it with the pattern, its length, the boundary and the checksum")
	case !v.Valid && inFull:
		return errors.New("is not valid but is found: a checksum, a structure or a narrower pattern must tell it apart")
	}
	return nil
}

// surround puts a token where its format is found: beside a context word, and
// in the text that the pattern asks for around its group.
func surround(f Format, token []byte) ([]byte, error) {
	if len(f.Context) == 0 && !strings.Contains(f.Pattern, "(") {
		return append(bytes.Clone(token), '\n'), nil
	}
	text, planted, err := Plant(f, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return append(bytes.Clone(token), '\n'), nil // no token of it can be made up, as of a format with a signature
	}
	return bytes.Replace(text, planted, token, 1), nil
}
