package detectors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// judge says what a token that met f's pattern and boundaries is worth, before
// any context word is looked for: its grade, and whether it counts at all.
// With unverified set, a token whose checksum is wrong, and an identifier
// alone, count as [Unverified] instead of not at all.
//
// Unless the grade is [Verified], the caller must still find one of f.Context
// near the token, if f has any.
//
// judge neither keeps nor changes token, is safe for concurrent use, and takes
// time linear in len(token). It is much faster when [Format.prepare] was
// called before.
func (f *Format) judge(token []byte, unverified bool) (Grade, bool) {
	p := f.proof
	if p == nil {
		var err error
		if p, err = f.compileProof(); err != nil {
			return 0, false
		}
	}
	if f.published(token) {
		return 0, false
	}
	// For the tier Checked the proof comes first: it overrules the look of
	// the body. For the others the look is cheaper.
	if f.Tier != Checked && !f.plausible(token, p) {
		return 0, false
	}
	if p.holds(token) {
		return f.proved(unverified)
	}
	if f.Tier == Checked && !f.plausible(token, p) {
		return 0, false
	}
	return f.disproved(unverified)
}

// proved is the verdict on a token whose checksum and structure, if it has
// any, are right.
func (f *Format) proved(unverified bool) (Grade, bool) {
	if f.Tier != Identifier {
		return f.Tier.grade(), true
	}
	if len(f.Context) > 0 { // an identifier beside what it identifies
		return Possible, true
	}
	return Unverified, unverified
}

// disproved is the verdict on a token whose checksum or structure is wrong.
func (f *Format) disproved(unverified bool) (Grade, bool) {
	if f.Mismatch != "lower" {
		return Unverified, unverified
	}
	if f.Tier == Checked && len(f.Context) == 0 {
		return Likely, true
	}
	return Possible, true
}

// published reports whether token is one that documentation shows. Of a token
// in parts joined by dots the last part alone may be listed, since examples of
// signed tokens are often shown with one signature.
func (f *Format) published(token []byte) bool {
	if len(f.Examples) == 0 {
		return false
	}
	if f.listed(token) {
		return true
	}
	dot := bytes.LastIndexByte(token, '.')
	return dot >= 0 && f.listed(token[dot+1:])
}

func (f *Format) listed(token []byte) bool {
	sum := sha256.Sum256(token)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	for _, e := range f.Examples {
		if e == string(text[:]) {
			return true
		}
	}
	return false
}

// plausible reports whether token's body could have been issued: it is no
// placeholder, varied enough, and none of the kinds that f rejects.
func (f *Format) plausible(token []byte, p *proof) bool {
	body := p.body(token)
	for _, reject := range p.rejects {
		if reject(body) {
			return false
		}
	}
	if f.MinEntropy > 0 && entropy(body) < f.MinEntropy {
		return false
	}
	if f.Placeholders == "allow" {
		return true
	}
	if f.MinEntropy == 0 && entropy(body) < leastEntropy(body) {
		return false
	}
	return !placeholder(body)
}
