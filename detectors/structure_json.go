package detectors

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose values are looked at one by one.
type object map[string]json.RawMessage

// decodeObject decodes base64 of either alphabet to one JSON object.
func decodeObject(text []byte) (object, bool) {
	raw, ok := decodeBase64(text)
	if !ok || len(raw) == 0 {
		return nil, false
	}
	var o object
	return o, json.Unmarshal(raw, &o) == nil && o != nil
}

// has reports how many of keys o has.
func (o object) has(keys ...string) int {
	n := 0
	for _, k := range keys {
		if _, ok := o[k]; ok {
			n++
		}
	}
	return n
}

// text returns a string value, "" when there is none.
func (o object) text(key string) string {
	var s string
	if json.Unmarshal(o[key], &s) != nil {
		return ""
	}
	return s
}

// isJWT reports whether token is a signed JSON Web Token: a header that names
// an algorithm other than none, a payload, a signature.
func isJWT(token []byte) bool {
	_, ok := jwtClaims(token)
	return ok
}

// jwtClaims returns the payload of a signed token.
func jwtClaims(token []byte) (object, bool) {
	parts := bytes.SplitN(token, []byte("."), 4)
	if len(parts) != 3 || len(parts[2]) < 20 {
		return nil, false
	}
	header, ok := decodeObject(parts[0])
	if !ok {
		return nil, false
	}
	if alg := header.text("alg"); alg == "" || alg == "none" {
		return nil, false
	}
	if _, ok := decodeBase64(parts[2]); !ok {
		return nil, false
	}
	return decodeObject(parts[1])
}

// azureDevOpsJWT reports whether a token is for, or from, Azure DevOps.
func azureDevOpsJWT(token []byte) bool {
	claims, ok := jwtClaims(token)
	if !ok {
		return false
	}
	const resource = "499b84ac-1321-427f-aa17-267ca6975798"
	aud := claims.text("aud")
	return aud == resource || aud == "https://"+resource || claims.text("iss") == "app.vstoken.visualstudio.com"
}

// githubJWT looks at what stands behind "ghs_" and the number of the app.
func githubJWT(token []byte) bool {
	parts := bytes.SplitN(token, []byte("_"), 3)
	return len(parts) == 3 && allDigits(parts[1]) && isJWT(parts[2])
}

func grafanaCloud(token []byte) bool {
	o, ok := decodeObject(bytes.TrimPrefix(token, []byte("glc_")))
	return ok && o.has("o", "n", "k") == 3
}

func grafanaLegacy(token []byte) bool {
	o, ok := decodeObject(token)
	return ok && o.has("k", "n", "id") == 3
}

func mapbox(token []byte) bool {
	parts := bytes.SplitN(token, []byte("."), 4)
	if len(parts) != 3 {
		return false
	}
	o, ok := decodeObject(parts[1])
	return ok && o.text("u") != "" && o.text("a") != ""
}

func onePassword(token []byte) bool {
	o, ok := decodeObject(bytes.TrimPrefix(token, []byte("ops_")))
	return ok && o.has("signInAddress", "userAuth", "email", "srpX", "muk", "secretKey") >= 4
}

// sentryOrg looks at the JSON between the prefix and the last underscore, and
// at the 32 bytes behind.
func sentryOrg(token []byte) bool {
	text := bytes.TrimPrefix(token, []byte("sntrys_"))
	at := len(text) - 44
	if at < 1 || text[at] != '_' {
		return false
	}
	if raw, ok := decodeBase64(text[at+1:]); !ok || len(raw) != 32 {
		return false
	}
	o, ok := decodeObject(text[:at])
	return ok && o.has("iat", "url", "org") == 3
}
