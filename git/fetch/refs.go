package fetch

import (
	"context"
	"fmt"
	"strings"
)

// Refs is what a repository advertises.
type Refs struct {
	IDs     map[string]string // object names, by ref: "HEAD", "refs/heads/main"
	Default string            // the branch that HEAD is, "" when that is not known
	Cut     bool              // there are more than are read
}

const (
	maxRefs     = 100_000
	maxRefBytes = 16 << 20
)

// LsRefs asks for the refs whose names begin with one of the prefixes. An empty
// repository has none.
func (c *Client) LsRefs(ctx context.Context, repository string, prefixes ...string) (*Refs, error) {
	refs, err := c.lsRefs(ctx, repository, prefixes...)
	if err != nil {
		return nil, fmt.Errorf("listing refs of %s: %w", repository, err)
	}
	return refs, nil
}

func (c *Client) lsRefs(ctx context.Context, repository string, prefixes ...string) (*Refs, error) {
	if err := check(repository); err != nil {
		return nil, err
	}
	b := appendLine(nil, "command=ls-refs")
	b = appendLine(b, "agent="+c.agent())
	b = appendLine(b, "object-format=sha1")
	b = append(b, delimPacket...)
	b = appendLine(b, "symrefs")
	for _, p := range prefixes {
		if p != "HEAD" && !ValidRef(p) {
			return nil, fmt.Errorf("%w: ref prefix %.200q", ErrName, p)
		}
		b = appendLine(b, "ref-prefix "+p)
	}
	refs := &Refs{IDs: map[string]string{}}
	err := c.post(ctx, repository, append(b, flushPacket...), func(p *packetReader, _ *watch) error { return refs.read(p) })
	if err != nil {
		return nil, err
	}
	return refs, nil
}

// read reads the answer.
func (r *Refs) read(p *packetReader) error {
	size := 0
	for first := true; ; first = false {
		kind, b, err := p.line()
		if err != nil {
			return beginning(err, first)
		}
		if kind == flush || kind == responseEnd {
			return nil
		}
		if kind != data {
			return fmt.Errorf("%w: a section in a list of refs", ErrProtocol)
		}
		if size += len(b); size > maxRefBytes || len(r.IDs) >= maxRefs {
			r.Cut = true
			return r.rest(p)
		}
		r.add(string(b))
	}
}

// rest reads on to the end of the list, as far as that is not more than was
// read already.
func (r *Refs) rest(p *packetReader) error {
	for range maxRefs {
		if kind, _, err := p.line(); err != nil || kind != data {
			return err
		}
	}
	return nil
}

// add takes one line: an object, a ref, attributes. A line that cannot be
// read names nothing that could be asked for.
func (r *Refs) add(line string) {
	words := strings.Split(line, " ")
	if len(words) < 2 || words[1] != "HEAD" && !ValidRef(words[1]) {
		return
	}
	for _, attribute := range words[2:] {
		if to, ok := strings.CutPrefix(attribute, "symref-target:"); ok && words[1] == "HEAD" && ValidRef(to) {
			r.Default = to
		}
	}
	if ValidObject(words[0]) {
		r.IDs[words[1]] = words[0]
	}
}
