package history

import "patwatch/git/pack"

// A bitmap is a set of small numbers. The nil bitmap is empty.
type bitmap []uint64

func (b bitmap) has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 != 0 }

func (b bitmap) set(i int) { b[i>>6] |= 1 << (i & 63) }

// manyPacks is the number of packs from which one table of all names is cheaper
// than looking a name up in each pack before.
const manyPacks = 4

// seen tells which blobs of a pack stand in an earlier one too. It costs
// nothing when there is one pack.
type seen struct {
	before []*pack.Pack
	all    *idSet // of the packs before, when they are many
}

func (w *blobWalk) newSeen() *seen {
	s := &seen{}
	if len(w.r.packs) >= manyPacks {
		n := 0
		for _, p := range w.r.packs {
			n += p.Len()
		}
		s.all = newIDSet(w.r.idSize, n)
	}
	return s
}

// enter returns the blobs of p that an earlier pack has, and remembers p.
func (s *seen) enter(p *pack.Pack) bitmap {
	again := make(bitmap, (p.Len()+63)/64)
	if s.all == nil && len(s.before) == 0 {
		s.before = append(s.before, p)
		return again
	}
	var raw []byte
	for i := range p.Len() {
		if k := p.Kind(i); k != pack.Blob && k != 0 {
			continue
		}
		raw = p.ID(i).Append(raw[:0])
		if s.has(p.ID(i), raw) {
			again.set(i)
		}
	}
	s.before = append(s.before, p)
	return again
}

func (s *seen) has(id pack.ID, raw []byte) bool {
	if s.all != nil {
		_, added := s.all.add(raw)
		return !added
	}
	return packed(s.before, id)
}

// packed says whether one of the packs has an object.
func packed(packs []*pack.Pack, id pack.ID) bool {
	for _, p := range packs {
		if _, ok := p.Find(id); ok {
			return true
		}
	}
	return false
}
