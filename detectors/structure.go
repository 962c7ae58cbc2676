package detectors

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"strings"
)

// structures returns the checks that formats can name: each reports whether a
// token is built as its issuer builds them. All are pure, take time and memory
// linear in the token, and accept any bytes.
func structures() map[string]func(token []byte) bool {
	return map[string]func(token []byte) bool{
		"aws-key-id":       awsKeyID,
		"aws-bedrock":      awsBedrock,
		"azure-devops-jwt": azureDevOpsJWT,
		"bitbucket-dc":     bitbucketDC,
		"cask":             caskStructure,
		"discord":          discord,
		"fly-macaroon":     flyMacaroon,
		"github-jwt":       githubJWT,
		"gitlab-routable":  gitlabRoutable,
		"grafana-cloud":    grafanaCloud,
		"grafana-legacy":   grafanaLegacy,
		"jfrog-api-key":    jfrogAPIKey,
		"jfrog-reference":  jfrogReference,
		"jira-dc":          jiraDC,
		"jwt":              isJWT,
		"mapbox":           mapbox,
		"onepassword":      onePassword,
		"pem":              isPEM,
		"pkcs12":           isPKCS12,
		"putty":            isPuTTY,
		"pypi":             isPyPI,
		"sas-signature":    sasSignature,
		"sentry-org":       sentryOrg,
		"url-userinfo":     urlUserinfo,
		"vault-batch":      vaultBatch,
		"vault-service":    vaultService,
	}
}

// decodeBase64 decodes text in either alphabet, with or without padding.
func decodeBase64(text []byte) ([]byte, bool) {
	text = bytes.TrimRight(text, "=")
	enc := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	raw, err := enc.AppendDecode(nil, text)
	return raw, err == nil
}

// awsKeyID decodes the account number that key ids made since 2019 hold: twelve
// digits, so a tenth of the numbers that would fit do not occur.
func awsKeyID(token []byte) bool {
	if len(token) != 20 {
		return false
	}
	if token[4] == 'I' || token[4] == 'J' {
		return true // older: no account in it
	}
	var raw [10]byte
	if _, err := base32.StdEncoding.Decode(raw[:], token[4:]); err != nil {
		return false
	}
	var n uint64
	for _, b := range raw[:6] {
		n = n<<8 | uint64(b)
	}
	return n&0x7fffffffff80>>7 < 1e12
}

func awsBedrock(token []byte) bool {
	raw, ok := decodeBase64(bytes.TrimPrefix(token, []byte("ABSK")))
	return ok && bytes.HasPrefix(raw, []byte("BedrockAPIKey-")) && bytes.IndexByte(raw, ':') > 0
}

// caskStructure checks the sizes that a key with the mark QJJQ states about
// itself: of its secret, B for 32 bytes and C for 64, and of its provider's
// data, A for none and so on, in units of four characters.
func caskStructure(token []byte) bool {
	for _, secret := range []struct {
		size byte
		at   int // where the mark stands
	}{{'B', 44}, {'C', 88}} {
		at := secret.at
		if len(token) >= at+20 && string(token[at:at+5]) == "QJJQA" && token[at+5] == secret.size {
			data := 4 * (int(token[at+6]) - 'A')
			return len(token) == at+20+data
		}
	}
	return false
}

// discord reports whether the first part is the base64 of an account number.
func discord(token []byte) bool {
	first, _, ok := bytes.Cut(token, []byte("."))
	if !ok {
		return false
	}
	raw, ok := decodeBase64(first)
	return ok && len(raw) >= 17 && len(raw) <= 20 && allDigits(raw)
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// flyMacaroon reports whether every part is a macaroon in MessagePack: an
// array of a nonce, a location, caveats and a tail, and nothing behind it.
func flyMacaroon(token []byte) bool {
	token = bytes.TrimPrefix(token, []byte("FlyV1 "))
	for part := range bytes.SplitSeq(token, []byte(",")) {
		_, text, ok := bytes.Cut(part, []byte("_"))
		if !ok {
			return false
		}
		raw, ok := decodeBase64(text)
		if !ok || len(raw) < 2 || raw[0] != 0x94 || raw[1]&0xf0 != 0x90 {
			return false
		}
		if rest, ok := skipMessagePack(raw, 1); !ok || len(rest) != 0 {
			return false
		}
	}
	return true
}

// jfrogReference decodes "reftkn:01:1893456000:..." .
func jfrogReference(token []byte) bool {
	raw, ok := decodeBase64(token)
	if !ok {
		return false
	}
	parts := bytes.SplitN(raw, []byte(":"), 4)
	return len(parts) == 4 && string(parts[0]) == "reftkn" &&
		len(parts[1]) == 2 && allDigits(parts[1]) &&
		len(parts[2]) == 10 && allDigits(parts[2]) && allOf(parts[3], base62)
}

func jfrogAPIKey(token []byte) bool {
	raw, ok := base58Decode(token)
	return ok && len(raw) == 54
}

func allOf(b []byte, alphabet string) bool {
	for _, c := range b {
		if strings.IndexByte(alphabet, c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// jiraDC and bitbucketDC decode a number, a colon and twenty random bytes.
func jiraDC(token []byte) bool { return numberAndRandom(token, 12, 12) }

func bitbucketDC(token []byte) bool {
	return numberAndRandom(bytes.TrimPrefix(token, []byte("BBDC-")), 1, 12)
}

func numberAndRandom(text []byte, least, most int) bool {
	raw, ok := decodeBase64(text)
	if !ok {
		return false
	}
	colon := bytes.IndexByte(raw, ':')
	return colon >= least && colon <= most && allDigits(raw[:colon]) && len(raw) >= colon+1+20
}

// sasSignature reports whether a signature, percent-encoded or not, is that of
// HMAC-SHA256: 32 bytes.
func sasSignature(token []byte) bool {
	text, ok := unpercent(token)
	if !ok {
		return false
	}
	raw, ok := decodeBase64(text)
	return ok && len(raw) == 32
}

func unpercent(text []byte) ([]byte, bool) {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			plain = append(plain, text[i])
			continue
		}
		if i+2 >= len(text) || !isHex(text[i+1:i+3]) {
			return nil, false
		}
		plain = append(plain, hexDigit(text[i+1])<<4|hexDigit(text[i+2]))
		i += 2
	}
	return plain, true
}

func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lowerByte(c) - 'a' + 10
}
