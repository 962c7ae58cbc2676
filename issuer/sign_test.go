package issuer

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// TestVectors holds the published vector of Standard Webhooks, and dummy ones.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/standard-webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name      string
			Scheme    string
			Key       string `json:"key_hex"`
			Seed      string `json:"seed_hex"`
			ID        string `json:"webhook-id"`
			Timestamp string `json:"webhook-timestamp"`
			Body      string
			Signature string `json:"webhook-signature"`
			Expect    string
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) < 4 {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		raw, err := hex.DecodeString(v.Key + v.Seed)
		if err != nil {
			t.Fatal(err)
		}
		prefix := map[string]string{"v1": "whsec", "v1a": "whsk"}[v.Scheme]
		got, err := sign(prefix+"_"+base64.StdEncoding.EncodeToString(raw), v.ID, v.Timestamp, []byte(v.Body))
		if err != nil || (got == v.Signature) != (v.Expect != "failure") {
			t.Errorf("%s: %s, %v", v.Name, got, err)
		}
	}
}
