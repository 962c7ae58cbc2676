package detectors

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// What a formats file may hold at most: far above what the built-in files
// need, and low enough that a hostile file costs milliseconds.
const (
	maxFile    = 16 << 20 // bytes of one file
	maxFormats = 50000    // formats in one file
	maxPattern = 4096     // bytes of a pattern
	maxText    = 1000     // bytes of any other text
	maxList    = 256      // entries of a list
	maxLength  = 1 << 16  // largest max_length
	maxVector  = 1 << 17  // bytes of an encoded vector
	maxNear    = 1 << 12  // largest within
	maxID      = 64       // bytes of an id
)

// document is a formats file as TOML sees it.
type document struct {
	Issuer  string   `toml:"issuer"`
	Formats []Format `toml:"format"`
}

// Parse reads one formats file. It returns every format of it, checked: the
// pattern is RE2, the checksum and the structure are known, the vectors
// decode. It is strict: a key it does not know is an error that names the key
// and the nearest one it does know.
//
// An error names file, the format's id and what to change, and wraps nothing
// of the pattern. Parse does not look whether the vectors match.
func Parse(file string, data []byte) ([]Format, error) {
	formats, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("detectors: %s: %w", clip(file), err)
	}
	return formats, nil
}

func parse(data []byte) ([]Format, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes; split it, %d is the most", len(data), maxFile)
	}
	var d document
	if err := decodeStrict(data, &d); err != nil {
		return nil, err
	}
	if len(d.Formats) > maxFormats {
		return nil, fmt.Errorf("the file has %d formats; split it, %d is the most", len(d.Formats), maxFormats)
	}
	if d.Issuer == "" || len(d.Issuer) > maxText {
		return nil, errors.New(`write issuer = "..." before the first [[format]]`)
	}
	for i := range d.Formats {
		f := &d.Formats[i]
		f.Issuer = d.Issuer
		if err := f.validate(); err != nil {
			return nil, fmt.Errorf("format %q (number %d): %w", clip(f.ID), i+1, err)
		}
	}
	if err := uniqueIDs(d.Formats); err != nil {
		return nil, err
	}
	return d.Formats, nil
}

// decodeStrict unmarshals data into v, whose keys are all the keys there are.
func decodeStrict(data []byte, v any) error {
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	var missing *toml.StrictMissingError
	if errors.As(err, &missing) && len(missing.Errors) > 0 {
		e := &missing.Errors[0]
		row, _ := e.Position()
		key := e.Key()
		return fmt.Errorf("line %d: unknown key %q; did you mean %q?", row, clip(strings.Join(key, ".")), nearest(key, v))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, _ := bad.Position()
		return fmt.Errorf("line %d: %s", row, clip(bad.Error()))
	}
	return err
}

func uniqueIDs(formats []Format) error {
	seen := make(map[string]bool, len(formats))
	for i := range formats {
		id := formats[i].ID
		if seen[id] {
			return fmt.Errorf("format %q: the id stands twice; rename one", id)
		}
		seen[id] = true
	}
	return nil
}

// validate says what is wrong with f, and what to write instead.
func (f *Format) validate() error {
	checks := []func() error{f.validateNames, f.validatePattern, f.validateContext, f.validateBody, f.validateVectors}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	_, err := f.compileProof()
	return err
}

func (f *Format) validateNames() error {
	if !validID(f.ID) {
		return fmt.Errorf("id must be 1 to %d of a-z, 0-9 and -, and start with a letter or digit", maxID)
	}
	if f.Name == "" || f.Kind == "" {
		return errors.New("name and kind must not be empty")
	}
	for _, s := range []string{f.Name, f.Kind, f.Source, f.Note} {
		if len(s) > maxText {
			return fmt.Errorf("name, kind, source and note have at most %d bytes each", maxText)
		}
	}
	if f.Tier < Identifier || f.Tier > Checked {
		return errors.New(`tier must be "identifier", "context", "shape" or "verified"`)
	}
	return nil
}

