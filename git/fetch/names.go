package fetch

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	ownerName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9._-]{1,100}$`)
	objectName = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	zeroName   = regexp.MustCompile(`^0+$`)
)

// ValidRepository says whether a name is "owner/name" with nothing in it that
// could lead a URL elsewhere.
func ValidRepository(name string) bool {
	_, repo, _ := strings.Cut(name, "/")
	return ownerName.MatchString(name) && repo != "." && repo != ".." && !strings.HasSuffix(repo, ".git")
}

// ValidObject says whether a name is that of an object: 40 or 64 hex digits in
// lower case, not all zero.
func ValidObject(id string) bool { return objectName.MatchString(id) && !zeroName.MatchString(id) }

// maxRef is the longest ref in bytes.
const maxRef = 1024

// ValidRef says whether a name is that of a ref, as far as a request needs it:
// "refs/…" in one line.
func ValidRef(ref string) bool {
	if len(ref) > maxRef || !strings.HasPrefix(ref, "refs/") {
		return false
	}
	for i := range len(ref) {
		if ref[i] <= ' ' || ref[i] == 0x7f {
			return false
		}
	}
	return true
}

// nothing says whether an id of an event stands for no commit.
func nothing(id string) bool { return id == "" || zeroName.MatchString(id) }

// check is an error unless all names of a request are valid.
func check(repository string, ids ...string) error {
	if !ValidRepository(repository) {
		return fmt.Errorf("%w: repository %.200q", ErrName, repository)
	}
	for _, id := range ids {
		if !ValidObject(id) {
			return fmt.Errorf("%w: object %.80q of %s", ErrName, id, repository)
		}
	}
	return nil
}
