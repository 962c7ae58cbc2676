package detectors

// Checksum says how a token's checksum is computed and where it stands. Which
// of the fields a family reads stands in docs/formats.md.
type Checksum struct {
	Family   string   `toml:"family"`   // "crc32", "sha256", "xor", "marvin32", ...
	Cover    string   `toml:"cover"`    // what it covers, "from:to" in bytes of the token; negative counts from the end
	After    string   `toml:"after"`    // the cover starts after the first of these, instead of at a fixed place
	At       string   `toml:"at"`       // where it stands, "from:to"; default: the last Digits bytes
	Encoding string   `toml:"encoding"` // "base62", "base36", "base32", "base64", "base64url", "hex", "HEX"
	Alphabet string   `toml:"alphabet"` // digits of the encoding, where they are not in the usual order
	Digits   int      `toml:"digits"`   // how many characters it has
	Order    string   `toml:"order"`    // "big" (default) or "little": the bytes that are encoded
	Prefix   string   `toml:"prefix"`   // text covered before the token's own
	Seeds    []string `toml:"seeds"`    // eight characters each: keys of a keyed sum, any of which may fit
	Variant  string   `toml:"variant"`  // a family's further forms
	Escaped  bool     `toml:"escaped"`  // "\=" and "%3D" stand for "=" before the sum is computed
}
