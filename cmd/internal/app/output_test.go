package app

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"patwatch/leak"
	"patwatch/report"
)

func open(t *testing.T, out *bytes.Buffer, format, file string) (*reportFile, error) {
	t.Helper()
	return openReport(Streams{Out: out}, scanFlags{format: format, output: file})
}

// left are the names in a folder.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestReportToStandardOutput(t *testing.T) {
	var out bytes.Buffer
	r, err := open(t, &out, "csv", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.close(report.Summary{Complete: true}); err != nil || !strings.HasPrefix(out.String(), "confidence,") {
		t.Errorf("%v: %q", err, out.String())
	}
	if err := r.abandon(); err != nil {
		t.Errorf("nothing to abandon: %v", err)
	}
}

func TestReportFileTakesItsPlaceAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "r.csv")
	write(t, name, "the report of yesterday")
	r, err := open(t, nil, "csv", name)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(name); string(data) != "the report of yesterday" {
		t.Errorf("the old report is gone before there is a new one: %q", data)
	}
	if err := r.close(report.Summary{Complete: true}); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(name); !strings.HasPrefix(string(data), "confidence,") {
		t.Errorf("the report is %q", data)
	}
	if names := left(t, dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	if info, err := os.Stat(name); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the report: %v, %v", info.Mode(), err)
	}
}

func TestAbandonedReportLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "r.json")
	write(t, name, "the report of yesterday")
	r, err := open(t, nil, "jsonl", name)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.writer.Finding(report.Finding{Places: []leak.Place{{}}}); err != nil {
		t.Fatal(err)
	}
	if err := r.abandon(); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(name); string(data) != "the report of yesterday" || len(left(t, dir)) != 1 {
		t.Errorf("left %v, the report is %q", left(t, dir), data)
	}
}

func TestReportsThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	for name, want := range map[string]error{
		filepath.Join(dir, "none", "r"): fs.ErrNotExist,
		filepath.Join(dir, "file", "r"): nil,
		dir:                             nil,
	} {
		_, err := open(t, nil, "json", name)
		if err == nil || want != nil && !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "creating the report "+name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := open(t, nil, "yaml", filepath.Join(dir, "r")); err == nil || len(left(t, dir)) != 1 {
		t.Errorf("an unknown format: %v, left %v", err, left(t, dir))
	}
}

func TestReportIntoADevice(t *testing.T) {
	r, err := open(t, nil, "json", os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if r.temporary() {
		t.Error("a device is replaced by a file")
	}
	if err := r.close(report.Summary{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
	r, err = open(t, nil, "json", os.DevNull)
	if err != nil || r.abandon() != nil {
		t.Errorf("abandoning a device: %v", err)
	}
}

// TestReportWhoseFolderGoes loses the place of the report while the scan runs.
func TestReportWhoseFolderGoes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file keeps its folder there")
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := open(t, nil, "json", filepath.Join(dir, "r"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := r.close(report.Summary{}); err == nil || !strings.HasPrefix(err.Error(), "writing the report: ") {
		t.Errorf("error %v", err)
	}
}

func TestNoProgressWhereNobodyLooks(t *testing.T) {
	var errs bytes.Buffer
	j := &scanJob{streams: Streams{Out: &errs, Err: &errs}}
	stop := j.watch(now())
	stop()
	if errs.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", errs.String())
	}
	if term := terminalOf(os.Stdin); term.Color && term.Width == 0 {
		t.Errorf("colours without a width: %+v", term)
	}
}
