package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patwatch/git/pack"
)

// Kind says what happened to a ref.
type Kind string

// The kinds of a [Change].
const (
	Updated Kind = "update" // Before and After are known
	Branch  Kind = "branch" // a new branch; After may be known
	Tag     Kind = "tag"    // a new tag; After may be known
	Delete  Kind = "delete"
	All     Kind = "all" // everything the repository shows: it was made public, or is read again
)

// Change is what happened to a repository.
type Change struct {
	Repository string // "owner/name"
	ID         int64  // its number, to find it again under another name; 0: not known
	Kind       Kind
	Ref        string
	Before     string // "" or zeros: nothing, or not known
	After      string
	Via        []string // what the ref pointed at in between, when several pushes are read at once

	MaxBytes  int64 // of all packs; 0: the client's
	BlobLimit int64 // bytes; larger blobs are not asked for, which counts as missed; 0: all are
}

// Case says which way a [Change] was read.
type Case string

// The cases.
const (
	FastForward   Case = "fast-forward"
	Forced        Case = "forced"         // the ref left what it had: a part with what is new, one with what it dropped
	Reset         Case = "reset"          // the same, but nothing is new
	UnknownBefore Case = "unknown-before" // the server does not know Before
	NewBranch     Case = "branch"
	FirstPush     Case = "first-push" // of the default branch: all of its history
	NewTag        Case = "tag"
	Everything    Case = "everything"
	Deleted       Case = "deleted" // nothing is read
)

// Result is what a [Change] made public.
type Result struct {
	Case       Case
	Repository string   // the name it has now
	Parts      []Part   // none when there is nothing new
	Missed     []Missed // what is not in Parts; none: everything is
	s          *session
}

// Part is one packfile. It is valid until the Result's Release.
type Part struct {
	Dropped bool       // it holds what the ref left, not what it came to
	Pack    []byte     // a packfile without bases outside of it, or the start of one
	Objects *pack.Pack // what is in Pack, within Options.Limits: see [pack.Pack.Incomplete]
}

// Missed says what was not read.
type Missed struct {
	Dropped bool // of what the ref left
	Reason  Reason
	Detail  string // a sentence
}

// Release gives the memory of the packs back. It may be called more than once.
func (r *Result) Release() { r.s.release() }

// maxHaves is how many branches a request says it has, and maxWants how many
// it asks for at once.
const (
	maxHaves = 256
	maxWants = 4096
)

// Push reads what a change made public, whatever it takes: mostly one request,
// three for a force push. When it returns an error nothing was read; for
// [*Throttled], [*ServerError] and errors of the network trying again helps. What
// was read only in part is in the Result, and Result.Missed says what is not.
//
// What a request says it has is only what another event has shown in full: the
// ref's own past, or for a new ref the default branch, and for a tag all
// branches. So of branches that came together none is left out because the
// other one has it.
func (c *Client) Push(ctx context.Context, p Change) (*Result, error) {
	s := c.session(p.MaxBytes)
	r := &Result{Repository: p.Repository, s: s}
	err := r.read(ctx, &p)
	var renamed *Renamed
	if errors.As(err, &renamed) {
		if p.Repository, err = c.resolve(ctx, &p, renamed); err == nil {
			*r = Result{Repository: p.Repository, s: s}
			err = r.read(ctx, &p)
		}
	}
	if err != nil {
		s.release()
		return nil, fmt.Errorf("fetching %s of %s: %w", p.Kind, p.Repository, err)
	}
	if p.BlobLimit > 0 && len(r.Parts) > 0 {
		r.Missed = append(r.Missed, Missed{Reason: Limited, Detail: fmt.Sprintf("files of more than %d bytes were not asked for", p.BlobLimit)})
	}
	return r, nil
}

