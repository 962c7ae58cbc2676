package leak_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"log"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"unicode/utf8"

	"patwatch/leak"
)

// token generates a token that is the same for the same seed. It has no letter
// that hex, a number or one of the words around it could have by chance.
func token(seed uint64, length int) []byte {
	const alphabet = "GHJKQUVWXYZ"
	r := rand.New(rand.NewPCG(seed, 20))
	out := make([]byte, length)
	for i := range out {
		out[i] = alphabet[r.IntN(len(alphabet))]
	}
	return out
}

// assertHidden fails if text holds any three bytes of the token in a row: as
// they are, in hex, in base64, or as the numbers of a printed slice.
func assertHidden(t *testing.T, how, text string, token []byte) {
	t.Helper()
	lower := strings.ToLower(text)
	for i := 0; i+3 <= len(token); i++ {
		w := token[i : i+3]
		forms := []string{
			string(w), hex.EncodeToString(w),
			fmt.Sprintf("%d %d %d", w[0], w[1], w[2]), fmt.Sprintf("%d,%d,%d", w[0], w[1], w[2]),
			fmt.Sprintf("%o %o %o", w[0], w[1], w[2]), fmt.Sprintf("%b %b %b", w[0], w[1], w[2]),
			fmt.Sprintf("%#x, %#x, %#x", w[0], w[1], w[2]), fmt.Sprintf("%x %x %x", w[0], w[1], w[2]),
		}
		for _, form := range forms {
			if strings.Contains(lower, strings.ToLower(form)) {
				t.Fatalf("%s gives away bytes %d to %d of the token", how, i, i+2)
			}
		}
	}
	for start := range 3 {
		if coded := base64.StdEncoding.EncodeToString(token[start:])[:8]; strings.Contains(text, coded) {
			t.Fatalf("%s gives away the token in base64", how)
		}
	}
}

// The shapes in which a Secret may be handed to something that prints.
type (
	field           struct{ S leak.Secret }
	unexported      struct{ s leak.Secret }
	pointer         struct{ s *leak.Secret }
	embedded        struct{ leak.Secret }
	embeddedPointer struct{ *leak.Secret }
	deep            struct {
		m map[string][]any
		c *leak.Candidate
	}
	wrapping struct{ s leak.Secret }
)

func (w wrapping) Error() string { return fmt.Sprintf("bad token %s", w.s) }

func shapes(s leak.Secret) map[string]any {
	c := leak.Candidate{Format: leak.Format{ID: "a"}, Confidence: leak.Likely, Secret: s, Place: leak.Place{Path: "a"}}
	return map[string]any{
		"a value":             s,
		"a pointer":           &s,
		"a pointer to that":   ptr(&s),
		"a field":             field{s},
		"an unexported field": unexported{s},
		"a pointer in one":    pointer{&s},
		"embedded":            embedded{s},
		"an embedded pointer": embeddedPointer{&s},
		"a slice":             []leak.Secret{s, s},
		"an array":            [1]leak.Secret{s},
		"a map value":         map[string]leak.Secret{"k": s},
		"a map key's pointer": map[*leak.Secret]bool{&s: true},
		"an interface":        []any{s, any(s)},
		"a candidate":         c,
		"candidates":          []*leak.Candidate{&c},
		"deep inside":         deep{map[string][]any{"k": {s, &s, unexported{s}}}, &c},
		"an error":            wrapping{s},
		"a wrapped error":     fmt.Errorf("scan: %w", wrapping{s}),
		"a joined error":      errors.Join(errors.New("x"), wrapping{s}),
		"a channel's struct":  struct{ ch chan leak.Secret }{make(chan leak.Secret, 1)},
		"a func's receiver":   s.Fingerprint,
	}
}

func ptr[T any](v T) *T { return &v }

