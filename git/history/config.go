package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	gitconfig "github.com/go-git/go-git/v5/plumbing/format/config"
)

// maxConfig bounds the configuration file, in bytes.
const maxConfig = 4 << 20

// A Remote is a remote of the repository's configuration. Its URLs are input:
// they may hold credentials, and anything else.
type Remote struct {
	Name string
	URLs []string
}

// settings are what we need of a repository's configuration.
type settings struct {
	idSize   int
	bare     bool
	promisor bool // a partial clone: objects may be absent on purpose
	reftable bool
	remotes  []Remote
	problems []Problem
}

// readSettings parses the configuration of a git directory. A file that cannot
// be parsed is a problem, an object format that is not known an error.
func readSettings(dir string) (*settings, error) {
	s := &settings{idSize: 20}
	path := filepath.Join(dir, "config")
	b, err := readSmall(path, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(b)
	if err != nil {
		s.problems = append(s.problems, Problem{path, errors.New("the configuration cannot be parsed; SHA-1 and no remotes are assumed")})
	}
	return s, s.take(c)
}

// parseConfig parses a configuration file. What stood before an error is in
// the result.
func parseConfig(b []byte) (c *gitconfig.Config, err error) {
	c = gitconfig.New()
	defer func() {
		if recover() != nil { // the parser is not ours, its input is anyone's
			err = errors.New("the parser failed")
		}
	}()
	return c, gitconfig.NewDecoder(bytes.NewReader(b)).Decode(c)
}

func (s *settings) take(c *gitconfig.Config) error {
	ext := lastOptions(c, "extensions")
	switch f := strings.ToLower(ext["objectformat"]); f {
	case "", "sha1":
	case "sha256":
		s.idSize = 32
	default:
		return fmt.Errorf("object format %.20q is not known", f)
	}
	s.promisor = ext["partialclone"] != ""
	switch f, _, _ := strings.Cut(ext["refstorage"], ":"); f {
	case "", "files":
	case "reftable":
		s.reftable = true
	default:
		s.problems = append(s.problems, Problem{"refs", fmt.Errorf("are stored as %.20q, which is not known: not all of them are read", f)})
	}
	s.bare = truth(lastOptions(c, "core")["bare"])
	for _, section := range c.Sections {
		if section.IsName("remote") {
			s.takeRemotes(section)
		}
	}
	return nil
}

// lastOptions returns the options of a section by lower-case name; the last of
// several values counts.
func lastOptions(c *gitconfig.Config, section string) map[string]string {
	m := map[string]string{}
	for _, s := range c.Sections {
		if !s.IsName(section) {
			continue
		}
		for _, o := range s.Options {
			m[strings.ToLower(o.Key)] = o.Value
		}
	}
	return m
}

func (s *settings) takeRemotes(section *gitconfig.Section) {
	for _, sub := range section.Subsections {
		m := Remote{Name: sub.Name}
		for _, o := range sub.Options {
			switch strings.ToLower(o.Key) {
			case "url":
				m.URLs = append(m.URLs, o.Value)
			case "promisor":
				s.promisor = s.promisor || truth(o.Value)
			}
		}
		s.remotes = append(s.remotes, m)
	}
}

// truth is git's reading of a boolean value.
func truth(v string) bool {
	return slices.Contains([]string{"true", "yes", "on", "1"}, strings.ToLower(v))
}

// Remotes returns the remotes of the configuration, in its order, those
// without URLs too. The slice is the caller's.
func (r *Repository) Remotes() []Remote { return slices.Clone(r.config.remotes) }
