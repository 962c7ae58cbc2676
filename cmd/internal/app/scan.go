package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"patwatch/report"
	"patwatch/scanner"
)

// scanFlags are the flags of the scan command.
type scanFlags struct {
	staged, noHistory bool
	since, span       string
	branches          []string

	select_    formatFlags
	unverified bool

	maxBlob  byteSize
	jobs     int
	exitCode int

	format, output string
	showSecrets    bool
}

func newScan(s Streams) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan [PATH | URL | -]",
		Short: "Scan a repository's whole history, a folder, a file or standard input",
		Long: `Scan looks for tokens in a repository: the whole history of everything in its
object store, and the files of its work tree that are modified or untracked. A
PATH that is no repository is scanned as a folder or a file; a URL (https, ssh,
file) is cloned into a temporary folder first; - is standard input. Without an
argument it scans the repository of the current folder.

Exit code 0: everything was read and nothing found. 1: something was found.
2: something could not be read, or the call was wrong.`,
		Example: `  patwatch scan ~/src/shop                        everything, for people
  patwatch scan --format sarif -o leaks.sarif     for a code host
  patwatch scan --staged                          in a pre-commit hook
  patwatch scan --range origin/main..HEAD         in CI, before a merge
  patwatch scan --no-history .                    the files only
  patwatch scan --only 'github-*,azure-*' .       some formats only
  kubectl logs deploy/api | patwatch scan -`,
		Args: oneTarget,
		RunE: func(cmd *cobra.Command, args []string) error { return runScan(cmd.Context(), s, f, args) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.staged, "staged", false, "scan only what is about to be committed")
	flags.BoolVar(&f.noHistory, "no-history", false, "scan the files only")
	flags.StringVar(&f.since, "since", "", "only commits that `REV` does not reach")
	flags.StringVar(&f.span, "range", "", "only commits of `A..B`: reached from B, not from A")
	flags.StringSliceVar(&f.branches, "branch", nil, "only commits of this branch or `REV` (may be repeated)")
	f.select_.register(flags)
	flags.BoolVar(&f.unverified, "unverified", false, "also show tokens with a wrong checksum and lone identifiers, marked")
	flags.Var(&f.maxBlob, "max-blob", "leave out blobs and files above this `SIZE` (the scan is then incomplete)")
	flags.IntVarP(&f.jobs, "jobs", "j", 0, "work on `N` things at once (default: one for each CPU)")
	flags.StringVarP(&f.format, "format", "f", "table", "table, json, jsonl, sarif, gitleaks or csv")
	flags.StringVarP(&f.output, "output", "o", "", "write the report to `FILE`")
	flags.BoolVar(&f.showSecrets, "show-secrets", false, "show tokens in full instead of masked")
	flags.IntVar(&f.exitCode, "exit-code", exitFound, "exit with `N` when something was found")
	return cmd
}

// oneTarget refuses a second target, often a pattern that the shell expanded.
func oneTarget(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("scan takes one target, not %d: name one repository, folder, file or URL", len(args))
	}
	return nil
}

// selects says whether only some commits are asked for.
func (f *scanFlags) selects() bool { return f.since != "" || f.span != "" || len(f.branches) > 0 }

// needsRepository says whether the flags make sense for a repository only.
func (f *scanFlags) needsRepository() bool { return f.staged || f.selects() }

// check refuses flags that exclude each other.
func (f *scanFlags) check(target string) error {
	if !slices.Contains(report.Formats(), f.format) {
		return unknownName("report format", f.format, report.Formats())
	}
	history := f.selects()
	switch {
	case f.staged && (history || f.noHistory):
		return errors.New("--staged scans the index only: leave out --no-history, --since, --range and --branch")
	case f.noHistory && history:
		return errors.New("--no-history scans no commits: leave out --since, --range and --branch")
	case f.since != "" && f.span != "":
		return errors.New("--since and --range exclude each other")
	case target == "-" && (history || f.staged || f.noHistory):
		return errors.New("standard input has no commits: leave out --staged, --no-history, --since, --range and --branch")
	case f.exitCode < 0 || f.exitCode > 255:
		return errors.New("--exit-code must be between 0 and 255")
	case f.jobs < 0:
		return errors.New("--jobs must not be negative")
	}
	return nil
}

// selection is what the flags leave of the history.
func (f *scanFlags) selection() (scanner.Selection, error) {
	sel := scanner.Selection{Include: f.branches}
	if f.since != "" {
		sel.Exclude = append(sel.Exclude, f.since)
		if len(sel.Include) == 0 {
			sel.Include = []string{"HEAD"}
		}
	}
	if f.span != "" {
		from, to, err := splitRange(f.span)
		if err != nil {
			return sel, err
		}
		sel.Include, sel.Exclude = append(sel.Include, to), append(sel.Exclude, from)
	}
	return sel, nil
}

// runScan is the scan command.
func runScan(ctx context.Context, s Streams, f scanFlags, args []string) error {
	target := "."
	if len(args) > 0 {
		target = args[0]
	}
	if err := f.check(target); err != nil {
		return err
	}
	matcher, err := f.select_.compile(f.unverified)
	if err != nil {
		return err
	}
	out, err := openReport(s, f)
	if err != nil {
		return err
	}
	progress := &scanner.Progress{}
	job := &scanJob{
		streams: s, flags: f, target: target, implied: len(args) == 0, progress: progress, out: out,
		scanner: scanner.New(matcher, scanner.Options{Jobs: f.jobs, MaxBlob: int64(f.maxBlob), Live: report.Streams(f.format), Progress: progress}),
	}
	return job.run(ctx, len(matcher.Formats()))
}
