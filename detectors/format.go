package detectors

// Format is one kind of token, as its TOML file declares it.
type Format struct {
	ID     string `toml:"id"`     // stable: "github-ghp"
	Name   string `toml:"name"`   // for people
	Issuer string `toml:"-"`      // the file's issuer
	Kind   string `toml:"kind"`   // "pat", "api-key", "infra", ...
	Tier   Tier   `toml:"tier"`   // what a match proves before its checksum is looked at

	Pattern  string   `toml:"pattern"`  // RE2 syntax, bounded; the token is group 1, or the whole when there is no group
	Anchors  []string `toml:"anchors"`  // literals, one of which every match contains; derived from Pattern when empty
	Boundary string   `toml:"boundary"` // a character class, "[A-Za-z0-9_]": none of it may touch the token; "" for no boundary

	Context []string `toml:"context"` // words, in any case, one of which must stand near
	Within  int      `toml:"within"`  // how near, in bytes; 0: the default

	Checksum  *Checksum `toml:"checksum"`  // nil: none
	Structure string    `toml:"structure"` // name of a structural check, "" for none
	Mismatch  string    `toml:"mismatch"`  // "drop" (default) or "lower": what a wrong checksum or structure does

	MinEntropy float64 `toml:"min_entropy"` // bits a byte of the token's body; 0: the tier's default

	Source  string   `toml:"source"` // where the format is described
	Note    string   `toml:"note"`
	Vectors []Vector `toml:"vectors"`
}

// Vector is a token the format must (or must not) accept, encoded so that none
// stands in clear.
type Vector struct {
	B64Rev string `toml:"b64rev"` // base64 of the reversed token
	Valid  bool   `toml:"valid"`  // whether it is found (with "unverified" results off)
	Origin string `toml:"origin"`
}
