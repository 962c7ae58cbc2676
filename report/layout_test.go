package report

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"patwatch/leak"
)

// TestBestColumn compares the choice of the column with trying all of them.
func TestBestColumn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		var rows []row
		for range r.IntN(8) {
			rows = append(rows, row{left: strings.Repeat("l", r.IntN(80)), right: strings.Repeat("r", r.IntN(60))})
		}
		room, wanted := r.IntN(140), r.IntN(maxLeft+1)
		fits := func(n int) (count int) {
			for _, row := range rows {
				if row.beside(n, room) {
					count++
				}
			}
			return count
		}
		most := 0
		for n := range maxLeft + 1 {
			most = max(most, fits(n))
		}
		got := bestColumn(rows, room, wanted)
		if fits(got) != most {
			t.Fatalf("column %d of room %d: %d rows fit, with another %d", got, room, fits(got), most)
		}
		if fits(wanted) == most && got != wanted {
			t.Fatalf("column %d though the wanted %d is as good", got, wanted)
		}
	}
}

func TestBeside(t *testing.T) {
	for _, c := range []struct {
		left, right string
		n, room     int
		want        bool
	}{
		{"ab", "cd", 2, 0, true}, {"ab", "cd", 1, 0, false}, {"ab", "", 9, 0, false}, {"ab", "cd", 2, 7, true}, {"ab", "cd", 2, 6, false},
		{"文", "字", 2, 7, true}, {"文", "字", 1, 0, false}, {"", "x", 0, 4, true},
	} {
		if got := (row{left: c.left, right: c.right}).beside(c.n, c.room); got != c.want {
			t.Errorf("%q and %q with column %d in %d: %v", c.left, c.right, c.n, c.room, got)
		}
	}
}

// TestTableOfManyFindings makes a table of 2,000 tokens: each of them is in it,
// the right sides stand in one column.
func TestTableOfManyFindings(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	var fs []Finding
	for i := range 2000 {
		secret := make([]byte, 40)
		for j := range secret {
			secret[j] = "abcdefghijklmnopqrstuvwxyz"[r.IntN(26)]
		}
		fs = append(fs, Finding{Format: leak.Format{ID: "x", Name: "A token"}, Confidence: leak.Likely, Secret: leak.NewSecret(secret),
			Places: []leak.Place{{Source: leak.Staged, Path: fmt.Sprintf("dir/%04d.txt", i), Line: 1}}})
	}
	out, err := renderTable(fs, Summary{Complete: true}, Options{Terminal: Terminal{Width: 100}})
	if err != nil {
		t.Fatal(err)
	}
	column := -1
	for line := range strings.Lines(string(out)) {
		at := strings.Index(line, "staged, not committed yet")
		if at >= 0 && column < 0 {
			column = at
		}
		if at >= 0 && at != column {
			t.Fatalf("column %d, then %d: %s", column, at, line)
		}
	}
	for i := range fs {
		if !bytes.Contains(out, fmt.Appendf(nil, "dir/%04d.txt:1 ", i)) {
			t.Fatalf("file %d is not in the table", i)
		}
	}
	if !bytes.Contains(out, []byte("2,000 tokens in 2,000 places.")) {
		t.Error("the count is wrong")
	}
}

// TestArtifactURIs wants relative references that lead to the path and nowhere
// else.
func TestArtifactURIs(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.go": "a/b.go", "a b.txt": "a%20b.txt", "a%20b": "a%2520b", "a#b?c": "a%23b%3Fc", "/abs": "abs", "//host/x": "host/x",
		"ü": "%C3%BC", "\xff": "%FF", "a\nb": "a%0Ab", "x\\y": "x%5Cy",
	} {
		if got := artifactURI(leak.Place{Path: path}); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"c:/x", "javascript:alert(1)", "http://host/x", "a:b", ":", "%zz", "?", "#", " "} {
		u, err := url.Parse(artifactURI(leak.Place{Path: path}))
		if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || u.Path != path && u.Path != "./"+path || u.RawQuery+u.Fragment != "" {
			t.Errorf("%q is %q: %v", path, artifactURI(leak.Place{Path: path}), err)
		}
	}
	if got := artifactURI(leak.Place{Object: "abcdef"}); got != ".git/objects/ab/cdef" {
		t.Errorf("an object is at %q", got)
	}
	if got := artifactURI(leak.Place{Source: leak.Stream}); got != "stdin" {
		t.Errorf("a stream is at %q", got)
	}
}

func TestRegionsAreValid(t *testing.T) {
	for _, c := range []struct {
		place leak.Place
		want  sarifRegion
	}{
		{leak.Place{Line: 3, Column: 4, EndLine: 3, EndColumn: 9}, sarifRegion{3, 4, 3, 9}},
		{leak.Place{}, sarifRegion{1, 1, 1, 2}},
		{leak.Place{Line: 5, Column: 7}, sarifRegion{5, 7, 5, 8}},
		{leak.Place{Line: 5, Column: 7, EndLine: 6, EndColumn: 1}, sarifRegion{5, 7, 6, 1}},
		{leak.Place{Line: 5, Column: 7, EndLine: 4, EndColumn: 3}, sarifRegion{5, 7, 5, 8}},
		{leak.Place{Line: -1, Column: -1, EndLine: -1, EndColumn: -1}, sarifRegion{1, 1, 1, 2}},
	} {
		if got := region(c.place); got != c.want {
			t.Errorf("%+v is %+v, want %+v", c.place, got, c.want)
		}
	}
}