// resolve returns the name that a repository has now.
func (c *Client) resolve(ctx context.Context, p *Change, renamed *Renamed) (string, error) {
	to := renamed.To
	if c.o.Resolve != nil && p.ID != 0 {
		name, err := c.o.Resolve(ctx, p.ID)
		if err != nil {
			return p.Repository, fmt.Errorf("%w: looking up repository %d: %w", renamed, p.ID, err)
		}
		to = name
	}
	if !ValidRepository(to) || to == p.Repository {
		return p.Repository, renamed
	}
	return to, nil
}

func (r *Result) read(ctx context.Context, p *Change) error {
	switch {
	case p.Ref != "" && !ValidRef(p.Ref), p.Ref == "" && (p.Kind == Branch || p.Kind == Tag):
		return fmt.Errorf("%w: ref %.200q", ErrName, p.Ref)
	case p.Kind == Delete, p.Kind == Updated && nothing(p.After):
		r.Case = Deleted
		return nil
	case p.Kind == All:
		return r.everything(ctx, p)
	case p.Kind == Tag:
		return r.tag(ctx, p)
	case p.Kind == Branch, nothing(p.Before):
		return r.branch(ctx, p)
	}
	return r.update(ctx, p)
}

// update reads a push to a ref whose past is known.
func (r *Result) update(ctx context.Context, p *Change) error {
	r.Case = FastForward
	if p.Before == p.After && len(p.Via) == 0 {
		return nil
	}
	a, err := r.fetch(ctx, p, Request{Want: []string{p.After}, Have: []string{p.Before}})
	switch {
	case err != nil:
		return err
	case !a.packed && len(a.acked) == 0:
		return r.unknownBefore(ctx, p)
	case !a.packed:
		if err := r.take(ctx, p, Request{Want: []string{p.After}, Have: []string{p.Before}, Done: true}); err != nil {
			return err
		}
		return r.dropped(ctx, p)
	}
	r.add(a, false)
	if len(r.Parts) > 0 && follows(ctx, r.Parts[0].Objects, p.Before) {
		return nil
	}
	return r.dropped(ctx, p)
}

// dropped reads what a forced push left, after what it came to. It may be gone
// by now.
func (r *Result) dropped(ctx context.Context, p *Change) error {
	r.Case = Forced
	if len(r.Parts) == 0 && len(r.Missed) == 0 {
		r.Case = Reset
	}
	dropped, err := r.s.fetch(ctx, Request{
		Repository: p.Repository, Want: []string{p.Before}, Have: []string{p.After}, Done: true, BlobLimit: p.BlobLimit,
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrMissing):
		r.Missed = append(r.Missed, Missed{true, Gone, "the commits that the ref left are not there any more"})
	case err != nil:
		r.Missed = append(r.Missed, Missed{true, CutOff, "the commits that the ref left: " + remote([]byte(err.Error())).text})
	case dropped.packed:
		r.add(dropped, true)
	}
	return nil
}

// unknownBefore reads a push onto something that the server does not know: all
// that the default branch has not.
func (r *Result) unknownBefore(ctx context.Context, p *Change) error {
	if err := r.branch(ctx, p); err != nil {
		return err
	}
	r.Case = UnknownBefore
	r.Missed = append(r.Missed, Missed{true, Gone, "the commit that the ref pointed at before is not there any more"})
	return nil
}

// branch reads a branch that is new.
func (r *Result) branch(ctx context.Context, p *Change) error {
	r.Case = NewBranch
	refs, err := r.s.c.lsRefs(ctx, p.Repository, "HEAD", p.Ref)
	if err != nil {
		return err
	}
	want := p.After
	if nothing(want) {
		want = refs.IDs[p.Ref]
	}
	if want == "" {
		return fmt.Errorf("%w: %.200q is not advertised", ErrMissing, p.Ref)
	}
	q := Request{Want: []string{want}, Done: true}
	switch head := refs.IDs["HEAD"]; {
	case refs.Default == p.Ref || head == "":
		r.Case = FirstPush
	default:
		q.Have = []string{head}
	}
	return r.take(ctx, p, q)
}

