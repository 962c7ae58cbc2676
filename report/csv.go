package report

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
)

// csvColumns are the columns of the CSV report: the names of our JSON.
var csvColumns = [...]string{
	"confidence", "format", "name", "issuer", "token", "secret", "fingerprint",
	"source", "repository", "commit", "object", "path", "line", "column", "end_line", "end_column",
	"url", "author", "email", "time", "subject",
	"standing", "branch",
}

// renderCSV makes a header and a row a place (RFC 4180, but lines end in LF).
// It has no room for a summary: that a scan was not complete is not in it.
func renderCSV(fs []Finding, _ Summary, o Options) ([]byte, error) {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write(csvColumns[:]) // the writer keeps its error
	for _, f := range fs {
		for _, p := range f.Places {
			_ = w.Write(Cells([]string{
				f.Confidence.String(), f.Format.ID, f.Format.Name, f.Format.Issuer,
				f.Secret.Mask(), shown(f.Secret, o.ShowSecrets), f.Secret.Fingerprint(),
				string(p.Source), p.Repository, p.Commit, p.Object, p.Path,
				itoa(p.Line), itoa(p.Column), itoa(p.EndLine), itoa(p.EndColumn),
				p.URL, p.Author, p.Email, stamp(p.Time), p.Subject,
				string(p.Standing), p.Branch,
			}))
		}
	}
	w.Flush()
	return buf.Bytes(), w.Error()
}

// Cells makes each cell of a row of CSV harmless, in place, and returns the row:
// what does not print is escaped, and what a spreadsheet would run as a formula
// starts with an apostrophe.
func Cells(row []string) []string {
	for i, cell := range row {
		row[i] = plainCell(escape(cell))
	}
	return row
}

func plainCell(s string) string {
	start := strings.TrimLeft(s, " ")
	for _, formula := range []string{"=", "+", "-", "@", `\t`, `\r`, `\n`, "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(start, formula) {
			return "'" + s
		}
	}
	return s
}

func itoa(n int) string { return strconv.Itoa(n) }
