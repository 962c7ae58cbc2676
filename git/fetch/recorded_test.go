package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"patwatch/git/pack"
)

// TestRecordedAnswers reads answers that git's http-backend gave for a small
// repository, whole and cut off after each byte.
func TestRecordedAnswers(t *testing.T) {
	file, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []struct {
		Name     string
		Response []byte `json:"response_base64"`
		Objects  int    `json:"pack_objects"`
		Bytes    int    `json:"pack_bytes"`
	}
	if err := json.Unmarshal(file, &exchanges); err != nil || len(exchanges) < 10 {
		t.Fatalf("%d exchanges, %v", len(exchanges), err)
	}
	failing := map[string]error{"missing-want": ErrMissing, "rejected-line": ErrProtocol}
	for _, e := range exchanges {
		t.Run(e.Name, func(t *testing.T) {
			a, err := replay(e.Response)
			if !errors.Is(err, failing[e.Name]) || a.packed != (e.Bytes > 0) || len(a.pack) != e.Bytes || a.reason != "" {
				t.Fatalf("%v, %d bytes, %q; want %d bytes", err, len(a.pack), a.reason, e.Bytes)
			}
			if a.packed {
				p, err := pack.Parse(a.pack, 20, pack.Limits{})
				if err != nil || p.Incomplete() != nil || p.Len() != e.Objects {
					t.Errorf("%d objects, %v, want %d", p.Len(), err, e.Objects)
				}
			}
			for n := range e.Response {
				if a, err := replay(e.Response[:n]); err == nil && a.reason == "" {
					t.Fatalf("cut off after %d of %d bytes it counts as whole", n, len(e.Response))
				}
			}
		})
	}
}

// replay reads an answer as a request does.
func replay(b []byte) (*answer, error) {
	a := &answer{}
	err, ended := a.read(newPacketReader(bytes.NewReader(b)), func(b []byte) error {
		a.pack = append(a.pack, b...)
		return nil
	})
	if a.packed {
		a.finish(ended, 20)
	}
	return a, err
}