// tag reads a tag that is new: the tag object, and what no branch has.
func (r *Result) tag(ctx context.Context, p *Change) error {
	r.Case = NewTag
	refs, err := r.s.c.lsRefs(ctx, p.Repository, "HEAD", "refs/heads/", p.Ref)
	if err != nil {
		return err
	}
	want := p.After
	if nothing(want) {
		want = refs.IDs[p.Ref]
	}
	if want == "" {
		return fmt.Errorf("%w: %.200q is not advertised", ErrMissing, p.Ref)
	}
	q := Request{Want: []string{want}, Done: true}
	if head := refs.IDs["HEAD"]; head != "" {
		q.Have = append(q.Have, head)
	}
	for _, ref := range slices.Sorted(maps.Keys(refs.IDs)) {
		if id := refs.IDs[ref]; strings.HasPrefix(ref, "refs/heads/") && len(q.Have) < maxHaves && !slices.Contains(q.Have, id) {
			q.Have = append(q.Have, id)
		}
	}
	return r.take(ctx, p, q)
}

// everything reads all that the branches and tags reach.
func (r *Result) everything(ctx context.Context, p *Change) error {
	r.Case = Everything
	refs, err := r.s.c.lsRefs(ctx, p.Repository, "HEAD", "refs/heads/", "refs/tags/")
	if err != nil {
		return err
	}
	tips := slices.Compact(slices.Sorted(maps.Values(refs.IDs)))
	if len(tips) == 0 {
		return nil
	}
	if refs.Cut || len(tips) > maxWants {
		tips = tips[:min(len(tips), maxWants)]
		r.Missed = append(r.Missed, Missed{Reason: Truncated, Detail: fmt.Sprintf("there are more branches and tags than the %d that are read", len(tips))})
	}
	return r.take(ctx, p, Request{Want: tips, Done: true})
}

// take reads what a request for verified haves yields, unless they have it all.
func (r *Result) take(ctx context.Context, p *Change, q Request) error {
	if len(p.Via) == 0 && len(q.Want) == 1 && slices.Contains(q.Have, q.Want[0]) {
		return nil
	}
	a, err := r.fetch(ctx, p, q)
	if err != nil {
		return err
	}
	if !a.packed {
		return fmt.Errorf("%w: no pack", ErrProtocol)
	}
	r.add(a, false)
	return nil
}

// fetch sends a request for the new side of a change, and for what the ref
// pointed at in between. When that is gone, it is left out and said to be
// missed. A server that does not filter is asked again without.
func (r *Result) fetch(ctx context.Context, p *Change, q Request) (*answer, error) {
	q.Repository, q.BlobLimit = p.Repository, p.BlobLimit
	wants := q.Want
	for _, id := range p.Via {
		if !slices.Contains(wants, id) && id != p.Before {
			q.Want = append(q.Want[:len(q.Want):len(q.Want)], id)
		}
	}
	a, err := r.s.fetch(ctx, q)
	if errors.Is(err, ErrProtocol) && q.BlobLimit > 0 {
		q.BlobLimit, p.BlobLimit = 0, 0
		a, err = r.s.fetch(ctx, q)
	}
	if errors.Is(err, ErrMissing) && len(q.Want) > len(wants) {
		q.Want, p.Via = wants, nil
		if a, err = r.s.fetch(ctx, q); err == nil {
			r.Missed = append(r.Missed, Missed{true, Gone, "commits that the ref pointed at in between are not there any more"})
		}
	}
	return a, err
}

// add takes the pack of an answer, unless it is empty.
func (r *Result) add(a *answer, dropped bool) {
	if a.reason != "" {
		r.Missed = append(r.Missed, Missed{dropped, a.reason, a.detail})
	}
	if objects(a.pack) == 0 {
		return
	}
	p, err := pack.Parse(a.pack, a.idSize, r.s.c.o.Limits)
	if err != nil {
		r.Missed = append(r.Missed, Missed{dropped, Corrupt, remote([]byte(err.Error())).text})
		return
	}
	r.Parts = append(r.Parts, Part{dropped, a.pack, p})
}
