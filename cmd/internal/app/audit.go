package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"patwatch/auditlog"
	"patwatch/ledger"
)

func newAudit(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List, export, prove and verify the audit log",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditList(s), newAuditExport(s), newAuditVerify(s), newAuditProve(s))
	return cmd
}

// eventFilter are the flags that choose events.
type eventFilter struct {
	ledger.Query
	since, until string
}

func (f *eventFilter) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.Action, "action", "", "one action, or an area with a dot: Token.")
	flags.StringVar(&f.Organization, "organization", "", "of this organization")
	flags.StringVar(&f.Case, "case", "", "of the case with this id")
	flags.StringVar(&f.Text, "text", "", "with all of these words")
	flags.StringVar(&f.since, "since", "", "from this time on: 2026-11-24, 2026-11-24T10:00:00Z, or 24h ago")
	flags.StringVar(&f.until, "until", "", "before this time")
}

func (f *eventFilter) query(now time.Time) (q ledger.Query, err error) {
	q = f.Query
	if q.From, err = parseMoment(f.since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if q.To, err = parseMoment(f.until, now); err != nil {
		return q, fmt.Errorf("--until: %w", err)
	}
	return q, nil
}

// eachEvent calls f with the events of a query, the newest first, at most limit
// of them (0: all).
func eachEvent(ctx context.Context, l *ledger.Ledger, q ledger.Query, limit int, f func(auditlog.Entry) error) error {
	for n := 0; ; {
		q.Limit = 1000
		if limit > 0 {
			q.Limit = min(limit-n, 1000)
		}
		page, err := l.Events(ctx, q)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := f(e); err != nil {
				return err
			}
		}
		if n += len(page.Entries); page.Next == "" || n == limit {
			return nil
		}
		q.After = page.Next
	}
}

func newAuditList(s Streams) *cobra.Command {
	var f eventFilter
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, the newest first",
		Long:  "List shows events, the newest first. That the log was looked at is an event too.",
		Example: `  patwatch audit list --since 24h
  patwatch audit list --action Token. --organization contoso`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				if err := l.Log(ctx, auditlog.AccessLog(q.Organization, auditlog.Person(operator()))); err != nil {
					return err
				}
				return listEvents(ctx, s.Out, l, q, limit)
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many; 0: all")
	return cmd
}

func listEvents(ctx context.Context, w io.Writer, l *ledger.Ledger, q ledger.Query, limit int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "INDEX\tTIME\tACTION\tACTOR\tDETAILS")
	err := eachEvent(ctx, l, q, limit, func(entry auditlog.Entry) error {
		if entry.Body == nil {
			_, err := fmt.Fprintf(t, "%d\t\t\t\t(deleted by retention)\n", entry.Index)
			return err
		}
		e, err := entry.Event()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\n", entry.Index, e.Timestamp.UTC().Format("2006-01-02 15:04:05"),
			e.ActionID, clean(e.ActorDisplayName), clean(e.Details))
		return err
	})
	return errors.Join(err, t.Flush())
}

