package report

import (
	"net/url"
	"slices"
	"strings"

	"patwatch/leak"
)

// A redactor replaces tokens in texts that strangers wrote by their masks. The
// clear tokens it needs for that live in its closure only.
type redactor struct {
	tokens map[string]leak.Secret // by fingerprint
	merged map[*redactor]bool     // whose tokens are among them
	apply  func(string) string    // nil: to be built from tokens
}

func newRedactor() *redactor {
	return &redactor{tokens: map[string]leak.Secret{}, merged: map[*redactor]bool{}}
}

// add makes the redactor hide s too.
func (r *redactor) add(s leak.Secret) {
	print := s.Fingerprint()
	if _, ok := r.tokens[print]; ok || s.Len() == 0 {
		return
	}
	r.tokens[print] = s
	r.apply = nil
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

// text returns s without any of the tokens, be they as they are or
// percent-encoded.
func (r *redactor) text(s string) string {
	if s == "" {
		return s
	}
	if r.apply == nil {
		r.apply = replacer(r.tokens)
	}
	return r.apply(s)
}

// replacer prefers the longer of two tokens that start at the same byte.
func replacer(tokens map[string]leak.Secret) func(string) string {
	list := make([]leak.Secret, 0, len(tokens))
	for _, s := range tokens {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b leak.Secret) int { return b.Len() - a.Len() })
	var pairs []string
	for _, s := range list {
		clear := string(s.Reveal())
		for _, form := range []string{clear, url.PathEscape(clear), url.QueryEscape(clear)} {
			pairs = append(pairs, form, s.Mask())
		}
	}
	return strings.NewReplacer(pairs...).Replace
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
