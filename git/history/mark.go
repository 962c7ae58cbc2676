package history

import "slices"

// batchSize is the number of blobs that are marked at once: one bit each.
const batchSize = 64

// A marker finds which trees reach which of up to batchSize blobs.
type marker struct {
	g      *treeGraph
	blobs  []int32  // nodes
	mask   []uint64 // of each tree: the blobs that it reaches
	stamp  []int32  // of each tree: the last spread in which it was met
	serial int32
	queue  []int32
	queued bitmap
	stack  []held
}

// held is a tree with how often it holds the node that is being spread.
type held struct{ tree, count int32 }

func newMarker(g *treeGraph) *marker {
	return &marker{g: g, mask: make([]uint64, g.trees), stamp: make([]int32, g.trees), queued: make(bitmap, (g.trees+63)/64)}
}

// mark computes the masks for blobs, which are nodes of the graph.
func (m *marker) mark(blobs []int32) {
	clear(m.mask)
	m.blobs = blobs
	for i, b := range blobs {
		m.spread(b, 1<<i)
	}
	for len(m.queue) > 0 { // breadth first: a tree is met again only from further down
		todo := m.queue
		m.queue = nil
		for _, t := range todo {
			m.queued[t>>6] &^= 1 << (t & 63)
			m.spread(t, m.mask[t])
		}
	}
}

// spread gives bits to all trees that hold node c: those with an event that
// brings it in, and their deltas as long as no event takes it out.
func (m *marker) spread(c int32, bits uint64) {
	if m.serial++; m.serial < 0 {
		clear(m.stamp)
		m.serial = 1
	}
	g := m.g
	for _, t := range g.holder[g.first[c]:g.first[c+1]] {
		if m.stamp[t] == m.serial {
			continue
		}
		m.stack = append(m.stack[:0], held{t, m.change(t, c)})
		for len(m.stack) > 0 {
			h := m.stack[len(m.stack)-1]
			m.stack = m.stack[:len(m.stack)-1]
			m.stamp[h.tree] = m.serial
			if h.count <= 0 {
				continue
			}
			m.give(h.tree, bits)
			for d := g.child[h.tree]; d >= 0; d = g.next[d] {
				m.stack = append(m.stack, held{d, h.count + m.change(d, c)})
			}
		}
	}
}

// change adds up the events of a tree that concern node c.
func (m *marker) change(tree, c int32) (n int32) {
	for _, e := range m.g.events[m.g.from[tree]:m.g.to[tree]] {
		if e == c {
			n++
		} else if e == ^c {
			n--
		}
	}
	return n
}

func (m *marker) give(tree int32, bits uint64) {
	if m.mask[tree]|bits == m.mask[tree] {
		return
	}
	m.mask[tree] |= bits
	if !m.queued.has(int(tree)) {
		m.queued.set(int(tree))
		m.queue = append(m.queue, tree)
	}
}

// reaches returns the blobs that a node is or reaches.
func (m *marker) reaches(node int32) uint64 {
	if int(node) < m.g.trees {
		return m.mask[node]
	}
	if i := slices.Index(m.blobs, node); i >= 0 {
		return 1 << i
	}
	return 0
}
