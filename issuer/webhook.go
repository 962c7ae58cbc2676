package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"patwatch/leak"
)

// Webhook returns a Revoke that posts a message of type "token.revoke" to the
// URL, as Standard Webhooks 1.0.0 says. Any answer of 2xx means that the token is
// revoked, or will be without our doing anything more. The message's id is the
// same whenever the same token is revoked, so a receiver can tell repetitions.
//
// The credential is one key a line, each of which signs: "whsec_" and base64 of
// 24 to 64 bytes for HMAC-SHA-256, "whsk_" and base64 of a seed or key for
// ed25519.
func Webhook(o Options) (Revoke, error) {
	c, err := newCaller(o)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t leak.Token) error {
		if t.AuthorizationID == "" {
			return &Error{Kind: Permanent, err: errors.New("the token has no authorization id")}
		}
		now := time.Now()
		body, err := message(t, now)
		if err != nil {
			return &Error{Kind: Permanent, err: err}
		}
		keys, err := c.credential()
		if err != nil {
			return &Error{Kind: Refused, err: err}
		}
		id, at := messageID(t), strconv.FormatInt(now.Unix(), 10)
		signature, err := sign(keys, id, at, body)
		if err != nil {
			return &Error{Kind: Refused, err: err}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.String(), bytes.NewReader(body))
		if err != nil {
			return &Error{Kind: Permanent, err: err}
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", at)
		req.Header.Set("webhook-signature", signature)
		return c.do(req, map[int]Kind{http.StatusGone: Permanent, http.StatusBadRequest: Refused})
	}, nil
}

// message is the body. It has nothing that reveals the token.
func message(t leak.Token, now time.Time) ([]byte, error) {
	return json.Marshal(map[string]any{
		"type":      "token.revoke",
		"timestamp": now.UTC().Format(time.RFC3339),
		"data": map[string]string{
			"authorization_id": t.AuthorizationID, "organization": t.Organization, "owner_id": t.Owner.ID,
		},
	})
}

// messageID names a token's revocation. It has no dot.
func messageID(t leak.Token) string {
	sum := sha256.Sum256([]byte("token.revoke\x00" + t.Organization + "\x00" + t.AuthorizationID))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// sign returns the signatures of a message, one for each key.
func sign(keys, id, at string, body []byte) (string, error) {
	text := append([]byte(id+"."+at+"."), body...)
	var out []string
	for n, key := range strings.Fields(keys) {
		s, err := signOne(key, text)
		if err != nil {
			return "", fmt.Errorf("key %d of the webhook: %w", n+1, err)
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return "", errors.New("the webhook has no key")
	}
	return strings.Join(out, " "), nil
}

func signOne(key string, text []byte) (string, error) {
	kind, coded, _ := strings.Cut(key, "_")
	raw, err := base64.StdEncoding.DecodeString(coded)
	switch {
	case err != nil:
		return "", errors.New("it is not base64")
	case kind == "whsec" && len(raw) >= 24 && len(raw) <= 64:
		mac := hmac.New(sha256.New, raw)
		mac.Write(text)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
	case kind == "whsk" && (len(raw) == ed25519.SeedSize || len(raw) == ed25519.PrivateKeySize):
		private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, text)), nil
	}
	return "", errors.New("it is neither whsec_ with 24 to 64 bytes nor whsk_ with an ed25519 key")
}
