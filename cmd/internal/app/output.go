package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"patwatch/report"
	"patwatch/scanner"
)

// terminalOf returns what w can do when it is a terminal.
func terminalOf(w any) report.Terminal {
	if f, ok := w.(*os.File); ok {
		return report.DetectTerminal(f, os.Getenv)
	}
	return report.Terminal{}
}

// A reportFile is where a report goes. A file gets its name only when the
// report is whole.
type reportFile struct {
	writer report.Writer
	file   *os.File // nil: standard output
	name   string
}

func openReport(s Streams, f scanFlags) (*reportFile, error) {
	r := &reportFile{name: f.output}
	var w io.Writer = s.Out
	o := report.Options{ShowSecrets: f.showSecrets, Terminal: terminalOf(s.Out), Now: time.Now()}
	if f.output != "" {
		o.Terminal = report.Terminal{}
		file, err := createReport(f.output)
		if err != nil {
			return nil, err
		}
		r.file, w = file, file
	}
	writer, err := report.New(f.format, w, o)
	if err != nil {
		return nil, errors.Join(err, r.abandon())
	}
	r.writer = writer
	return r, nil
}

// createReport makes the file that becomes the report: a temporary one beside
// it, or the thing itself when it is no regular file (a device, a pipe).
func createReport(name string) (file *os.File, err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		file, err = os.OpenFile(name, os.O_WRONLY, 0)
		return file, creating(name, err)
	}
	file, err = os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	return file, creating(name, err)
}

func creating(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("creating the report %s: %w", name, bare(err))
}

func (r *reportFile) temporary() bool { return r.file != nil && r.file.Name() != r.name }

// close ends the report and puts it in its place.
func (r *reportFile) close(s report.Summary) error {
	if err := r.writer.Close(s); err != nil {
		return errors.Join(err, r.abandon())
	}
	return r.finish()
}

// finish puts the file in its place.
func (r *reportFile) finish() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if err == nil && r.temporary() {
		err = os.Rename(r.file.Name(), r.name)
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// abandon removes what was written.
func (r *reportFile) abandon() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if r.temporary() {
		err = errors.Join(err, os.Remove(r.file.Name()))
	}
	return err
}

// watch draws a progress bar on standard error while the scan runs, if that is
// a terminal and the report does not appear on it meanwhile. The func it
// returns ends it.
func (j *scanJob) watch(started time.Time) (stop func()) {
	term := terminalOf(j.streams.Err)
	streaming := report.Streams(j.flags.format) && j.flags.output == "" && terminalOf(j.streams.Out).Width > 0
	if !term.Live || streaming {
		return func() {}
	}
	bar := report.NewProgress(j.streams.Err, withoutPassword(j.target), term)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				bar.Done()
				return
			case <-tick.C:
				bar.Update(status(j.progress), time.Since(started))
			}
		}
	}()
	return func() { close(end); <-ended }
}

// status is what the progress bar shows.
func status(p *scanner.Progress) report.Status {
	s := report.Status{Done: p.Done.Load(), Total: p.Total.Load(), Things: "files", Bytes: p.Bytes.Load(),
		Found: p.Found.Load(), Tracing: p.Tracing.Load()}
	if s.Total > 0 {
		s.Things = "objects"
	}
	return s
}

// splitRange reads A..B. B is HEAD when it is left out.
func splitRange(s string) (from, to string, err error) {
	from, to, ok := strings.Cut(s, "..")
	if !ok || from == "" || strings.HasPrefix(to, ".") {
		return "", "", fmt.Errorf("--range %q: write it as A..B", s)
	}
	if to == "" {
		to = "HEAD"
	}
	return from, to, nil
}
