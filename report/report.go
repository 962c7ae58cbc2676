// Package report prints what a scan found: for people as a table, for programs
// as JSON, JSON lines, SARIF, CSV, or the JSON of gitleaks. It reads nothing
// and decides nothing; docs/report.md describes every format.
//
// No output holds a token in clear unless [Options.ShowSecrets] says so, not
// even where a path, a commit message or an error repeats one. Names, paths
// and messages come from strangers: every format escapes them, and stays valid
// whatever bytes they hold.
package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"patwatch/leak"
)

// Finding is one token and everywhere it stands. [Group] makes them.
type Finding struct {
	Format     leak.Format
	Confidence leak.Confidence // the best of all places
	Secret     leak.Secret
	Places     []leak.Place // at least one, in the order [Group] says

	hide *redactor // what must not appear in the places; nil: Secret only
}

// Summary is what a scan did.
type Summary struct {
	Complete   bool     // everything that was asked for was read
	Incomplete []string // one sentence for each thing that was not read; may hold any bytes

	Sources []string // what was scanned, as the user named it
	Commits int64    // commits read to attribute the finds; 0 when nothing had to be
	Blobs   int64    // distinct blobs of object stores
	Files   int64    // files and streams
	Packs   int64    // packs of object stores
	Bytes   int64    // bytes of blobs and files
	Formats int      // formats that were looked for
	Elapsed time.Duration

	Version  string // the program's
	Remote   string // URL the repository was cloned from, "" when not known; credentials in it are dropped
	Revision string // hex name of the commit checked out, "" when not known
	Branch   string // name of the branch checked out, "" when not known
}

// Options say how a report looks. The zero value masks secrets, has no colour
// and does not wrap.
type Options struct {
	ShowSecrets bool      // print tokens in clear; SARIF never does
	Terminal    Terminal  // table only: where it is shown
	Now         time.Time // table only: what "3 days ago" counts from; zero: dates instead
}

// Writer writes one report. Finding may be called any number of times, then
// Close once, after which the report is complete. It is not safe for
// concurrent use.
//
// After an error the report is not whole and must not be used; later calls
// return the same error. Closing a Writer does not close what it writes to.
type Writer interface {
	// Finding adds one finding. JSON lines are written at once, by one Write
	// a line; the other formats keep findings in memory until Close.
	Finding(Finding) error
	// Close adds the summary and writes what has not been written.
	Close(Summary) error
}

// Formats returns the names that [New] takes, the default first.
func Formats() []string {
	return []string{"table", "json", "jsonl", "sarif", "gitleaks", "csv"}
}

// Streams says whether a Writer of the named format writes each finding at
// once. A token may then be given to it in several findings, each with places
// of its own, as they become known.
func Streams(format string) bool { return format == "jsonl" }

// New returns a Writer of the named format to w. An unknown name is an error
// that lists the known ones.
func New(format string, w io.Writer, o Options) (Writer, error) {
	if Streams(format) {
		return &lines{w: w, show: o.ShowSecrets, hide: newRedactor(), tokens: map[[2]string]bool{}}, nil
	}
	render, ok := map[string]renderer{
		"table": renderTable, "json": renderJSON, "sarif": renderSARIF,
		"gitleaks": renderGitleaks, "csv": renderCSV,
	}[format]
	if !ok {
		return nil, fmt.Errorf("unknown report format %q: one of %s", format, strings.Join(Formats(), ", "))
	}
	if format == "sarif" {
		o.ShowSecrets = false // it is made to be uploaded
	}
	return &whole{w: w, render: render, opts: o}, nil
}

// A renderer makes a whole report. The findings and the summary given to it
// are free of tokens, but for Secret.
type renderer func(fs []Finding, s Summary, o Options) ([]byte, error)

// whole keeps the findings and writes the report when it is closed.
type whole struct {
	w        io.Writer
	render   renderer
	opts     Options
	findings []Finding
	err      error
	closed   bool
}

func (r *whole) Finding(f Finding) error {
	if r.closed && r.err == nil {
		r.err = errClosed
	}
	if r.err == nil {
		r.findings = append(r.findings, f)
	}
	return r.err
}

func (r *whole) Close(s Summary) error {
	if r.closed && r.err == nil {
		r.err = errClosed
	}
	if r.err != nil {
		return r.err
	}
	r.closed = true
	fs, s := redacted(r.findings, s, r.opts.ShowSecrets)
	out, err := r.render(fs, s, r.opts)
	if err == nil {
		_, err = r.w.Write(out)
	}
	if err != nil {
		r.err = fmt.Errorf("writing the report: %w", err)
	}
	return r.err
}

var errClosed = errors.New("the report is closed")

// countPlaces returns the number of places of all findings.
func countPlaces(fs []Finding) int {
	n := 0
	for _, f := range fs {
		n += len(f.Places)
	}
	return n
}

// shown returns the token in clear when show says so, and "" otherwise.
func shown(s leak.Secret, show bool) string {
	if !show {
		return ""
	}
	return string(s.Reveal())
}

// stamp returns t as RFC 3339 in UTC, and "" for the zero time and for years
// that RFC 3339 cannot write.
func stamp(t time.Time) string {
	if t = t.UTC(); t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return ""
	}
	return t.Format(time.RFC3339)
}

// nonNil returns an empty list for nil, so that JSON has [] and not null.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
