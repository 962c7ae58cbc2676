package tokenstore

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// lineError is what is wrong with one line: the others can be read.
type lineError struct{ err error }

func (e *lineError) Error() string { return e.err.Error() }

// lines reads the records of a file one by one.
type lines struct {
	next   func() (record, error) // io.EOF at the end; a *lineError for one that is wrong
	offset int64                  // where the file was read to
	line   int64                  // the line that was read last, from 1
}

// newLines starts at a line that an earlier reading came to, at 0 for the first.
func newLines(r io.Reader, format Format, offset, line int64) (*lines, error) {
	l := &lines{offset: offset, line: line}
	if format == CSV {
		return l, l.csv(r)
	}
	if err := skip(r, offset); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(r, maxLine)
	l.next = func() (record, error) { return l.json(in) }
	return l, nil
}

func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	f, ok := r.(io.Seeker)
	if !ok {
		return errors.New("going on in the middle of a file that cannot be sought")
	}
	_, err := f.Seek(n, io.SeekStart)
	return err
}

// json reads the next line that is not blank.
func (l *lines) json(in *bufio.Reader) (record, error) {
	for {
		line, err := in.ReadSlice('\n')
		l.offset += int64(len(line))
		if errors.Is(err, bufio.ErrBufferFull) {
			l.line++
			return record{}, l.passOver(in)
		}
		if err != nil && !(errors.Is(err, io.EOF) && len(line) > 0) {
			return record{}, err
		}
		l.line++
		line = bytes.TrimSpace(line)
		if l.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			continue
		}
		rec, err := parseJSON(line)
		if err != nil {
			return rec, &lineError{err}
		}
		return rec, nil
	}
}

// passOver reads on to the end of a line that is too long.
func (l *lines) passOver(in *bufio.Reader) error {
	for {
		rest, err := in.ReadSlice('\n')
		l.offset += int64(len(rest))
		switch {
		case err == nil, errors.Is(err, io.EOF):
			return &lineError{errLong}
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// csv reads the first line, and goes on at offset.
func (l *lines) csv(r io.Reader) error {
	in := newCSV(r)
	names, err := in.Read()
	if err != nil {
		return fmt.Errorf("the first line: %w", csvError(err))
	}
	t, err := newTable(names)
	if err != nil {
		return err
	}
	start, first := l.offset, l.line
	if start > 0 {
		if err := skip(r, start); err != nil {
			return err
		}
		in = newCSV(r)
	}
	l.next = func() (record, error) {
		cells, err := in.Read()
		l.offset = start + in.InputOffset()
		if err != nil {
			return record{}, csvError(err)
		}
		at, _ := in.FieldPos(0)
		l.line = first + int64(at)
		rec, err := t.parse(cells)
		if err != nil {
			return rec, &lineError{err}
		}
		return rec, nil
	}
	return nil
}

func newCSV(r io.Reader) *csv.Reader {
	leash := &leash{r: r}
	in := csv.NewReader(leash)
	in.ReuseRecord, in.FieldsPerRecord = true, -1
	leash.used = in.InputOffset
	return in
}

// A leash ends the reading of a record that has no end, as after a quote that is
// never closed.
type leash struct {
	r    io.Reader
	read int64
	used func() int64 // bytes of whole records
}

func (l *leash) Read(p []byte) (int, error) {
	if l.read-l.used() > 2*maxLine {
		return 0, errLong
	}
	n, err := l.r.Read(p)
	l.read += int64(n)
	return n, err
}

// csvError is an error without the text that it quotes.
func csvError(err error) error {
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return &lineError{wrong.Err}
	}
	return err
}
