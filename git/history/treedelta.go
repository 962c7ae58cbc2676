package history

import (
	"bytes"
	"slices"

	"patwatch/git/pack"
)

// A deltaReader finds which trees a tree gained and lost against its delta
// base. An occurrence of a node is a NUL and the node's name after it; one that
// stands within a copy is the base's. It belongs to one goroutine.
type deltaReader struct {
	nodes      *idSet
	trees      int
	doubt      bool // an occurrence may be no entry
	came, gone []int32
	copies     []pack.Copy
	kept       []pack.Copy // by From; no occurrence can stand in two of them
	spans      [][2]int    // of Data: all that is not in kept
}

// read returns the trees that came and went, one for each occurrence, valid
// until the next call. It returns false when the tree has to be parsed in full:
// the delta brings or takes a wanted blob, or something that may be no entry.
func (d *deltaReader) read(g *treeGraph, o *pack.Object) (came, gone []int32, ok bool) {
	var err error
	nodes := g.nodes
	d.nodes, d.trees, d.doubt, d.came, d.gone = nodes, g.trees, false, d.came[:0], d.gone[:0]
	if d.copies, err = pack.AppendCopies(d.copies[:0], o.Delta); err != nil {
		return nil, nil, false
	}
	d.keep(o.Changed)
	at := 0
	for _, c := range d.spans {
		at = d.occurrences(&d.came, o.Data, max(at, c[0]-nodes.size), c[1])
	}
	d.lost(o.Base)
	if d.doubt {
		return nil, nil, false
	}
	d.cancel()
	return d.came, d.gone, true
}

// keep chooses copies of which no two share an occurrence in the base. The
// bytes that the others brought count as changed.
func (d *deltaReader) keep(changed [][2]int) {
	byFrom := func(a, b pack.Copy) int { return a.From - b.From }
	if !slices.IsSortedFunc(d.copies, byFrom) {
		slices.SortFunc(d.copies, byFrom)
	}
	d.kept, d.spans = d.kept[:0], append(d.spans[:0], changed...)
	for _, c := range d.copies {
		d.keepOne(c)
	}
	if len(d.spans) > len(changed) {
		slices.SortFunc(d.spans, func(a, b [2]int) int { return a[0] - b[0] })
	}
}

// keepOne adds a copy, or drops it or those before it when they share more than
// an occurrence is long.
func (d *deltaReader) keepOne(c pack.Copy) {
	for len(d.kept) > 0 {
		p := d.kept[len(d.kept)-1]
		end := p.From + p.Len
		nested := c.From+c.Len <= end
		if !nested && end-c.From <= d.nodes.size {
			break
		}
		if nested || c.Len <= p.Len {
			d.drop(c)
			return
		}
		d.drop(p)
		d.kept = d.kept[:len(d.kept)-1]
	}
	d.kept = append(d.kept, c)
}

func (d *deltaReader) drop(c pack.Copy) { d.spans = append(d.spans, [2]int{c.To, c.To + c.Len}) }

// lost collects the nodes of the base that stand in no kept copy.
func (d *deltaReader) lost(base []byte) {
	at, end := 0, 0
	for _, c := range d.kept {
		if c.From > 0 {
			at = d.occurrences(&d.gone, base, max(at, end-d.nodes.size), c.From)
		}
		end = c.From + c.Len
	}
	d.occurrences(&d.gone, base, max(at, end-d.nodes.size), len(base))
}

// occurrences appends the nodes whose names follow a NUL in b[from:to], and
// returns how far it looked.
func (d *deltaReader) occurrences(dst *[]int32, b []byte, from, to int) int {
	nodes := d.nodes
	to = min(to, len(b)-nodes.size)
	for from < to {
		k := bytes.IndexByte(b[from:to], 0)
		if k < 0 {
			break
		}
		from += k + 1
		if n := nodes.findSealed(b[from : from+nodes.size]); n >= 0 {
			*dst = append(*dst, n)
			d.doubt = d.doubt || int(n) >= d.trees || !endsInDirectory(b[:from-1])
		}
	}
	return max(from, to)
}

// endsInDirectory says whether b ends in the mode and name of a directory. It
// is wrong only for a name that was made to look like one.
func endsInDirectory(b []byte) bool {
	b = b[max(0, len(b)-256):]
	space := bytes.LastIndexByte(b, ' ')
	return space >= 5 && string(b[space-5:space]) == "40000"
}

// cancel takes out pairs that undo each other: an entry that stands in changed
// bytes but did not change.
func (d *deltaReader) cancel() {
	if len(d.gone) > 64 {
		return
	}
	kept := d.came[:0]
	for _, n := range d.came {
		if i := slices.Index(d.gone, n); i >= 0 {
			d.gone = slices.Delete(d.gone, i, i+1)
			continue
		}
		kept = append(kept, n)
	}
	d.came = kept
}
