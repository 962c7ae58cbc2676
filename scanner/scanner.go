// Package scanner turns sources of bytes into candidates: the history of a
// repository, its index and work tree, a folder, a file, a stream.
//
// Every method of a [Scanner] reads one source to its end and calls emit for
// each token it finds. What could not be read does not stop it: it is counted
// and named in the [Tally], so that a caller can tell "clean" from "not
// looked". Only a cancelled context, or an error from emit, ends a scan early,
// and even then the Tally says what was read.
package scanner

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"patwatch/detectors"
	"patwatch/leak"
)

// Options say how a [Scanner] works. The zero value is what most callers want.
type Options struct {
	Jobs    int   // goroutines that read and match; 0: one for each CPU that the process may use
	MaxBlob int64 // blobs and files above this size in bytes are left out, and said to be; 0: no limit

	FullScan bool      // scan every byte of blobs stored as deltas, not only what is new: slower, same result
	Live     bool      // Stream does not wait for a full window when its reader pauses
	Progress *Progress // filled while a scan runs; may be nil
}

// Progress is updated while a scan runs and may be read at any time from other
// goroutines. The zero value is ready to use, for one scan.
type Progress struct {
	Done    atomic.Int64 // blobs or files read so far, further copies of a blob included
	Total   atomic.Int64 // of how many; 0: not known. Blobs outside packs are not in it, so Done may pass it
	Bytes   atomic.Int64 // their bytes
	Found   atomic.Int64 // different tokens seen so far, before their places are known
	Tracing atomic.Bool  // everything is read, and the commits of what was found are being looked for

	tokens sync.Map // fingerprints of those that Found counts
}

// read notes that things were read, of so many bytes.
func (p *Progress) read(things, bytes int) {
	if p == nil {
		return
	}
	p.Done.Add(int64(things))
	p.Bytes.Add(int64(bytes))
}

// saw notes tokens that were found.
func (p *Progress) saw(hits []hit) {
	if p == nil {
		return
	}
	for _, h := range hits {
		if _, known := p.tokens.LoadOrStore(h.secret.Fingerprint(), true); !known {
			p.Found.Add(1)
		}
	}
}

func (p *Progress) setTotal(n int64) {
	if p != nil {
		p.Total.Store(n)
	}
}

func (p *Progress) tracing(on bool) {
	if p != nil {
		p.Tracing.Store(on)
	}
}

// Tally is what a scan read and what it could not read. Tallies of several
// sources add up with [Tally.Add].
type Tally struct {
	Commits int64 // commits of the history, when it was needed to attribute a find
	Packs   int64 // packs of object stores
	Blobs   int64 // distinct blobs of object stores
	Files   int64 // files of folders and work trees, and streams
	Bytes   int64 // their bytes

	Incomplete []string // one sentence for each thing that was not read; empty: everything was
}

// Add adds the figures and sentences of o to t.
func (t *Tally) Add(o Tally) {
	t.Commits += o.Commits
	t.Packs += o.Packs
	t.Blobs += o.Blobs
	t.Files += o.Files
	t.Bytes += o.Bytes
	t.Incomplete = append(t.Incomplete, o.Incomplete...)
}

func (t *Tally) missed(format string, args ...any) {
	t.Incomplete = append(t.Incomplete, fmt.Sprintf(format, args...))
}

// Scanner finds tokens in sources. It is immutable and safe for concurrent use.
type Scanner struct {
	matcher *detectors.Matcher
	formats []leak.Format
	opts    Options
}

// Emit takes one candidate. It is never called concurrently. An error ends the
// scan and is returned from it.
type Emit func(leak.Candidate) error

// New returns a Scanner that looks for the formats of m.
func New(m *detectors.Matcher, o Options) *Scanner {
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	s := &Scanner{matcher: m, opts: o}
	for _, f := range m.Formats() {
		s.formats = append(s.formats, leak.Format{ID: f.ID, Name: f.Name, Issuer: f.Issuer, Kind: f.Kind})
	}
	return s
}

// confidence is the public name of a match's grade.
func confidence(g detectors.Grade) leak.Confidence {
	switch g {
	case detectors.Verified:
		return leak.Verified
	case detectors.Likely:
		return leak.Likely
	case detectors.Possible:
		return leak.Possible
	}
	return leak.Unverified
}

// A hit is a resolved match with its token taken out of the data.
type hit struct {
	format int
	grade  detectors.Grade
	secret leak.Secret
	span   span
}

// A span says where a hit stands: lines and byte columns from 1, the end
// column exclusive.
type span struct{ line, column, endLine, endColumn int }

func (s *Scanner) candidate(h hit, p leak.Place) leak.Candidate {
	p.Line, p.Column = h.span.line, h.span.column
	p.EndLine, p.EndColumn = h.span.endLine, h.span.endColumn
	return leak.Candidate{Format: s.formats[h.format], Confidence: confidence(h.grade), Secret: h.secret, Place: p}
}

// serial makes an Emit safe to call from several goroutines.
func serial(emit Emit) Emit {
	var mu sync.Mutex
	return func(c leak.Candidate) error {
		mu.Lock()
		defer mu.Unlock()
		return emit(c)
	}
}
