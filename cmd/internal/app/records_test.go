package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"patwatch/auditlog"
	"patwatch/leak"
	"patwatch/ledger"
)

// A deployment is a data folder with its configuration, for tests of the
// commands that read it.
type deployment struct{ dir, config string }

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir()}
	d.config = filepath.Join(d.dir, "patwatch.toml")
	text := fmt.Sprintf("data_dir = %q\n", filepath.ToSlash(d.dir))
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// record puts n cases on record.
func (d *deployment) record(t *testing.T, n int) {
	t.Helper()
	signer, err := auditlog.OpenSigner(filepath.Join(d.dir, "audit.key"), "patwatch")
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), filepath.Join(d.dir, ledgerFile), ledger.Options{Signer: signer, Plan: planTwo})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i := range n {
		if err := l.Record(t.Context(), reportOf(i)); err != nil {
			t.Fatal(err)
		}
	}
}

// planTwo tells the owner and revokes an hour later.
func planTwo(c leak.Case, _ []leak.Sighting, now time.Time) []leak.Act {
	if len(c.Acts) > 0 {
		return nil
	}
	return []leak.Act{
		{Key: c.ID + "/notify/1", Case: c.ID, Kind: leak.Notify, State: leak.ActDue, Due: now},
		{Key: c.ID + "/revoke/1", Case: c.ID, Kind: leak.Revoke, State: leak.ActDue, Due: now.Add(time.Hour)},
	}
}

// reportOf is a push that leaked the i-th token, with hostile names.
func reportOf(i int) leak.Report {
	digest := leak.Digest{Version: 1, Sum: [32]byte{byte(i), 1}}
	push := leak.Push{ID: fmt.Sprint("github:", i), Source: "events", Kind: leak.RefUpdated, RepositoryID: 7, Repository: "octo/shop",
		Ref: "refs/heads/main", PushedAt: time.Date(2026, 6, 1, 12, i, 0, 0, time.UTC), SeenAt: time.Date(2026, 6, 1, 12, i, 1, 0, time.UTC)}
	return leak.Report{Push: push, Findings: []leak.Finding{{
		Token: leak.Token{AuthorizationID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Organization: "contoso",
			Owner: leak.Owner{ID: "u1", Name: "Ada", Mail: fmt.Sprintf("ada%d@contoso.example", i)}, DisplayName: "=1+1\x1b[31m deploy",
			Scopes: "vso.code", State: leak.TokenActive, Digest: digest},
		Sightings: []leak.Sighting{{Digest: digest, Format: "azure-devops-pat", FormatName: "PAT", Confidence: leak.Verified, LastFour: "abcd",
			Push: push, Place: leak.Place{Repository: "octo/shop", Source: leak.Pushed, Commit: strings.Repeat("a", 40),
				Object: strings.Repeat("b", 40), Path: "src/config.py", Line: 3, URL: "https://github.com/octo/shop/blob/aaa/src/config.py#L3"}}},
	}}}
}

