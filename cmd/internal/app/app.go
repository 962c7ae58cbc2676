// Package app is the program: its commands, their flags and exit codes, and
// the wiring of the other packages. It is the only package that knows all
// others. [Run] is the whole program and runs inside a test.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. They are part of the operators' contract (docs/design.md §9).
const (
	exitClean = 0 // everything was read, nothing was found
	exitFound = 1 // something was found; --exit-code changes it
	exitError = 2 // something could not be read, or the call was wrong
)

// Streams are the standard streams of one run.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Run runs the program with its arguments, without the program's name, and
// returns its exit code. It ends soon after ctx does. It keeps no state between
// calls and may be called concurrently.
func Run(ctx context.Context, args []string, s Streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitClean
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, syscall.EPIPE):
		return exitError // whoever read the output has had enough
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(s.Err, "patwatch:", clean(strings.TrimRight(line, "\n")))
	}
	return exitError
}

// exitCode is the error of a command that has said all there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func newRoot(s Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "patwatch",
		Short: "Find leaked access tokens, fast and exactly",
		Long: `patwatch finds leaked access tokens: personal access tokens, API keys and
other secrets that issuers gave a recognisable form. It knows their checksums,
so that what it calls verified is a token and not something that looks like one.`,
		Example: `  patwatch scan                  the repository you are in, its whole history
  patwatch scan --staged         what you are about to commit
  patwatch scan https://github.com/redis/redis
  patwatch formats list`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().String("config", "", "the configuration `FILE` of the service (docs/operating.md)")
	root.AddCommand(newScan(s), newServe(s), newFormats(s), newTokens(s), newQueue(s), newCases(s), newAudit(s), newDemo(s), newVersion(s))
	return root
}
