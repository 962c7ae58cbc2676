package auditlog

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// maxProblems is how many problems a verification tells one by one.
const maxProblems = 100

// Leaf is an event with the hashes that were stored with it.
type Leaf struct {
	Entry
	Hashes []tlog.Hash // see [Hashes]
}

// Problem is something that is not as it was when it was written.
type Problem struct {
	Index int64  // of the event; -1: it concerns the log
	Text  string // a sentence
}

// Verification is what [Verify] found.
type Verification struct {
	Size        int64     // events, deleted ones too
	Deleted     int64     // events whose bodies retention deleted; their hashes were checked
	Root        tlog.Hash // of all events
	Checkpoints int       // whose signature and root are right
	Problems    []Problem // the first 100; none: the log is as it was
	More        int       // problems beyond these
}

// Intact reports whether nothing was found.
func (v *Verification) Intact() bool { return len(v.Problems) == 0 }

// Report adds a problem.
func (v *Verification) Report(index int64, format string, args ...any) {
	if len(v.Problems) >= maxProblems {
		v.More++
		return
	}
	v.Problems = append(v.Problems, Problem{index, fmt.Sprintf(format, args...)})
}

// Verify reads a whole log in the order of its events and compares: each
// event's bytes with its hash (a body may be missing only when a later event
// says that retention deleted it), each hash with those below it, the tree with
// every checkpoint, each checkpoint's signature with the key of v (nil: no
// signature is checked, and no checkpoint counts). An error is a log that could
// not be read; what is wrong with the log is in the Verification.
//
// A log whose end was cut off, or that was rewritten after the last checkpoint,
// differs from no checkpoint in it: keep some of them elsewhere and give them
// here too.
func Verify(leaves iter.Seq2[Leaf, error], checkpoints []string, v *Verifier) (Verification, error) {
	var out Verification
	pending := out.open(checkpoints, v)
	var tree edge
	gone, allowed := int64(-1), int64(-1) // the last event without a body, and the last that retention deleted
	pending = out.compare(&tree, pending)
	for leaf, err := range leaves {
		if err != nil {
			return out, fmt.Errorf("reading the audit log after event %d: %w", tree.size-1, err)
		}
		if leaf.Index != tree.size {
			out.Report(tree.size, "event %d is missing; %d follows", tree.size, leaf.Index)
			if leaf.Index < tree.size {
				continue
			}
		}
		out.leaf(&tree, leaf)
		if leaf.Body == nil {
			gone = leaf.Index
		}
		allowed = max(allowed, retained(leaf))
		pending = out.compare(&tree, pending)
	}
	for _, c := range pending {
		out.Report(-1, "a checkpoint of %d events was signed, and the log has %d: its end was cut off", c.Size, tree.size)
	}
	if gone > allowed {
		out.Report(gone, "event %d was deleted, and no event says that it was by retention", gone)
	}
	out.Size, out.Root = tree.size, tree.root()
	return out, nil
}

// retained returns the index through which the event says that retention
// deleted bodies, -1 when it is another event.
func retained(leaf Leaf) int64 {
	if !bytes.Contains(leaf.Body, []byte(`"actionId":"`+LogRetained+`"`)) {
		return -1
	}
	e, err := leaf.Event()
	if err != nil {
		return -1
	}
	n, err := strconv.ParseInt(e.Data.String("Through"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// leaf checks an event's hashes against its bytes and the tree so far.
func (v *Verification) leaf(tree *edge, leaf Leaf) {
	var hash tlog.Hash
	switch {
	case len(leaf.Hashes) == 0:
		v.Report(leaf.Index, "event %d has no hash", leaf.Index)
		hash = tlog.RecordHash(leaf.Body)
	case leaf.Body == nil:
		v.Deleted++
		hash = leaf.Hashes[0]
	default:
		hash = tlog.RecordHash(leaf.Body)
		if hash != leaf.Hashes[0] {
			v.Report(leaf.Index, "event %d was altered: its hash is not the one that was stored with it", leaf.Index)
		}
	}
	want := tree.add(hash)
	if len(leaf.Hashes) > 0 && !slices.Equal(leaf.Hashes[1:], want[1:]) {
		v.Report(leaf.Index, "the hashes of the tree over event %d were altered, or an event before it", leaf.Index)
	}
}

// open checks the signatures and returns the checkpoints by size.
func (v *Verification) open(signed []string, key *Verifier) []Checkpoint {
	if key == nil {
		return nil
	}
	var out []Checkpoint
	for _, s := range signed {
		c, err := key.Open(s)
		if err != nil {
			v.Report(-1, "a checkpoint is not right: %v", err)
			continue
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	return out
}

// compare checks the checkpoints of the tree's size and returns the rest.
func (v *Verification) compare(tree *edge, pending []Checkpoint) []Checkpoint {
	for len(pending) > 0 && pending[0].Size <= tree.size {
		if c := pending[0]; c.Size == tree.size && c.Root == tree.root() {
			v.Checkpoints++
		} else {
			v.Report(c.Size-1, "the log's first %d events are not those of the checkpoint that was signed then", c.Size)
		}
		pending = pending[1:]
	}
	return pending
}
