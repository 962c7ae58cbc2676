package auditlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
)

// sample returns the entries of a page as Azure DevOps answers it, each as the
// bytes of one line.
func sample(t *testing.T) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "auditlog-page.json"))
	if err != nil {
		t.Fatal(err)
	}
	var page struct {
		Entries []json.RawMessage `json:"decoratedAuditLogEntries"`
	}
	if err := json.Unmarshal(b, &page); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, e := range page.Entries {
		var line bytes.Buffer
		if err := json.Compact(&line, e); err != nil {
			t.Fatal(err)
		}
		out = append(out, line.Bytes())
	}
	return out
}

// aCase is the case of the sample's token.
func aCase() leak.Case {
	return leak.Case{
		ID: "PW-000123", State: leak.CaseOpen, Correlation: "11111111-1111-4111-8111-111111111111",
		Token: leak.Token{
			AuthorizationID: "55555555-5555-4555-8555-555555555555", DisplayName: "ci build", Organization: "contoso",
			Owner:  leak.Owner{ID: "66666666-6666-4666-8666-666666666666", Name: "Sam Example", Mail: "sam@contoso.example"},
			Scopes: "vso.code", State: leak.TokenActive, ValidTo: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		},
	}
}

func aSighting() leak.Sighting {
	return leak.Sighting{
		Digest: leak.Digest{Version: 1, Sum: [32]byte{1, 2, 3}}, Format: "azure-devops-pat", FormatName: "Azure DevOps personal access token",
		Confidence: leak.Verified, LastFour: "abcd",
		Place: leak.Place{Repository: "octo/shop", Commit: "9f2c1e7", Object: "77aa", Path: "main.tf", Line: 41, URL: "https://github.com/octo/shop/blob/9f2c1e7/main.tf#L41"},
		Push:  leak.Push{ID: "github:1", Repository: "octo/shop", Source: "events", PushedAt: at, SeenAt: at.Add(time.Second)},
	}
}

var at = time.Date(2026, 6, 1, 15, 0, 42, 123456700, time.UTC)

// TestSample checks that our events are Azure DevOps' own, byte for byte, when
// the keys of our own are taken off their data.
func TestSample(t *testing.T) {
	c := aCase()
	revoked := Outcome(c, leak.Act{Kind: leak.Revoke}, leak.Outcome{State: leak.ActDone})
	revoked.Stamp(time.Date(2026, 6, 1, 15, 0, 43, 500000000, time.UTC), "22222222-2222-4222-8222-222222222222", "44444444-4444-4444-8444-444444444444")
	found := Discovery(c, aSighting())
	found.Stamp(at, c.Correlation, "44444444-4444-4444-8444-444444444444")
	for i, e := range []Event{revoked, found} {
		e.ScopeID = "33333333-3333-4333-8333-333333333333"
		e.Data = Data{"DisplayName": e.Data["DisplayName"], "OwnerName": e.Data["OwnerName"]}
		got, err := e.Canonical()
		want := sample(t)[i]
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v\n got %s\nwant %s", err, got, want)
		}
		if back, err := ParseEvent(want); err != nil || fmt.Sprint(back) != fmt.Sprint(e) {
			t.Errorf("%v\nread %+v\nwant %+v", err, back, e)
		}
	}
}

