package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patwatch/detectors"
)

// formatFlags choose the formats that are looked for.
type formatFlags struct {
	files         []string
	only, exclude []string
}

func (f *formatFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.files, "formats", nil, "add the formats of this TOML `FILE` (may be repeated)")
	flags.StringSliceVar(&f.only, "only", nil, "look for these formats only: `ID`s or patterns, 'github-*'")
	flags.StringSliceVar(&f.exclude, "exclude", nil, "leave out these formats: `ID`s or patterns")
}

// load returns the chosen formats. It is an error if none is left, or if a
// name or pattern chooses nothing: a scan that looks for nothing finds nothing
// and looks clean.
func (f *formatFlags) load() ([]detectors.Format, error) {
	all, err := detectors.Builtin()
	if err != nil {
		return nil, err
	}
	for _, file := range f.files {
		more, err := readFormats(file)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	for _, list := range [][]string{f.only, f.exclude} {
		for _, p := range list {
			if err := chooses(p, all); err != nil {
				return nil, err
			}
		}
	}
	var chosen []detectors.Format
	for _, format := range all {
		if (len(f.only) == 0 || matchesAny(f.only, format.ID)) && !matchesAny(f.exclude, format.ID) {
			chosen = append(chosen, format)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("--only and --exclude leave no format to look for")
	}
	return chosen, nil
}

func (f *formatFlags) compile(unverified bool) (*detectors.Matcher, error) {
	formats, err := f.load()
	if err != nil {
		return nil, err
	}
	return detectors.Compile(formats, detectors.Options{Unverified: unverified})
}

// chooses checks that the pattern p stands for at least one format.
func chooses(p string, formats []detectors.Format) error {
	var ids []string
	for _, f := range formats {
		ok, err := path.Match(p, f.ID)
		if err != nil {
			return fmt.Errorf("%q is not a pattern: %w", p, err)
		}
		if ok {
			return nil
		}
		ids = append(ids, f.ID)
	}
	return unknownName("format", p, ids, "patwatch formats list")
}

func matchesAny(patterns []string, id string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, id); ok {
			return true
		}
	}
	return false
}

// maxFormatsFile bounds a user's formats file.
const maxFormatsFile = 64 << 20

func readFormats(file string) ([]detectors.Format, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxFormatsFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	if len(data) > maxFormatsFile {
		return nil, fmt.Errorf("%s: more than %d MiB", file, maxFormatsFile>>20)
	}
	return detectors.Parse(filepath.Base(file), data)
}

func newFormats(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "formats",
		Short: "List, show and check token formats",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFormatsList(s), newFormatsShow(s), newFormatsCheck(s))
	return cmd
}

func newFormatsList(s Streams) *cobra.Command {
	var f formatFlags
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the formats that a scan looks for",
		Example: `  patwatch formats list
  patwatch formats list --only 'gitlab-*' --format json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			formats, err := f.load()
			if err != nil {
				return err
			}
			return listFormats(s.Out, formats, format)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table or json")
	return cmd
}

// A formatRow is a format in a list.
type formatRow struct {
	ID       string `json:"id"`
	Tier     string `json:"tier"`
	Checksum bool   `json:"checksum"`
	Issuer   string `json:"issuer"`
	Name     string `json:"name"`
	Kind     string `json:"kind"`
}

func listFormats(w io.Writer, formats []detectors.Format, format string) error {
	rows := make([]formatRow, len(formats))
	for i, f := range formats {
		rows[i] = formatRow{f.ID, f.Tier.String(), f.Checksum != nil, f.Issuer, f.Name, f.Kind}
	}
	switch format {
	case "json":
		return writeJSON(w, rows)
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, r := range rows {
			fmt.Fprintf(t, "%s\t%s\t%s\n", r.ID, r.Tier, r.Name)
		}
		return t.Flush()
	}
	return fmt.Errorf("unknown format %q: table or json", format)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func newFormatsShow(s Streams) *cobra.Command {
	var f formatFlags
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show how a format is recognised",
		Example: `  patwatch formats show github-ghp`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			f.only = args
			formats, err := f.load()
			if err != nil {
				return err
			}
			return explainFormats(s.Out, formats)
		},
	}
	cmd.Flags().StringSliceVar(&f.files, "formats", nil, "add the formats of this TOML `FILE`")
	return cmd
}

// explainFormats says of each format what its file says and what the matcher
// derives from it.
func explainFormats(w io.Writer, formats []detectors.Format) error {
	m, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		return err
	}
	for i := range formats {
		if _, err := io.WriteString(w, m.Explain(i)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func newFormatsCheck(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Compile a formats file, run its vectors, and explain what was derived",
		Example: `  patwatch formats check our-tokens.toml`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return checkFormats(s.Out, args[0]) },
	}
}

func checkFormats(w io.Writer, file string) error {
	formats, err := readFormats(file)
	if err != nil {
		return err
	}
	if err := explainFormats(w, formats); err != nil {
		return err
	}
	checked, failed := 0, 0
	for _, f := range formats {
		for i, v := range f.Vectors {
			checked++
			if err := detectors.CheckVector(f, v); err != nil {
				failed++
				fmt.Fprintf(w, "%s, vector %d: %s\n", f.ID, i+1, err)
			}
		}
	}
	fmt.Fprintf(w, "%d formats, %d vectors, %d failed\n", len(formats), checked, failed)
	if failed > 0 {
		return exitCode(exitError)
	}
	return nil
}
