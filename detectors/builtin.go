package detectors

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// The formats that come with the program: NAME.toml has an issuer's formats,
// NAME.vectors.toml their vectors.
//
//go:embed formats/*.toml
var builtin embed.FS

const vectorsSuffix = ".vectors.toml"

// Builtin returns the formats that come with the program, without their
// vectors, ordered by file and by place in it. The caller owns the slice. It
// is safe for concurrent use. An error means that the program was built from
// broken files.
func Builtin() ([]Format, error) {
	names, err := builtinFiles()
	if err != nil {
		return nil, err
	}
	all := make([]Format, 0, 2*len(names))
	for _, name := range names {
		data, err := builtin.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("detectors: reading %s: %w", name, err)
		}
		var d document
		if err := toml.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("detectors: %s: %w", name, err)
		}
		for i := range d.Formats {
			d.Formats[i].Issuer = d.Issuer
		}
		all = append(all, d.Formats...)
	}
	return all, nil
}

// BuiltinWithVectors returns what [Builtin] does, each format with its
// vectors, after every check that [Parse] makes. It takes several times as
// long, and is for tests and for showing a format.
func BuiltinWithVectors() ([]Format, error) {
	names, err := builtinFiles()
	if err != nil {
		return nil, err
	}
	var all []Format
	for _, name := range names {
		data, err := builtin.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("detectors: reading %s: %w", name, err)
		}
		formats, err := Parse(name, data)
		if err != nil {
			return nil, err
		}
		if err := addVectors(formats, strings.TrimSuffix(name, ".toml")+vectorsSuffix); err != nil {
			return nil, err
		}
		all = append(all, formats...)
	}
	if err := uniqueIDs(all); err != nil {
		return nil, fmt.Errorf("detectors: built-in formats: %w", err)
	}
	return all, nil
}

func builtinFiles() ([]string, error) {
	names, err := fs.Glob(builtin, "formats/*.toml")
	if err != nil {
		return nil, fmt.Errorf("detectors: listing the built-in formats: %w", err)
	}
	kept := names[:0]
	for _, name := range names {
		if !strings.HasSuffix(name, vectorsSuffix) {
			kept = append(kept, name)
		}
	}
	return kept, nil
}

// vectorFile is a vectors file as TOML sees it.
type vectorFile struct {
	Vectors []struct {
		Format string `toml:"format"` // the id
		B64Rev string `toml:"b64rev"`
		Valid  bool   `toml:"valid"`
		Origin string `toml:"origin"`
	} `toml:"vector"`
}

// addVectors hands the vectors of the embedded file name, which need not
// exist, to the formats they belong to.
func addVectors(formats []Format, name string) error {
	data, err := builtin.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("detectors: reading %s: %w", name, err)
	}
	var v vectorFile
	if err := decodeStrict(data, &v); err != nil {
		return fmt.Errorf("detectors: %s: %w", name, err)
	}
	byID := make(map[string]*Format, len(formats))
	for i := range formats {
		byID[formats[i].ID] = &formats[i]
	}
	for _, x := range v.Vectors {
		f := byID[x.Format]
		if f == nil {
			return fmt.Errorf("detectors: %s: no format %q", name, clip(x.Format))
		}
		f.Vectors = append(f.Vectors, Vector{B64Rev: x.B64Rev, Valid: x.Valid, Origin: x.Origin})
		if err := f.validateVectors(); err != nil {
			return fmt.Errorf("detectors: %s: format %q: %w", name, f.ID, err)
		}
	}
	return nil
}
