package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"patwatch/leak"
	"patwatch/report"
	"patwatch/tokenstore"
)

const tokensFile = "tokens.db"

func newTokens(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tokens",
		Short: "Import and look at the tokens that the issuer knows",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokensImport(s), newTokensList(s), newTokensStats(s), newTokensDigest(s))
	return cmd
}

// keyring returns the peppers; they are made on the first start.
func (h *home) keyring() (*leak.Keyring, error) {
	return tokenstore.LoadKeyring(h.orDefault(h.Tokens.PepperFile, "pepper"))
}

// openTokens opens the token store, which an import may make.
func (h *home) openTokens(ctx context.Context) (*tokenstore.Store, error) {
	if err := os.MkdirAll(h.DataDir, 0o700); err != nil {
		return nil, err
	}
	keys, err := h.keyring()
	if err != nil {
		return nil, err
	}
	return tokenstore.Open(ctx, h.file(tokensFile), keys)
}

// withTokens runs f on the token store, which must be there already.
func withTokens(cmd *cobra.Command, f func(context.Context, *home, *tokenstore.Store) error) error {
	h, err := loadHome(cmd)
	if err != nil {
		return err
	}
	if err := h.existing(tokensFile); err != nil {
		return err
	}
	store, err := h.openTokens(cmd.Context())
	if err != nil {
		return err
	}
	return errors.Join(f(cmd.Context(), h, store), store.Close())
}

// importFlags are the flags of tokens import.
type importFlags struct {
	format, rejects, asOf    string
	snapshot, shrink, dryRun bool
}

func newTokensImport(s Streams) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import an export of the issuer's tokens",
		Long: `Import reads records of tokens, one JSON object a line or CSV with a header:
sha256 (of the token, hex or base64) or hmac with pepper_version, authorization_id,
owner_id, owner_name, owner_mail, organization, display_name, scopes, valid_from,
valid_to and state. They are added to what is there; with --snapshot they replace
it, all at once when the whole file was read. An import that was interrupted goes
on where it stopped. FILE may be - for standard input.

It exits with 1 when records were rejected.`,
		Example: `  patwatch tokens import tokens.ndjson --snapshot --as-of 2026-11-24T03:00:00Z
  patwatch tokens import changes.csv --rejects rejects.ndjson
  issuer-export | patwatch tokens import - --dry-run`,
		Args: oneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(cmd, s, args[0], f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.format, "format", "f", "", "ndjson or csv (default: by the name of the file)")
	flags.BoolVar(&f.snapshot, "snapshot", false, "the file is everything: it replaces what is there")
	flags.BoolVar(&f.shrink, "allow-shrink", false, "a snapshot may have less than half of the tokens that are there")
	flags.StringVar(&f.asOf, "as-of", "", "when the export was taken: `TIME` (default: the newest valid_from in it)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything and store nothing")
	flags.StringVar(&f.rejects, "rejects", "", "write the lines that were rejected, and why, to this `FILE`")
	return cmd
}

// options checks the flags.
func (f *importFlags) options(name string, now time.Time) (o tokenstore.ImportOptions, err error) {
	o = tokenstore.ImportOptions{Format: tokenstore.Format(f.format), Snapshot: f.snapshot, Shrink: f.shrink, DryRun: f.dryRun}
	switch o.Format {
	case "":
		o.Format = tokenstore.NDJSON
		if strings.EqualFold(filepath.Ext(name), ".csv") {
			o.Format = tokenstore.CSV
		}
	case tokenstore.NDJSON, tokenstore.CSV:
	default:
		return o, unknownName("format", f.format, []string{"ndjson", "csv"})
	}
	if o.AsOf, err = parseMoment(f.asOf, now); err != nil {
		return o, fmt.Errorf("--as-of: %w", err)
	}
	if o.AsOf.After(now) {
		return o, errors.New("--as-of: it is in the future")
	}
	return o, nil
}

func runImport(cmd *cobra.Command, s Streams, name string, f importFlags) (err error) {
	o, err := f.options(name, time.Now())
	if err != nil {
		return err
	}
	h, err := loadHome(cmd)
	if err != nil {
		return err
	}
	in := s.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	if f.rejects != "" {
		rejects, err := os.OpenFile(f.rejects, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rejects.Close()) }()
		o.Rejects = rejects
	}
	store, err := h.openTokens(cmd.Context())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	stop := watchImport(s, name, &o)
	done, err := store.Import(cmd.Context(), in, o)
	stop()
	if err != nil {
		return err
	}
	return sayImported(s.Out, done, f.dryRun)
}

