package app

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patwatch/leak"
	"patwatch/ledger"
	"patwatch/report"
)

// A caseRecord is a case as scripts read it (docs/design.md §9).
type caseRecord struct {
	ID              string           `json:"id"`
	State           leak.CaseState   `json:"state"`
	Resolution      leak.Resolution  `json:"resolution"`
	AuthorizationID string           `json:"authorization_id"`
	OwnerMail       string           `json:"owner_mail"`
	OwnerName       string           `json:"owner_name"`
	Organization    string           `json:"organization"`
	DisplayName     string           `json:"display_name"`
	TokenState      leak.TokenState  `json:"token_state"`
	Format          string           `json:"format"`
	Digest          leak.Digest      `json:"digest"`
	OpenedAt        time.Time        `json:"opened_at"`
	Sightings       []sightingRecord `json:"sightings"`
	Acts            []actRecord      `json:"acts"`
}

type sightingRecord struct {
	Repository string    `json:"repository"`
	Commit     string    `json:"commit"`
	Path       string    `json:"path"`
	Line       int       `json:"line"`
	URL        string    `json:"url"`
	PushedAt   time.Time `json:"pushed_at"`
	SeenAt     time.Time `json:"seen_at"`
	Source     string    `json:"source"`
}

type actRecord struct {
	Kind     leak.ActKind  `json:"kind"`
	State    leak.ActState `json:"state"`
	At       time.Time     `json:"at"` // of the last outcome, or when it is due
	Attempts int           `json:"attempts"`
	Reason   string        `json:"reason,omitempty"`
}

func recordOf(c *leak.Case) caseRecord {
	r := caseRecord{ID: c.ID, State: c.State, Resolution: c.Resolution, AuthorizationID: c.Token.AuthorizationID,
		OwnerMail: c.Token.Mail, OwnerName: c.Token.Name, Organization: c.Token.Organization, DisplayName: c.Token.DisplayName,
		TokenState: c.Token.State, Digest: c.Token.Digest, OpenedAt: c.OpenedAt,
		Sightings: []sightingRecord{}, Acts: []actRecord{}}
	for _, s := range c.Sightings {
		r.Format = s.Format
		r.Sightings = append(r.Sightings, sightingRecord{Repository: s.Place.Repository, Commit: s.Place.Commit, Path: s.Place.Path,
			Line: s.Place.Line, URL: s.Place.URL, PushedAt: s.Push.PushedAt, SeenAt: s.Push.SeenAt, Source: s.Push.Source})
	}
	for _, a := range c.Acts {
		at := a.At
		if at.IsZero() {
			at = a.Due
		}
		r.Acts = append(r.Acts, actRecord{Kind: a.Kind, State: a.State, At: at, Attempts: a.Attempts, Reason: a.Reason})
	}
	return r
}

func newCases(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cases",
		Short: "List, show and resolve cases of leaked tokens",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCasesList(s), newCasesShow(s), newCasesResolve(s), newCasesHold(s), newCasesHasten(s), newCasesRelease(s))
	return cmd
}

// caseFilter are the flags that choose cases.
type caseFilter struct {
	ledger.Query
	state, since, until string
}

func (f *caseFilter) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.state, "state", "", "open or resolved")
	flags.StringVar(&f.Organization, "organization", "", "of this organization")
	flags.StringVar(&f.Owner, "owner", "", "of the owner with this mail address")
	flags.StringVar(&f.Repository, "repository", "", "seen in this repository: owner/name")
	flags.StringVar(&f.Text, "text", "", "with all of these words")
	flags.StringVar(&f.since, "since", "", "from this time on: 2026-11-24, 2026-11-24T10:00:00Z, or 24h ago")
	flags.StringVar(&f.until, "until", "", "before this time")
	flags.IntVar(&f.Limit, "limit", 0, "at most so many (default: all)")
}

// query checks the flags.
func (f *caseFilter) query(now time.Time) (q ledger.Query, err error) {
	q = f.Query
	switch f.state {
	case "", string(leak.CaseOpen), string(leak.CaseResolved):
		q.State = leak.CaseState(f.state)
	default:
		return q, unknownName("state", f.state, []string{"open", "resolved"})
	}
	if q.From, err = parseMoment(f.since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if q.To, err = parseMoment(f.until, now); err != nil {
		return q, fmt.Errorf("--until: %w", err)
	}
	return q, nil
}

// parseMoment reads a day, a time, or a span before now; "" is the zero time.
func parseMoment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return time.Time{}, fmt.Errorf("%q is no time: write 2026-11-24, 2026-11-24T10:00:00Z or 24h", s)
	}
	return now.Add(-d), nil
}

