package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/report"
)

// finding is one token at one place.
func finding(seed uint64, p leak.Place) report.Finding {
	return report.Group([]leak.Candidate{{Format: azure, Confidence: leak.Likely, Secret: leak.NewSecret(token(seed, 40)), Place: p}})[0]
}

// writes keeps each Write apart.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, slices.Clone(p))
	return len(p), nil
}

// TestJSONLinesAreWrittenWhole wants one Write a line, so that lines of several
// programs that write to one pipe do not mix.
func TestJSONLinesAreWrittenWhole(t *testing.T) {
	var w writes
	r, err := report.New("jsonl", &w, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		if err := r.Finding(finding(seed, place(seed, strings.Repeat("long/", 500), 1, "A", 0))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(summary()); err != nil {
		t.Fatal(err)
	}
	if len(w) != 6 {
		t.Fatalf("%d writes, want 6", len(w))
	}
	for _, line := range w {
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' || !json.Valid(line) {
			t.Errorf("not one line: %q", line[:min(len(line), 80)])
		}
	}
}

// TestJSONLinesCountTokensOnce gives a stream the places of tokens one by one,
// as a scan that does not wait does.
func TestJSONLinesCountTokensOnce(t *testing.T) {
	var buf bytes.Buffer
	r, _ := report.New("jsonl", &buf, report.Options{})
	for i := range 12 {
		f := finding(uint64(i%3), leak.Place{Source: leak.File, Path: "a", Line: i + 1})
		if i%2 == 1 {
			f.Format = slack // the same token as another format is another find
		}
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(summary()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(buf.String()), "\n")
	var end struct {
		Type    string
		Summary struct{ Tokens, Places int }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end.Type != "summary" {
		t.Fatal(err, end)
	}
	if end.Summary.Tokens != 6 || end.Summary.Places != 12 {
		t.Errorf("%+v, want 6 tokens in 12 places", end.Summary)
	}
}

// TestJSONLinesHideWhatCameBefore wants that a later line does not show a token
// of an earlier one.
func TestJSONLinesHideWhatCameBefore(t *testing.T) {
	var buf bytes.Buffer
	r, _ := report.New("jsonl", &buf, report.Options{})
	first := token(7, 40)
	s := summary()
	s.Incomplete = []string{"cannot read " + string(first)}
	for _, f := range []report.Finding{finding(7, leak.Place{Path: "a"}), finding(8, leak.Place{Path: "b/" + string(first)})} {
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(s); err != nil {
		t.Fatal(err)
	}
	assertHidden(t, "jsonl", buf.String(), first, 5)
}

// TestJSONLinesOfManyTokens writes 20,000 tokens that start alike: a line must
// not cost more the more were before it.
func TestJSONLinesOfManyTokens(t *testing.T) {
	r, _ := report.New("jsonl", io.Discard, report.Options{})
	for i := range uint64(20_000) {
		secret := leak.NewSecret(append([]byte("acmekey_"), token(i, 20+int(i%4))...))
		f := report.Finding{Format: azure, Secret: secret, Places: []leak.Place{{Source: leak.File, Path: "some/folder/file.txt", Line: int(i)}}}
		if err := r.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(summary()); err != nil {
		t.Fatal(err)
	}
}

func TestJSONLinesStopAfterAnError(t *testing.T) {
	r, _ := report.New("jsonl", &failing{left: 1}, report.Options{})
	if err := r.Finding(finding(1, leak.Place{})); err != nil {
		t.Fatal(err)
	}
	first := r.Finding(finding(2, leak.Place{}))
	if !errors.Is(first, errDisk) {
		t.Fatalf("error %v", first)
	}
	if err := r.Finding(finding(3, leak.Place{})); err != first {
		t.Errorf("then %v, want the same error", err)
	}
	if err := r.Close(summary()); err != first {
		t.Errorf("Close returns %v, want the same error", err)
	}
}

// TestStreamsSaysWhichStream writes a finding to each format.
func TestStreamsSaysWhichStream(t *testing.T) {
	for _, name := range report.Formats() {
		var buf bytes.Buffer
		w, err := report.New(name, &buf, report.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Finding(finding(1, leak.Place{})); err != nil {
			t.Fatal(err)
		}
		if report.Streams(name) != (buf.Len() > 0) {
			t.Errorf("%s streams: %v, but wrote %d bytes", name, report.Streams(name), buf.Len())
		}
	}
}

// keys collects the names of all fields in a JSON value.
func keys(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, w := range v {
			into[k] = true
			keys(w, into)
		}
	case []any:
		for _, w := range v {
			keys(w, into)
		}
	}
}

// full is a place of which every field is set.
func full(t *testing.T) leak.Place {
	t.Helper()
	p := place(1, "a.go", 3, "Mara Lind", day)
	p.Standing, p.Branch = leak.OnBranch, "x"
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("the place has no %s", v.Type().Field(i).Name)
		}
	}
	return p
}

// TestEveryFieldIsWritten holds JSON and CSV to the vocabulary: a new field of a
// place must not be forgotten.
func TestEveryFieldIsWritten(t *testing.T) {
	p := full(t)
	f := finding(1, p)
	var doc map[string]any
	if err := json.Unmarshal([]byte(write(t, "json", []report.Finding{f}, summary(), report.Options{ShowSecrets: true})), &doc); err != nil {
		t.Fatal(err)
	}
	written := doc["findings"].([]any)[0].(map[string]any)["places"].([]any)[0].(map[string]any)
	if fields := reflect.TypeFor[leak.Place]().NumField(); len(written) != fields {
		t.Errorf("%d fields of a place are written, it has %d", len(written), fields)
	}
	header, _, _ := strings.Cut(write(t, "csv", nil, summary(), report.Options{}), "\n")
	columns := strings.Split(header, ",")
	for name := range written {
		if !slices.Contains(columns, name) {
			t.Errorf("%s is in JSON and not in CSV", name)
		}
	}
}

// TestManualNamesEveryField looks for every field of the JSON in the manual.
func TestManualNamesEveryField(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	s := incomplete()
	if err := json.Unmarshal([]byte(write(t, "json", []report.Finding{finding(1, full(t))}, s, report.Options{ShowSecrets: true})), &doc); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	keys(doc, named)
	for name := range named {
		if !regexp.MustCompile("[`.]" + name + "[`.]").Match(text) {
			t.Errorf("%s does not name the field %s", manual, name)
		}
	}
}

// TestFieldsThatDoNotApplyAreLeftOut looks at the place of a file.
func TestFieldsThatDoNotApplyAreLeftOut(t *testing.T) {
	var doc struct {
		Findings []struct {
			Places []map[string]any
		}
	}
	p := leak.Place{Source: leak.File, Path: "a", Line: 1, Column: 2, EndLine: 1, EndColumn: 9}
	if err := json.Unmarshal([]byte(write(t, "json", []report.Finding{finding(1, p)}, summary(), report.Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range doc.Findings[0].Places[0] {
		names = append(names, name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "column end_column end_line line path source" {
		t.Errorf("fields %s", got)
	}
}

// TestJSONGivesTextsBack reads back texts of every kind: the same, but for bytes
// that are not UTF-8.
func TestJSONGivesTextsBack(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "a\"b\\c": "a\"b\\c", "\x00\x1b\x7f": "\x00\x1b\x7f", "\u0085\u2028\u202e\ufeff": "\u0085\u2028\u202e\ufeff",
		"\xff\xfe": "\ufffd\ufffd", "文字 ü 😀": "文字 ü 😀", "\U000E0041": "\U000E0041", "<b>&amp;": "<b>&amp;", `é`: "é",
	} {
		text := write(t, "json", []report.Finding{finding(1, leak.Place{Subject: in})}, summary(), report.Options{})
		var doc struct {
			Findings []struct{ Places []struct{ Subject string } }
		}
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if got := doc.Findings[0].Places[0].Subject; got != want {
			t.Errorf("%q is read back as %q", in, got)
		}
		assertPrints(t, text)
	}
}

// gitleaksOrder are the fields of gitleaks' JSON, in its order.
const gitleaksOrder = "RuleID Description StartLine EndLine StartColumn EndColumn Match Secret File SymlinkFile Commit Link " +
	"Entropy Author Email Date Message Tags Fingerprint"

// TestGitleaksReport holds each field to what gitleaks writes for the same find.
func TestGitleaksReport(t *testing.T) {
	p := place(1, "a/b.go", 3, "Mara Lind", day)
	text := write(t, "gitleaks", []report.Finding{finding(1, p)}, summary(), report.Options{})
	var order []string
	for _, m := range regexp.MustCompile(`(?m)^  "(\w+)":`).FindAllStringSubmatch(text, -1) {
		order = append(order, m[1])
	}
	if got := strings.Join(order, " "); got != gitleaksOrder {
		t.Errorf("fields\n%s, want\n%s", got, gitleaksOrder)
	}
	type element struct {
		RuleID, Match, Secret, File, SymlinkFile, Commit, Author, Email, Date, Message, Fingerprint string
		StartLine, EndLine, StartColumn, EndColumn                                                  int
		Entropy                                                                                     float64
		Tags                                                                                        []string
	}
	var got []element
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) != 1 {
		t.Fatal(err)
	}
	mask := leak.NewSecret(token(1, 40)).Mask()
	want := element{"azure-devops-pat", mask, mask, "a/b.go", "", p.Commit, "Mara Lind", "mara.lind@contoso.example",
		now.Add(-day).Format(time.RFC3339), p.Subject, p.Commit + ":a/b.go:azure-devops-pat:3", 3, 3, 12, 63, 0, []string{"likely"}}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("got  %+v\nwant %+v", got[0], want)
	}
	file := write(t, "gitleaks", []report.Finding{finding(1, leak.Place{Source: leak.File, Path: "x", Line: 2})}, summary(), report.Options{})
	if err := json.Unmarshal([]byte(file), &got); err != nil {
		t.Fatal(err)
	}
	if f := got[0]; f.Commit+f.Author+f.Email+f.Date+f.Message != "" || f.Fingerprint != "x:azure-devops-pat:2" || strings.Contains(file, "null") {
		t.Errorf("a file: %s", file)
	}
	if clean := write(t, "gitleaks", nil, summary(), report.Options{}); strings.TrimSpace(clean) != "[]" {
		t.Errorf("clean: %s", clean)
	}
}
