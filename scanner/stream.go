package scanner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"patwatch/detectors"
	"patwatch/leak"
)

// windowSize is how much of a stream is looked at in one go, beside what
// consecutive windows share. Most files fit in one.
const windowSize = 1 << 20

// Stream scans r to its end in windows of bounded size, whatever its length.
// name is the path of the places found, "" for standard input, and their source
// is leak.Stream. Finds are reported window by window. A read error is noted in
// the Tally; what was read before it is reported.
//
// With Options.Live finds are reported as soon as r pauses after a line, as a
// log does that is followed. Of two overlapping finds, of which one rules the
// other out, both may then be reported.
func (s *Scanner) Stream(ctx context.Context, name string, r io.Reader, emit Emit) (Tally, error) {
	var refused error
	w := s.newWindow()
	w.live = s.opts.Live
	n, err := w.scan(ctx, r, func(hits []hit) bool {
		for _, h := range hits {
			if refused = emit(s.candidate(h, leak.Place{Source: leak.Stream, Path: name})); refused != nil {
				return false
			}
		}
		return true
	})
	t := Tally{Files: 1, Bytes: n}
	if err != nil {
		t.missed("%s: %s", cmp.Or(name, "standard input"), reason(err))
	}
	return t, refused
}

// A window reads streams one after another through one buffer. It belongs to
// one goroutine.
type window struct {
	s       *Scanner
	live    bool // do not wait for a full window
	buf     []byte
	matches []detectors.Match
	vault   vault
}

func (s *Scanner) newWindow() *window {
	return &window{s: s, vault: vault{}}
}

// all reads r to its end, or to its first error, and returns what stands in it
// and how many bytes were read.
func (w *window) all(ctx context.Context, r io.Reader) (all []hit, n int64, err error) {
	n, err = w.scan(ctx, r, func(hits []hit) bool { all = append(all, hits...); return true })
	return all, n, err
}

// scan reads r to its end, or to its first error, or until give says false, and
// gives what stands in it, in order. It returns how many bytes were read.
func (w *window) scan(ctx context.Context, r io.Reader, give func([]hit) bool) (int64, error) {
	if w.buf == nil {
		w.buf = make([]byte, windowSize+w.s.matcher.Overlap())
	}
	var (
		open []sighting           // what the next window may still change
		told = map[spanKey]bool{} // what was given though the next window sees it again
		kept int                  // bytes at the start of buf that the last window also had
		base int                  // offset in the stream of buf[0]
		at   = position{line: 1}
	)
	for {
		n, err := w.fill(ctx, r, w.buf[kept:])
		data, last := w.buf[:kept+n], err != nil
		w.matches = w.s.matcher.Find(w.matches[:0], data)
		open = w.keep(open, data, base, at, last)
		kept = min(len(data), w.s.matcher.Overlap())
		gone := len(data) - kept
		end := base + gone
		if last || w.live && paused(data) {
			end = base + len(data)
		}
		settled := settle(open, end)
		hits := w.fresh(resolve(w.s.matcher, open[:settled]), told, base+gone)
		open = open[settled:]
		w.s.opts.Progress.read(0, n)
		w.s.opts.Progress.saw(hits)
		if more := len(hits) == 0 || give(hits); last || !more {
			w.s.opts.Progress.read(1, 0)
			return int64(base + len(data)), noEOF(err)
		}
		at.advance(data, gone)
		at.offset, at.lineStart = 0, at.lineStart-gone
		base += gone
		copy(w.buf, data[gone:])
	}
}

// fresh returns the hits that were not told yet, and keeps in told those that
// the next window, which starts at offset next, sees again.
func (w *window) fresh(resolved []sighting, told map[spanKey]bool, next int) []hit {
	var hits []hit
	for _, f := range resolved {
		k := keyOf(f.match)
		if told[k] {
			continue
		}
		hits = append(hits, f.hit)
		if f.match.Start >= next {
			told[k] = true
		}
	}
	maps.DeleteFunc(told, func(k spanKey, _ bool) bool { return k.start < next })
	return hits
}

// A spanKey says which bytes of a stream are a match of which format.
type spanKey struct{ format, start, end int }

func keyOf(m detectors.Match) spanKey { return spanKey{m.Format, m.Start, m.End} }

// paused says whether data ends with a line.
func paused(data []byte) bool { return len(data) > 0 && data[len(data)-1] == '\n' }

// settle sorts the sightings by their start and returns how many of them no
// match that starts at offset end or later can overlap, or reach through others.
func settle(found []sighting, end int) int {
	slices.SortStableFunc(found, func(a, b sighting) int { return a.match.Start - b.match.Start })
	settled, reach := 0, 0
	for i, f := range found {
		if f.match.Start >= reach {
			settled = i
		}
		if reach = max(reach, f.match.End); reach > end {
			return settled
		}
	}
	return len(found)
}

// pause is the size in bytes below which a read that ends with a line says that
// no more is there yet.
const pause = 4096

// fill reads until buf is full, or until a live stream pauses. It returns
// io.EOF with the last bytes.
func (w *window) fill(ctx context.Context, r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var k int
		k, err = r.Read(buf[n:])
		n += k
		if w.live && 0 < k && k < pause && paused(buf[:n]) {
			break
		}
	}
	return n, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A sighting is a raw match with offsets of the whole stream, and its token.
type sighting struct {
	match detectors.Match
	hit   hit
}

// keep adds the window's matches to found. A match whose evidence is the edge
// of the window, where the stream goes on, is left to the neighbouring window,
// which has all of it.
func (w *window) keep(found []sighting, data []byte, base int, at position, last bool) []sighting {
	w.matches = slices.DeleteFunc(w.matches, func(m detectors.Match) bool {
		return m.From < 0 && base > 0 || m.To > len(data) && !last
	})
	for i, h := range locate(data, w.matches, at) {
		m := w.matches[i]
		token := w.vault.secret(data[m.Start:m.End])
		m.Start, m.End, m.From, m.To = m.Start+base, m.End+base, m.From+base, m.To+base
		found = append(found, sighting{m, hit{m.Format, m.Grade, token, h}})
	}
	return found
}

// resolve picks one sighting for each span.
func resolve(m *detectors.Matcher, found []sighting) []sighting {
	if len(found) == 0 {
		return nil
	}
	byKey := make(map[spanKey]sighting, len(found))
	all := make([]detectors.Match, 0, len(found))
	for _, f := range found {
		k := keyOf(f.match)
		if _, twice := byKey[k]; !twice {
			byKey[k] = f
			all = append(all, f.match)
		}
	}
	var out []sighting
	for _, r := range m.Resolve(all) {
		out = append(out, byKey[keyOf(r)])
	}
	return out
}

// reason words an error for a Tally.
func reason(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "out of time"
	}
	return fmt.Sprint(err)
}
