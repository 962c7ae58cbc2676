package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"patwatch/queue"
)

const queueFile = "queue.db"

func newQueue(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "List, retry and drop pushes that wait to be read",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQueueList(s),
		newQueueChange(s, "retry", "Read dead letters again", "put back", `  patwatch queue retry github:34872209580
  patwatch queue retry --all`, (*queue.Queue).RetryDead),
		newQueueChange(s, "drop", "Delete pushes, so that nobody reads them", "dropped", `  patwatch queue drop github:34872209580
  patwatch queue drop --all   all dead letters`, (*queue.Queue).Drop))
	return cmd
}

// withQueue runs f on the queue of a data folder in use.
func withQueue(cmd *cobra.Command, f func(context.Context, *queue.Queue) error) error {
	h, err := loadHome(cmd)
	if err != nil {
		return err
	}
	if err := h.existing(queueFile); err != nil {
		return err
	}
	q, err := queue.Open(cmd.Context(), h.file(queueFile), queue.Options{})
	if err != nil {
		return err
	}
	return errors.Join(f(cmd.Context(), q), q.Close())
}

func newQueueList(s Streams) *cobra.Command {
	var query queue.Query
	var state, format, output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List pushes that wait, are being read, or are dead letters",
		Example: `  patwatch queue list --state dead
  patwatch queue list --repository octo/shop --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			states := []string{string(queue.Waiting), string(queue.Claimed), string(queue.DeadLetter)}
			if state != "" && !matchesAny(states, state) {
				return unknownName("state", state, states)
			}
			query.State = queue.State(state)
			return withQueue(cmd, func(ctx context.Context, q *queue.Queue) error {
				entries, err := allEntries(ctx, q, query)
				if err != nil {
					return err
				}
				return writeTo(s, output, func(w io.Writer) error { return writeEntries(w, format, entries) })
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "waiting, claimed or dead")
	cmd.Flags().StringVar(&query.Repository, "repository", "", "of this repository: owner/name")
	cmd.Flags().IntVar(&query.Limit, "limit", 0, "at most so many (default: all)")
	cmd.Flags().StringVarP(&format, "format", "f", "table", "table or json")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to this `FILE`")
	return cmd
}

// allEntries returns every entry of a query, up to its limit if it has one.
func allEntries(ctx context.Context, q *queue.Queue, query queue.Query) ([]queue.Entry, error) {
	all, limit := []queue.Entry{}, query.Limit
	for {
		query.Limit = 1000
		if limit > 0 {
			query.Limit = min(limit-len(all), 1000)
		}
		page, err := q.List(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < query.Limit || len(all) == limit {
			return all, nil
		}
		query.After = page[len(page)-1].Number
	}
}

func writeEntries(w io.Writer, format string, entries []queue.Entry) error {
	switch format {
	case "json":
		return writeJSON(w, entries)
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "PUSH\tSTATE\tLANE\tREPOSITORY\tREF\tADDED\tATTEMPTS\tREASON")
		for _, e := range entries {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", clean(e.Push.ID), e.State, e.Lane, clean(e.Push.Repository),
				clean(strings.TrimPrefix(e.Push.Ref, "refs/heads/")), stamp(e.Added), e.Attempts, clean(e.Reason))
		}
		return t.Flush()
	}
	return unknownName("format", format, []string{"table", "json"})
}

// newQueueChange makes a command that does something to the pushes with some
// ids, or to all dead letters.
func newQueueChange(s Streams, name, short, done, example string, change func(*queue.Queue, context.Context, ...string) (int, error)) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     name + " [PUSH...]",
		Short:   short,
		Example: example,
		RunE: func(cmd *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return fmt.Errorf("%s needs the ids of pushes, or --all; patwatch queue list shows them", cmd.CommandPath())
			}
			return withQueue(cmd, func(ctx context.Context, q *queue.Queue) error {
				n, err := change(q, ctx, ids...)
				if err != nil {
					return err
				}
				if n < len(ids) {
					fmt.Fprintf(s.Err, "patwatch: %d of these are not there\n", len(ids)-n)
				}
				_, err = fmt.Fprintf(s.Out, "%d pushes %s\n", n, done)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters")
	return cmd
}
