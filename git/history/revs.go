package history

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"patwatch/git/pack"
)

// A CommitSet is a set of commits of one repository. It is immutable.
type CommitSet struct {
	g  *commitGraph
	in bitmap
	n  int
}

// Has says whether a commit is in the set.
func (s *CommitSet) Has(id pack.ID) bool {
	n := s.g.ids.find(id.Append(nil))
	return n >= 0 && s.in.has(int(n))
}

// Len returns the number of commits.
func (s *CommitSet) Len() int { return s.n }

// Reachable returns the commits that one of the include revisions reaches and
// none of the exclude revisions does; each revision reaches itself. Without
// include, everything that Refs names is meant. A revision is an object name of
// at least four digits, a ref in any of git's short forms, HEAD or @, each
// followed by any number of ~N, ^N and ^{}. An error names the revision that is
// none.
func (r *Repository) Reachable(ctx context.Context, include, exclude []string) (*CommitSet, error) {
	g, err := r.commits(ctx, 0)
	if err != nil {
		return nil, err
	}
	v := &resolver{r: r, g: g, rd: r.reader()}
	defer v.rd.release()
	tips, err := v.all(ctx, include)
	if err != nil {
		return nil, err
	}
	if len(include) == 0 {
		tips = r.tips(ctx, g, v.rd)
	}
	not, err := v.all(ctx, exclude)
	if err != nil {
		return nil, err
	}
	s := &CommitSet{g: g, in: g.ancestors(tips)}
	for i, out := range g.ancestors(not) {
		s.in[i] &^= out
	}
	for i := range g.len() {
		if s.in.has(i) {
			s.n++
		}
	}
	return s, nil
}

// A resolver turns revisions into commits.
type resolver struct {
	r  *Repository
	g  *commitGraph
	rd *reader
}

func (v *resolver) all(ctx context.Context, revs []string) (out []int32, err error) {
	for _, rev := range revs {
		n, err := v.resolve(ctx, rev)
		if err != nil {
			return nil, fmt.Errorf("revision %.200q: %w", rev, err)
		}
		out = append(out, n)
	}
	return out, nil
}

var (
	errNoRev      = errors.New("names no commit of this repository")
	errNoAncestor = errors.New("the commit has no such ancestor")
	errAmbiguous  = errors.New("is short for several commits")
	errSuffix     = errors.New("is not understood")
)

func (v *resolver) resolve(ctx context.Context, rev string) (int32, error) {
	base, suffix := rev, ""
	if i := strings.IndexAny(rev, "~^"); i >= 0 {
		base, suffix = rev[:i], rev[i:]
	}
	n, err := v.base(ctx, base)
	for err == nil && suffix != "" {
		n, suffix, err = v.step(n, suffix)
	}
	return n, err
}

// step follows one ~N, ^N, ^{} or ^{commit}.
func (v *resolver) step(n int32, suffix string) (int32, string, error) {
	for _, peel := range []string{"^{}", "^{commit}"} { // what is resolved is a commit already
		if rest, ok := strings.CutPrefix(suffix, peel); ok {
			return n, rest, nil
		}
	}
	op, rest := suffix[0], strings.TrimLeft(suffix[1:], "0123456789")
	count := 1
	if digits := suffix[1 : len(suffix)-len(rest)]; digits != "" {
		var err error
		if count, err = strconv.Atoi(digits); err != nil {
			return 0, "", errSuffix
		}
	}
	if rest != "" && rest[0] != '~' && rest[0] != '^' {
		return 0, "", errSuffix
	}
	n, err := v.ancestor(n, op, count)
	return n, rest, err
}

// ancestor returns the count-th ancestor by first parents (~), or the count-th
// parent (^).
func (v *resolver) ancestor(n int32, op byte, count int) (int32, error) {
	steps, which := count, 1
	if op == '^' {
		steps, which = min(count, 1), count
	}
	for range steps {
		parents := v.g.parentsOf(n)
		if which > len(parents) || parents[which-1] < 0 {
			return 0, errNoAncestor
		}
		n = parents[which-1]
	}
	return n, nil
}

// base resolves a revision without suffixes, in git's order: a full name, a
// ref, a short name.
func (v *resolver) base(ctx context.Context, name string) (int32, error) {
	if name == "@" {
		name = "HEAD"
	}
	if id, err := pack.ParseID(strings.ToLower(name)); err == nil && len(name) == 2*v.r.idSize {
		return v.commit(ctx, id)
	}
	for _, form := range []string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"} {
		if id, ok := v.r.ref(strings.Replace(form, "%s", name, 1)); ok {
			return v.commit(ctx, id)
		}
	}
	return v.short(strings.ToLower(name))
}

func (v *resolver) commit(ctx context.Context, id pack.ID) (int32, error) {
	if n := v.r.peel(ctx, v.g, v.rd, id); n >= 0 {
		return n, nil
	}
	return 0, errNoRev
}

// short finds the one commit whose name starts with some hex digits.
func (v *resolver) short(digits string) (int32, error) {
	if len(digits) < 4 || len(digits) > 2*v.r.idSize || strings.Trim(digits, "0123456789abcdef") != "" {
		return 0, errNoRev
	}
	found := int32(-1)
	for n := range int32(v.g.len()) {
		if !strings.HasPrefix(hex.EncodeToString(v.g.ids.at(n)), digits) {
			continue
		}
		if found >= 0 {
			return 0, errAmbiguous
		}
		found = n
	}
	if found < 0 {
		return 0, errNoRev
	}
	return found, nil
}

// headTree returns the tree of HEAD's commit; false when there is none yet.
func (rd *reader) headTree(ctx context.Context) (pack.ID, bool, error) {
	id, ok := rd.r.ref("HEAD")
	if !ok {
		return pack.ID{}, false, nil
	}
	tree, err := rd.root(ctx, id)
	return tree, err == nil, err
}

// root returns the tree of a commit.
func (rd *reader) root(ctx context.Context, commit pack.ID) (pack.ID, error) {
	kind, data, err := rd.read(ctx, commit, maxMetaRead)
	if err != nil {
		return pack.ID{}, err
	}
	if kind != pack.Commit {
		return pack.ID{}, fmt.Errorf("reading object %s: it is a %s, not a commit", commit, kind)
	}
	raw, err := commitLinks(nil, data, rd.r.idSize)
	if err != nil {
		return pack.ID{}, fmt.Errorf("reading commit %s: %w", commit, err)
	}
	return pack.NewID(raw[:rd.r.idSize])
}
