package detectors

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
)

// makers returns what makes up tokens of the structures that chance does not
// meet. Each is the inverse of the check of the same name in structures.
func makers() map[string]func(m *Minter, r *rand.Rand) []byte {
	return map[string]func(m *Minter, r *rand.Rand) []byte{
		"aws-bedrock":      makeBedrock,
		"azure-devops-jwt": makeAzureDevOpsJWT,
		"bitbucket-dc":     makeBitbucketDC,
		"cask":             makeCask,
		"discord":          makeDiscord,
		"fly-macaroon":     makeFly,
		"github-jwt":       makeGitHubJWT,
		"gitlab-routable":  makeRoutable,
		"grafana-cloud":    makeGrafanaCloud,
		"grafana-legacy":   makeGrafanaLegacy,
		"jfrog-reference":  makeJFrog,
		"jira-dc":          makeJiraDC,
		"jwt":              makeJWT,
		"mapbox":           makeMapbox,
		"onepassword":      makeOnePassword,
		"pem":              makePEM,
		"pkcs12":           makePKCS12,
		"putty":            makePuTTY,
		"pypi":             makePyPI,
		"sas-signature":    makeSAS,
		"sentry-org":       makeSentry,
		"url-userinfo":     makeURL,
		"vault-batch":      makeVaultBatch,
		"vault-service":    makeVaultService,
	}
}

