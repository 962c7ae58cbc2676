package report_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// token generates a token that is the same for the same seed.
func token(seed uint64, length int) []byte {
	r := rand.New(rand.NewPCG(seed, 20))
	out := make([]byte, length)
	for i := range out {
		out[i] = alphanumeric[r.IntN(len(alphanumeric))]
	}
	return out
}

var (
	azure = leak.Format{ID: "azure-devops-pat", Name: "Azure DevOps personal access token", Issuer: "Microsoft", Kind: "pat"}
	slack = leak.Format{ID: "slack-bot", Name: "Slack bot token", Issuer: "Slack", Kind: "infra"}
	npm   = leak.Format{ID: "npm-legacy", Name: "npm access token (legacy)", Issuer: "npm", Kind: "registry"}
	now   = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
)

// object makes the hex name of something.
func object(seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 40))
	out := make([]byte, 20)
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(out)
}

// place stands in the history of a repository.
func place(seed uint64, path string, line int, author string, age time.Duration) leak.Place {
	p := leak.Place{
		Repository: "shop", Source: leak.History, Commit: object(seed), Object: object(seed + 1000),
		Path: path, Line: line, Column: 12, EndLine: line, EndColumn: 64,
		Author: author, Email: strings.ToLower(strings.ReplaceAll(author, " ", ".")) + "@contoso.example",
		Time: now.Add(-age), Subject: "deploy: the new cluster",
	}
	p.URL = leak.Permalink("https://github.com/contoso/shop.git", p.Commit, p.Path, p.Line, p.EndLine)
	return p
}

const day = 24 * time.Hour

// sample is what a scan of a made-up repository finds: three tokens, one of
// them in many places, with hostile names among them.
func sample() []leak.Candidate {
	setup, first := place(11, "docs/setup.md", 12, "Tomas Vrba", 800*day), place(12, "terraform/main.tf", 41, "Mara Lind", 3*day)
	setup.Standing, first.Standing = leak.Gone, leak.InHead
	one, two, three := leak.NewSecret(token(1, 52)), leak.NewSecret(token(2, 57)), leak.NewSecret(token(3, 36))
	unreachable := place(14, "src/old.go", 7, "Ada Øst", 900*day)
	unreachable.Source, unreachable.URL = leak.Unreachable, ""
	orphan := leak.Place{Repository: "shop", Source: leak.Unreachable, Object: object(90), Line: 2, Column: 1, EndLine: 2, EndColumn: 37}
	staged := leak.Place{Repository: "shop", Source: leak.Staged, Object: object(91), Path: "ci/.npmrc", Line: 1, Column: 40, EndLine: 1, EndColumn: 76}
	changed := leak.Place{Repository: "shop", Source: leak.WorkTree, Path: "=cmd|' /C calc'!A0", Line: 3, Column: 2, EndLine: 4, EndColumn: 9}
	hostile := place(15, "a\x1b[2J\u202egnp.\r\nexe\xff/läs mig [x](http:y) {0} 100%.md", 12, "\x1b]0;pwned\a", 2*day)
	hostile.Standing, hostile.Branch = leak.OnBranch, "fe\u202eat\x1b[0m"
	hostile.Subject = "=HYPERLINK(\"x\")\x00 "
	return []leak.Candidate{
		{Format: slack, Confidence: leak.Likely, Secret: two, Place: setup},
		{Format: azure, Confidence: leak.Verified, Secret: one, Place: first},
		{Format: azure, Confidence: leak.Verified, Secret: one, Place: place(13, "terraform/main.tf", 44, "Mara Lind", 2*day)},
		{Format: azure, Confidence: leak.Verified, Secret: one, Place: first},
		{Format: azure, Confidence: leak.Verified, Secret: one, Place: unreachable},
		{Format: azure, Confidence: leak.Verified, Secret: one, Place: place(16, "deploy/kubernetes/overlays/production/europe-west/secrets/registry-credentials.yaml", 1204, "Bartholomew Featherstonehaugh-Cholmondeley III", 9*time.Hour)},
		{Format: npm, Confidence: leak.Possible, Secret: three, Place: staged},
		{Format: npm, Confidence: leak.Possible, Secret: three, Place: changed},
		{Format: npm, Confidence: leak.Possible, Secret: three, Place: hostile},
		{Format: npm, Confidence: leak.Unverified, Secret: three, Place: orphan},
	}
}

func summary() report.Summary {
	return report.Summary{
		Complete: true, Sources: []string{"shop"}, Commits: 85361, Blobs: 165291, Files: 3, Packs: 2,
		Bytes: 3_712_345_678, Formats: 141, Elapsed: 1412 * time.Millisecond, Version: "1.0.0",
		Remote:   "https://x:" + string(token(9, 20)) + "@github.com/contoso/shop.git",
		Revision: object(12), Branch: "main",
	}
}

func incomplete() report.Summary {
	s := summary()
	s.Complete = false
	s.Incomplete = []string{
		"assets/video.mp4: 73400320 bytes, more than --max-blob allows (67108864)",
		"pack-\x1b[31m\xff.pack [x](y) {1}: the index is cut off",
	}
	return s
}

// write makes a report.
func write(t testing.TB, format string, fs []report.Finding, s report.Summary, o report.Options) string {
	t.Helper()
	var buf bytes.Buffer
	w, err := report.New(format, &buf, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fs {
		if err := w.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(s); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// golden compares got with testdata/name, or writes it there.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update rewrites it)\ngot:\n%s", file, got)
	}
}

// assertHidden fails if text gives any part of the token away: a run of window
// bytes of it that its mask does not show, as it is, in hex, or encoded.
func assertHidden(t testing.TB, what, text string, token []byte, window int) {
	t.Helper()
	hidden := token[4 : len(token)-3]
	for i := 0; i+window <= len(hidden); i++ {
		part := hidden[i : i+window]
		for _, form := range []string{
			string(part), hex.EncodeToString(part), url.QueryEscape(string(part)),
		} {
			if strings.Contains(text, form) {
				t.Fatalf("%s: gives away byte %d of the token", what, i+4)
			}
		}
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		if strings.Contains(text, e.EncodeToString(token)[:16]) {
			t.Fatalf("%s: gives away the token in base64", what)
		}
	}
	if strings.Contains(text, fmt.Sprint(token)) {
		t.Fatalf("%s: gives away the token's bytes", what)
	}
}
