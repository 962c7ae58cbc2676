package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"patwatch/leak"
)

// schemaVersion is the version of our own JSON. Fields may be added in a
// version; none changes its meaning or goes away.
const schemaVersion = 1

const toolName = "patwatch"

// The types below are the JSON that docs/report.md describes.
type (
	jsonReport struct {
		Version int `json:"version"`
		jsonSummary
		Findings []jsonFinding `json:"findings"`
	}
	jsonSummary struct {
		Tool       jsonTool   `json:"tool"`
		Complete   bool       `json:"complete"`
		Incomplete []string   `json:"incomplete"`
		Summary    jsonCounts `json:"summary"`
	}
	jsonTool struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	jsonCounts struct {
		Sources []string `json:"sources"`
		Tokens  int      `json:"tokens"`
		Places  int      `json:"places"`
		Commits int64    `json:"commits"`
		Blobs   int64    `json:"blobs"`
		Files   int64    `json:"files"`
		Packs   int64    `json:"packs"`
		Bytes   int64    `json:"bytes"`
		Formats int      `json:"formats"`
		Seconds float64  `json:"seconds"`
	}
	jsonFinding struct {
		Format      jsonFormat      `json:"format"`
		Confidence  leak.Confidence `json:"confidence"`
		Token       string          `json:"token"`
		Secret      string          `json:"secret,omitempty"`
		Fingerprint string          `json:"fingerprint"`
		Places      []jsonPlace     `json:"places"`
	}
	jsonFormat struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Issuer string `json:"issuer,omitempty"`
		Kind   string `json:"kind,omitempty"`
	}
	jsonPlace struct {
		Repository string      `json:"repository,omitempty"`
		Source     leak.Source `json:"source"`
		Commit     string      `json:"commit,omitempty"`
		Object     string      `json:"object,omitempty"`
		Path       string      `json:"path,omitempty"`
		Line       int         `json:"line"`
		Column     int         `json:"column"`
		EndLine    int         `json:"end_line"`
		EndColumn  int         `json:"end_column"`
		URL        string      `json:"url,omitempty"`
		Author     string      `json:"author,omitempty"`
		Email      string      `json:"email,omitempty"`
		Time       string      `json:"time,omitempty"`
		Subject    string      `json:"subject,omitempty"`
		Standing   string      `json:"standing,omitempty"`
		Branch     string      `json:"branch,omitempty"`
	}
)

func toFinding(f Finding, show bool) jsonFinding {
	out := jsonFinding{
		Format:      jsonFormat(f.Format),
		Confidence:  f.Confidence,
		Token:       f.Secret.Mask(),
		Secret:      shown(f.Secret, show),
		Fingerprint: f.Secret.Fingerprint(),
		Places:      make([]jsonPlace, len(f.Places)),
	}
	for i, p := range f.Places {
		out.Places[i] = jsonPlace{
			Repository: p.Repository, Source: p.Source, Commit: p.Commit, Object: p.Object, Path: p.Path,
			Line: p.Line, Column: p.Column, EndLine: p.EndLine, EndColumn: p.EndColumn, URL: p.URL,
			Author: p.Author, Email: p.Email, Time: stamp(p.Time), Subject: p.Subject,
			Standing: string(p.Standing), Branch: p.Branch,
		}
	}
	return out
}

func toSummary(s Summary, tokens, places int) jsonSummary {
	return jsonSummary{
		Tool:       jsonTool{toolName, s.Version},
		Complete:   s.Complete,
		Incomplete: nonNil(s.Incomplete),
		Summary: jsonCounts{
			Sources: nonNil(s.Sources), Tokens: tokens, Places: places, Commits: s.Commits,
			Blobs: s.Blobs, Files: s.Files, Packs: s.Packs, Bytes: s.Bytes,
			Formats: s.Formats, Seconds: float64(s.Elapsed.Milliseconds()) / 1000,
		},
	}
}

func renderJSON(fs []Finding, s Summary, o Options) ([]byte, error) {
	r := jsonReport{Version: schemaVersion, jsonSummary: toSummary(s, len(fs), countPlaces(fs)), Findings: []jsonFinding{}}
	for _, f := range fs {
		r.Findings = append(r.Findings, toFinding(f, o.ShowSecrets))
	}
	return encode(r, "  ")
}

// lines writes a JSON object a line as findings come.
type lines struct {
	w      io.Writer
	show   bool
	hide   *redactor          // every token seen so far
	tokens map[[2]string]bool // fingerprints and formats
	places int
	err    error
	closed bool
}

func (l *lines) Finding(f Finding) error {
	if !l.show {
		l.hide.cover(f)
		f = l.hide.finding(f)
	}
	l.tokens[[2]string{f.Secret.Fingerprint(), f.Format.ID}] = true
	l.places += len(f.Places)
	return l.write(struct {
		Type string `json:"type"`
		jsonFinding
	}{"finding", toFinding(f, l.show)})
}

func (l *lines) Close(s Summary) error {
	if !l.show {
		s = l.hide.summary(s)
	}
	err := l.write(struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
		jsonSummary
	}{"summary", schemaVersion, toSummary(s, len(l.tokens), l.places)})
	l.closed = true
	return err
}

func (l *lines) write(v any) error {
	if l.closed && l.err == nil {
		l.err = errClosed
	}
	if l.err != nil {
		return l.err
	}
	line, err := encode(v, "")
	if err == nil {
		_, err = l.w.Write(line)
	}
	if err != nil {
		l.err = fmt.Errorf("writing the report: %w", err)
	}
	return l.err
}

// encode returns v as JSON with a newline at its end. Bytes that are not UTF-8
// become U+FFFD; characters that do not print (controls, bidirectional
// overrides) are escaped, so that a report shown in a terminal is harmless.
func encode(v any, indent string) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return escapeJSON(buf.Bytes()), nil
}

// escapeJSON escapes what does not print in valid JSON, where it can stand in
// strings only.
func escapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if c := text[i]; c == '\n' || c >= ' ' && c < 0x7f {
			out = append(out, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case unicode.IsPrint(r):
			out = append(out, text[i:i+n]...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}