// randomBytes returns n random bytes.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// randomText returns n random characters of alphabet.
func randomText(r *rand.Rand, n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func urlText(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
func stdText(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func makeUUID(r *rand.Rand) string {
	b := randomBytes(r, 16)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func makeBedrock(_ *Minter, r *rand.Rand) []byte {
	return []byte("ABSK" + stdText([]byte("BedrockAPIKey-"+randomText(r, 4, lower)+"-at-"+randomText(r, 12, digits)+":"+randomText(r, 60, base62))))
}

func makeClaims(r *rand.Rand, claims string) string {
	header := `{"alg":"RS256","typ":"JWT","kid":"` + randomText(r, 20, base62) + `"}`
	return urlText([]byte(header)) + "." + urlText([]byte(claims)) + "." + urlText(randomBytes(r, 64))
}

func makeJWT(_ *Minter, r *rand.Rand) []byte {
	return []byte(makeClaims(r, fmt.Sprintf(`{"sub":"%s","iat":17%08d}`, randomText(r, 16, base62), r.IntN(1e8))))
}

func makeAzureDevOpsJWT(_ *Minter, r *rand.Rand) []byte {
	return []byte(makeClaims(r, `{"aud":"499b84ac-1321-427f-aa17-267ca6975798","sub":"`+makeUUID(r)+`"}`))
}

func makeGitHubJWT(_ *Minter, r *rand.Rand) []byte {
	id := 10000 + r.IntN(1e6)
	return fmt.Appendf(nil, "ghs_%d_%s", id, makeClaims(r, fmt.Sprintf(`{"iss":"%d"}`, id)))
}

func makeJiraDC(_ *Minter, r *rand.Rand) []byte {
	return []byte(stdText(append(fmt.Appendf(nil, "%012d:", r.Int64N(1e12)), randomBytes(r, 20)...)))
}

func makeBitbucketDC(m *Minter, r *rand.Rand) []byte {
	return append([]byte("BBDC-"), makeJiraDC(m, r)...)
}

func makeCask(_ *Minter, r *rand.Rand) []byte {
	secret, size := urlText(randomBytes(r, 32))+"A", "B"
	if r.IntN(2) == 0 {
		secret, size = urlText(randomBytes(r, 64))+"AA", "C"
	}
	units := r.IntN(11)
	return []byte(secret + "QJJQA" + size + string(upper[units]) + randomText(r, 5+4*units, base62) +
		"AA" + randomText(r, 1, upper) + randomText(r, 1, upper[:12]) + randomText(r, 1, upper+lower[:5]) +
		randomText(r, 1, upper[:24]) + randomText(r, 2, base62[:60]))
}

func makeDiscord(_ *Minter, r *rand.Rand) []byte {
	id := fmt.Sprintf("%d", int64(1e17)+r.Int64N(8e17))
	return []byte(urlText([]byte(id)) + "." + randomText(r, 6, base62) + "." + randomText(r, 38, base62))
}

func makeFly(_ *Minter, r *rand.Rand) []byte {
	part := func() string {
		b := append([]byte{0x94, 0x93, 0xc4, 16}, randomBytes(r, 16)...) // the nonce: key, id, proof
		b = append(append(b, 0xc4, 16), randomBytes(r, 16)...)
		b = append(append(b, 0xc2, 0xa0+8), randomText(r, 8, lower)...) // the location
		b = append(append(b, 0x92, 0x0e, 0x91, 0xcd, 1, 2), 0xc4, 32)   // a caveat, the tail
		return "fm2_" + stdText(append(b, randomBytes(r, 32)...))
	}
	return []byte(part() + "," + part())
}

// makeRoutable fits the three kinds of GitLab's routable tokens.
func makeRoutable(m *Minter, r *rand.Rand) []byte {
	prefix, version := "glpat-", ""
	if strings.Contains(m.f.Pattern, `\.01\.`) {
		version = ".01"
	}
	if strings.HasPrefix(m.f.Pattern, "glrt-") {
		prefix, version = fmt.Sprintf("glrt-t%d_", 1+r.IntN(3)), ".01"
	}
	lines := fmt.Sprintf("o:%s\nu:%s", randomText(r, 2, base36), randomText(r, 3, base36))
	raw := append(randomBytes(r, 16), lines...)
	payload := urlText(append(raw, byte(len(lines))))
	length := positional([]byte{byte(len(payload) >> 8), byte(len(payload))}, base36, 2)
	return []byte(prefix + payload + version + "." + string(length) + "0000000")
}

func makeGrafanaCloud(_ *Minter, r *rand.Rand) []byte {
	return []byte("glc_" + stdText(fmt.Appendf(nil, `{"o":"%d","n":"%s","k":"%s","m":{"r":"us"}}`, r.IntN(1e6), randomText(r, 12, lower), randomText(r, 24, base62))))
}

func makeGrafanaLegacy(_ *Minter, r *rand.Rand) []byte {
	return []byte(stdText(fmt.Appendf(nil, `{"k":"%s","n":"%s","id":%d}`, randomText(r, 32, base62), randomText(r, 9, lower), 1+r.IntN(9))))
}

func makeJFrog(_ *Minter, r *rand.Rand) []byte {
	// 48 bytes, so that the text has no padding; the first ten characters
	// are the same in all.
	return []byte(stdText(fmt.Appendf(nil, "reftkn:%02d:18%08d:%s", 1+r.IntN(3), r.IntN(1e8), randomText(r, 27, base62))))
}

func makeMapbox(_ *Minter, r *rand.Rand) []byte {
	return []byte("sk." + urlText(fmt.Appendf(nil, `{"u":"%s","a":"%s"}`, randomText(r, 10, lower), randomText(r, 25, base36))) + "." + randomText(r, 22, base62))
}

func makeOnePassword(_ *Minter, r *rand.Rand) []byte {
	return []byte("ops_" + stdText(fmt.Appendf(nil, `{"signInAddress":"my.1password.com","userAuth":{"method":"SRPg-4096","salt":"%s"},"email":"%s@1passwordserviceaccounts.com","srpX":"%s","muk":{"kty":"oct"},"secretKey":"%s"}`,
		randomText(r, 22, base62), randomText(r, 13, lower), hex.EncodeToString(randomBytes(r, 32)), randomText(r, 34, base62))))
}

// makePEM makes an elliptic curve key in PKCS #8 form, with escaped line ends
// where a JSON file stands round it.
func makePEM(m *Minter, r *rand.Rand) []byte {
	key := []byte{0x30, 0x75, 0x02, 0x01, 0x01, 0x04, 0x70}
	text := stdText(append(key, randomBytes(r, 0x70)...))
	line := "\n"
	if strings.Contains(m.f.Pattern, "private_key") {
		line = `\n`
	}
	const name = "PRIVATE KEY-----"
	return []byte("-----BEGIN " + name + line + text[:64] + line + text[64:128] + line + text[128:] + line + "-----END " + name)
}

func makePKCS12(_ *Minter, r *rand.Rand) []byte {
	head := []byte{0x30, 0x82, 0x09, 0x10 + byte(r.IntN(100)), 0x02, 0x01, 0x03, 0x30, 0x82, 0x08, 0x10,
		0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}
	return []byte(stdText(append(head, randomBytes(r, 302)...)))
}

func makePuTTY(_ *Minter, r *rand.Rand) []byte {
	return []byte("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: made\nPublic-Lines: 1\n" +
		stdText(randomBytes(r, 48)) + "\nPrivate-Lines: 1\n" + stdText(randomBytes(r, 48)) +
		"\nPrivate-MAC: " + hex.EncodeToString(randomBytes(r, 20)))
}

// field appends a length and b, for the tags that come before both.
func field(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func makePyPI(_ *Minter, r *rand.Rand) []byte {
	b := field([]byte{2, 1}, []byte("pypi.org"))
	b = field(append(b, 2), []byte(makeUUID(r)))
	b = field(append(b, 0, 2), []byte(`[3, "`+makeUUID(r)+`"]`))
	b = field(append(b, 0, 0, 6), randomBytes(r, 32))
	return []byte("pypi-" + urlText(b))
}

func makeSAS(_ *Minter, r *rand.Rand) []byte {
	text := stdText(randomBytes(r, 32))
	return []byte(strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(text))
}

func makeSentry(_ *Minter, r *rand.Rand) []byte {
	json := fmt.Appendf(nil, `{"iat": 17%08d.%06d, "url": "https://sentry.io", "region_url": "https://us.sentry.io", "org": "%s"}`,
		r.IntN(1e8), r.IntN(1e6), randomText(r, 9, lower))
	return []byte("sntrys_" + stdText(json) + "_" + base64.RawStdEncoding.EncodeToString(randomBytes(r, 32)))
}

func makeURL(_ *Minter, r *rand.Rand) []byte {
	return []byte("https://" + randomText(r, 7, lower) + ":" + randomText(r, 21, base62) + "@" + randomText(r, 9, lower) + ".io")
}

func makeVaultBatch(_ *Minter, r *rand.Rand) []byte {
	return []byte("hvb." + urlText(append([]byte{0, 0, 0, 1, 2}, randomBytes(r, 120)...)))
}

func makeVaultService(_ *Minter, r *rand.Rand) []byte {
	id := field([]byte{0x0a}, []byte("hvs."+randomText(r, 24, base62)))
	b := field([]byte{8, 1, 0x12}, randomBytes(r, 32))
	return []byte("hvs." + urlText(field(append(b, 0x1a), id)))
}
