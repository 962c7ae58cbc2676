package issuer_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"testing"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"patwatch/issuer"
)

// key returns a dummy key of 32 bytes.
func key(fill byte) string {
	return "whsec" + "_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

// TestReferenceVerifierAgrees has the reference library verify what we send,
// under the old and the new key.
func TestReferenceVerifierAgrees(t *testing.T) {
	s := start(t)
	r, err := issuer.Webhook(issuer.Options{URL: s.URL + "/webhook", Credential: credential(key(1) + "\n" + key(2) + "\n")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r(t.Context(), token()); err != nil {
		t.Fatal(err)
	}
	hook := s.Hooks()[0]
	for fill := range byte(4) {
		v, err := webhooks.NewWebhook(key(fill))
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Verify(hook.Body, hook.Header); (err == nil) != (fill == 1 || fill == 2) {
			t.Errorf("key %d: %v", fill, err)
		}
	}
	var body struct {
		Type string
		Data map[string]string
	}
	if err := json.Unmarshal(hook.Body, &body); err != nil || body.Type != "token.revoke" || body.Data["authorization_id"] != id {
		t.Errorf("body %s", hook.Body)
	}
}
