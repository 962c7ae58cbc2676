package leak

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Redacted is what a [Secret] prints as.
const Redacted = "[secret]"

// Secret is a token in clear. Its bytes are held in a closure, not in a field,
// so that no formatting verb, encoder or debugger-style dump reaches them, not
// even through an unexported field of another struct. Everything prints its
// mask. Only [Secret.Reveal] gives the bytes, and few may call it
// (internal/archtest knows who).
//
// The zero value is a Secret of no bytes. A Secret is immutable and safe for
// concurrent use. It is not comparable; see [Secret.Fingerprint].
type Secret struct{ reveal func() []byte }

// NewSecret returns a Secret with a copy of token.
func NewSecret(token []byte) Secret {
	held := append([]byte(nil), token...)
	return Secret{func() []byte { return held }}
}

// Reveal returns a copy of the token in clear. The caller must not log, store
// or send it.
func (s Secret) Reveal() []byte { return append([]byte(nil), s.bytes()...) }

// Len returns the token's length in bytes.
func (s Secret) Len() int { return len(s.bytes()) }

func (s Secret) bytes() []byte {
	if s.reveal == nil {
		return nil
	}
	return s.reveal()
}

// Fingerprint names the token without giving it away: the first 16 bytes of
// SHA-256 over a fixed label and the token, in hex. It is stable over runs,
// machines and versions, equal for equal tokens, and meant for the
// high-entropy tokens of issuers; a short password can be guessed from it.
func (s Secret) Fingerprint() string {
	sum := sha256.New()
	sum.Write([]byte("patwatch fingerprint v1\x00"))
	sum.Write(s.bytes())
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// Mask shows enough of the token for its owner to recognise it: at most its
// first 4 and last 3 bytes and never more than a quarter of it, the rest an
// ellipsis. Bytes that are not printable ASCII show as dots.
func (s Secret) Mask() string {
	b := s.bytes()
	head, tail := min(4, len(b)/7), min(3, len(b)/8)
	return printable(b[:head]) + "…" + printable(b[len(b)-tail:])
}

// LastFour returns the last four bytes of the token, by which its owner can tell
// it from others, or "" if it is so short that four are much of it.
func (s Secret) LastFour() string {
	b := s.bytes()
	if len(b) < 20 {
		return ""
	}
	return printable(b[len(b)-4:])
}

// Sum returns the token's SHA-256, which [Keyring] turns into digests. It is as
// secret as a plain digest is: not to be stored or sent.
func (s Secret) Sum() [sha256.Size]byte { return sha256.Sum256(s.bytes()) }

func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if c < 0x21 || c > 0x7e {
			c = '.'
		}
		out[i] = c
	}
	return string(out)
}

// String returns [Redacted].
func (s Secret) String() string { return Redacted }

// GoString returns [Redacted], for %#v.
func (s Secret) GoString() string { return Redacted }

// Format prints [Redacted] whatever the verb and its flags.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, Redacted) }

// LogValue makes slog log [Redacted].
func (s Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText makes encoders write [Redacted].
func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
