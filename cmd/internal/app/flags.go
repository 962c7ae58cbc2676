package app

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patwatch/internal/nearest"
)

// flagError names the nearest flag when one is unknown.
func flagError(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		text, _, _ := strings.Cut(err.Error(), ": strconv.")
		return fmt.Errorf("%s; see %s --help", text, cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return unknownName("flag", "--"+name, names, cmd.CommandPath()+" --help")
}

// noCommand names the nearest command when one is unknown.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return unknownName("command", args[0], names, cmd.CommandPath()+" --help")
}

// unknownName is the error of a name that is none of names: it says the nearest
// one, else where all are, else all.
func unknownName(kind, name string, names []string, see ...string) error {
	if near := nearest.Name(name, names); near != "" {
		return fmt.Errorf("unknown %s %q; did you mean %q?", kind, name, near)
	}
	if len(see) > 0 {
		return fmt.Errorf("unknown %s %q; see %s", kind, name, see[0])
	}
	return fmt.Errorf("unknown %s %q: one of %s", kind, name, strings.Join(names, ", "))
}

// byteSize is a flag's value: a number of bytes, written "64MiB", "10MB" or
// "4096".
type byteSize int64

func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }
func (b *byteSize) Type() string   { return "size" }

// Set parses a size. Units are in any case; KB, MB and GB are powers of 1000,
// KiB, MiB and GiB of 1024.
func (b *byteSize) Set(s string) error {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit, known := unitOf(strings.TrimSpace(s[len(digits):]))
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !known || n < 0 || n*unit > math.MaxInt64/2 {
		return fmt.Errorf("write a size as 4096, 500KB or 64MiB")
	}
	*b = byteSize(n * unit)
	return nil
}

func unitOf(name string) (float64, bool) {
	switch strings.ToLower(name) {
	case "", "b":
		return 1, true
	case "k", "kib":
		return 1 << 10, true
	case "m", "mib":
		return 1 << 20, true
	case "g", "gib":
		return 1 << 30, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	}
	return 0, false
}
