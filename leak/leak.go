// Package leak is the vocabulary of the program: what a token, a place, a
// candidate and a digest are, for every other package. It imports the standard
// library only and does no I/O.
//
// The one rule it enforces is that a token in clear cannot travel: a [Secret]
// prints as a mask whatever is done to it, and no other type here has a field
// that could hold a token.
package leak

import "time"

// Format says which kind of token was found.
type Format struct {
	ID     string // stable, lower case, words joined by hyphens: "github-ghp"
	Name   string // for people: "GitHub personal access token (classic)"
	Issuer string // who issues it: "GitHub"
	Kind   string // what it is: "pat", "api-key", "infra", "webhook", ...
}

// Confidence says how sure it is that a [Candidate] is a real token.
type Confidence uint8

// From the least to the most sure. The zero value is not a confidence.
const (
	Unverified Confidence = iota + 1 // the checksum is wrong, or an identifier without its secret
	Possible                         // a general shape beside a word that names the issuer
	Likely                           // a distinctive prefix and length
	Verified                         // a checksum or a structure proves it
)

// String returns "unverified", "possible", "likely" or "verified", and
// "unknown" for any other value.
func (c Confidence) String() string {
	switch c {
	case Unverified:
		return "unverified"
	case Possible:
		return "possible"
	case Likely:
		return "likely"
	case Verified:
		return "verified"
	}
	return "unknown"
}

// MarshalText makes a Confidence a word in JSON.
func (c Confidence) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word; one that is not known becomes the zero value.
func (c *Confidence) UnmarshalText(text []byte) error {
	*c = 0
	for known := Unverified; known <= Verified; known++ {
		if known.String() == string(text) {
			*c = known
		}
	}
	return nil
}

// Source says where the bytes of a [Place] were read from.
type Source string

// The sources of a scan.
const (
	History     Source = "history"     // a blob that a commit reaches
	Unreachable Source = "unreachable" // an object that no ref reaches
	Staged      Source = "staged"      // the index of a repository
	WorkTree    Source = "worktree"    // a file of a repository's work tree
	File        Source = "file"        // a file that belongs to no repository
	Stream      Source = "stdin"       // standard input
	Pushed      Source = "push"        // a blob, commit or tag that a push added
	Dropped     Source = "dropped"     // one that a force push took away; it can still be had by its name
)

// Standing says whether a token that a commit brought in is still at its path.
// A file that was renamed since counts as gone.
type Standing string

// The zero value means that it is not known, or that there is no commit.
const (
	InHead   Standing = "head"   // the tree of HEAD has it
	OnBranch Standing = "branch" // HEAD does not, the tip of another branch does
	Gone     Standing = "gone"   // no tip of a branch has it
)

// Place is where a token stands. Fields that do not apply are zero: a file has
// no commit, an object that no commit holds has no path.
//
// Paths, names and messages come from strangers and may hold any bytes; who
// prints them escapes them.
type Place struct {
	Repository string    `json:"repository,omitempty"` // path or URL as the user named it, or a push's "owner/name"; "" when there is none
	Source     Source    `json:"source"`
	Commit     string    `json:"commit,omitempty"`     // hex name of the commit that brought it in
	Object     string    `json:"object,omitempty"`     // hex name of the blob
	Path       string    `json:"path,omitempty"`       // slash-separated, relative to the repository or the folder
	Line       int       `json:"line,omitempty"`       // from 1
	Column     int       `json:"column,omitempty"`     // from 1, in bytes
	EndLine    int       `json:"end_line,omitempty"`   // line of the last byte, from 1
	EndColumn  int       `json:"end_column,omitempty"` // column after the last byte, from 1 (exclusive, as SARIF counts)
	URL        string    `json:"url,omitempty"`        // permalink pinned to Commit, "" when the host is not known
	Author     string    `json:"author,omitempty"`
	Email      string    `json:"email,omitempty"`
	Time       time.Time `json:"time,omitzero"`     // author time
	Subject    string    `json:"subject,omitempty"` // first line of the commit message

	Standing Standing `json:"standing,omitempty"` // whether the token is still at Path
	Branch   string   `json:"branch,omitempty"`   // the branch that still has it, when Standing is OnBranch; "refs/stash" for the stash
}

// Candidate is a token found at a place. It lives in memory only.
type Candidate struct {
	Format     Format
	Confidence Confidence
	Secret     Secret
	Place      Place
}
