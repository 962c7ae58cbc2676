package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/report"
)

func TestNewRefusesUnknownFormats(t *testing.T) {
	_, err := report.New("yaml", &bytes.Buffer{}, report.Options{})
	if err == nil || !strings.Contains(err.Error(), `"yaml"`) || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("error %v, want one that names yaml and what there is", err)
	}
	for _, name := range report.Formats() {
		if _, err := report.New(name, &bytes.Buffer{}, report.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failing refuses every write after the first few.
type failing struct{ left int }

var errDisk = errors.New("the disk is full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestWritersReportErrors(t *testing.T) {
	for _, name := range report.Formats() {
		w, _ := report.New(name, &failing{}, report.Options{})
		for _, f := range report.Group(sample()) {
			_ = w.Finding(f)
		}
		first := w.Close(summary())
		if !errors.Is(first, errDisk) {
			t.Errorf("%s: Close returns %v, want %v", name, first, errDisk)
		}
		if err := w.Close(summary()); err != first {
			t.Errorf("%s: a second Close returns %v, want the same error", name, err)
		}
		if err := w.Finding(report.Finding{}); err != first {
			t.Errorf("%s: Finding after an error returns %v, want the same error", name, err)
		}
	}
}

func TestWritersCloseOnce(t *testing.T) {
	for _, name := range report.Formats() {
		var buf bytes.Buffer
		w, _ := report.New(name, &buf, report.Options{})
		if err := w.Close(summary()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := buf.Len()
		if err := w.Finding(report.Finding{}); err == nil {
			t.Errorf("%s: Finding after Close returns nil", name)
		}
		if err := w.Close(summary()); err == nil {
			t.Errorf("%s: a second Close returns nil", name)
		}
		if buf.Len() != n {
			t.Errorf("%s: wrote after Close", name)
		}
	}
}

func TestJSONLinesStream(t *testing.T) {
	var buf bytes.Buffer
	w, _ := report.New("jsonl", &buf, report.Options{})
	for i, f := range report.Group(sample()) {
		if err := w.Finding(f); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(buf.String(), "\n"); got != i+1 {
			t.Errorf("%d lines after %d findings", got, i+1)
		}
	}
}

// planted returns findings in which every text a stranger wrote repeats every
// token, plain or percent-encoded, and a summary that does so too.
func planted(tokens [][]byte, grouped bool) ([]report.Finding, report.Summary) {
	var all string
	for _, tok := range tokens {
		all += "<" + string(tok) + url.QueryEscape(string(tok)) + url.PathEscape(string(tok)) + ">"
	}
	var candidates []leak.Candidate
	for i, tok := range tokens {
		p := place(uint64(i), "config/"+all, i+1, all, time.Hour)
		p.Repository, p.Email, p.Subject, p.URL = all, all, all, "https://github.com/a/b/"+all
		candidates = append(candidates, leak.Candidate{
			Format: azure, Confidence: leak.Confidence(i%4 + 1), Secret: leak.NewSecret(tok), Place: p})
	}
	s := incomplete()
	s.Incomplete, s.Sources, s.Branch = []string{all}, []string{all}, all
	s.Remote = "https://user:pass@github.com/contoso/" + all
	if grouped {
		return report.Group(candidates), s
	}
	var fs []report.Finding
	for _, c := range candidates {
		c.Place.Author, c.Place.Subject = "", "" // a writer cannot know the tokens of findings to come
		one := strings.Trim(strings.SplitAfter(all, ">")[len(fs)], "<>")
		c.Place.Path, c.Place.Repository, c.Place.Email, c.Place.URL = one, one, one, one
		fs = append(fs, report.Finding{Format: c.Format, Confidence: c.Confidence, Secret: c.Secret, Places: []leak.Place{c.Place}})
	}
	return fs, s
}

func TestNoFormatHoldsTokens(t *testing.T) {
	tokens := [][]byte{token(31, 84), token(32, 52), token(33, 40), append(token(34, 30), "/+=~é"...)}
	tokens = append(tokens, append(append([]byte{}, tokens[2]...), token(35, 20)...)) // one that starts as another
	for _, name := range report.Formats() {
		for _, grouped := range []bool{true, false} {
			for _, width := range []int{0, 30, 80} {
				fs, s := planted(tokens, grouped)
				got := write(t, name, fs, s, report.Options{Now: now, Terminal: report.Terminal{Width: width, Color: width == 80}})
				for _, tok := range tokens {
					assertHidden(t, fmt.Sprintf("%s, grouped %v, width %d", name, grouped, width), got, tok, 5)
				}
			}
		}
	}
}

func TestShowSecrets(t *testing.T) {
	for name, shows := range map[string]bool{
		"table": true, "json": true, "jsonl": true, "gitleaks": true, "csv": true, "sarif": false,
	} {
		got := write(t, name, report.Group(sample()), summary(), report.Options{ShowSecrets: true})
		for seed, length := range map[uint64]int{1: 52, 2: 57, 3: 36} {
			tok := token(seed, length)
			if shows != strings.Contains(got, string(tok)) {
				t.Errorf("%s: has token %d: %v, want %v", name, seed, !shows, shows)
			}
			if !shows {
				assertHidden(t, name, got, tok, 4)
			}
		}
	}
}

func TestSARIFNeverShowsTokensInTexts(t *testing.T) {
	tokens := [][]byte{token(31, 84), token(32, 52)}
	fs, s := planted(tokens, true)
	got := write(t, "sarif", fs, s, report.Options{ShowSecrets: true})
	for _, tok := range tokens {
		assertHidden(t, "sarif", got, tok, 5)
	}
}

func TestCSVIsHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"":           "",
		"plain":      "plain",
		"=1+1":       "'=1+1",
		"+1":         "'+1",
		"-1":         "'-1",
		"@SUM(A1)":   "'@SUM(A1)",
		"  =1":       "'  =1",
		"\t=1":       `'\t=1`,
		"\r=1":       `'\r=1`,
		"\n=1":       `'\n=1`,
		"＝1":         "'＝1",
		"a\nb":       `a\nb`,
		"a,\"b\"":    "a,\"b\"",
		"\xff\x1b[m": `\xff\x1b[m`,
	} {
		f := report.Finding{Format: azure, Secret: leak.NewSecret(token(1, 40)), Places: []leak.Place{{Subject: in}}}
		rows, err := csv.NewReader(strings.NewReader(write(t, "csv", []report.Finding{f}, summary(), report.Options{}))).ReadAll()
		if err != nil || len(rows) != 2 {
			t.Fatalf("%q: %d rows, %v", in, len(rows), err)
		}
		if got := rows[1][slices.Index(rows[0], "subject")]; got != want {
			t.Errorf("cell of %q is %q, want %q", in, got, want)
		}
	}
}

func TestTimesThatCannotBeWritten(t *testing.T) {
	for _, when := range []time.Time{{}, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(-1<<55, 0)} {
		f := report.Finding{Format: azure, Secret: leak.NewSecret(token(1, 40)), Places: []leak.Place{{Time: when, Commit: "ab"}}}
		for _, name := range report.Formats() {
			write(t, name, []report.Finding{f}, summary(), report.Options{Now: now})
		}
		if got := write(t, "json", []report.Finding{f}, summary(), report.Options{}); strings.Contains(got, `"time"`) {
			t.Errorf("%v is written in JSON", when)
		}
	}
}

func TestGitleaksFields(t *testing.T) {
	var got []map[string]any
	if err := json.Unmarshal([]byte(write(t, "gitleaks", report.Group(sample()), summary(), report.Options{})), &got); err != nil {
		t.Fatal(err)
	}
	first := got[0]
	for _, field := range strings.Fields(`RuleID Description StartLine EndLine StartColumn EndColumn Match Secret File
		SymlinkFile Commit Link Entropy Author Email Date Message Tags Fingerprint`) {
		if _, ok := first[field]; !ok {
			t.Errorf("no field %s", field)
		}
		delete(first, field)
	}
	if len(first) > 0 {
		t.Errorf("fields that gitleaks does not have: %v", first)
	}
}