func newAuditExport(s Streams) *cobra.Command {
	var f eventFilter
	var format, output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write events to a file, in the order of the log",
		Long:  "Export writes events as JSON, JSON lines or CSV. That the log was exported is an event too, and the last one written.",
		Example: `  patwatch audit export --format ndjson -o audit.ndjson
  patwatch audit export --since 720h --format csv -o audit.csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query(time.Now())
			if err != nil {
				return err
			}
			if err := exportable(format); err != nil {
				return err
			}
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				if err := l.Log(ctx, auditlog.DownloadLog(q.Organization, format, auditlog.Person(operator()))); err != nil {
					return err
				}
				return writeTo(s, output, func(w io.Writer) error { return exportEvents(ctx, w, l, q, auditlog.Format(format)) })
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVarP(&format, "format", "f", "json", "json, ndjson or csv")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

func exportable(format string) error {
	known := []string{string(auditlog.JSON), string(auditlog.NDJSON), string(auditlog.CSV)}
	if !matchesAny(known, format) {
		return unknownName("format", format, known)
	}
	return nil
}

// exportEvents writes all events in the order of the log, or those of a query,
// the newest first.
func exportEvents(ctx context.Context, w io.Writer, l *ledger.Ledger, q ledger.Query, format auditlog.Format) error {
	out, err := auditlog.NewWriter(w, format)
	if err != nil {
		return err
	}
	if q == (ledger.Query{}) {
		err = eachEntry(ctx, l, out.Write)
	} else {
		err = eachEvent(ctx, l, q, 0, out.Write)
	}
	return errors.Join(err, out.Close())
}

func eachEntry(ctx context.Context, l *ledger.Ledger, f func(auditlog.Entry) error) error {
	for from := int64(0); ; {
		entries, err := l.Entries(ctx, from, 1000)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if err := f(e); err != nil {
				return err
			}
		}
		from = entries[len(entries)-1].Index + 1
	}
}

func newAuditProve(s Streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "prove ID",
		Short: "Prove that an event is in the log, to someone who has its public key",
		Example: `  patwatch audit prove 4b1f7b9e-… -o event.proof
  patwatch audit verify --proof event.proof --key audit.key.pub`,
		Args: oneArg("the id of an event"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				proof, err := l.Prove(ctx, args[0])
				if err != nil {
					return fmt.Errorf("event %q: %w", args[0], err)
				}
				return writeTo(s, output, func(w io.Writer) error { _, err := w.Write(proof.Encode()); return err })
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

func newAuditVerify(s Streams) *cobra.Command {
	var proof, key, save string
	var checkpoints []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that nothing in the log was changed, or that a proof holds",
		Long: `Verify reads the whole log and compares every event, hash, checkpoint and record
with each other. Checkpoints that were kept elsewhere show that its end was not
cut off or written anew. With --proof it checks one proof by the public key
alone, without the log. It exits with 1 when something is not as it was.`,
		Example: `  patwatch audit verify
  patwatch audit verify --save-checkpoint monday.txt
  patwatch audit verify --checkpoint monday.txt
  patwatch audit verify --proof event.proof --key audit.key.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if proof != "" {
				return verifyProof(cmd, s, proof, key)
			}
			trusted, err := readAll(checkpoints)
			if err != nil {
				return err
			}
			return withLedger(cmd, func(ctx context.Context, l *ledger.Ledger) error {
				if err := verifyLog(ctx, s, l, trusted); err != nil || save == "" {
					return err
				}
				return saveCheckpoint(ctx, s, l, save)
			})
		},
	}
	cmd.Flags().StringVar(&proof, "proof", "", "check the proof in this `FILE`")
	cmd.Flags().StringVar(&key, "key", "", "the public key in this `FILE` (default: the one of the data folder)")
	cmd.Flags().StringSliceVar(&checkpoints, "checkpoint", nil, "a checkpoint that was kept in this `FILE` (may be repeated)")
	cmd.Flags().StringVar(&save, "save-checkpoint", "", "write a signed checkpoint of the log to this `FILE`, to be kept elsewhere")
	return cmd
}

// saveCheckpoint writes the state of the log, signed, to a file.
func saveCheckpoint(ctx context.Context, s Streams, l *ledger.Ledger, name string) error {
	text, err := l.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return writeTo(s, name, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
}

const maxProof = 4 << 20

func readAll(files []string) ([]string, error) {
	var out []string
	for _, name := range files {
		data, err := readBounded(name, maxProof)
		if err != nil {
			return nil, err
		}
		out = append(out, string(data))
	}
	return out, nil
}

// readBounded reads a file of at most so many bytes.
func readBounded(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%s: more than %d bytes", name, most)
	}
	return data, nil
}

func verifyLog(ctx context.Context, s Streams, l *ledger.Ledger, trusted []string) error {
	v, err := l.Verify(ctx, trusted...)
	if err != nil {
		return err
	}
	for _, p := range v.Problems {
		if p.Index < 0 {
			fmt.Fprintln(s.Out, clean(p.Text))
			continue
		}
		fmt.Fprintf(s.Out, "event %d: %s\n", p.Index, clean(p.Text))
	}
	if v.More > 0 {
		fmt.Fprintf(s.Out, "and %d more\n", v.More)
	}
	fmt.Fprintf(s.Out, "%d events, %d checkpoints, root %s\n", v.Size, v.Checkpoints, v.Root)
	if !v.Intact() {
		fmt.Fprintln(s.Out, "The log is NOT as it was written.")
		return exitCode(exitFound)
	}
	fmt.Fprintln(s.Out, "The log is as it was written.")
	return nil
}

func verifyProof(cmd *cobra.Command, s Streams, file, key string) error {
	data, err := readBounded(file, maxProof)
	if err != nil {
		return err
	}
	if key == "" {
		h, err := loadHome(cmd)
		if err != nil {
			return err
		}
		key = h.orDefault(h.Audit.KeyFile, "audit.key") + ".pub"
	}
	public, err := readBounded(key, maxProof)
	if err != nil {
		return err
	}
	v, err := auditlog.NewVerifier(string(public))
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	proof, err := auditlog.ParseProof(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	event, point, err := proof.Check(v)
	if err != nil {
		fmt.Fprintf(s.Out, "The proof does NOT hold: %s\n", clean(err.Error()))
		return exitCode(exitFound)
	}
	fmt.Fprintf(s.Out, "%s  %s  %s\n", event.Timestamp, event.ActionID, clean(event.Details))
	_, err = fmt.Fprintf(s.Out, "The proof holds: this is event %d of %d in the log %s.\n", proof.Index, point.Size, clean(point.Origin))
	return err
}