func validID(id string) bool {
	if id == "" || len(id) > maxID || id[0] == '-' {
		return false
	}
	for _, c := range []byte(id) {
		if !(c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z') {
			return false
		}
	}
	return true
}

func (f *Format) validatePattern() error {
	if f.Pattern == "" || len(f.Pattern) > maxPattern {
		return fmt.Errorf("pattern must have 1 to %d bytes", maxPattern)
	}
	if err := validRegexp("pattern", f.Pattern); err != nil {
		return err
	}
	if f.MaxLength < 0 || f.MaxLength > maxLength {
		return fmt.Errorf("max_length must be 0 to %d", maxLength)
	}
	if b := f.Boundary; b != "" {
		if len(b) > maxText || b[0] != '[' || b[len(b)-1] != ']' {
			return errors.New(`boundary must be one character class, as in "[A-Za-z0-9_]"`)
		}
		if err := validRegexp("boundary", b); err != nil {
			return err
		}
	}
	return validList("anchors", f.Anchors, maxList)
}

func validRegexp(key, expr string) error {
	_, err := syntax.Parse(expr, syntax.Perl)
	var bad *syntax.Error
	if errors.As(err, &bad) {
		return fmt.Errorf("%s is not RE2: %s", key, bad.Code)
	}
	return err
}

func (f *Format) validateContext() error {
	if f.Tier == Context && len(f.Context) == 0 {
		return errors.New("tier context needs context words")
	}
	if f.Within < 0 || f.Within > maxNear {
		return fmt.Errorf("within must be 0 to %d", maxNear)
	}
	return validList("context", f.Context, maxList)
}

func validList(key string, list []string, most int) error {
	if len(list) > most {
		return fmt.Errorf("%s has %d entries; %d is the most", key, len(list), most)
	}
	for _, s := range list {
		if s == "" || len(s) > maxText {
			return fmt.Errorf("every entry of %s must have 1 to %d bytes", key, maxText)
		}
	}
	return nil
}

func (f *Format) validateBody() error {
	if f.Mismatch != "" && f.Mismatch != "drop" && f.Mismatch != "lower" {
		return errors.New(`mismatch must be "drop" or "lower"`)
	}
	if f.Placeholders != "" && f.Placeholders != "reject" && f.Placeholders != "allow" {
		return errors.New(`placeholders must be "reject" or "allow"`)
	}
	if !(f.MinEntropy <= 8) { // not a number, too
		return errors.New("min_entropy is in bits a byte: at most 8")
	}
	for _, sum := range f.Examples {
		if b, err := hex.DecodeString(sum); err != nil || len(b) != 32 {
			return errors.New("every entry of examples must be a SHA-256 in hex")
		}
	}
	return validList("examples", f.Examples, maxList)
}

func (f *Format) validateVectors() error {
	if len(f.Vectors) > maxList {
		return fmt.Errorf("%d vectors; %d is the most", len(f.Vectors), maxList)
	}
	for i, v := range f.Vectors {
		if _, err := v.Token(); err != nil {
			return fmt.Errorf("vector %d: %w", i+1, err)
		}
	}
	return nil
}

// Token decodes the vector. The token it returns is the caller's own.
func (v Vector) Token() ([]byte, error) {
	if v.B64Rev == "" || len(v.B64Rev) > maxVector {
		return nil, fmt.Errorf("b64rev must have 1 to %d characters", maxVector)
	}
	b, err := base64.StdEncoding.DecodeString(v.B64Rev)
	if err != nil {
		return nil, errors.New("b64rev must be the base64 of the reversed token")
	}
	slices.Reverse(b)
	return b, nil
}

// VectorOf encodes a token the way formats files hold it.
func VectorOf(token []byte, valid bool, origin string) Vector {
	b := slices.Clone(token)
	slices.Reverse(b)
	return Vector{B64Rev: base64.StdEncoding.EncodeToString(b), Valid: valid, Origin: origin}
}
