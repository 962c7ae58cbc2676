package tokenstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
)

func keys(t testing.TB, versions ...int) *leak.Keyring {
	t.Helper()
	var peppers []leak.Pepper
	for _, v := range versions {
		peppers = append(peppers, leak.Pepper{Version: v, Key: leak.NewSecret(bytes.Repeat([]byte{byte(v)}, 32))})
	}
	k, err := leak.NewKeyring(peppers...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, path string, k *leak.Keyring) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "tokens.db"), keys(t, 1))
}

// sum stands for the SHA-256 of the n-th token.
func sum(n int) [32]byte { return sha256.Sum256(fmt.Append(nil, "token ", n)) }

func hexOf(n int) string {
	s := sum(n)
	return hex.EncodeToString(s[:])
}

// lineOf is the n-th token's record, with more fields that replace some.
func lineOf(n int, more ...string) string {
	r := map[string]any{"sha256": hexOf(n), "authorization_id": fmt.Sprint("auth-", n), "owner_id": fmt.Sprint("u", n%50), "owner_name": "Ada",
		"owner_mail": fmt.Sprintf("ada%d@contoso.example", n%50), "organization": "contoso", "display_name": "deploy", "scopes": "vso.code",
		"valid_from": "2026-01-01T00:00:00Z", "valid_to": "2027-01-01T00:00:00Z", "state": "active"}
	for i := 0; i+1 < len(more); i += 2 {
		r[more[i]] = more[i+1]
	}
	text, _ := json.Marshal(r)
	return string(text) + "\n"
}

func linesOf(from, to int, more ...string) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(lineOf(n, more...))
	}
	return b.String()
}