func TestSecretIsNeverFormatted(t *testing.T) {
	tok := token(1, 52)
	verbs := "vsqxXdobtepTUcfFgGzw"
	flags := []string{"", "+", "#", "-", "0", " ", "#+", "60", "-60", ".3", "60.3", "+.60", "# ", "+#0 60.9"}
	for name, v := range shapes(leak.NewSecret(tok)) {
		for _, verb := range verbs {
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				assertHidden(t, fmt.Sprintf("%s with %s", name, format), fmt.Sprintf(format, v), tok)
			}
		}
		// A format without verbs prints what is left over.
		assertHidden(t, name+" with too few verbs", fmt.Sprintf(t.Name(), v), tok)
		assertHidden(t, name+" with Sprint", fmt.Sprint(v), tok)
		assertHidden(t, name+" with Sprintln", fmt.Sprintln(v, "x"), tok)
	}
}

func TestSecretIsNeverEncoded(t *testing.T) {
	tok := token(2, 52)
	encoders := map[string]func(*bytes.Buffer, any) error{
		"json": func(b *bytes.Buffer, v any) error { return json.NewEncoder(b).Encode(v) },
		"xml":  func(b *bytes.Buffer, v any) error { return xml.NewEncoder(b).Encode(v) },
		"gob":  func(b *bytes.Buffer, v any) error { return gob.NewEncoder(b).Encode(v) },
		"text": func(b *bytes.Buffer, v any) error {
			return template.Must(template.New("").Parse(`{{.}} {{printf "%v" .}} {{print .}} {{html .}} {{js .}}`)).Execute(b, v)
		},
		"html": func(b *bytes.Buffer, v any) error {
			return htmltemplate.Must(htmltemplate.New("").Parse(`{{.}}<a href="{{.}}" onclick="{{.}}"><script>{{.}}</script>`)).Execute(b, v)
		},
		"log": func(b *bytes.Buffer, v any) error { log.New(b, "", 0).Print(v); return nil },
		"slog": func(b *bytes.Buffer, v any) error {
			slog.New(slog.NewTextHandler(b, nil)).Info("m", "k", v)
			return nil
		},
		"slogjs": func(b *bytes.Buffer, v any) error {
			slog.New(slog.NewJSONHandler(b, nil)).Info("m", "k", v, slog.Group("g", "h", v))
			return nil
		},
		"dump": func(b *bytes.Buffer, v any) error { dump(b, reflect.ValueOf(v), 0); return nil },
	}
	for name, v := range shapes(leak.NewSecret(tok)) {
		for how, encode := range encoders {
			var buf bytes.Buffer
			err := encode(&buf, v) // it may refuse, but not tell
			assertHidden(t, name+" with "+how, buf.String(), tok)
			if err != nil {
				assertHidden(t, name+", refused by "+how, err.Error(), tok)
			}
		}
	}
}

// dump prints everything reflection reaches, unexported fields too, as a
// debugger's pretty printer does.
func dump(b *bytes.Buffer, v reflect.Value, depth int) {
	if !v.IsValid() || depth > 12 {
		return
	}
	fmt.Fprintf(b, "%s ", v.Type())
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		dump(b, v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fmt.Fprintf(b, "%s: ", v.Type().Field(i).Name)
			dump(b, v.Field(i), depth+1)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			dump(b, v.Index(i), depth+1)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			dump(b, k, depth+1)
			dump(b, v.MapIndex(k), depth+1)
		}
	default:
		fmt.Fprintf(b, "%v ", v)
	}
}

func TestSecretInAPanic(t *testing.T) {
	tok := token(3, 52)
	for name, v := range shapes(leak.NewSecret(tok)) {
		func() {
			defer func() { assertHidden(t, "a panic of "+name, fmt.Sprintf("%v %+v %#v", v, recover(), v), tok) }()
			panic(v)
		}()
	}
}

func TestSecretPrintsItsPlaceholder(t *testing.T) {
	s := leak.NewSecret(token(4, 52))
	for _, got := range []string{s.String(), s.GoString(), fmt.Sprint(s), fmt.Sprintf("%x", &s), s.LogValue().String()} {
		if got != leak.Redacted {
			t.Errorf("prints %q, want %q", got, leak.Redacted)
		}
	}
	if got, _ := json.Marshal(field{s}); string(got) != `{"S":"[secret]"}` {
		t.Errorf("JSON is %s", got)
	}
}

func TestSecretCannotBeDecoded(t *testing.T) {
	var f field
	if err := json.Unmarshal([]byte(`{"S":"abc"}`), &f); err == nil {
		t.Error("JSON makes a Secret")
	}
}

