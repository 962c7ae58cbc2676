package report

import "patwatch/leak"

// gitleaksFinding has the field names of gitleaks' JSON report, in its order.
type gitleaksFinding struct {
	RuleID      string
	Description string
	StartLine   int
	EndLine     int
	StartColumn int
	EndColumn   int // of the last byte, inclusive
	Match       string
	Secret      string
	File        string
	SymlinkFile string
	Commit      string
	Link        string `json:",omitempty"`
	Entropy     float64
	Author      string
	Email       string
	Date        string
	Message     string
	Tags        []string
	Fingerprint string
}

// renderGitleaks makes the array that gitleaks writes, an element a place. It
// has no room for a summary: that a scan was not complete is not in it.
func renderGitleaks(fs []Finding, _ Summary, o Options) ([]byte, error) {
	out := []gitleaksFinding{}
	for _, f := range fs {
		secret := f.Secret.Mask()
		if o.ShowSecrets {
			secret = shown(f.Secret, true)
		}
		for _, p := range f.Places {
			out = append(out, toGitleaks(f, p, secret))
		}
	}
	return encode(out, " ")
}

func toGitleaks(f Finding, p leak.Place, secret string) gitleaksFinding {
	return gitleaksFinding{
		RuleID: f.Format.ID, Description: f.Format.Name,
		StartLine: p.Line, EndLine: p.EndLine, StartColumn: p.Column, EndColumn: max(p.EndColumn-1, 0),
		Match: secret, Secret: secret, File: p.Path, Commit: p.Commit, Link: p.URL,
		Author: p.Author, Email: p.Email, Date: stamp(p.Time), Message: p.Subject,
		Tags:        []string{f.Confidence.String()},
		Fingerprint: position(f, p),
	}
}

// position is gitleaks' fingerprint, as .gitleaksignore has it.
func position(f Finding, p leak.Place) string {
	out := p.Path + ":" + f.Format.ID + ":" + itoa(p.Line)
	if p.Commit != "" {
		out = p.Commit + ":" + out
	}
	return out
}
