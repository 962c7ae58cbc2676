package report_test

import (
	"encoding/csv"
	"os"
	"strings"
	"testing"

	"patwatch/leak"
	"patwatch/report"
)

const manual = "../docs/report.md"

// TestManualExample holds the JSON example of the manual to what is written.
func TestManualExample(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	example, _, _ := strings.Cut(rest, "```")
	s := summary()
	s.Complete, s.Incomplete, s.Files = false, incomplete().Incomplete[:1], 0
	at := place(12, "terraform/main.tf", 41, "Mara Lind", 3*day)
	at.Standing, at.Branch = leak.OnBranch, "release/4.1"
	fs := report.Group([]leak.Candidate{{Format: azure, Confidence: leak.Verified, Secret: leak.NewSecret(token(1, 52)), Place: at}})
	if want := write(t, "json", fs, s, report.Options{}); example != want {
		t.Errorf("%s has another example; it should be\n%s", manual, want)
	}
}

// TestManualColumns holds the CSV columns of the manual to what is written.
func TestManualColumns(t *testing.T) {
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	header, err := csv.NewReader(strings.NewReader(write(t, "csv", nil, summary(), report.Options{}))).Read()
	if err != nil {
		t.Fatal(err)
	}
	if list := "`" + strings.Join(header, "`, `") + "`"; !strings.Contains(strings.Join(strings.Fields(string(text)), " "), list) {
		t.Errorf("%s does not list the columns %s", manual, list)
	}
	for _, name := range report.Formats() {
		if !strings.Contains(string(text), "## `"+name+"`") {
			t.Errorf("%s has no section on %s", manual, name)
		}
	}
}
