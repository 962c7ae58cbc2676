package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"patwatch/leak"
)

// The types below are the part of SARIF 2.1.0 (OASIS) that the report uses.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool            `json:"tool"`
		Invocations []sarifInvocation    `json:"invocations"`
		Provenance  []sarifProvenance    `json:"versionControlProvenance,omitempty"`
		BaseIDs     map[string]sarifBase `json:"originalUriBaseIds"`
		ColumnKind  string               `json:"columnKind"`
		Results     []sarifResult        `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string          `json:"id"`
		Name          string          `json:"name"`
		Short         sarifText       `json:"shortDescription"`
		Full          sarifText       `json:"fullDescription"`
		Help          sarifText       `json:"help"`
		Configuration sarifConfig     `json:"defaultConfiguration"`
		Properties    sarifProperties `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifProperties map[string]any
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifProvenance struct {
		Repository string        `json:"repositoryUri"`
		Revision   string        `json:"revisionId,omitempty"`
		Branch     string        `json:"branch,omitempty"`
		MappedTo   sarifArtifact `json:"mappedTo"`
	}
	sarifBase struct {
		Description sarifText `json:"description"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   sarifProperties   `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI    string `json:"uri,omitempty"`
		BaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
)

const (
	sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifRoot   = "%SRCROOT%"
)

// renderSARIF makes a SARIF log of one run, a result for each place. Code
// hosts keep one alert for all results with the same
// primaryLocationLineHash, that is, for one token in one file.
func renderSARIF(fs []Finding, s Summary, _ Options) ([]byte, error) {
	run := sarifRun{
		Invocations: []sarifInvocation{{Successful: s.Complete, Notifications: notifications(s)}},
		Provenance:  provenance(s),
		BaseIDs:     map[string]sarifBase{sarifRoot: {sarifText{Text: "The root of what was scanned."}}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	rules := ruleList{index: map[string]int{}, rules: []sarifRule{}}
	for _, f := range fs {
		i := rules.of(f.Format)
		for _, p := range f.Places {
			run.Results = append(run.Results, toResult(f, p, i))
		}
	}
	run.Tool.Driver = sarifDriver{Name: toolName, Version: s.Version, Rules: rules.rules}
	return encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}, "  ")
}

func notifications(s Summary) []sarifNotification {
	out := []sarifNotification{}
	for _, sentence := range s.Incomplete {
		out = append(out, sarifNotification{"error", sarifText{Text: message("Not read: " + sentence)}})
	}
	if !s.Complete && len(out) == 0 {
		out = append(out, sarifNotification{"error", sarifText{Text: "The scan did not read everything."}})
	}
	return out
}

func provenance(s Summary) []sarifProvenance {
	web := leak.WebURL(s.Remote)
	if web == "" {
		return nil
	}
	return []sarifProvenance{{web, s.Revision, s.Branch, sarifArtifact{BaseID: sarifRoot}}}
}

// ruleList numbers the formats that were found.
type ruleList struct {
	index map[string]int
	rules []sarifRule
}

func (l *ruleList) of(f leak.Format) int {
	i, ok := l.index[f.ID]
	if !ok {
		i = len(l.rules)
		l.index[f.ID] = i
		l.rules = append(l.rules, toRule(f))
	}
	return i
}

func toRule(f leak.Format) sarifRule {
	name, issuer := message(f.Name), message(f.Issuer)
	if issuer == "" {
		issuer = "its issuer"
	}
	return sarifRule{
		ID: f.ID, Name: pascal(f.ID),
		Short: sarifText{Text: name},
		Full:  sarifText{Text: name + ", readable by everyone who has a copy of this repository."},
		Help: sarifText{
			Text:     "Revoke the token at " + issuer + ", then make a new one and keep it out of the repository. Deleting the line or the commit does not help: whoever has a copy has the token.",
			Markdown: "**Revoke the token** at " + issuer + ", then make a new one and keep it out of the repository.\n\nDeleting the line or the commit does not help: whoever has a copy has the token.",
		},
		Configuration: sarifConfig{"error"},
		Properties: sarifProperties{
			"tags":              []string{"security", "secret", "external/cwe/cwe-798"},
			"security-severity": "8.0",
		},
	}
}

// pascal makes "GithubGhp" of "github-ghp".
func pascal(id string) string {
	upper := true
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			upper = true
			return -1
		}
		if upper {
			r = unicode.ToUpper(r)
		}
		upper = false
		return r
	}, id)
}

// level makes what is surely a token an error, and a doubt a warning.
func level(c leak.Confidence) string {
	switch c {
	case leak.Verified, leak.Likely:
		return "error"
	case leak.Possible:
		return "warning"
	}
	return "note"
}

func toResult(f Finding, p leak.Place, rule int) sarifResult {
	uri := artifactURI(p)
	text := f.Format.Name + " " + f.Secret.Mask() + " (" + f.Confidence.String() + ")"
	if p.Commit != "" {
		text += ", added in " + short(p.Commit)
	}
	return sarifResult{
		RuleID: f.Format.ID, RuleIndex: rule, Level: level(f.Confidence),
		Message:   sarifText{Text: message(text + ".")},
		Locations: []sarifLocation{{sarifPhysical{sarifArtifact{uri, sarifRoot}, region(p)}}},
		Fingerprints: map[string]string{
			"primaryLocationLineHash": lineHash(f, uri),
			"patwatchToken/v1":        f.Secret.Fingerprint(),
		},
		Properties: placeProperties(f, p),
	}
}

// lineHash is stable when the file changes round the token, and tells nothing
// about it.
func lineHash(f Finding, uri string) string {
	sum := sha256.Sum256([]byte(f.Format.ID + "\x00" + uri + "\x00" + f.Secret.Fingerprint()))
	return hex.EncodeToString(sum[:8]) + ":1"
}

func placeProperties(f Finding, p leak.Place) sarifProperties {
	out := sarifProperties{
		"confidence": f.Confidence.String(),
		"token":      f.Secret.Mask(),
		"source":     string(p.Source),
	}
	for key, value := range map[string]string{
		"repository": p.Repository, "commit": p.Commit, "object": p.Object, "url": p.URL, "time": stamp(p.Time),
		"standing": string(p.Standing), "branch": p.Branch,
	} {
		if value != "" {
			out[key] = value
		}
	}
	return out
}

// artifactURI is the path as a relative reference. An object that no commit
// holds has no path; git's own name for it stands in.
func artifactURI(p leak.Place) string {
	if path := strings.TrimLeft(p.Path, "/"); path != "" {
		return leak.EscapePath(path)
	}
	if len(p.Object) > 2 {
		return ".git/objects/" + leak.EscapePath(p.Object[:2]+"/"+p.Object[2:])
	}
	return "stdin"
}

// region is where the token stands; SARIF wants all numbers at least 1, and
// the end not before the start.
func region(p leak.Place) sarifRegion {
	r := sarifRegion{StartLine: max(p.Line, 1), StartColumn: max(p.Column, 1)}
	r.EndLine, r.EndColumn = max(p.EndLine, r.StartLine), max(p.EndColumn, 1)
	if r.EndLine == r.StartLine {
		r.EndColumn = max(r.EndColumn, r.StartColumn+1)
	}
	return r
}

// message makes text plain in a SARIF message, which takes brackets for links
// and braces for placeholders.
func message(text string) string {
	text = escape(text)
	if !strings.ContainsAny(text, "[]{}") {
		return text
	}
	return strings.NewReplacer("[", `\[`, "]", `\]`, "{", "{{", "}", "}}").Replace(text)
}
