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
	most := report.Status{Done: 138844, Total: 165291, Things: "objects", Bytes: 3_100_000_000, Found: 2}
	files := report.Status{Done: 1234, Things: "files", Bytes: 12_000_000, Found: 1}
	stream := report.Status{Things: "files", Bytes: 12_000_000}
	more := report.Status{Done: 9, Total: 5, Things: "objects", Bytes: 10}
	all := report.Status{Done: 5, Total: 5, Things: "objects"}
	tracing := report.Status{Done: 5, Total: 5, Things: "objects", Bytes: 10, Found: 3, Tracing: true}
	for _, c := range []struct {
		width  int
		status report.Status
		want   string
	}{
		{120, most, "scanning ~/src/shop  ████████████████████░░░░  83 %  138,844 of 165,291 objects  3.1 GB, 2.6 GB/s  2 found  1.2 s"},
		{105, most, "scanning ~/src/shop  ██████████░░  83 %  138,844 of 165,291 objects  3.1 GB, 2.6 GB/s  2 found  1.2 s"},
		{80, most, "scanning ~/src/shop  ██████████░░  83 %  3.1 GB  2 found  1.2 s"},
		{60, most, "██████████░░  83 %  3.1 GB  2 found  1.2 s"},
		{40, most, "██████████░░  83 %  2 found  1.2 s"},
		{26, most, " 83 %  2 found  1.2 s"},
		{5, most, " 83…"},
		{80, files, "scanning ~/src/shop  1,234 files  12 MB, 10 MB/s  1 found  1.2 s"},
		{30, files, "12 MB  1 found  1.2 s"},
		{80, stream, "scanning ~/src/shop  12 MB, 10 MB/s  0 found  1.2 s"},
		{80, more, "scanning ~/src/shop  9 objects  10 B, 8 B/s  0 found  1.2 s"},
		{99, all, "scanning ~/src/shop  ████████████████████████ 100 %  5 of 5 objects  0 B  0 found  1.2 s"},
		{99, tracing, "scanning ~/src/shop  looking for the commits of what was found  3 found  1.2 s"},
		{20, tracing, "3 found  1.2 s"},
		{0, all, "scanning ~/src/shop  ████████████ 100 %  5 of 5 objects  0 B  0 found  1.2 s"},
	} {
		var buf bytes.Buffer
		p := report.NewProgress(&buf, "~/src/shop", report.Terminal{Width: c.width, Live: true})
		p.Update(c.status, 1200*time.Millisecond)
		line := strings.TrimSuffix(strings.TrimPrefix(buf.String(), "\r"), "\x1b[K")
		if c.width > 0 && utf8.RuneCountInString(line) >= c.width {
			t.Errorf("width %d: a line of %d columns", c.width, utf8.RuneCountInString(line))
		}
		if line != c.want {
			t.Errorf("width %d:\n got %q\nwant %q", c.width, line, c.want)
		}
	}
}

// TestProgressFitsAnyWidth draws statuses of any size and label in any width.
func TestProgressFitsAnyWidth(t *testing.T) {
	for width := 1; width < 160; width++ {
		for _, label := range []string{"", "x", "日本語のとても長い名前のリポジトリ", strings.Repeat("long/", 60)} {
			for _, s := range []report.Status{
				{}, {Done: 1 << 60, Things: "files", Bytes: 1 << 62, Found: 1 << 50},
				{Done: 1 << 60, Total: 1 << 61, Things: "objects", Bytes: 1 << 62, Found: 1 << 50}, {Tracing: true},
			} {
				var buf bytes.Buffer
				report.NewProgress(&buf, label, report.Terminal{Width: width, Live: true}).Update(s, 100*time.Hour)
				line := strings.TrimSuffix(strings.TrimPrefix(buf.String(), "\r"), "\x1b[K")
				if n := utf8.RuneCountInString(line); n >= width && n > 0 {
					t.Fatalf("width %d: %d characters: %q", width, n, line)
				}
			}
		}
	}
}

func TestProgressKeepsItsPace(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "x", report.Terminal{Width: 80, Live: true})
	for ms := range 1000 {
		p.Update(report.Status{Done: int64(ms), Total: 1000}, time.Duration(ms)*time.Millisecond)
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
	p.Update(report.Status{Done: 1, Total: 2}, 0)
	buf.Reset()
	p.Done()
	p.Done()
	if got := buf.String(); got != "\r\x1b[K" {
		t.Errorf("Done writes %q", got)
	}
	p.Update(report.Status{Done: 2, Total: 2}, 0)
	if !strings.Contains(buf.String(), "100 %") {
		t.Error("an Update after Done draws nothing")
	}
}

func TestProgressIsSilentElsewhere(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "x", report.Terminal{})
	p.Update(report.Status{Done: 1, Total: 2, Found: 3}, time.Second)
	p.Done()
	if buf.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", buf.String())
	}
}

func TestProgressEscapesItsLabel(t *testing.T) {
	var buf bytes.Buffer
	p := report.NewProgress(&buf, "\x1b]0;x\a\n", report.Terminal{Width: 200, Live: true})
	p.Update(report.Status{Done: 1, Total: 2}, 0)
	if !strings.Contains(buf.String(), `scanning \x1b]0;x\a\n  `) {
		t.Errorf("wrote %q", buf.String())
	}
}
