package detectors

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// puttyKey is a PuTTY key file as programs write it, with lines of base64.
func puttyKey(r *rand.Rand, lines int) []byte {
	block := func() string {
		var b strings.Builder
		for range lines {
			b.WriteString(stdText(randomBytes(r, 48)) + "\n")
		}
		return b.String()
	}
	return []byte("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: made\nPublic-Lines: 6\n" + block() +
		"Private-Lines: 14\n" + block() + "Private-MAC: " + strings.Repeat("0123456789abcdef", 3)[:40] + "\n")
}

// TestMatchMadeFarFromItsStart: an edit of one byte, anywhere in a long token
// with blanks in it, makes it whole. The base has no match, so Inherit has
// nothing to say; FindNear must see it, or the base must have been found far.
func TestMatchMadeFarFromItsStart(t *testing.T) {
	m := mustBuiltin(t)
	r := rand.New(rand.NewPCG(61, 62))
	for _, lines := range []int{1, 6, 40} {
		data := puttyKey(r, lines)
		if len(m.Find(nil, data)) == 0 {
			t.Fatal("the whole file is not found")
		}
		for _, word := range []string{"PuTTY", "Encryption", "Comment", "Public-Lines", "Private-Lines", "Private-MAC", "0123456789"} {
			at := bytes.Index(data, []byte(word))
			base := slices.Clone(data)
			base[at] = '!'
			copies := [][3]int{{0, 0, at}, {at + 1, at + 1, len(data) - at - 1}}
			got, complete := m.Inherit(nil, m.Find(nil, base), copies, len(base), len(data))
			got, _ = m.FindNear(got, data, [][2]int{{at, at + 1}})
			got = unique(got)
			if complete && !m.far(base) && !sameMatches(got, m.Find(nil, data)) {
				t.Errorf("%d lines, edit in %q, %d bytes from the start: %d matches, want %d",
					lines, word, at, len(got), len(m.Find(nil, data)))
			}
		}
	}
}