// TestGolden compares one event of every constructor with a file that people
// read. PATWATCH_UPDATE=1 writes it.
func TestGolden(t *testing.T) {
	c := aCase()
	resolved := c
	resolved.State, resolved.Resolution = leak.CaseResolved, leak.ResolvedUsedInTests
	dana := Actor{UserID: "99999999-9999-4999-8999-999999999999", UPN: "dana@contoso.example", DisplayName: "Dana Roe", IPAddress: "192.0.2.7", UserAgent: "curl/8", Mechanism: "FedAuth"}
	hostile := aSighting()
	hostile.Place.Path = "a\xff\r\nb\u202e<script>"
	c2 := aCase()
	c2.Token.DisplayName = "evil\"\r\n\u202ename"
	events := []Event{
		Discovery(c, aSighting()),
		Discovery(c2, hostile),
		ScanIncomplete(leak.Push{ID: "github:2", Repository: "octo/big", PushedAt: at}, leak.Incomplete{Reason: "too-large", Detail: "a blob of 70 MiB"}),
		CaseStateChanged(resolved, leak.CaseOpen, dana, "a fixture"),
		Reviewed(CaseHeld, c, dana), Reviewed(CaseReleased, c, Person("dana")), Reviewed(CaseHastened, c, Person("")),
		Brake(true, "more than 100 an hour", System()), Brake(false, "checked", dana),
		AccessLog("contoso", dana), DownloadLog("", "csv", dana), PolicyValueUpdated("contoso", "policy.revoke", "immediate", System()),
		RetentionApplied(at, 5, 4, System()),
	}
	for _, kind := range []leak.ActKind{leak.Notify, leak.Remind, leak.Escalate, leak.Revoke} {
		for _, state := range []leak.ActState{leak.ActDone, leak.ActDue, leak.ActFailed, leak.ActHeld, leak.ActSkipped} {
			o := leak.Outcome{State: state, Repeat: state == leak.ActDone}
			if state != leak.ActDone {
				o.Reason = "550 no such user"
			}
			events = append(events, Outcome(c, leak.Act{Key: "PW-000123/x/1", Kind: kind, Attempts: 2, MessageID: "<m@x>"}, o))
		}
	}
	events = append(events, Outcome(c, leak.Act{Kind: leak.Revoke}, leak.Outcome{State: leak.ActDone, DryRun: true}))
	var got bytes.Buffer
	for i := range events {
		events[i].Stamp(at, "77777777-7777-4777-8777-777777777777", "88888888-8888-4888-8888-888888888888")
		b, err := events[i].Canonical()
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b)
		got.WriteByte('\n')
	}
	golden(t, "events.ndjson", got.Bytes())
}

// read returns a file of the test data.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("PATWATCH_UPDATE") != "" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: %s differs:\n%s", err, path, got)
	}
}

// TestActions checks the table: Azure DevOps' own actions in it have its areas
// and categories, it is sorted, and every action that is made has a text.
func TestActions(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "actions.json"))
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct{ Value []Action }
	if err := json.Unmarshal(b, &theirs); err != nil {
		t.Fatal(err)
	}
	ours := Actions()
	if !slices.IsSortedFunc(ours, func(a, b Action) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the table is not sorted")
	}
	same := 0
	for _, a := range ours {
		i := slices.IndexFunc(theirs.Value, func(b Action) bool { return a.ID == b.ID })
		if i >= 0 {
			same++
			if theirs.Value[i] != a {
				t.Errorf("%v, want %v", a, theirs.Value[i])
			}
		}
		if a.Area == "" || a.Category == "" {
			t.Errorf("%v is not whole", a)
		}
	}
	if same != 2 {
		t.Errorf("%d of the actions are Azure DevOps' token actions, want 2", same)
	}
	for _, kind := range []leak.ActKind{leak.Notify, leak.Remind, leak.Escalate, leak.Revoke} {
		for _, state := range []leak.ActState{leak.ActDone, leak.ActDue, leak.ActFailed, leak.ActHeld, leak.ActSkipped} {
			if id := outcomeAction(kind, state); find(id).text == "" {
				t.Errorf("%s has no text", id)
			}
		}
	}
	if find("Token.Unknown") != (template{}) {
		t.Error("an unknown action has a text")
	}
}

// TestNoRevocationInDryRun: a dry run never says that something was done.
func TestNoRevocationInDryRun(t *testing.T) {
	for _, kind := range []leak.ActKind{leak.Notify, leak.Remind, leak.Escalate, leak.Revoke} {
		e := Outcome(aCase(), leak.Act{Kind: kind}, leak.Outcome{State: leak.ActDone, DryRun: true})
		if !strings.HasSuffix(e.ActionID, "Skipped") || e.Data["DryRun"] != true || e.Data.String("Reason") != "dry run" {
			t.Errorf("%s: %s, %v", kind, e.ActionID, e.Data)
		}
	}
}