func sayImported(w io.Writer, r tokenstore.ImportReport, dryRun bool) error {
	verb := "Imported"
	if dryRun {
		verb = "Checked"
	}
	fmt.Fprintf(w, "%s %d tokens, rejected %d records.", verb, r.Accepted, r.Rejected)
	if r.Resumed > 0 {
		fmt.Fprintf(w, " Went on after line %d.", r.Resumed)
	}
	if !r.HighWater.IsZero() {
		fmt.Fprintf(w, " Every token from before %s is known.", r.HighWater.Format(time.RFC3339))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if r.Rejected > 0 {
		return exitCode(exitFound)
	}
	return nil
}

// watchImport draws a progress line on a terminal. The func it returns ends it.
func watchImport(s Streams, name string, o *tokenstore.ImportOptions) (stop func()) {
	term := terminalOf(s.Err)
	if !term.Live {
		return func() {}
	}
	started := time.Now()
	bar := report.NewProgress(s.Err, name, term)
	o.Progress = func(r tokenstore.ImportReport) {
		bar.Update(report.Status{Done: r.Accepted + r.Rejected, Things: "records", Bytes: r.Bytes}, time.Since(started))
	}
	return bar.Done
}

func newTokensList(s Streams) *cobra.Command {
	var q tokenstore.Query
	var state, format, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens",
		Example: `  patwatch tokens list --owner ada@contoso.example
  patwatch tokens list --state revoked --format csv -o revoked.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			states := []string{"active", "revoked", "expired"}
			if state != "" && !matchesAny(states, state) {
				return unknownName("state", state, states)
			}
			q.State = leak.TokenState(state)
			return withTokens(cmd, func(ctx context.Context, _ *home, store *tokenstore.Store) error {
				return writeTo(s, output, func(w io.Writer) error { return listTokens(ctx, w, store, q, format) })
			})
		},
	}
	cmd.Flags().StringVar(&q.Owner, "owner", "", "of the owner with this mail address")
	cmd.Flags().StringVar(&q.Organization, "organization", "", "of this organization")
	cmd.Flags().StringVar(&state, "state", "", "active, revoked or expired")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "at most so many (default: all)")
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, json or csv")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

func listTokens(ctx context.Context, w io.Writer, store *tokenstore.Store, q tokenstore.Query, format string) error {
	switch format {
	case "json":
		tokens := []leak.Token{}
		if err := store.List(ctx, q, func(t leak.Token) error { tokens = append(tokens, t); return nil }); err != nil {
			return err
		}
		return writeJSON(w, tokens)
	case "csv":
		out := csv.NewWriter(w)
		if err := out.Write([]string{"authorization_id", "owner_id", "owner_name", "owner_mail", "organization", "display_name", "scopes",
			"valid_from", "valid_to", "state", "digest"}); err != nil {
			return err
		}
		err := store.List(ctx, q, func(t leak.Token) error {
			return out.Write(report.Cells([]string{t.AuthorizationID, t.ID, t.Name, t.Mail, t.Organization, t.DisplayName, t.Scopes,
				stamp(t.ValidFrom), stamp(t.ValidTo), string(t.State), t.Digest.String()}))
		})
		out.Flush()
		return errors.Join(err, out.Error())
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "AUTHORIZATION\tOWNER\tORGANIZATION\tTOKEN\tVALID TO\tSTATE")
		err := store.List(ctx, q, func(x leak.Token) error {
			_, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", clean(x.AuthorizationID), clean(x.Mail), clean(x.Organization),
				clean(x.DisplayName), stamp(x.ValidTo), x.State)
			return err
		})
		return errors.Join(err, t.Flush())
	}
	return unknownName("format", format, []string{"table", "json", "csv"})
}

// stamp writes a time, and nothing for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func newTokensStats(s Streams) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count the tokens of the store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTokens(cmd, func(ctx context.Context, _ *home, store *tokenstore.Store) error {
				st, err := store.Stats(ctx)
				if err != nil {
					return err
				}
				switch format {
				case "json":
					return writeJSON(s.Out, st)
				case "text":
					_, err := fmt.Fprintf(s.Out, "%d tokens: %d active, %d revoked, %d expired; %d owners, %d organizations; every token from before %s is known\n",
						st.Tokens, st.Active, st.Revoked, st.Expired, st.Owners, st.Organizations, stamp(st.HighWater))
					return err
				}
				return unknownName("format", format, []string{"text", "json"})
			})
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	return cmd
}

// maxTokenInput bounds what tokens digest reads.
const maxTokenInput = 64 << 10

func newTokensDigest(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "digest",
		Short: "Read a token from standard input and say whether the store knows it",
		Long: `Digest reads one token from standard input, prints its digest, and says whether
the store knows it. It exits with 1 when the store does not. The token is not
stored, and never an argument, which other users of the machine could see.`,
		Example: "  patwatch tokens digest < token.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := io.ReadAll(io.LimitReader(s.In, maxTokenInput+1))
			if err != nil {
				return fmt.Errorf("reading the token: %w", err)
			}
			data = bytes.TrimSpace(data)
			if len(data) == 0 || len(data) > maxTokenInput {
				return fmt.Errorf("standard input holds no token, or more than %d bytes", maxTokenInput)
			}
			return withTokens(cmd, func(ctx context.Context, h *home, store *tokenstore.Store) error {
				return sayDigest(ctx, s.Out, h, store, leak.NewSecret(data))
			})
		},
	}
}

func sayDigest(ctx context.Context, w io.Writer, h *home, store *tokenstore.Store, token leak.Secret) error {
	keys, err := h.keyring()
	if err != nil {
		return err
	}
	digests := keys.All(token.Sum())
	found, err := store.Lookup(ctx, digests)
	if err != nil {
		return err
	}
	for _, d := range digests {
		if t, ok := found[d]; ok {
			_, err := fmt.Fprintf(w, "%s\nknown: authorization %s, %s, of %s, %s\n", d, clean(t.AuthorizationID), t.StateAt(time.Now()), clean(t.Mail), clean(t.DisplayName))
			return err
		}
	}
	if _, err := fmt.Fprintf(w, "%s\nnot known\n", digests[0]); err != nil {
		return err
	}
	return exitCode(exitFound)
}
