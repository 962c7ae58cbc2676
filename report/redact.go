package report

import (
	"net/url"
	"slices"
	"strings"

	"patwatch/leak"
)

// A redactor replaces tokens in texts that strangers wrote by their masks. The
// clear tokens it needs for that live in closures only. Adding one costs the
// same however many there are: a stream adds one with each finding.
type redactor struct {
	tokens map[string]leak.Secret // by fingerprint
	merged map[*redactor]bool     // whose tokens are among them
	hide   func(form, mask string)
	apply  func(string) string
}

func newRedactor() *redactor {
	r := &redactor{tokens: map[string]leak.Secret{}, merged: map[*redactor]bool{}}
	r.hide, r.apply = newReplacer()
	return r
}

// add makes the redactor hide s too, as it is and percent-encoded.
func (r *redactor) add(s leak.Secret) {
	print := s.Fingerprint()
	if _, ok := r.tokens[print]; ok || s.Len() == 0 {
		return
	}
	r.tokens[print] = s
	clear := string(s.Reveal())
	r.hide(clear, s.Mask())
	for _, form := range []string{url.PathEscape(clear), url.QueryEscape(clear)} {
		if form != clear {
			r.hide(form, s.Mask())
		}
	}
}

// cover makes the redactor hide what must not appear in the places of f: the
// tokens of all findings that were grouped with it, or its own.
func (r *redactor) cover(f Finding) {
	if f.hide == nil {
		r.add(f.Secret)
		return
	}
	if r.merged[f.hide] {
		return
	}
	r.merged[f.hide] = true
	for _, s := range f.hide.tokens {
		r.add(s)
	}
}

// text returns s without any of the tokens.
func (r *redactor) text(s string) string { return r.apply(s) }

// headLen is how many bytes of a form are looked up at each byte of a text,
// before whole forms are.
const headLen = 8

// newReplacer returns a func that adds a form and what replaces it, and one that
// replaces the forms in a text: from the left, at each byte the longest. Tokens
// of one format often share their head, so a head has lengths, not forms.
func newReplacer() (add func(form, mask string), replace func(string) string) {
	masks := map[string]string{}  // by form
	lengths := map[string][]int{} // of the forms with a head, longest first
	short := false                // a form is shorter than a head
	add = func(form, mask string) {
		masks[form] = mask
		head := form[:min(len(form), headLen)]
		short = short || len(head) < headLen
		if list := lengths[head]; !slices.Contains(list, len(form)) {
			list = append(list, len(form))
			slices.SortFunc(list, func(a, b int) int { return b - a })
			lengths[head] = list
		}
	}
	at := func(text string) (form string) {
		for n := min(len(text), headLen); n > 0; n-- {
			for _, length := range lengths[text[:n]] {
				if length <= len(text) && masks[text[:length]] != "" {
					return text[:length]
				}
			}
			if !short {
				break
			}
		}
		return ""
	}
	return add, func(text string) string {
		var b strings.Builder
		done := 0
		for i := 0; i < len(text) && len(masks) > 0; {
			form := at(text[i:])
			if form == "" {
				i++
				continue
			}
			b.WriteString(text[done:i] + masks[form])
			i += len(form)
			done = i
		}
		if done == 0 {
			return text
		}
		return b.String() + text[done:]
	}
}

// place returns p without any of the tokens.
func (r *redactor) place(p leak.Place) leak.Place {
	for _, field := range []*string{&p.Repository, &p.Path, &p.URL, &p.Author, &p.Email, &p.Subject, &p.Branch} {
		*field = r.text(*field)
	}
	return p
}

// finding returns f with places that hold none of the tokens.
func (r *redactor) finding(f Finding) Finding {
	places := make([]leak.Place, len(f.Places))
	for i, p := range f.Places {
		places[i] = r.place(p)
	}
	f.Places = places
	return f
}

// summary returns s without any of the tokens.
func (r *redactor) summary(s Summary) Summary {
	for _, list := range []*[]string{&s.Incomplete, &s.Sources} {
		texts := make([]string, len(*list))
		for i, t := range *list {
			texts[i] = r.text(t)
		}
		*list = texts
	}
	s.Remote, s.Branch = r.text(s.Remote), r.text(s.Branch)
	return s
}

// redacted returns findings and summary in which no text repeats a token of
// any of the findings; with show, as they are.
func redacted(fs []Finding, s Summary, show bool) ([]Finding, Summary) {
	if show {
		return fs, s
	}
	all := newRedactor()
	for _, f := range fs {
		all.cover(f)
	}
	out := make([]Finding, len(fs))
	for i, f := range fs {
		out[i] = all.finding(f)
	}
	return out, all.summary(s)
}
