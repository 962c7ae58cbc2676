package report_test

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"patwatch/leak"
	"patwatch/report"
)

// sarifSchema compiles the schema in testdata, formats (uri, date-time)
// asserted.
func sarifSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := os.Open("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	doc, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const name = "sarif.json"
	delete(doc.(map[string]any), "id") // the file is the schema, whatever its address
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t testing.TB, schema *jsonschema.Schema, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatal("not UTF-8")
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Fatalf("%#v", err)
	}
}

func TestSARIFIsValid(t *testing.T) {
	schema := sarifSchema(t)
	bare := report.Finding{Secret: leak.NewSecret(nil), Places: []leak.Place{{}}}
	for name, c := range map[string]struct {
		findings []report.Finding
		summary  report.Summary
	}{
		"nothing at all":  {nil, report.Summary{}},
		"clean":           {nil, summary()},
		"incomplete":      {nil, incomplete()},
		"findings":        {report.Group(sample()), incomplete()},
		"empty fields":    {[]report.Finding{bare}, report.Summary{Complete: true}},
		"a local remote":  {nil, report.Summary{Remote: "/srv/git/shop.git"}},
		"a hostile place": {report.Group(sample()), report.Summary{Remote: "https://\xff/%zz"}},
	} {
		t.Run(name, func(t *testing.T) {
			validate(t, schema, write(t, "sarif", c.findings, c.summary, report.Options{}))
		})
	}
}

func TestSARIFSchemaCanFail(t *testing.T) {
	text := write(t, "sarif", report.Group(sample()), summary(), report.Options{})
	doc, _ := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(text, `"startLine": 41`, `"startLine": 0`, 1)))
	if err := sarifSchema(t).Validate(doc); err == nil {
		t.Error("a line 0 passes the schema: it does not check anything")
	}
}

// sarifDoc is what a code host reads.
type sarifDoc struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct{ ID, Name string }
			}
		}
		Invocations []struct {
			ExecutionSuccessful        bool
			ToolExecutionNotifications []struct{ Message struct{ Text string } }
		}
		VersionControlProvenance []struct{ RepositoryURI, RevisionID, Branch string }
		Results                  []struct {
			RuleID    string
			RuleIndex int
			Level     string
			Locations []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI, URIBaseID string }
					Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
				}
			}
			PartialFingerprints map[string]string
		}
	}
}

func sarif(t testing.TB, fs []report.Finding, s report.Summary) sarifDoc {
	t.Helper()
	var doc sarifDoc
	if err := json.Unmarshal([]byte(write(t, "sarif", fs, s, report.Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSARIFForCodeHosts(t *testing.T) {
	run := sarif(t, report.Group(sample()), incomplete()).Runs[0]
	for i, r := range run.Results {
		if got := run.Tool.Driver.Rules[r.RuleIndex].ID; got != r.RuleID {
			t.Errorf("result %d: rule %d is %s, want %s", i, r.RuleIndex, got, r.RuleID)
		}
		at := r.Locations[0].PhysicalLocation
		uri, err := url.Parse(at.ArtifactLocation.URI)
		if err != nil || uri.IsAbs() || uri.Host != "" || strings.HasPrefix(uri.Path, "/") {
			t.Errorf("result %d: %q is not relative to the repository (%v)", i, at.ArtifactLocation.URI, err)
		}
		if g := at.Region; g.StartLine < 1 || g.StartColumn < 1 || g.EndLine < g.StartLine || g.EndColumn < 1 {
			t.Errorf("result %d: region %+v", i, g)
		}
		if r.PartialFingerprints["primaryLocationLineHash"] == "" || r.PartialFingerprints["patwatchToken/v1"] == "" {
			t.Errorf("result %d: fingerprints %v", i, r.PartialFingerprints)
		}
	}
	if i := run.Invocations[0]; i.ExecutionSuccessful || len(i.ToolExecutionNotifications) != 2 {
		t.Errorf("invocation %+v, want two notifications of failure", i)
	}
	if p := run.VersionControlProvenance; len(p) != 1 || p[0].RepositoryURI != "https://github.com/contoso/shop" {
		t.Errorf("provenance %+v", p)
	}
}

func TestSARIFLevels(t *testing.T) {
	for c, want := range map[leak.Confidence]string{
		leak.Verified: "error", leak.Likely: "error", leak.Possible: "warning", leak.Unverified: "note", 0: "note",
	} {
		f := report.Finding{Format: azure, Confidence: c, Secret: leak.NewSecret(token(1, 40)), Places: []leak.Place{{Path: "a"}}}
		if got := sarif(t, []report.Finding{f}, summary()).Runs[0].Results[0].Level; got != want {
			t.Errorf("%v is a %s, want %s", c, got, want)
		}
	}
}

// TestSARIFFingerprintsSurvive checks that an alert stays the same when lines
// move and when another commit brings the token to the same file, and is
// another one in another file or for another token.
func TestSARIFFingerprintsSurvive(t *testing.T) {
	hash := func(seed uint64, path string, line int) string {
		f := report.Finding{Format: azure, Confidence: leak.Likely, Secret: leak.NewSecret(token(seed, 40)),
			Places: []leak.Place{place(uint64(line), path, line, "A", time.Hour)}}
		return sarif(t, []report.Finding{f}, summary()).Runs[0].Results[0].PartialFingerprints["primaryLocationLineHash"]
	}
	first := hash(1, "a", 10)
	if hash(1, "a", 99) != first {
		t.Error("a moved line makes another alert")
	}
	if hash(1, "b", 10) == first || hash(2, "a", 10) == first {
		t.Error("another file or token makes the same alert")
	}
}

// TestSARIFLinksAreInert checks that nobody can put a link into a message.
func TestSARIFLinksAreInert(t *testing.T) {
	run := sarif(t, nil, incomplete()).Runs[0]
	text := run.Invocations[0].ToolExecutionNotifications[1].Message.Text
	if strings.Contains(strings.ReplaceAll(text, `\[`, ""), "[") || strings.Contains(text, "\x1b") {
		t.Errorf("message %q has a link or a control character", text)
	}
}