func importText(t testing.TB, s *Store, text string, o ImportOptions) ImportReport {
	t.Helper()
	if o.Format == "" {
		o.Format = NDJSON
	}
	report, err := s.Import(context.Background(), strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func lookup(t testing.TB, s *Store, n int) (leak.Token, bool) {
	t.Helper()
	found, err := s.Lookup(context.Background(), s.keys.All(sum(n)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range found {
		return tok, true
	}
	return leak.Token{}, false
}

func TestLookup(t *testing.T) {
	s := newStore(t)
	if r := importText(t, s, linesOf(0, 1000), ImportOptions{}); r.Accepted != 1000 || r.Rejected != 0 {
		t.Fatalf("%+v", r)
	}
	var digests []leak.Digest
	for n := 900; n < 1100; n++ {
		digests = append(digests, s.keys.Of(sum(n)))
	}
	found, err := s.Lookup(t.Context(), digests)
	if err != nil || len(found) != 100 {
		t.Fatalf("%d found, %v", len(found), err)
	}
	got := found[s.keys.Of(sum(907))]
	want := leak.Token{AuthorizationID: "auth-907", Owner: leak.Owner{ID: "u7", Name: "Ada", Mail: "ada7@contoso.example"}, Organization: "contoso",
		DisplayName: "deploy", Scopes: "vso.code", ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		ValidTo: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), State: leak.TokenActive, Digest: s.keys.Of(sum(907))}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// TestLookupErrorIsNoAnswer: a store that cannot answer does not say "unknown".
func TestLookupErrorIsNoAnswer(t *testing.T) {
	s := newStore(t)
	importText(t, s, lineOf(1), ImportOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := s.Lookup(ctx, []leak.Digest{s.keys.Of(sum(1))}); err == nil || found != nil {
		t.Errorf("%v, %v", found, err)
	}
}

func TestImportIsIdempotent(t *testing.T) {
	s := newStore(t)
	for range 3 {
		importText(t, s, linesOf(0, 100), ImportOptions{})
	}
	importText(t, s, lineOf(7, "display_name", "renamed"), ImportOptions{})
	st, err := s.Stats(t.Context())
	if err != nil || st.Tokens != 100 || st.Active != 100 || st.Owners != 50 || st.Organizations != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	if tok, _ := lookup(t, s, 7); tok.DisplayName != "renamed" {
		t.Errorf("%+v", tok)
	}
}

func TestDigestForms(t *testing.T) {
	s := newStore(t)
	raw := sum(1)
	mac := s.keys.Of(sum(2))
	for _, line := range []string{
		lineOf(1, "sha256", strings.ToUpper(hexOf(1))),
		lineOf(1, "sha256", base64.StdEncoding.EncodeToString(raw[:])),
		lineOf(1, "sha256", base64.RawURLEncoding.EncodeToString(raw[:])),
		strings.Replace(lineOf(2, "sha256", "", "hmac", hex.EncodeToString(mac.Sum[:])), "{", `{"pepper_version":1,`, 1),
	} {
		if r := importText(t, s, line, ImportOptions{}); r.Accepted != 1 {
			t.Errorf("%s%+v", line, r)
		}
	}
	for n := 1; n < 3; n++ {
		if _, ok := lookup(t, s, n); !ok {
			t.Errorf("token %d is not known", n)
		}
	}
	if st, _ := s.Stats(t.Context()); st.Tokens != 2 {
		t.Errorf("%d tokens of 2", st.Tokens)
	}
}

func TestRejects(t *testing.T) {
	s := newStore(t)
	const secret = "c2VjcmV0LXZhbHVlLXRoYXQtbXVzdC1ub3QtYXBwZWFy"
	bad := map[string]string{
		"not json " + secret + "\n":                               "no JSON object",
		`{"sha256":5}` + "\n":                                     "sha256 has the wrong type",
		lineOf(1, "sha256", secret):                               "sha256 is not 32 bytes",
		lineOf(1, "sha256", ""):                                   "one of sha256 and hmac",
		lineOf(1, "hmac", secret):                                 "one of sha256 and hmac",
		lineOf(1, "sha256", "", "hmac", hexOf(1)):                 "pepper_version 0 is not in the pepper file",
		lineOf(1, "authorization_id", ""):                         "authorization_id is missing",
		lineOf(1, "state", secret):                                "state is neither",
		lineOf(1, "valid_to", secret):                             "valid_to is no time",
		lineOf(1, "owner_mail", secret):                           "owner_mail is no mail address",
		lineOf(1, "display_name", strings.Repeat("x", 3000)):      "display_name is longer",
		lineOf(1, "owner_name", "a\x00b"):                         "owner_name is longer than 2048 bytes or no text",
		lineOf(1, "scopes", strings.Repeat(secret, 2*maxLine/40)): "the line is longer",
	}
	for line, want := range bad {
		var rejects bytes.Buffer
		r := importText(t, s, lineOf(10)+line+"\n"+lineOf(11), ImportOptions{Rejects: &rejects})
		var got struct {
			Line   int64
			Reason string
		}
		if err := json.Unmarshal(rejects.Bytes(), &got); err != nil || r.Accepted != 2 || r.Rejected != 1 || got.Line != 2 || !strings.Contains(got.Reason, want) {
			t.Errorf("%.60q: %+v, %s, %v; want %q", line, r, rejects.String(), err, want)
		}
		if strings.Contains(rejects.String(), secret) {
			t.Errorf("a reject quotes the record: %s", rejects.String())
		}
	}
}

func TestCSV(t *testing.T) {
	s := newStore(t)
	text := "\ufeffauthorization_id,sha256,comment,owner_mail,display_name,state\n" +
		"a1," + hexOf(1) + ",x,ada@contoso.example,\"two\nlines\",active\n" +
		"a2,nonsense,x,ada@contoso.example,d,active\n" +
		"a3," + hexOf(3) + ",too few\n" +
		"a4," + hexOf(4) + ",x,ada@contoso.example,d,revoked\n"
	var rejects bytes.Buffer
	r := importText(t, s, text, ImportOptions{Format: CSV, Rejects: &rejects})
	if r.Accepted != 2 || r.Rejected != 2 || r.Bytes != int64(len(text)) {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(rejects.String(), `"line":4`) || !strings.Contains(rejects.String(), `"line":5`) {
		t.Error(rejects.String())
	}
	if tok, _ := lookup(t, s, 1); tok.DisplayName != "two\nlines" {
		t.Errorf("%q", tok.DisplayName)
	}
	if tok, _ := lookup(t, s, 4); tok.State != leak.TokenRevoked {
		t.Errorf("%+v", tok)
	}
	for _, head := range []string{"", "authorization_id,owner\n", "sha256\n", "sha256,sha256,authorization_id\n"} {
		if _, err := s.Import(t.Context(), strings.NewReader(head), ImportOptions{Format: CSV}); err == nil {
			t.Errorf("%q is a table of tokens", head)
		}
	}
	endless := "authorization_id,sha256\n\"" + strings.Repeat("x", 5*maxLine)
	if _, err := s.Import(t.Context(), strings.NewReader(endless), ImportOptions{Format: CSV}); err == nil {
		t.Error("a quote that is never closed is read to the end")
	}
}

func TestSnapshotSwaps(t *testing.T) {
	s := newStore(t)
	importText(t, s, linesOf(0, 100), ImportOptions{})
	importText(t, s, linesOf(50, 150), ImportOptions{Snapshot: true})
	for n, want := range map[int]bool{0: false, 49: false, 50: true, 149: true} {
		if _, ok := lookup(t, s, n); ok != want {
			t.Errorf("token %d: known is %v", n, ok)
		}
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Tokens != 100 || st.Generation != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	var rows int
	if err := s.db.Reader().QueryRow("SELECT count(*) FROM tokens").Scan(&rows); err != nil || rows != 100 {
		t.Errorf("%d rows are left, %v", rows, err)
	}
}

func TestBadSnapshotsDoNotCount(t *testing.T) {
	s := newStore(t)
	importText(t, s, linesOf(0, 100), ImportOptions{})
	for text, want := range map[string]error{"": ErrEmptySnapshot, "junk\n": ErrEmptySnapshot, linesOf(0, 10): ErrShrunk} {
		if _, err := s.Import(t.Context(), strings.NewReader(text), ImportOptions{Format: NDJSON, Snapshot: true}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", len(text), err, want)
		}
		if _, ok := lookup(t, s, 99); !ok {
			t.Fatal("the old snapshot is gone")
		}
	}
	importText(t, s, linesOf(0, 10), ImportOptions{Snapshot: true, Shrink: true})
	if _, ok := lookup(t, s, 99); ok {
		t.Error("the snapshot that was allowed to shrink does not count")
	}
}

// A cut reader ends with an error after some bytes, as a crash would.
type cut struct {
	*strings.Reader
	left int
}

var errCut = errors.New("cut")

func (c *cut) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errCut
	}
	n, err := c.Reader.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func TestImportGoesOn(t *testing.T) {
	text := linesOf(0, batchSize+1000)
	for _, snapshot := range []bool{false, true} {
		s := newStore(t)
		importText(t, s, lineOf(-1), ImportOptions{})
		o := ImportOptions{Format: NDJSON, Snapshot: snapshot}
		_, err := s.Import(t.Context(), &cut{strings.NewReader(text), len(text) - 100}, o)
		if !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if _, ok := lookup(t, s, -1); !ok {
			t.Error("before the import is whole, what was there does not count")
		}
		if _, ok := lookup(t, s, 5); ok == snapshot {
			t.Errorf("snapshot %v: a token of the unfinished import: known is %v", snapshot, ok)
		}
		r := importText(t, s, text, o)
		if r.Resumed != batchSize || r.Accepted != batchSize+1000 {
			t.Errorf("%+v", r)
		}
		if st, _ := s.Stats(t.Context()); st.Tokens != batchSize+1000 && snapshot || st.Tokens != batchSize+1001 && !snapshot {
			t.Errorf("snapshot %v: %+v", snapshot, st)
		}
		if r := importText(t, s, text, o); r.Resumed != 0 {
			t.Errorf("a finished import is gone on with: %+v", r)
		}
	}
}

func TestDryRun(t *testing.T) {
	s := newStore(t)
	if r := importText(t, s, linesOf(0, 10)+"junk\n", ImportOptions{DryRun: true}); r.Accepted != 10 || r.Rejected != 1 {
		t.Errorf("%+v", r)
	}
	if st, _ := s.Stats(t.Context()); st.Tokens != 0 {
		t.Errorf("%+v", st)
	}
}

func TestHighWater(t *testing.T) {
	s := newStore(t)
	check := func(want string) {
		t.Helper()
		got, err := s.HighWater(t.Context())
		if err != nil || !got.IsZero() && got.Format(time.RFC3339) != want || got.IsZero() && want != "" {
			t.Errorf("%s, want %s; %v", got, want, err)
		}
	}
	check("")
	importText(t, s, lineOf(1, "valid_from", "2026-02-01T00:00:00Z")+lineOf(2), ImportOptions{})
	check("2026-02-01T00:00:00Z")
	importText(t, s, lineOf(3), ImportOptions{AsOf: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
	check("2026-03-01T00:00:00Z")
	importText(t, s, lineOf(4), ImportOptions{})
	check("2026-03-01T00:00:00Z")
	importText(t, s, lineOf(5, "valid_from", "2999-01-01T00:00:00Z"), ImportOptions{})
	if got, _ := s.HighWater(t.Context()); got.After(time.Now()) {
		t.Errorf("a token of the future moves the mark to %s", got)
	}
}

func TestRevoke(t *testing.T) {
	s := newStore(t)
	importText(t, s, linesOf(0, 3), ImportOptions{})
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for range 2 {
		if known, err := s.Revoke(t.Context(), "auth-1", at); err != nil || !known {
			t.Fatal(known, err)
		}
	}
	if known, err := s.Revoke(t.Context(), "auth-9", at); err != nil || known {
		t.Error(known, err)
	}
	check := func(want leak.TokenState) {
		t.Helper()
		tok, err := s.Get(t.Context(), "auth-1")
		if err != nil || tok.State != want {
			t.Errorf("%s, want %s; %v", tok.State, want, err)
		}
	}
	check(leak.TokenRevoked)
	importText(t, s, linesOf(0, 3), ImportOptions{})
	check(leak.TokenRevoked)
	importText(t, s, linesOf(0, 3), ImportOptions{Snapshot: true})
	check(leak.TokenRevoked)
	importText(t, s, lineOf(1, "valid_from", "2026-06-02T00:00:00Z"), ImportOptions{})
	check(leak.TokenActive)
	if _, err := s.Get(t.Context(), "auth-9"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	s := newStore(t)
	s.now = func() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }
	importText(t, s, linesOf(0, 4)+lineOf(4, "state", "revoked", "organization", "fabrikam")+lineOf(5, "valid_to", "2026-05-01T00:00:00Z"), ImportOptions{})
	for want, q := range map[string]Query{
		"auth-0 auth-1 auth-2 auth-3 auth-4 auth-5": {},
		"auth-0 auth-1": {Limit: 2}, "auth-4": {Organization: "Fabrikam"}, "auth-2": {Owner: "ADA2@contoso.example"},
		"auth-5": {State: leak.TokenExpired},
	} {
		var got []string
		err := s.List(t.Context(), q, func(tok leak.Token) error { got = append(got, tok.AuthorizationID); return nil })
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%+v: %v, %v", q, got, err)
		}
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Active != 4 || st.Revoked != 1 || st.Expired != 1 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestPeppers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	s := open(t, path, keys(t, 1))
	importText(t, s, lineOf(1), ImportOptions{})
	rotated := open(t, path, keys(t, 1, 2))
	importText(t, rotated, lineOf(2), ImportOptions{})
	for n := 1; n < 3; n++ {
		if tok, ok := lookup(t, rotated, n); !ok || tok.Digest.Version != n {
			t.Errorf("token %d: %+v", n, tok)
		}
	}
	other, err := leak.NewKeyring(leak.Pepper{Version: 1, Key: leak.NewSecret(bytes.Repeat([]byte{9}, 32))}, leak.Pepper{Version: 2, Key: leak.NewSecret(bytes.Repeat([]byte{2}, 32))})
	if err != nil {
		t.Fatal(err)
	}
	for _, ring := range []*leak.Keyring{keys(t, 1), keys(t, 2), other} {
		if _, err := Open(t.Context(), path, ring); !errors.Is(err, ErrPepper) {
			t.Errorf("a store of other peppers is opened: %v", err)
		}
	}
}

func TestPepperFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "pepper")
	a, err := LoadKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadKeyring(path)
	if err != nil || a.Of(sum(1)) != b.Of(sum(1)) || a.Current() != 1 {
		t.Fatal("the second start has another pepper", err)
	}
	if v, err := RotatePepper(path); err != nil || v != 2 {
		t.Fatal(v, err)
	}
	c, err := LoadKeyring(path)
	if err != nil || c.Current() != 2 || c.All(sum(1))[1] != a.Of(sum(1)) {
		t.Error("rotation lost the old pepper", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a pepper that all may read: %v", err)
	}
}

func FuzzParsePeppers(f *testing.F) {
	for _, s := range []string{"", pepperTitle + pepperLine(1), "1 AAAA", "x y", "1", "# c\n\n 2  " + strings.Repeat("A", 44)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		peppers, err := parsePeppers(data)
		if err == nil {
			_, _ = leak.NewKeyring(peppers...)
		}
	})
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(linesOf(0, 3)), false)
	f.Add([]byte("authorization_id,sha256\na,"+hexOf(1)+"\n\"x"), true)
	f.Add([]byte("\ufeff{}\n\n\x00"), false)
	k := keys(f, 1)
	f.Fuzz(func(t *testing.T, data []byte, table bool) {
		format := NDJSON
		if table {
			format = CSV
		}
		s := &Store{keys: k, now: time.Now}
		r, err := s.Import(t.Context(), bytes.NewReader(data), ImportOptions{Format: format, DryRun: true})
		if err == nil && r.Bytes != int64(len(data)) {
			t.Fatalf("%d bytes of %d were read", r.Bytes, len(data))
		}
	})
}
