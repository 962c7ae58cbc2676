package auditlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hashes is where the hashes of a tree lie. Events that are appended write
// theirs through it, so that it can be the transaction that stores the event.
type Hashes interface {
	tlog.HashReader
	// WriteHashes keeps the hashes that the leaf with this number completes:
	// its own, and those of the subtrees it is the last leaf of, lowest first.
	WriteHashes(leaf int64, hashes []tlog.Hash) error
}

// Append makes an event's canonical bytes the leaf with the number size of a
// tree that has size leaves. After an error nothing of it may be kept.
func Append(h Hashes, size int64, canonical []byte) error {
	hashes, err := tlog.StoredHashes(size, canonical, h)
	if err != nil {
		return fmt.Errorf("hashing event %d: %w", size, err)
	}
	if err := h.WriteHashes(size, hashes); err != nil {
		return fmt.Errorf("storing the hashes of event %d: %w", size, err)
	}
	return nil
}

// Locate says which leaf's [Hashes.WriteHashes] brought the hash with an index
// of [tlog.HashReader.ReadHashes], and at which place of its hashes it stands.
func Locate(index int64) (leaf int64, place int) {
	level, n := tlog.SplitStoredHashIndex(index)
	return (n+1)<<level - 1, level
}

// edge is the right edge of a growing tree: the root of each complete subtree
// that has no right sibling yet, by level. It is all that is needed to go on.
type edge struct {
	size  int64
	roots []tlog.Hash // by level; meaningful where size has that bit
}

// add appends a leaf's hash and returns the hashes that it completes.
func (e *edge) add(h tlog.Hash) []tlog.Hash {
	out := []tlog.Hash{h}
	level := 0
	for ; e.size>>level&1 == 1; level++ {
		h = tlog.NodeHash(e.roots[level], h)
		out = append(out, h)
	}
	if level == len(e.roots) {
		e.roots = append(e.roots, h)
	}
	e.roots[level] = h
	e.size++
	return out
}

// root returns the hash of the tree; that of an empty tree is the hash of
// nothing.
func (e *edge) root() tlog.Hash {
	var h tlog.Hash
	first := true
	for level, r := range e.roots {
		switch {
		case e.size>>level&1 == 0:
		case first:
			h, first = r, false
		default:
			h = tlog.NodeHash(r, h)
		}
	}
	if first {
		h, _ = tlog.TreeHash(0, nil)
	}
	return h
}
