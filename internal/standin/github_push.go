package standin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"patwatch/leak"
)

// Commit is what one commit changes.
type Commit struct {
	Files   map[string]string // contents, by slash-separated path
	Remove  []string          // paths that go
	Message string            // "": "update"
	Author  string            // "Name <mail>"; "": a user of example.org
}

// PushOptions say how a ref is moved. The zero value puts commits on top.
type PushOptions struct {
	Force bool // drop what the ref has: the commits start from From
	From  string
	Quiet bool // no event, as of a push that the events API never showed
}

// Push puts commits on a branch "refs/heads/…" of a repository, making it if it
// is not there, and appends the event that GitHub would show: of a branch that
// is new, a CreateEvent without a commit. It returns what was pushed, as a
// reader of the event cannot know it all. The commits are on disk when the event
// is there. Without commits the ref moves to PushOptions.From: a reset.
func (g *GitHub) Push(name, ref string, o PushOptions, commits ...Commit) (leak.Push, error) {
	repo, err := g.repository(name)
	if err != nil {
		return leak.Push{}, err
	}
	if !strings.HasPrefix(ref, "refs/heads/") {
		return leak.Push{}, fmt.Errorf("pushing to %s: %w", name, errEmptyPush)
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	before := repo.heads[ref]
	after, err := g.build(repo, before, o, commits)
	if err != nil {
		return leak.Push{}, fmt.Errorf("pushing to %s: %w", name, err)
	}
	if err := repo.store.setRef(ref, after.commit); err != nil {
		return leak.Push{}, fmt.Errorf("pushing to %s: %w", name, err)
	}
	repo.heads[ref] = after
	return g.announce(repo, ref, before, after, o, commits), nil
}

// build writes the commits.
func (g *GitHub) build(repo *repository, at *head, o PushOptions, commits []Commit) (*head, error) {
	if o.Force || o.From != "" {
		var err error
		if at, err = repo.find(o.From); err != nil {
			return nil, err
		}
	}
	next := &head{files: map[string]string{}}
	if at != nil {
		next.commit, next.files = at.commit, maps.Clone(at.files)
	}
	for _, c := range commits {
		if err := g.commit(repo, next, c); err != nil {
			return nil, err
		}
	}
	if next.commit == "" {
		return nil, errEmptyPush
	}
	repo.remember(next)
	return next, nil
}

// maxPast is how many heads of a repository a push may go back to.
const maxPast = 64

// remember keeps a head that a later push may go back to.
func (r *repository) remember(h *head) {
	r.past = append(r.past, h)
	if over := len(r.past) - maxPast; over > 0 {
		r.past = slices.Delete(r.past, 0, over)
	}
}

// find returns the head that is or was at a commit, nil for "".
func (r *repository) find(commit string) (*head, error) {
	if commit == "" {
		return nil, nil
	}
	for _, h := range r.past {
		if h.commit == commit {
			return h, nil
		}
	}
	return nil, fmt.Errorf("%s was not one of the latest heads", commit)
}

// commit puts one commit on top of next.
func (g *GitHub) commit(repo *repository, next *head, c Commit) error {
	for _, path := range c.Remove {
		delete(next.files, path)
	}
	for path, content := range c.Files {
		id, err := repo.store.object("blob", []byte(content))
		if err != nil {
			return err
		}
		next.files[path] = id
	}
	tree, err := repo.store.tree(next.files)
	if err != nil {
		return err
	}
	var parents []string
	if next.commit != "" {
		parents = []string{next.commit}
	}
	next.commit, err = repo.store.commit(tree, parents, cmp.Or(c.Author, defaultAuthor), cmp.Or(c.Message, "update"), g.o.Now())
	return err
}

const defaultAuthor = "A User <user@example.org>"

// announce appends the event of a push.
func (g *GitHub) announce(repo *repository, ref string, before, after *head, o PushOptions, commits []Commit) leak.Push {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := leak.Push{
		Source: "events", Kind: leak.RefUpdated, RepositoryID: repo.id, Repository: repo.name,
		Ref: ref, After: after.commit, PushedAt: g.o.Now(),
	}
	if before == nil {
		p.Kind = leak.BranchCreated
	} else {
		p.Before = before.commit
	}
	switch {
	case o.Quiet:
	case before == nil:
		p.ID = g.addEvent("CreateEvent", repo, created(ref, "branch"))
	default:
		payload := map[string]any{
			"repository_id": repo.id, "push_id": g.events.nextPush(), "ref": ref, "head": after.commit, "before": before.commit,
		}
		p.ID = fmt.Sprintf("github:%d", payload["push_id"])
		if g.o.Legacy {
			legacy(payload, after.commit, commits)
		}
		g.addEvent("PushEvent", repo, payload)
	}
	return p
}

func created(ref, kind string) map[string]any {
	short := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	return map[string]any{"ref": short, "ref_type": kind, "full_ref": ref, "master_branch": "main", "description": nil, "pusher_type": "user"}
}

// legacy adds what payloads had until October 2025. Of several commits only the
// last one's name is known here, so the others go without.
func legacy(payload map[string]any, head string, commits []Commit) {
	payload["size"], payload["distinct_size"] = len(commits), len(commits)
	list := []any{}
	if n := len(commits); n > 0 {
		list = append(list, map[string]any{
			"sha": head, "message": cmp.Or(commits[n-1].Message, "update"), "distinct": true,
			"author": map[string]any{"name": "A User", "email": "user@example.org"},
		})
	}
	payload["commits"] = list
}

// Tag puts a tag "refs/tags/…" on a branch's head, annotated if message is not
// "", and appends its CreateEvent.
func (g *GitHub) Tag(name, ref, branch, message string) (leak.Push, error) {
	repo, err := g.repository(name)
	if err != nil {
		return leak.Push{}, err
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	at := repo.heads[branch]
	short, ok := strings.CutPrefix(ref, "refs/tags/")
	if at == nil || !ok {
		return leak.Push{}, fmt.Errorf("tagging %s of %s as %s: no such branch, or not a tag", branch, name, ref)
	}
	id := at.commit
	if message != "" {
		if id, err = repo.store.tag(at.commit, short, defaultAuthor, message, g.o.Now()); err != nil {
			return leak.Push{}, fmt.Errorf("tagging %s: %w", name, err)
		}
	}
	if err := repo.store.setRef(ref, id); err != nil {
		return leak.Push{}, fmt.Errorf("tagging %s: %w", name, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := leak.Push{Source: "events", Kind: leak.TagCreated, RepositoryID: repo.id, Repository: repo.name, Ref: ref, After: id, PushedAt: g.o.Now()}
	p.ID = g.addEvent("CreateEvent", repo, created(ref, "tag"))
	return p, nil
}

// Delete removes a branch and appends its DeleteEvent.
func (g *GitHub) Delete(name, ref string) error {
	repo, err := g.repository(name)
	if err != nil {
		return err
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	if err := repo.store.setRef(ref, ""); err != nil {
		return fmt.Errorf("deleting %s of %s: %w", ref, name, err)
	}
	delete(repo.heads, ref)
	g.mu.Lock()
	defer g.mu.Unlock()
	payload := created(ref, "branch")
	delete(payload, "master_branch")
	delete(payload, "description")
	g.addEvent("DeleteEvent", repo, payload)
	return nil
}

// Publish appends the event of a repository that was private until now.
func (g *GitHub) Publish(name string) (leak.Push, error) {
	repo, err := g.repository(name)
	if err != nil {
		return leak.Push{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := leak.Push{Source: "events", Kind: leak.MadePublic, RepositoryID: repo.id, Repository: repo.name, PushedAt: g.o.Now()}
	p.ID = g.addEvent("PublicEvent", repo, map[string]any{})
	return p, nil
}