func TestEventID(t *testing.T) {
	const guid = "11111111-1111-4111-8111-111111111111"
	cases := []struct {
		at   time.Time
		want string
	}{
		{at, "2516219747578765432;" + serviceID + ";" + guid},
		{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "3155378975999999999;" + serviceID + ";" + guid},
		{time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC), "0;" + serviceID + ";" + guid},
	}
	for _, c := range cases {
		got := EventID(c.at, guid)
		back, id, err := SplitID(got)
		if got != c.want || err != nil || !back.Equal(c.at) || id != guid {
			t.Errorf("%s: %s, back %s %s %v", c.at, got, back, id, err)
		}
	}
	if a, b := EventID(at, guid), EventID(at.Add(tick), guid); a <= b {
		t.Errorf("ids do not sort newest first: %s, %s", a, b)
	}
	for _, bad := range []string{"", "1", "1;2;3", "x;" + serviceID + ";" + guid, "-1;" + serviceID + ";" + guid, "99999999999999999999;a;" + guid} {
		if _, _, err := SplitID(bad); err == nil {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

func TestUUID(t *testing.T) {
	a, b := NewUUID(), NewUUID()
	if a == b || !IsUUID(a) || a[14] != '7' || a[:8] > b[:8] {
		t.Errorf("%s, %s", a, b)
	}
	if o := OrganizationID("Contoso"); o != OrganizationID("contoso") || !IsUUID(o) || o == OrganizationID("fabrikam") {
		t.Errorf("%s is not the organization's", o)
	}
	if OrganizationID(strings.ToUpper(serviceID)) != serviceID {
		t.Error("a UUID is not kept")
	}
	for _, bad := range []string{"", a[1:], a + "0", strings.Replace(a, "-", "0", 1), "g" + a[1:]} {
		if IsUUID(bad) {
			t.Errorf("%q is taken for a UUID", bad)
		}
	}
}

// TestStamp: the first event of a chain is its own parent, a later one is not.
func TestStamp(t *testing.T) {
	e := AccessLog("", System())
	e.Stamp(at.Add(99), "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
	if e.CorrelationID != e.GUID() || !e.Timestamp.Equal(at) {
		t.Errorf("%+v", e)
	}
	o := Outcome(aCase(), leak.Act{Kind: leak.Notify}, leak.Outcome{State: leak.ActDone})
	o.Stamp(at, "33333333-3333-4333-8333-333333333333", "22222222-2222-4222-8222-222222222222")
	if o.CorrelationID != aCase().Correlation || o.GUID() == o.CorrelationID {
		t.Errorf("%+v", o)
	}
}

// TestBounds: what strangers write is cut, and an event cannot grow without end.
func TestBounds(t *testing.T) {
	c, s := aCase(), aSighting()
	s.Place.Path = strings.Repeat("é", maxValue)
	c.Token.DisplayName = strings.Repeat("x", 1<<20)
	e := Discovery(c, s)
	if p := e.Data.String("Path"); len(p) > maxValue || !strings.HasSuffix(p, "é…") {
		t.Errorf("the path has %d bytes", len(p))
	}
	if b, err := e.Canonical(); err != nil || len(b) > 64<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	e.Data = Data{"a": strings.Repeat("x", maxEvent)}
	if _, err := e.Canonical(); err == nil {
		t.Error("an event of a megabyte is stored")
	}
	e.Data = Data{"a": func() {}}
	if _, err := e.Canonical(); err == nil {
		t.Error("an event that has no JSON is stored")
	}
}

func TestParseEventRefuses(t *testing.T) {
	for _, bad := range []string{"", "null x", "[]", `{"id":1}`, `{"timestamp":"yesterday"}`, `{"timestamp":3}`, `{} {}`, `{"data":[]}`, strings.Repeat(" ", maxEvent+1)} {
		if _, err := ParseEvent([]byte(bad)); err == nil {
			t.Errorf("%.20q is read", bad)
		}
	}
	if _, err := (Entry{Index: 3}).Event(); err == nil || !strings.Contains(err.Error(), "retention") {
		t.Errorf("a deleted event: %v", err)
	}
}

// FuzzParseEvent: what can be read and written again reads the same, and is
// written the same.
func FuzzParseEvent(f *testing.F) {
	for _, line := range [][]byte{[]byte(`{}`), []byte(`{"id":"a","data":{"n":1e400,"x":null},"ipAddress":null,"timestamp":""}`)} {
		f.Add(line)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "events.ndjson"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		f.Add(bytes.TrimSpace(line))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvent(b)
		if err != nil {
			return
		}
		first, err := e.Canonical()
		if err != nil {
			return
		}
		again, err := ParseEvent(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := again.Canonical()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
		if bytes.ContainsAny(first, "\r\n") {
			t.Fatalf("more than a line: %q", first)
		}
	})
}
