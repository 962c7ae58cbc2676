package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"patwatch/detectors"
	"patwatch/fixtures"
)

func newDemo(s Streams) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Make a repository with planted tokens and scan it",
		Long: `Demo makes a small repository in a temporary folder, plants made-up tokens where
people leave them (a branch, the resolution of a merge, a deleted file, the
middle of a large file, a stash, a commit that no branch has any more, a file
not committed yet), scans it, and prints the table. It needs git.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), s, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the repository and say where it is")
	return cmd
}

// demoFormats are the formats of the planted tokens.
var demoFormats = [fixtures.DemoTokens]string{
	"azure-devops-pat", "github-ghp", "azure-devops-pat-legacy", "gitlab-pat-routable",
	"npm-access-token", "slack-bot", "pypi-token",
}

func runDemo(ctx context.Context, s Streams, keep bool) error {
	tmp, err := os.MkdirTemp("", "patwatch-demo-")
	if err != nil {
		return err
	}
	dir := filepath.Join(tmp, "shop")
	if keep {
		fmt.Fprintln(s.Out, "The repository stays in", dir)
	} else {
		defer os.RemoveAll(tmp)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	tokens, err := demoTokens()
	if err != nil {
		return err
	}
	truth, err := fixtures.Demo(ctx, dir, tokens)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "Planted %d tokens in a repository of %d commits. $ patwatch scan shop\n\n", len(tokens), truth.Commits)
	f := scanFlags{format: "table", exitCode: exitClean}
	return runScan(ctx, s, f, []string{dir})
}

// demoTokens makes a token of each demo format. They are random but for their
// checksums, always the same, and belong to nobody.
func demoTokens() ([]fixtures.Token, error) {
	r := rand.New(rand.NewPCG(1, 2))
	f := formatFlags{}
	var tokens []fixtures.Token
	for _, id := range demoFormats {
		f.only = []string{id}
		formats, err := f.load()
		if err != nil {
			return nil, err
		}
		token, err := detectors.Mint(formats[0], r)
		if err != nil {
			return nil, fmt.Errorf("minting a token: %w", err)
		}
		tokens = append(tokens, fixtures.Token{Name: id, Value: token})
	}
	return tokens, nil
}