func TestMessagesArePlain(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "[x](http://y)": `\[x\](http://y)`, "{0}": "{{0}}", "\x1b[2J": `\x1b\[2J`, "": "",
	} {
		if got := message(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"github-ghp": "GithubGhp", "": "", "a.b c_d": "ABCD", "x1-2y": "X12y", "ü-ß": "Üß"} {
		if got := pascal(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestRedactor plants tokens, one the start of another, in texts.
func TestRedactor(t *testing.T) {
	short := "abcdefghijklmnopqrstuvwxyz012345"
	long := short + "6789ABCDEFGH"
	odd := "p@ss/w+rd%20=&?#0123456789abcdef"
	r := newRedactor()
	for _, s := range []string{short, long, odd, ""} {
		r.add(leak.NewSecret([]byte(s)))
		r.add(leak.NewSecret([]byte(s)))
	}
	if len(r.tokens) != 3 {
		t.Errorf("%d tokens, want 3: the empty one hides nothing", len(r.tokens))
	}
	m := func(s string) string { return leak.NewSecret([]byte(s)).Mask() }
	for in, want := range map[string]string{
		"":                           "",
		"nothing":                    "nothing",
		"x" + short + "y":            "x" + m(short) + "y",
		long + short:                 m(long) + m(short),
		"a/" + url.PathEscape(odd):   "a/" + m(odd),
		"?q=" + url.QueryEscape(odd): "?q=" + m(odd),
		short[:31]:                   short[:31],
	} {
		if got := r.text(in); got != want {
			t.Errorf("wrong text for one of %d bytes", len(in))
		}
	}
	r.add(leak.NewSecret([]byte("a-late-token-of-some-length")))
	if strings.Contains(r.text("a-late-token-of-some-length"), "late-token") {
		t.Error("a token that is added late is not hidden")
	}
	r.add(leak.NewSecret([]byte("tiny")))
	if got := r.text("a tiny one, tin, tinytiny"); strings.Contains(got, "tiny") || !strings.Contains(got, " tin,") {
		t.Errorf("a short token: %q", got)
	}
}

// TestEveryTextOfAPlaceIsRedacted fills each text with the token.
func TestEveryTextOfAPlaceIsRedacted(t *testing.T) {
	const secret = "abcdefghijklmnopqrstuvwxyz012345"
	r := newRedactor()
	r.add(leak.NewSecret([]byte(secret)))
	p := r.place(leak.Place{Repository: secret, Path: secret, URL: secret, Author: secret, Email: secret, Subject: secret, Branch: secret})
	if strings.Contains(fmt.Sprint(p), secret) {
		t.Errorf("left in %+v", p)
	}
	s := r.summary(Summary{Incomplete: []string{secret}, Sources: []string{secret}, Remote: secret, Branch: secret})
	if strings.Contains(fmt.Sprint(s), secret) {
		t.Errorf("left in %+v", s)
	}
	if in := []string{secret}; r.summary(Summary{Sources: in}).Sources[0] == in[0] || in[0] != secret {
		t.Error("changes the caller's list")
	}
}

// FuzzReplacer compares with the standard library's replacer, which prefers the
// first of its pairs: here the longest.
func FuzzReplacer(f *testing.F) {
	f.Add("abcdefgh1", "abcdefgh12", "x", "..abcdefgh12.abcdefgh1.x")
	f.Add("a", "aa", "aaa", "aaaaa")
	f.Fuzz(func(t *testing.T, a, b, c, text string) {
		add, replace := newReplacer()
		forms := []string{a, b, c}
		slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, form := range forms {
			if form != "" && !slices.Contains(pairs, form) {
				add(form, "<>")
				pairs = append(pairs, form, "<>")
			}
		}
		if want := strings.NewReplacer(pairs...).Replace(text); replace(text) != want && !slices.Contains(forms, "<>") {
			t.Errorf("%q with %q is %q, want %q", text, forms, replace(text), want)
		}
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "\u202e", "\xff\xfe", "a\tb", "\u00a0", "文", "\\x1b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if strings.ContainsAny(got, "\n\r\t\x1b\x00\u202e\u00a0\u2028") || escape(got) != got {
			t.Errorf("%q is %q", s, got)
		}
		for _, n := range []int{-1, 0, 1, 7, 40} {
			if c := clip(got, n); columns(c) > max(n, 0) && columns(got) > max(n, 0) {
				t.Errorf("%q clipped to %d takes %d columns", got, n, columns(c))
			}
			if lines := wrap(got, n); strings.Join(lines, " ") != got {
				t.Errorf("%q wrapped to %d loses text: %q", got, n, lines)
			}
		}
	})
}
