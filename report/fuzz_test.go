package report_test

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"patwatch/leak"
	"patwatch/report"
)

// hostile makes a finding and a summary of texts a stranger chose.
func hostile(path, author, sentence string, line int, secret []byte, seconds int64) ([]report.Finding, report.Summary) {
	p := leak.Place{
		Repository: author, Source: leak.History, Commit: author, Object: path, Path: path, Line: line, Column: -line,
		EndLine: line / 2, EndColumn: line, URL: path, Author: author, Email: path, Time: time.Unix(seconds, 0), Subject: sentence,
		Standing: leak.OnBranch, Branch: sentence,
	}
	q := p
	q.Commit, q.Source = sentence, leak.Source(sentence)
	f := report.Finding{
		Format:     leak.Format{ID: sentence, Name: path, Issuer: author, Kind: author},
		Confidence: leak.Confidence(line), Secret: leak.NewSecret(secret), Places: []leak.Place{p, q},
	}
	s := report.Summary{Incomplete: []string{sentence}, Sources: []string{path}, Bytes: seconds, Version: author,
		Remote: "https://" + author + "/" + path, Revision: path, Branch: sentence, Elapsed: time.Duration(seconds)}
	return []report.Finding{f}, s
}

func FuzzFormats(f *testing.F) {
	f.Add("a/b.go", "Mara Lind", "pack: cut off", 3, token(1, 40), int64(1700000000), 80)
	f.Add("\x1b[2J\u202e", "\xff\xfe", "=1+1\r\n", -1, []byte{}, int64(-1), 40)
	f.Add("文 字\u0085", "[x](y){0}", "\x00", 0, []byte("\x00\xff"), int64(1)<<60, 1)
	schema := sarifSchema(f)
	f.Fuzz(func(t *testing.T, path, author, sentence string, line int, secret []byte, seconds int64, width int) {
		fs, s := hostile(path, author, sentence, line, secret, seconds)
		for _, show := range []bool{false, true} {
			o := report.Options{ShowSecrets: show, Now: now, Terminal: report.Terminal{Width: max(width, 0)}}
			assertPrints(t, write(t, "table", fs, s, o))
			for _, name := range []string{"json", "gitleaks", "jsonl"} {
				text := write(t, name, fs, s, o)
				assertPrints(t, text)
				for d := json.NewDecoder(strings.NewReader(text)); d.More(); {
					var v any
					if err := d.Decode(&v); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			text := write(t, "csv", fs, s, o)
			assertPrints(t, text)
			assertRows(t, text, 3)
		}
		text := write(t, "sarif", fs, s, report.Options{})
		assertPrints(t, text)
		validate(t, schema, text)
	})
}

// assertPrints fails unless text is UTF-8 and printable but for line ends.
func assertPrints(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatal("not UTF-8")
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("holds %q", r)
		}
	}
}

// assertRows fails unless text is CSV of n rows in which no cell is a formula.
func assertRows(t *testing.T, text string, n int) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != n {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for i, cell := range row {
			numeric := i >= 12 && i <= 15
			start := strings.TrimLeft(cell, " ")
			if !numeric && start != "" && strings.ContainsRune("=+-@", rune(start[0])) {
				t.Fatalf("cell %d %q is a formula", i, cell)
			}
		}
	}
}

// FuzzHiding plants a token in texts and looks for it in every format.
func FuzzHiding(f *testing.F) {
	f.Add(token(1, 40), "a/", "/b")
	f.Add(token(2, 84), "", "%2F\xff")
	f.Fuzz(func(t *testing.T, secret []byte, before, after string) {
		if len(secret) < 20 || strings.Contains("[secret]…", string(secret)) {
			return
		}
		text := before + string(secret) + after
		if strings.Contains(before+leak.NewSecret(secret).Mask()+after, string(secret)) {
			return // it is there without being planted
		}
		fs, s := hostile(text, text, text, 1, secret, 1)
		fs[0].Format, s.Version, s.Revision = azure, "1", ""
		fs[0].Places[0].Commit, fs[0].Places[0].Object, fs[0].Places[1].Commit, fs[0].Places[1].Object = "", "", "", ""
		fs[0].Places[1].Source = leak.File
		for _, name := range report.Formats() {
			if strings.Contains(write(t, name, fs, s, report.Options{}), string(secret)) {
				t.Fatalf("%s holds the token", name)
			}
		}
	})
}
