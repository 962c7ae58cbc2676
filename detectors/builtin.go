package detectors

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/pelletier/go-toml/v2"
)

// The formats that come with the program, a file for each issuer.
//
//go:embed formats/*.toml
var builtin embed.FS

// Builtin returns the formats that come with the program, ordered by file and
// by place in it. The caller owns the slice. It is safe for concurrent use.
//
// To be fast at every start it checks only that the files are TOML; that they
// pass [Parse] as well is a test's business. An error means that the program
// was built from broken files.
func Builtin() ([]Format, error) {
	names, err := fs.Glob(builtin, "formats/*.toml")
	if err != nil {
		return nil, fmt.Errorf("detectors: listing the built-in formats: %w", err)
	}
	all := make([]Format, 0, 4*len(names))
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
