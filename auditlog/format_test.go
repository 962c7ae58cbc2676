package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"patwatch/leak"
)

// TestGoldenExports freezes what is written to files that others read.
func TestGoldenExports(t *testing.T) {
	entries := goldenEntries(t)
	some := []Entry{entries[0], entries[1], entries[9], entries[13], entries[28]}
	for _, f := range []Format{JSON, NDJSON, CSV} {
		golden(t, "export."+string(f), export(t, f, some))
	}
}

// fixedSigner is a signer whose key is always the same, and good for nothing.
func fixedSigner(t testing.TB) *Signer {
	t.Helper()
	secret, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("not a secret key", 4)), "audit.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGoldenProof freezes the file of a proof, and checks it as someone would
// who has only this file, the public key and RFC 6962: none of our code, and
// none of the library's.
func TestGoldenProof(t *testing.T) {
	s := fixedSigner(t)
	m := &memory{}
	for _, e := range goldenEntries(t) {
		m.add(t, e.Body)
	}
	v, err := s.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	size := len(m.leaves)
	signed := m.sign(t, s, size)
	c, err := v.Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Prove(m, c, signed, 13, m.leaves[13].Body)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "proof.txt", p.Encode())
	golden(t, "proof.pub", []byte(s.Public()+"\n"))
	for i := range size {
		p, err := Prove(m, c, signed, int64(i), m.leaves[i].Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := byHand(p.Encode(), s.Public()); err != nil {
			t.Errorf("event %d: %v", i, err)
		}
		p.Event = bytes.Replace(p.Event, []byte("77777777-"), []byte("77777776-"), 1)
		if err := byHand(p.Encode(), s.Public()); err == nil {
			t.Errorf("event %d: an altered event is proved", i)
		}
	}
}

// byHand checks a proof's file.
func byHand(file []byte, public string) error {
	head, checkpoint, _ := strings.Cut(string(file), "\n\n")
	lines := strings.Split(head, "\n")
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return err
	}
	text, signature, _ := strings.Cut(checkpoint, "\n\n")
	text += "\n"
	if err := signedBy(text, signature, public); err != nil {
		return err
	}
	body := strings.Split(text, "\n")
	size, err := strconv.ParseInt(body[1], 10, 64)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte("\x00" + strings.TrimPrefix(lines[2], "event ")))
	var path [][]byte
	for _, line := range lines[3:] {
		h, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return err
		}
		path = append(path, h)
	}
	root, err := climb(hash[:], index, size, path)
	if err != nil || base64.StdEncoding.EncodeToString(root) != body[2] {
		return fmt.Errorf("the hashes do not lead to the root: %w", err)
	}
	return nil
}

