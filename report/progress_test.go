package report_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"patwatch/report"
)

func TestProgressDrawsALine(t *testing.T) {
	for _, c := range []struct {
		width       int
		done, total int64
		want        string
	}{
		{100, 3_100_000_000, 3_700_000_000, "scanning ~/src/shop  ████████████████████░░░░  83 %  3.1 of 3.7 GB  2 found  1.2 s"},
		{80, 3_100_000_000, 3_700_000_000, "scanning ~/src/shop  ██████████░░  83 %  3.1 of 3.7 GB  2 found  1.2 s"},
		{60, 3_100_000_000, 3_700_000_000, "██████████░░  83 %  3.1 of 3.7 GB  2 found  1.2 s"},
		{40, 3_100_000_000, 3_700_000_000, "██████████░░  83 %  2 found  1.2 s"},
		{26, 3_100_000_000, 3_700_000_000, " 83 %  2 found  1.2 s"},
		{5, 3_100_000_000, 3_700_000_000, " 83…"},
		{80, 12_000_000, 0, "scanning ~/src/shop  12 MB  2 found  1.2 s"},
		{30, 12_000_000, 0, "12 MB  2 found  1.2 s"},
		{0, 5, 5, "████████████████████████  100 %  5 of 5 B  2 found  1.2 s"},
		{99, 9, 5, "scanning ~/src/shop  ████████████████████████ 100 %  5 of 5 B  2 found  1.2 s"},
		{80, 12_000_000, -1, "scanning ~/src/shop  12 MB  2 found  1.2 s"},
	} {
		var buf bytes.Buffer
		p := report.NewProgress(&buf, "~/src/shop", report.Terminal{Width: c.width, Live: true})
		p.Update(c.done, c.total, 2, 1200*time.Millisecond)
		line := strings.TrimSuffix(strings.TrimPrefix(buf.String(), "\r"), "\x1b[K")
		if c.width > 0 && utf8.RuneCountInString(line) >= c.width {
			t.Errorf("width %d: a line of %d columns", c.width, utf8.RuneCountInString(line))
		}
		if c.width != 0 && line != c.want {
			t.Errorf("width %d:\n got %q\nwant %q", c.width, line, c.want)
		}
	}
}

func TestProgressKeepsItsPace(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "x", report.Terminal{Width: 80, Live: true})
	for ms := range 1000 {
		p.Update(int64(ms), 1000, 0, time.Duration(ms)*time.Millisecond)
	}
	if n := strings.Count(buf.String(), "\r"); n != 10 {
		t.Errorf("drawn %d times in a second, want 10", n)
	}
}

func TestProgressClearsItsLine(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "x", report.Terminal{Width: 80, Live: true})
	p.Done()
	if buf.Len() > 0 {
		t.Errorf("cleared a line that was not drawn: %q", buf.String())
	}
	p.Update(1, 2, 0, 0)
	buf.Reset()
	p.Done()
	p.Done()
	if got := buf.String(); got != "\r\x1b[K" {
		t.Errorf("Done writes %q", got)
	}
	p.Update(2, 2, 0, 0)
	if !strings.Contains(buf.String(), "100 %") {
		t.Error("an Update after Done draws nothing")
	}
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "x", report.Terminal{})
	p.Update(1, 2, 3, time.Second)
	p.Done()
	if buf.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", buf.String())
	}
}

func TestProgressEscapesItsLabel(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "\x1b]0;x\a\n", report.Terminal{Width: 200, Live: true})
	p.Update(1, 2, 0, 0)
	if !strings.Contains(buf.String(), `scanning \x1b]0;x\a\n  `) {
		t.Errorf("wrote %q", buf.String())
	}
}
