package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	redrawEvery = 100 * time.Millisecond
	barColumns  = 24
)

// Progress is a line that shows how far a scan is. It starts no goroutine and
// reads no clock: it draws when [Progress.Update] is called. Where a line
// cannot be redrawn it writes nothing at all. Errors of writing are ignored:
// progress is not worth failing for. It is not safe for concurrent use.
type Progress struct {
	w     io.Writer
	label string
	term  Terminal
	drawn bool
	last  time.Duration
}

// NewProgress returns a Progress that writes to w, which has the properties
// term, and calls what is scanned label, which may hold any bytes.
func NewProgress(w io.Writer, label string, term Terminal) *Progress {
	return &Progress{w: w, label: escape(label), term: term}
}

// Status is how far a scan is.
type Status struct {
	Done, Total int64  // things read, of how many; a Total of 0, or below Done, is not known
	Things      string // what Done counts, in the plural: "objects"
	Bytes       int64  // bytes read
	Found       int64  // tokens found
	Tracing     bool   // all is read; the commits of what was found are being looked for
}

// Update draws the line for a scan that has run for elapsed. Calls within a
// tenth of a second of the last line drawn, by elapsed, draw nothing.
func (p *Progress) Update(s Status, elapsed time.Duration) {
	if !p.term.Live || p.drawn && elapsed-p.last < redrawEvery {
		return
	}
	p.drawn, p.last = true, elapsed
	fmt.Fprint(p.w, "\r"+p.line(s, elapsed)+"\x1b[K")
}

// Done takes the line away. A later Update draws it again.
func (p *Progress) Done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.drawn = false
}

// line makes the richest line that leaves the last column free.
func (p *Progress) line(s Status, took time.Duration) string {
	room := p.term.Width - 1
	if p.term.Width <= 0 {
		room = 79
	}
	text := ""
	for _, parts := range p.variants(s, took) {
		if text = strings.Join(parts, "  "); columns(text) <= room {
			break
		}
	}
	return clip(text, room)
}

// variants are the parts of the line, from the richest to the poorest.
func (p *Progress) variants(s Status, took time.Duration) [][]string {
	scanning, brief := "scanning "+p.label, "scanning "+clip(p.label, 16)
	figures := number(s.Found) + " found  " + elapsed(took)
	volume := size(s.Bytes)
	speed := volume + rate(s.Bytes, took)
	if s.Tracing {
		const tracing = "looking for the commits of what was found"
		return [][]string{{scanning, tracing, figures}, {brief, tracing, figures}, {tracing, figures}, {figures}}
	}
	if s.Total <= 0 || s.Done > s.Total {
		things := number(s.Done) + " " + s.Things
		if s.Done == 0 { // a stream, or the first of large files
			return [][]string{{scanning, speed, figures}, {brief, speed, figures}, {volume, figures}, {figures}}
		}
		return [][]string{
			{scanning, things, speed, figures}, {brief, things, speed, figures}, {brief, things, volume, figures},
			{brief, volume, figures}, {volume, figures}, {figures},
		}
	}
	share := float64(s.Done) / float64(s.Total)
	percent := fmt.Sprintf("%3d %%", int(share*100))
	long, short := bar(share, barColumns)+" "+percent, bar(share, barColumns/2)+" "+percent
	things := number(s.Done) + " of " + number(s.Total)
	named := things + " " + s.Things
	return [][]string{
		{scanning, long, named, speed, figures}, {scanning, short, named, speed, figures}, {brief, long, named, speed, figures},
		{brief, short, named, speed, figures}, {brief, short, things, volume, figures}, {brief, short, volume, figures},
		{short, volume, figures}, {short, figures}, {percent, figures}, {percent},
	}
}

// rate writes ", 2.2 GB/s", or nothing when it is too early to say.
func rate(bytes int64, took time.Duration) string {
	if took < redrawEvery || bytes == 0 {
		return ""
	}
	return ", " + size(int64(float64(bytes)/took.Seconds())) + "/s"
}

// bar draws share, from 0 to 1, over n columns.
func bar(share float64, n int) string {
	full := max(0, min(n, int(share*float64(n)+0.5)))
	return strings.Repeat("█", full) + strings.Repeat("░", n-full)
}