// climb is RFC 9162, 2.1.3.2: from a leaf's hash to the root.
func climb(hash []byte, fn, size int64, path [][]byte) ([]byte, error) {
	sn := size - 1
	for _, p := range path {
		if sn == 0 {
			return nil, errors.New("too many hashes")
		}
		if fn&1 == 1 || fn == sn {
			hash = node(p, hash)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			hash = node(hash, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return nil, errors.New("too few hashes")
	}
	return hash, nil
}

func node(left, right []byte) []byte {
	h := sha256.Sum256(bytes.Join([][]byte{{1}, left, right}, nil))
	return h[:]
}

// signedBy checks the signature of a note.
func signedBy(text, signature, public string) error {
	parts := strings.SplitN(public, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	name, encoded, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(signature), "— "), " ")
	sig, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || name != parts[0] {
		return fmt.Errorf("signed by %s: %w", name, err)
	}
	id := sha256.Sum256(append([]byte(name+"\n"), key...))
	if binary.BigEndian.Uint32(sig) != binary.BigEndian.Uint32(id[:]) || !ed25519.Verify(key[1:], []byte(text), sig[4:]) {
		return errors.New("the signature is not the key's")
	}
	return nil
}

// TestGoldenProofFile checks the committed file, so that proofs which were given
// away stay good.
func TestGoldenProofFile(t *testing.T) {
	v, err := NewVerifier(string(read(t, "proof.pub")))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseProof(read(t, "proof.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if e, c, err := p.Check(v); err != nil || p.Index != 13 || e.ActionID != OwnerNotified || c.Size != int64(len(goldenEntries(t))) {
		t.Errorf("%+v, %+v, %v", e, c, err)
	}
}

func TestOneLine(t *testing.T) {
	cases := map[string]string{
		"plain – text é 🙂":  "plain – text é 🙂",
		"a\r\nb\tc\x00\x7f": "a\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFD",
		"\u202egnp.exe":     "\uFFFDgnp.exe",
		"a\u2028b\u2066c":   "a\uFFFDb\uFFFDc",
		"":                  "",
	}
	for in, want := range cases {
		if got := oneLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, unit := range []string{"a", "é", "€", "🙂", "\xff", "e\u0301"} {
		for _, n := range []int{0, 1, maxValue / 4, maxValue - 1, maxValue, maxValue + 1, 3 * maxValue} {
			in := strings.Repeat(unit, n)
			out := cut(in)
			if len(out) > maxValue || !utf8.ValidString(out) {
				t.Errorf("%q, %d times: %d bytes", unit, n, len(out))
			}
			if utf8.ValidString(in) && len(in) <= maxValue && out != in {
				t.Errorf("%q, %d times: changed", unit, n)
			}
		}
	}
}

// TestFill: a value is never taken for a template.
func TestFill(t *testing.T) {
	tmpl := template{text: "a {X} b {Optional:Y}{Optional:Z} c {N}."}
	cases := []struct {
		data Data
		want string
	}{
		{Data{"X": "1", "Y": "2"}, "a 1 b 2 c ."},
		{Data{}, "a  b  c ."},
		{Data{"X": "{Y}", "Y": "{X}{"}, "a {Y} b {X}{ c ."},
		{Data{"X": 5, "N": nil}, "a  b  c ."},
	}
	for _, c := range cases {
		if got := tmpl.fill(c.data); got != c.want {
			t.Errorf("%v: %q, want %q", c.data, got, c.want)
		}
	}
	for _, a := range templates {
		text := a.fill(Data{"DisplayName": "n", "OwnerName": "o", "CaseId": "c", "Reason": "r", "Format": "f", "PolicyName": "p", "PolicyValue": "v",
			"OldState": "s", "NewState": "t", "Repository": "u", "Count": "1", "Before": "b"})
		if strings.ContainsAny(text, "{}") || strings.Contains(text, `""`) || strings.Contains(text, "  ") {
			t.Errorf("%s: %q has an empty place", a.id, text)
		}
	}
}

// TestClientReads decodes our events as a strict client does: UUIDs where the
// published schema has them, and values of its enumerations.
func TestClientReads(t *testing.T) {
	for _, entry := range goldenEntries(t) {
		var e map[string]any
		if err := json.Unmarshal(entry.Body, &e); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"correlationId", "activityId", "actorCUID", "actorUserId", "actorClientId", "scopeId", "projectId"} {
			if v, there := e[key]; there && !IsUUID(fmt.Sprint(v)) {
				t.Errorf("event %d: %s is %v", entry.Index, key, v)
			}
		}
		if !strings.Contains(" unknown modify remove create access execute ", fmt.Sprint(" ", e["category"], " ")) ||
			!strings.Contains(" unknown deployment enterprise organization project ", fmt.Sprint(" ", e["scopeType"], " ")) {
			t.Errorf("event %d: %v, %v", entry.Index, e["category"], e["scopeType"])
		}
		area, _, _ := strings.Cut(fmt.Sprint(e["actionId"]), ".")
		if e["area"] != area || e["details"] == "" {
			t.Errorf("event %d: area %v of %v", entry.Index, e["area"], e["actionId"])
		}
	}
}

// TestActors: a person has a CUID and a user id of their own, always the same;
// the program has those of a service.
func TestActors(t *testing.T) {
	dana, again, eve := AccessLog("", Person("dana")), AccessLog("", Person("Dana")), AccessLog("", Person("eve"))
	if dana.ActorUserID != again.ActorUserID || dana.ActorUserID == eve.ActorUserID || dana.ActorCUID != dana.ActorUserID || dana.ActorClientID != zeroUUID {
		t.Errorf("%+v\n%+v\n%+v", dana, again, eve)
	}
	system := ScanIncomplete(leak.Push{}, leak.Incomplete{})
	if system.ActorUserID != serviceID || system.ActorCUID != zeroUUID || system.ActorUPN != "Azure DevOps Service" {
		t.Errorf("%+v", system)
	}
}

// TestRecordVouched: any change of a sighting changes its event.
func TestRecordVouched(t *testing.T) {
	base := Discovery(aCase(), aSighting()).Data.String("RecordSha256")
	for name, alter := range map[string]func(s *leak.Sighting){
		"column": func(s *leak.Sighting) { s.Place.Column++ }, "subject": func(s *leak.Sighting) { s.Place.Subject = "x" },
		"last four": func(s *leak.Sighting) { s.LastFour = "x" }, "before": func(s *leak.Sighting) { s.Push.Before = "x" },
	} {
		s := aSighting()
		alter(&s)
		if got := Discovery(aCase(), s).Data.String("RecordSha256"); got == base || len(got) != 64 {
			t.Errorf("%s: %q", name, got)
		}
	}
}