func TestSecretIsACopy(t *testing.T) {
	tok := token(5, 52)
	want := string(tok)
	s := leak.NewSecret(tok)
	clear(tok)
	clear(s.Reveal())
	if got := string(s.Reveal()); got != want {
		t.Error("the Secret changed with a slice outside of it")
	}
	if s.Len() != 52 {
		t.Errorf("length %d, want 52", s.Len())
	}
}

func TestZeroSecret(t *testing.T) {
	var zero leak.Secret
	if zero.Len() != 0 || len(zero.Reveal()) != 0 || zero.Mask() != "…" || fmt.Sprint(zero) != leak.Redacted {
		t.Errorf("the zero Secret has %d bytes and the mask %q", zero.Len(), zero.Mask())
	}
	if zero.Fingerprint() != leak.NewSecret(nil).Fingerprint() {
		t.Error("the zero Secret and one of no bytes have different fingerprints")
	}
}

// TestFingerprintIsStable holds fingerprints that users have in their ignore
// files. If it fails, those files stop working: do not change the vectors.
func TestFingerprintIsStable(t *testing.T) {
	for _, c := range []struct {
		seed   uint64
		length int
		want   string
	}{
		{1, 0, "c5720d2cfd3e236d59158fd1ee0eacbf"},
		{1, 1, "2d2a8da94769ee5ee793323fa2671518"},
		{1, 52, "bed8ac757a39dc2fa25164c234139273"},
		{2, 84, "f39c350dd35078de12d67c3d587f1309"},
		{3, 4096, "1c50fd42c439843120b30eedb11cdf31"},
	} {
		if got := leak.NewSecret(token(c.seed, c.length)).Fingerprint(); got != c.want {
			t.Errorf("token %d of %d bytes: %s, want %s", c.seed, c.length, got, c.want)
		}
	}
}

func TestMask(t *testing.T) {
	for _, c := range []struct{ token, want string }{
		{"", "…"},
		{"abcdef", "…"},
		{"abcdefg", "a…"},
		{"abcdefgh", "a…h"},
		{"abcdefghijklmn", "ab…n"},
		{"abcdefghijklmnop", "ab…op"},
		{"abcdefghijklmnopqrstuvwxyzab", "abcd…zab"},
		{strings.Repeat("ab", 50), "abab…bab"},
		{"\x1b[2J\xff" + strings.Repeat("a", 25) + "\x00é", ".[2J…..."},
	} {
		if got := leak.NewSecret([]byte(c.token)).Mask(); got != c.want {
			t.Errorf("mask of %d bytes is %q, want %q", len(c.token), got, c.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("abcdefgh"))
	f.Add(token(1, 52))
	f.Add([]byte("\x00\xff\x1b[31m\u202e…………"))
	f.Fuzz(func(t *testing.T, tok []byte) {
		mask := leak.NewSecret(tok).Mask()
		if !utf8.ValidString(mask) {
			t.Fatal("not UTF-8")
		}
		head, tail, found := strings.Cut(mask, "…")
		if shown := len(head) + len(tail); !found || shown > 7 || 4*shown > len(tok) {
			t.Fatalf("shows %d of %d bytes", shown, len(tok))
		}
		for _, c := range head + tail {
			if c < 0x21 || c > 0x7e {
				t.Fatalf("shows %q", c)
			}
		}
	})
}

func TestConfidence(t *testing.T) {
	for c, want := range map[leak.Confidence]string{
		0: "unknown", leak.Unverified: "unverified", leak.Possible: "possible",
		leak.Likely: "likely", leak.Verified: "verified", 9: "unknown",
	} {
		if got := c.String(); got != want {
			t.Errorf("%d is %q, want %q", c, got, want)
		}
		if got, err := c.MarshalText(); err != nil || string(got) != want {
			t.Errorf("%d marshals as %q, %v", c, got, err)
		}
	}
	if !(leak.Verified > leak.Likely && leak.Likely > leak.Possible && leak.Possible > leak.Unverified) {
		t.Error("confidences do not grow with certainty")
	}
}
