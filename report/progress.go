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

// Update draws the line: done of total bytes, found tokens, after so long. A
// total of 0 means that it is not known. Calls within a tenth of a second of
// the last line drawn, by elapsed, draw nothing.
func (p *Progress) Update(done, total int64, found int, elapsed time.Duration) {
	if !p.term.Live || p.drawn && elapsed-p.last < redrawEvery {
		return
	}
	p.drawn, p.last = true, elapsed
	fmt.Fprint(p.w, "\r"+p.line(done, total, found, elapsed)+"\x1b[K")
}

// Done takes the line away. A later Update draws it again.
func (p *Progress) Done() {
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.drawn = false
}

// line makes the richest line that leaves the last column free.
func (p *Progress) line(done, total int64, found int, took time.Duration) string {
	room := p.term.Width - 1
	if p.term.Width <= 0 {
		room = 79
	}
	scanning, brief := "scanning "+p.label, "scanning "+clip(p.label, 16)
	amount := size(done)
	figures := number(int64(found)) + " found  " + elapsed(took)
	variants := [][]string{{scanning, amount, figures}, {brief, amount, figures}, {amount, figures}, {figures}}
	if total > 0 {
		share := float64(min(done, total)) / float64(total)
		percent := fmt.Sprintf("%3d %%", int(share*100))
		long, short := bar(share, barColumns)+" "+percent, bar(share, barColumns/2)+" "+percent
		amount = ofTotal(min(done, total), total)
		variants = [][]string{
			{scanning, long, amount, figures}, {scanning, short, amount, figures},
			{brief, long, amount, figures}, {brief, short, amount, figures},
			{short, amount, figures}, {short, figures}, {percent, figures}, {percent},
		}
	}
	text := ""
	for _, parts := range variants {
		if text = strings.Join(parts, "  "); columns(text) <= room {
			break
		}
	}
	return clip(text, room)
}

// bar draws share, from 0 to 1, over n columns.
func bar(share float64, n int) string {
	full := max(0, min(n, int(share*float64(n)+0.5)))
	return strings.Repeat("█", full) + strings.Repeat("░", n-full)
}

// ofTotal writes "3.1 of 3.7 GB".
func ofTotal(done, total int64) string {
	a, b := size(done), size(total)
	amount, unit, _ := strings.Cut(a, " ")
	if strings.HasSuffix(b, " "+unit) {
		return amount + " of " + b
	}
	return a + " of " + b
}