// eachCase calls f with every case of a query, up to its limit if it has one.
func eachCase(ctx context.Context, l *ledger.Ledger, q ledger.Query, f func(*leak.Case) error) error {
	left := q.Limit
	for {
		q.Limit = 1000
		if left > 0 {
			q.Limit = min(left, 1000)
		}
		page, err := l.Cases(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Cases {
			if err := f(&page.Cases[i]); err != nil {
				return err
			}
		}
		if left -= len(page.Cases); page.Next == "" || left == 0 {
			return nil
		}
		q.After = page.Next
	}
}

func newCasesList(s Streams) *cobra.Command {
	var f caseFilter
	var format, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List cases, the newest first",
		Example: `  patwatch cases list --state open
  patwatch cases list --since 24h --format csv -o cases.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				var cases []caseRecord
				if err := eachCase(ctx, l, q, func(c *leak.Case) error { cases = append(cases, recordOf(c)); return nil }); err != nil {
					return err
				}
				return writeTo(s, output, func(w io.Writer) error { return writeCases(w, format, cases) })
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table, json or csv")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

func writeCases(w io.Writer, format string, cases []caseRecord) error {
	switch format {
	case "json":
		if cases == nil {
			cases = []caseRecord{}
		}
		return writeJSON(w, cases)
	case "csv":
		return writeCasesCSV(w, cases)
	case "table":
		return writeCasesTable(w, cases)
	}
	return unknownName("format", format, []string{"table", "json", "csv"})
}

func writeCasesTable(w io.Writer, cases []caseRecord) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CASE\tOPENED\tSTATE\tOWNER\tORGANIZATION\tTOKEN\tPLACES\tTOLD\tREVOKED")
	for i := range cases {
		c := &cases[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", c.ID, c.OpenedAt.UTC().Format("2006-01-02 15:04"), stateOf(c),
			clean(c.OwnerMail), clean(c.Organization), clean(c.DisplayName), len(c.Sightings),
			actOf(c.Acts, leak.Notify), actOf(c.Acts, leak.Revoke))
	}
	return t.Flush()
}

func stateOf(c *caseRecord) string {
	if c.Resolution != "" {
		return string(c.Resolution)
	}
	return string(c.State)
}

// actOf is how far the last act of a kind is.
func actOf(acts []actRecord, kind leak.ActKind) string {
	out := "-"
	for _, a := range acts {
		if a.Kind == kind {
			out = string(a.State)
		}
	}
	return out
}

func writeCasesCSV(w io.Writer, cases []caseRecord) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"id", "state", "resolution", "authorization_id", "owner_mail", "owner_name", "organization", "display_name",
		"token_state", "format", "digest", "opened_at", "sightings", "repository", "commit", "path", "line", "url", "pushed_at", "seen_at",
		"notify", "revoke"}}
	for i := range cases {
		c := &cases[i]
		var first sightingRecord
		if len(c.Sightings) > 0 {
			first = c.Sightings[0]
		}
		rows = append(rows, []string{c.ID, string(c.State), string(c.Resolution), c.AuthorizationID, c.OwnerMail, c.OwnerName, c.Organization,
			c.DisplayName, string(c.TokenState), c.Format, c.Digest.String(), c.OpenedAt.Format(time.RFC3339), strconv.Itoa(len(c.Sightings)),
			first.Repository, first.Commit, first.Path, strconv.Itoa(first.Line), first.URL, first.PushedAt.Format(time.RFC3339),
			first.SeenAt.Format(time.RFC3339), actOf(c.Acts, leak.Notify), actOf(c.Acts, leak.Revoke)})
	}
	for _, row := range rows {
		if err := out.Write(report.Cells(row)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func newCasesShow(s Streams) *cobra.Command {
	var format, output string
	cmd := &cobra.Command{
		Use:     "show CASE",
		Short:   "Show one case: the token, where it was seen, what was done",
		Example: "  patwatch cases show PW-000001",
		Args:    oneArg("the id of a case"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				c, err := l.Case(ctx, args[0])
				if err != nil {
					return fmt.Errorf("case %q: %w", args[0], err)
				}
				record := recordOf(&c)
				return writeTo(s, output, func(w io.Writer) error {
					switch format {
					case "json":
						return writeJSON(w, record)
					case "text":
						return writeCase(w, &record)
					}
					return unknownName("format", format, []string{"text", "json"})
				})
			})
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "text", "text or json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

func writeCase(w io.Writer, c *caseRecord) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t%s\n", c.ID, stateOf(c))
	for _, line := range [][2]string{{"token", c.DisplayName}, {"kind", c.Format}, {"state", string(c.TokenState)}, {"owner", c.OwnerName + " <" + c.OwnerMail + ">"},
		{"organization", c.Organization}, {"authorization", c.AuthorizationID}, {"opened", c.OpenedAt.UTC().Format(time.RFC3339)}} {
		fmt.Fprintf(t, "  %s\t%s\n", line[0], clean(line[1]))
	}
	fmt.Fprintln(t, "seen in")
	for _, s := range c.Sightings {
		place := s.URL
		if place == "" {
			place = fmt.Sprintf("%s %s %s:%d", s.Repository, s.Commit, s.Path, s.Line)
		}
		fmt.Fprintf(t, "  %s\t%s\n", s.PushedAt.UTC().Format(time.RFC3339), clean(place))
	}
	fmt.Fprintln(t, "done")
	for _, a := range c.Acts {
		fmt.Fprintf(t, "  %s\t%s: %s%s\n", a.At.UTC().Format(time.RFC3339), a.Kind, a.State, because(a.Reason))
	}
	return t.Flush()
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + clean(reason) + ")"
}

func newCasesResolve(s Streams) *cobra.Command {
	var as, comment string
	cmd := &cobra.Command{
		Use:     "resolve CASE",
		Short:   "End the review of a case",
		Long:    "Resolve ends the review of a case. What is still to be done about its token, but for telling the owner, is skipped.",
		Example: `  patwatch cases resolve PW-000001 --as used_in_tests --comment "a token of the test tenant"`,
		Args:    oneArg("the id of a case"),
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{string(leak.ResolvedRevoked), string(leak.ResolvedFalsePositive), string(leak.ResolvedUsedInTests), string(leak.ResolvedWontFix)}
			as := strings.ReplaceAll(as, "-", "_")
			if !matchesAny(words, as) {
				return unknownName("resolution", as, words)
			}
			return review(cmd, s, args[0], "resolved", func(ctx context.Context, l *ledger.Ledger) error {
				return l.Resolve(ctx, args[0], leak.Resolution(as), operator(), comment)
			})
		},
	}
	cmd.Flags().StringVar(&as, "as", string(leak.ResolvedRevoked), "revoked, false_positive, used_in_tests or wont_fix")
	cmd.Flags().StringVar(&comment, "comment", "", "why")
	return cmd
}

func newCasesHold(s Streams) *cobra.Command {
	return reviewCommand(s, "hold", "Stop the revocation of a case's token until it is released", "held", (*ledger.Ledger).Hold)
}

func newCasesRelease(s Streams) *cobra.Command {
	return reviewCommand(s, "release", "End the hold of a case", "released", (*ledger.Ledger).Release)
}

func newCasesHasten(s Streams) *cobra.Command {
	return reviewCommand(s, "hasten", "Revoke a case's token at once", "due now", (*ledger.Ledger).Hasten)
}

func reviewCommand(s Streams, name, short, done string, act func(*ledger.Ledger, context.Context, string, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   name + " CASE",
		Short: short,
		Args:  oneArg("the id of a case"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return review(cmd, s, args[0], done, func(ctx context.Context, l *ledger.Ledger) error {
				return act(l, ctx, args[0], operator())
			})
		},
	}
}

// review does something to a case and says so.
func review(cmd *cobra.Command, s Streams, id, done string, act func(context.Context, *ledger.Ledger) error) error {
	return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
		if err := act(ctx, l); err != nil {
			return fmt.Errorf("case %q: %w", id, err)
		}
		_, err := fmt.Fprintln(s.Out, id, done)
		return err
	})
}

// oneArg asks for exactly one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s needs %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}
