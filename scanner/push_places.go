package scanner

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"time"

	"patwatch/git/pack"
)

// Bounds on looking for the commits of a push.
const (
	maxPushDepth = 256     // folders in folders
	maxPushPaths = 64      // paths in one tree at which something was found
	maxPushMeta  = 8 << 20 // bytes of a commit or tree
)

// A pushCommit is what a place says of a commit.
type pushCommit struct {
	id            pack.ID
	tree          pack.ID
	parents       []pack.ID
	author, email string
	time          time.Time
	subject       string
	paths         map[string]int // object that something was found in, by path
}

// A pushTracer finds the commits and paths of objects in one pack.
type pushTracer struct {
	p     *pack.Pack
	r     *pack.Reader
	found map[int][]hit
	trees map[int]map[string]int // by number of the tree: object found, by path
	cut   bool
}

var errPaths = errors.New("there are more paths, or deeper ones, than are looked at")

// places returns the places of each object that something was found in. Commit
// messages are at their commit, without a path.
func (w *pushWorker) places(ctx context.Context, p *pack.Pack) (map[int][]pushPlace, error) {
	if err := p.Identify(ctx); err != nil {
		return nil, err
	}
	tr := &pushTracer{p: p, r: p.NewReader(), found: w.found, trees: map[int]map[string]int{}}
	tr.r.MaxSize = maxPushMeta
	commits := map[pack.ID]*pushCommit{}
	out := map[int][]pushPlace{}
	for i := range p.Len() {
		if p.Kind(i) != pack.Commit {
			continue
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		_, data, err := tr.r.Read(i)
		if err != nil {
			continue // the walk has said so
		}
		c := parsePushCommit(p.ID(i), data)
		c.paths = tr.tree(c.tree, 0)
		commits[c.id] = c
		if len(w.found[i]) > 0 {
			out[i] = []pushPlace{{commit: c}}
		}
	}
	w.t.Commits += int64(len(commits))
	for _, c := range commits {
		tr.introduced(c, commits, out)
	}
	if tr.cut {
		return out, errPaths
	}
	return out, nil
}

// introduced adds what a commit has that none of its parents in the pack has.
func (tr *pushTracer) introduced(c *pushCommit, commits map[pack.ID]*pushCommit, out map[int][]pushPlace) {
	for path, object := range c.paths {
		carried := map[string]bool{}
		same := false
		for _, id := range c.parents {
			parent := commits[id]
			if parent == nil {
				continue
			}
			old, ok := parent.paths[path]
			same = same || ok && old == object
			if !ok {
				continue
			}
			for _, h := range tr.found[old] {
				carried[h.secret.Fingerprint()] = true
			}
		}
		if !same {
			out[object] = append(out[object], pushPlace{c, path, carried})
		}
	}
}

// tree returns what stands below a tree, as far as the pack has it: the rest
// was there before the push.
func (tr *pushTracer) tree(id pack.ID, depth int) map[string]int {
	i, ok := tr.p.Find(id)
	if !ok || tr.p.Kind(i) != pack.Tree {
		return nil
	}
	if known, ok := tr.trees[i]; ok {
		return known
	}
	if depth > maxPushDepth {
		tr.cut = true
		return nil
	}
	tr.trees[i] = nil // a tree cannot be below itself; hostile names could say so
	_, data, err := tr.r.Read(i)
	if err != nil {
		tr.cut = true
		return nil
	}
	below := map[string]int{}
	data = bytes.Clone(data)
	size := len(id.Append(nil))
	for len(data) > 0 {
		head, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, named := bytes.Cut(head, []byte{' '})
		if !ok || !named || len(rest) < size {
			tr.cut = true
			break
		}
		child, err := pack.NewID(rest[:size])
		data = rest[size:]
		if err == nil {
			tr.entry(below, child, string(name), string(mode) == "40000", depth)
		}
	}
	tr.trees[i] = below
	return below
}

// entry adds one entry of a tree, and what is below it.
func (tr *pushTracer) entry(below map[string]int, id pack.ID, name string, folder bool, depth int) {
	add := func(path string, object int) {
		if len(below) >= maxPushPaths {
			tr.cut = true
			return
		}
		below[path] = object
	}
	if folder {
		for path, object := range tr.tree(id, depth+1) {
			add(name+"/"+path, object)
		}
		return
	}
	if i, ok := tr.p.Find(id); ok && len(tr.found[i]) > 0 {
		add(name, i)
	}
}

// parsePushCommit reads what places need of a commit. What is malformed stays
// empty.
func parsePushCommit(id pack.ID, data []byte) *pushCommit {
	c := &pushCommit{id: id}
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	subject, _, _ := bytes.Cut(message, []byte{'\n'})
	c.subject = string(subject)
	for line := range bytes.SplitSeq(head, []byte{'\n'}) {
		key, value, _ := bytes.Cut(line, []byte{' '})
		switch string(key) {
		case "tree":
			c.tree, _ = pack.ParseID(string(value))
		case "parent":
			if parent, err := pack.ParseID(string(value)); err == nil {
				c.parents = append(c.parents, parent)
			}
		case "author":
			c.signature(value)
		}
	}
	return c
}

// signature reads "Name <mail> 1700000000 +0000".
func (c *pushCommit) signature(b []byte) {
	open, end := bytes.IndexByte(b, '<'), bytes.LastIndexByte(b, '>')
	if open < 0 || end < open {
		return
	}
	c.author, c.email = string(bytes.TrimSpace(b[:open])), string(b[open+1:end])
	stamp, _, _ := bytes.Cut(bytes.TrimSpace(b[end+1:]), []byte{' '})
	if n, err := strconv.ParseInt(string(stamp), 10, 62); err == nil {
		c.time = time.Unix(n, 0).UTC()
	}
}