// run runs the program on the deployment.
func (d *deployment) run(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := Run(t.Context(), append(args, "--config", d.config), Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != want {
		t.Fatalf("patwatch %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

func TestCasesList(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 3)
	var cases []map[string]any
	if err := json.Unmarshal([]byte(d.run(t, 0, "cases", "list", "--format", "json")), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != 3 || cases[0]["owner_mail"] != "ada2@contoso.example" {
		t.Fatalf("%v", cases)
	}
	for _, key := range []string{"id", "state", "resolution", "authorization_id", "owner_mail", "owner_name", "organization", "display_name",
		"format", "digest", "opened_at", "sightings", "acts"} {
		if _, ok := cases[0][key]; !ok {
			t.Errorf("a case has no %s", key)
		}
	}
	sighting, act := cases[0]["sightings"].([]any)[0].(map[string]any), cases[0]["acts"].([]any)[1].(map[string]any)
	for _, key := range []string{"repository", "commit", "path", "line", "url", "pushed_at", "seen_at", "source"} {
		if _, ok := sighting[key]; !ok {
			t.Errorf("a sighting has no %s", key)
		}
	}
	if act["kind"] != "revoke" || act["state"] != "due" || act["attempts"] != 0.0 {
		t.Errorf("%v", act)
	}
}

func TestCasesFilters(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 3)
	for args, want := range map[string]int{
		"": 3, "--owner ADA1@contoso.example": 1, "--owner nobody@contoso.example": 0, "--organization Contoso": 3,
		"--repository octo/shop": 3, "--state open": 3, "--state resolved": 0, "--limit 2": 2, "--since 1h": 3, "--until 2001-01-01": 0,
	} {
		var cases []caseRecord
		out := d.run(t, 0, append([]string{"cases", "list", "--format", "json"}, strings.Fields(args)...)...)
		if err := json.Unmarshal([]byte(out), &cases); err != nil || len(cases) != want {
			t.Errorf("%s: %d cases, want %d; %v", args, len(cases), want, err)
		}
	}
	for args, want := range map[string]string{
		"--state opne": `did you mean "open"?`, "--since yesterday": "is no time", "--format jsno": `did you mean "json"?`,
	} {
		if out := d.run(t, 2, append([]string{"cases", "list"}, strings.Fields(args)...)...); !strings.Contains(out, want) {
			t.Errorf("%s: %s", args, out)
		}
	}
}

func TestCasesForPeopleAndSpreadsheets(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 1)
	for _, args := range [][]string{{"cases", "list"}, {"cases", "show", "PW-000001"}, {"audit", "list"}} {
		out := d.run(t, 0, args...)
		if strings.ContainsRune(out, '\x1b') || !strings.Contains(out, "deploy") {
			t.Errorf("%v: %q", args, out)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(d.run(t, 0, "cases", "list", "--format", "csv"))).ReadAll()
	if err != nil || len(rows) != 2 || len(rows[0]) != len(rows[1]) {
		t.Fatal(rows, err)
	}
	for i, name := range rows[0] {
		if name == "display_name" && !strings.HasPrefix(rows[1][i], "'=") {
			t.Errorf("a spreadsheet runs %q", rows[1][i])
		}
	}
}

func TestCasesReview(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 1)
	id := "PW-000001"
	for _, step := range []struct {
		args  []string
		event string
	}{
		{[]string{"cases", "hold", id}, auditlog.CaseHeld},
		{[]string{"cases", "release", id}, auditlog.CaseReleased},
		{[]string{"cases", "hasten", id}, auditlog.CaseHastened},
		{[]string{"cases", "resolve", id, "--as", "used-in-tests", "--comment", "the test tenant"}, auditlog.CaseChanged},
	} {
		d.run(t, 0, step.args...)
		if out := d.run(t, 0, "audit", "list", "--action", step.event); strings.Count(out, step.event) != 1 {
			t.Errorf("%v left no event %s:\n%s", step.args, step.event, out)
		}
	}
	if out := d.run(t, 0, "cases", "show", id); !strings.Contains(out, "used_in_tests") {
		t.Error(out)
	}
	for _, args := range [][]string{{"cases", "show", "PW-999999"}, {"cases", "show"}, {"cases", "resolve", id, "--as", "forgotten"}, {"cases", "hold", "x"}} {
		d.run(t, 2, args...)
	}
}

func TestNoDataFolder(t *testing.T) {
	d := newDeployment(t)
	if out := d.run(t, 2, "cases", "list"); !strings.Contains(out, "there is no ledger.db") {
		t.Error(out)
	}
	if _, err := os.Stat(filepath.Join(d.dir, ledgerFile)); err == nil {
		t.Error("a command that looks made a ledger")
	}
}

func TestAuditExport(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 2)
	for _, format := range []auditlog.Format{auditlog.JSON, auditlog.NDJSON, auditlog.CSV} {
		file := filepath.Join(d.dir, "out."+string(format))
		d.run(t, 0, "audit", "export", "--format", string(format), "-o", file)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		err = auditlog.Read(f, format, func(e auditlog.Entry) error {
			if e.Index != int64(len(actions)) {
				t.Errorf("%s: event %d at place %d", format, e.Index, len(actions))
			}
			event, err := e.Event()
			actions = append(actions, event.ActionID)
			return err
		})
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		if len(actions) < 3 || actions[0] != auditlog.PatPublicDiscovery || actions[len(actions)-1] != auditlog.LogDownloaded {
			t.Errorf("%s: %v", format, actions)
		}
	}
	if out := d.run(t, 2, "audit", "export", "--format", "cvs"); !strings.Contains(out, `did you mean "csv"?`) {
		t.Error(out)
	}
}

func TestAuditProofs(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 2)
	if out := d.run(t, 0, "audit", "verify"); !strings.Contains(out, "as it was written") {
		t.Error(out)
	}
	var id string
	err := withTestLedger(t, d, func(ctx context.Context, l *ledger.Ledger) error {
		entries, err := l.Entries(ctx, 0, 1)
		if err != nil {
			return err
		}
		event, err := entries[0].Event()
		id = event.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(d.dir, "event.proof")
	d.run(t, 0, "audit", "prove", id, "-o", file)
	if out := d.run(t, 0, "audit", "verify", "--proof", file); !strings.Contains(out, "The proof holds") {
		t.Error(out)
	}
	proof, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	forged := bytes.Replace(proof, []byte("contoso"), []byte("fabrikm"), 1)
	if bytes.Equal(forged, proof) {
		t.Fatal("nothing was forged")
	}
	if err := os.WriteFile(file, forged, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := d.run(t, 1, "audit", "verify", "--proof", file); !strings.Contains(out, "NOT hold") {
		t.Error(out)
	}
	d.run(t, 2, "audit", "prove", "nothing")
	d.run(t, 2, "audit", "verify", "--proof", filepath.Join(d.dir, "none"))
}

func withTestLedger(t *testing.T, d *deployment, f func(context.Context, *ledger.Ledger) error) error {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(d.dir, ledgerFile), ledger.Options{})
	if err != nil {
		return err
	}
	defer l.Close()
	return f(t.Context(), l)
}

// TestAuditCheckpoint: a checkpoint that was kept shows a log that was replaced.
func TestAuditCheckpoint(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 3)
	kept := filepath.Join(d.dir, "monday.txt")
	d.run(t, 0, "audit", "verify", "--save-checkpoint", kept)
	d.run(t, 0, "audit", "verify", "--checkpoint", kept)
	for _, name := range []string{ledgerFile, ledgerFile + "-wal", ledgerFile + "-shm"} {
		if err := os.Remove(filepath.Join(d.dir, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	d.record(t, 2)
	d.run(t, 0, "audit", "verify")
	if out := d.run(t, 1, "audit", "verify", "--checkpoint", kept); !strings.Contains(out, "NOT as it was") {
		t.Error(out)
	}
}

// TestAuditVerifyFindsTampering changes one event in the file.
func TestAuditVerifyFindsTampering(t *testing.T) {
	d := newDeployment(t)
	d.record(t, 2)
	path := filepath.Join(d.dir, ledgerFile)
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		at := bytes.Index(data, []byte("was discovered in a public repository"))
		if at < 0 {
			continue
		}
		for k := at; k >= 0; k = next(data, k) {
			data[k] = 'W'
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out := d.run(t, 1, "audit", "verify"); !strings.Contains(out, "NOT as it was") {
		t.Error(out)
	}
}

// next returns where the text stands after k, or -1.
func next(data []byte, k int) int {
	i := bytes.Index(data[k+1:], []byte("was discovered in a public repository"))
	if i < 0 {
		return -1
	}
	return k + 1 + i
}

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2026-05-01": time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), "2026-05-01T10:30": time.Date(2026, 5, 1, 10, 30, 0, 0, time.UTC),
		"2026-05-01T10:30:00+02:00": time.Date(2026, 5, 1, 8, 30, 0, 0, time.UTC), "90m": now.Add(-90 * time.Minute),
	} {
		if got, err := parseMoment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-1h", "2026-13-01", "1"} {
		if _, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is a time", text)
		}
	}
}
