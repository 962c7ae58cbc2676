package detectors

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// keyLines returns the base64 of something like a key of n bytes: an ASN.1
// sequence of the right length, in lines of width.
func keyLines(r *rand.Rand, n, width int) []string {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	copy(raw, []byte{0x30, 0x82, byte((n - 4) >> 8), byte(n - 4), 2, 1, 0})
	text := base64.StdEncoding.EncodeToString(raw)
	var lines []string
	for len(text) > width {
		lines, text = append(lines, text[:width]), text[width:]
	}
	return append(lines, text)
}

const (
	rsaBegin = "-----BEGIN RSA PRIVATE" + " KEY-----"
	rsaEnd   = "-----END RSA PRIVATE" + " KEY-----"
	cipher   = "Proc-Type: 4,ENCRYPTED\nDEK-Info: "
)

// blocks returns PEM blocks as they stand in files, sources and diffs.
func blocks(r *rand.Rand) map[string]string {
	lines := keyLines(r, 600+8*r.IntN(30), 64)
	join := func(sep string) string {
		return rsaBegin + sep + strings.Join(lines, sep) + sep + rsaEnd
	}
	iv := strings.Repeat("0A1B2C3D", 4)
	return map[string]string{
		"plain":           join("\n"),
		"CRLF":            join("\r\n"),
		"escaped":         `{"key": "` + join(`\n`) + `\n"}`,
		"escaped twice":   join(`\\n`),
		"indented":        "  " + join("\n    "),
		"concatenated":    `"` + join("\\n\" +\n\t\"") + `\n"`,
		"commented":       "# " + join("\n# "),
		"DES":             rsaBegin + "\n" + cipher + "DES-EDE3-CBC," + iv[:16] + "\n\n" + strings.Join(lines, "\n") + "\n" + rsaEnd,
		"AES":             rsaBegin + "\n" + cipher + "AES-256-CBC," + iv + "\n\n" + strings.Join(lines, "\n") + "\n" + rsaEnd,
		"AES, CRLF":       strings.ReplaceAll(rsaBegin+"\n"+cipher+"AES-256-CBC,"+iv+"\n\n"+strings.Join(lines, "\n")+"\n"+rsaEnd, "\n", "\r\n"),
		"lines of 76":     rsaBegin + "\n" + strings.Join(keyLines(r, 800, 76), "\n") + "\n" + rsaEnd,
		"added by a diff": "+" + join("\n+"),
		"added, indented": "+\t" + join("\n+\t"),
		"on one line":     "key: " + join(" "),
		"a quoted list":   "'" + join("',\n  '") + "'",
		"a line of 1600":  rsaBegin + "\n" + strings.Join(keyLines(r, 1200, 4096), "\n") + "\n" + rsaEnd,
	}
}

func armorMatcher(t testing.TB) *Matcher {
	t.Helper()
	formats, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range formats {
		if formats[i].ID == "pem-private-key" {
			m, err := Compile(formats[i:i+1], Options{})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal("there is no format for PEM keys")
	return nil
}

func TestBlocks(t *testing.T) {
	m := armorMatcher(t)
	r := rand.New(rand.NewPCG(1, 1))
	for name, text := range blocks(r) {
		data := []byte("first line\n" + text + "\nlast line\n")
		got := m.Find(nil, data)
		start, end := bytes.Index(data, []byte("-----BEGIN")), bytes.Index(data, []byte(rsaEnd))+len(rsaEnd)
		if len(got) != 1 || got[0].Start != start || got[0].End != end {
			t.Errorf("%s: want [%d:%d], got %s", name, start, end, describe(m, got))
		}
	}
}

// TestBlocksCut has blocks that are whole but for their last line, as a diff
// that removes them shows them: its sign joins the dashes. Keys that say how
// long they are count all the same.
func TestBlocksCut(t *testing.T) {
	m := armorMatcher(t)
	lines := keyLines(rand.New(rand.NewPCG(1, 2)), 700, 64)
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"removed by a diff":        {"-" + rsaBegin + "\n-" + strings.Join(lines, "\n-") + "\n-" + rsaEnd + "\n", 1},
		"no last line":             {rsaBegin + "\n" + strings.Join(lines, "\n") + "\n", 1},
		"no last lines":            {rsaBegin + "\n" + strings.Join(lines[:8], "\n") + "\n", 0},
		"a line left out":          {rsaBegin + "\n" + strings.Join(append(lines[:4:4], lines[5:]...), "\n") + "\n" + rsaEnd, 0},
		"another file's last line": {rsaBegin + "\n" + strings.Join(lines[:8], "\n") + "\n-----END CERTIFICATE-----", 0},
	} {
		got := m.Find(nil, []byte(c.text))
		if len(got) != c.want {
			t.Errorf("%s: %s", name, describe(m, got))
		}
		if len(got) == 1 && !strings.Contains(c.text[got[0].Start:got[0].End], lines[len(lines)-1]) {
			t.Errorf("%s: the last line of the key is left out", name)
		}
	}
}

func TestNoBlocks(t *testing.T) {
	m := armorMatcher(t)
	r := rand.New(rand.NewPCG(2, 1))
	lines := keyLines(r, 700, 64)
	body := strings.Join(lines, "\n")
	for name, text := range map[string]string{
		"no header":         body + "\n" + rsaEnd,
		"a public key":      strings.ReplaceAll(rsaBegin+"\n"+body+"\n"+rsaEnd, "PRIVATE", "PUBLIC"),
		"no body":           rsaBegin + "\n" + rsaEnd,
		"dots":              rsaBegin + "\n...\n" + rsaEnd,
		"prose":             rsaBegin + "\nhere stands your key\n" + rsaEnd,
		"short lines":       rsaBegin + "\n" + strings.Join(keyLines(r, 100, 12), "\n") + "\n" + rsaEnd,
		"far from its body": rsaBegin + strings.Repeat("\n", 40) + body + "\n" + rsaEnd,
	} {
		if got := m.Find(nil, []byte(text)); len(got) != 0 {
			t.Errorf("%s: %s", name, describe(m, got))
		}
	}
}

// TestBlockRepairs edits blocks at every place.
func TestBlockRepairs(t *testing.T) {
	m := armorMatcher(t)
	s := newSoup(t, m, 3)
	s.words = []string{"word"}
	for range 60 {
		for _, text := range blocks(s.r) {
			s.repair(t, m, text)
		}
	}
}

// TestBlocksTakeLinearTime: headers, lines and ends, over and over.
func TestBlocksTakeLinearTime(t *testing.T) {
	m := armorMatcher(t)
	r := rand.New(rand.NewPCG(4, 1))
	line := keyLines(r, 48, 64)[0]
	for name, text := range map[string]string{
		"headers and lines": rsaBegin + "\n" + line + "\n",
		"lines":             line + "\n",
		"lines and ends":    line + "\n" + rsaEnd + "\n",
		"headers":           rsaBegin + "\n",
	} {
		data := []byte(strings.Repeat(text, rounds(1<<20)/len(text)))
		boundedSteps(t, m, name, data)
	}
}
