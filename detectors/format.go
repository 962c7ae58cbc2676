package detectors

// Format is one kind of token, as its TOML file declares it. docs/formats.md
// explains each field for those who write one.
//
// A Format is plain data: copying it is safe, and so is sharing it between
// goroutines as long as nobody changes it.
type Format struct {
	ID     string `toml:"id"`   // stable: "github-ghp"
	Name   string `toml:"name"` // for people
	Issuer string `toml:"-"`    // the file's issuer
	Kind   string `toml:"kind"` // "pat", "api-key", "infra", ...
	Tier   Tier   `toml:"tier"` // what a match proves before its checksum is looked at

	Pattern   string   `toml:"pattern"`    // RE2 syntax; the token is group 1, or the whole match when there is no group
	MaxLength int      `toml:"max_length"` // longest match in bytes, where Pattern alone does not bound it (RE2 counts stop at 1000); 0: Pattern is bounded
	Anchors   []string `toml:"anchors"`    // literals, one of which every match contains; derived from Pattern when empty
	Boundary  string   `toml:"boundary"`   // a character class, "[A-Za-z0-9_]": none of it may touch the token; "" for no boundary

	// Context holds words, in any case, one of which must stand near the
	// token. A token that its checksum or structure verified needs none.
	Context []string `toml:"context"`
	Within  int      `toml:"within"` // how near, in bytes; 0: the default

	Checksum  *Checksum `toml:"checksum"`  // nil: none
	Structure string    `toml:"structure"` // name of a structural check, "" for none
	Mismatch  string    `toml:"mismatch"`  // "drop" (default) or "lower": what a wrong checksum or structure does

	MinEntropy   float64  `toml:"min_entropy"`  // bits a byte of the token's body; 0: the tier's default; negative: not tested
	Placeholders string   `toml:"placeholders"` // "reject" or "allow"; "": reject unless verified
	Reject       []string `toml:"reject"`       // kinds of body that are no token of this format: "hex", "words", ...
	Examples     []string `toml:"examples"`     // SHA-256, in hex, of published examples, which are never reported

	Source  string   `toml:"source"` // where the format is described
	Note    string   `toml:"note"`
	Vectors []Vector `toml:"vectors"` // tokens that show what is one and what is not

	proof *proof // worked out by prepare; nil before
}

// Vector is a token the format must (or must not) accept, encoded so that none
// stands in clear.
type Vector struct {
	B64Rev string `toml:"b64rev"` // base64 of the reversed token
	Valid  bool   `toml:"valid"`  // whether it counts in full; one that does not may still be found at a lower grade
	Origin string `toml:"origin"`
}
