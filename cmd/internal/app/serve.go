package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"patwatch/cmd/internal/config"
	"patwatch/detectors"
	"patwatch/feed"
	"patwatch/git/fetch"
	"patwatch/git/pack"
	"patwatch/issuer"
	"patwatch/leak"
	"patwatch/ledger"
	"patwatch/notifier"
	"patwatch/queue"
	"patwatch/response"
	"patwatch/scanner"
	"patwatch/tokenstore"
	"patwatch/triage"
)

func newServe(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Watch public pushes, tell owners of leaked tokens, revoke them",
		Long: `Serve watches GitHub's public events, reads what each push added, looks up the
digests of what has the form of a token in the store of tokens, tells the owners
of those it knows, writes the audit log and revokes where the policy says so. It
ends on SIGTERM when what is in hand is finished, and reads the policy again on
SIGHUP.`,
		Example: "  patwatch serve --config patwatch.toml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := loadHome(cmd)
			if err != nil {
				return err
			}
			reload := func() (*home, error) { return loadHome(cmd) }
			return serve(cmd.Context(), s, h, reload)
		},
	}
}

// A service is everything that serve runs.
type service struct {
	*home
	log     *slog.Logger
	policy  atomic.Pointer[response.Config]
	queue   *queue.Queue
	tokens  *tokenstore.Store
	ledger  *ledger.Ledger
	mailer  *notifier.Mailer
	git     *fetch.Client
	poller  *feed.Poller // nil: events are not polled
	triage  *triage.Triage
	worker  *worker
	runner  *response.Runner
	started time.Time
	closers []func() error
}

// serve runs the service until ctx ends, and then finishes what is in hand.
func serve(ctx context.Context, s Streams, h *home, reload func() (*home, error)) (err error) {
	v := &service{home: h, log: newLog(s, h.LogLevel), started: time.Now()}
	for _, w := range h.warnings {
		v.log.Warn(w)
	}
	defer func() { err = errors.Join(err, v.close()) }()
	if err := v.open(ctx); err != nil {
		return err
	}
	web, err := v.listen()
	if err != nil {
		return err
	}
	defer v.onHangup(ctx, reload)()
	v.log.Info("serving", "status", "http://"+web.Addr(), "formats", len(h.Scan.Formats), "revoke", h.Policy.Revoke)
	v.run(ctx)
	return web.Close(context.WithoutCancel(ctx))
}

// newLog writes lines of JSON, or text to a terminal.
func newLog(s Streams, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // the configuration was checked
	o := &slog.HandlerOptions{Level: l}
	if terminalOf(s.Err).Width > 0 {
		return slog.New(slog.NewTextHandler(s.Err, o))
	}
	return slog.New(slog.NewJSONHandler(s.Err, o))
}

// close closes what was opened, the last first.
func (v *service) close() error {
	var errs []error
	for i := len(v.closers) - 1; i >= 0; i-- {
		errs = append(errs, v.closers[i]())
	}
	return errors.Join(errs...)
}

func (v *service) closeLater(f func() error) { v.closers = append(v.closers, f) }

// open opens the stores and joins the parts.
func (v *service) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{v.lock, v.openStores, v.openGit, v.openScanner, v.openResponse} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps a second instance away from the data folder.
func (v *service) lock(context.Context) error {
	if err := os.MkdirAll(v.DataDir, 0o700); err != nil {
		return err
	}
	lock := flock.New(v.file("lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %s: %w", v.DataDir, err)
	}
	if !locked {
		return fmt.Errorf("another patwatch serve runs in %s: end it first, or set another data_dir", v.DataDir)
	}
	v.closeLater(lock.Unlock)
	return nil
}

func (v *service) openStores(ctx context.Context) (err error) {
	v.setPolicy(v.Config)
	if v.tokens, err = v.openTokens(ctx); err != nil {
		return err
	}
	v.closeLater(v.tokens.Close)
	if v.queue, err = queue.Open(ctx, v.file(queueFile), queue.Options{}); err != nil {
		return err
	}
	v.closeLater(v.queue.Close)
	signer, err := v.signer()
	if err != nil {
		return err
	}
	v.ledger, err = ledger.Open(ctx, v.file(ledgerFile), ledger.Options{Signer: signer,
		Plan: func(c leak.Case, fresh []leak.Sighting, now time.Time) []leak.Act {
			return response.Plan(*v.policy.Load())(c, fresh, now)
		}})
	if err != nil {
		return err
	}
	v.closeLater(v.ledger.Close)
	_, err = v.ledger.Abandon(ctx) // nobody else works on acts: the folder is locked
	return err
}

// setPolicy takes the policy of a configuration.
func (v *service) setPolicy(c *config.Config) {
	p := &response.Config{Revoke: response.Mode(c.Policy.Revoke), After: time.Duration(c.Policy.After),
		MaxPerHour: c.Policy.MaxRevocationsPerHour, RemindEvery: time.Duration(c.Policy.RemindEvery)}
	if from, err := mail.ParseAddress(c.Mail.From); err == nil {
		p.Admins = []string{from.Address}
	}
	for _, o := range c.Organizations {
		p.Organizations = append(p.Organizations, response.Organization{Name: o.Name, Revoke: response.Mode(o.Revoke),
			Admins: o.Admins, ExemptOwners: o.ExemptOwners})
	}
	v.policy.Store(p)
}

const agent = "patwatch (leaked-token notification)"

func (v *service) openGit(context.Context) (err error) {
	api, err := feed.NewAPI(feed.APIOptions{URL: v.GitHub.APIURL, Agent: agent, Authorize: v.authorize()})
	if err != nil {
		return err
	}
	v.git, err = fetch.New(fetch.Options{URL: v.GitHub.GitURL, Agent: agent, MaxBytes: int64(v.Scan.MaxPush), Resolve: api.Name,
		Limiter: fetch.LimiterOptions{Concurrency: v.GitHub.Concurrency},
		Limits:  pack.Limits{Object: int64(v.Scan.MaxBlob)}})
	if err != nil {
		return err
	}
	v.closeLater(func() error { v.git.Close(); return nil })
	if v.GitHub.Events {
		v.poller = feed.New(feed.Options{API: api, Publish: v.publish, Gap: v.gap, Since: v.lastPoll(), Log: v.log})
	}
	return nil
}

// authorize adds the GitHub token to requests; the file is read each time, so
// that the token can be replaced.
func (v *service) authorize() func(*http.Request) {
	if v.GitHub.TokenFile == "" {
		return nil
	}
	read := issuer.CredentialFile(v.GitHub.TokenFile)
	return func(r *http.Request) {
		token, err := read()
		if err != nil {
			v.log.Error("reading github.token_file", "error", err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
}

func (v *service) publish(ctx context.Context, pushes []leak.Push) error {
	_, err := v.queue.Publish(ctx, pushes)
	return err
}

func (v *service) gap(ctx context.Context, g feed.Gap) error {
	return v.queue.AddGap(ctx, queue.Gap{From: g.From, To: g.To, Source: g.Source, Reason: g.Reason})
}

func (v *service) openScanner(context.Context) error {
	f := formatFlags{only: v.Scan.Formats}
	if v.Scan.FormatsFile != "" {
		f.files = []string{v.Scan.FormatsFile}
	}
	m, err := f.compile(false)
	if err != nil {
		return err
	}
	if err := selfTest(m); err != nil {
		return err
	}
	v.triage = triage.New(triage.Options{Keys: v.tokens.Keys(), Lookup: v.tokens.Lookup, HighWater: v.tokens.HighWater,
		Record: v.ledger.Record, Unpark: v.ledger.Unpark, Postpone: v.ledger.Postpone, Now: time.Now, Parked: v.parked})
	v.worker = &worker{queue: v.queue, git: v.git, handle: v.triage.Handle, web: v.GitHub.GitURL, log: v.log,
		scan: scanner.New(m, scanner.Options{Jobs: 1, MaxBlob: int64(v.Scan.MaxBlob)})}
	return nil
}

// selfTest plants a token of each format and refuses to run when one of them is
// not found.
func selfTest(m *detectors.Matcher) error {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	for _, f := range m.Formats() {
		text, token, err := detectors.Plant(f, r)
		if err != nil {
			return fmt.Errorf("self-test: format %q: %w", f.ID, err)
		}
		at := bytes.Index(text, token)
		if !slices.ContainsFunc(m.Find(nil, text), func(x detectors.Match) bool { return x.Start == at && x.End == at+len(token) }) {
			return fmt.Errorf("self-test: a planted token of format %q is not found", f.ID)
		}
	}
	return nil
}

func (v *service) parked(ctx context.Context, now time.Time, limit int) ([]triage.Parked, error) {
	found, err := v.ledger.Parked(ctx, now, limit)
	out := make([]triage.Parked, len(found))
	for i, p := range found {
		out[i] = triage.Parked(p)
	}
	return out, err
}

func (v *service) openResponse(context.Context) (err error) {
	o := notifier.MailerOptions{Address: v.Mail.SMTP, Mode: notifier.TLSMode(v.Mail.TLS), Username: v.Mail.Username}
	if v.Mail.PasswordFile != "" {
		o.Password = issuer.CredentialFile(v.Mail.PasswordFile)
	}
	if v.mailer, err = notifier.NewMailer(o); err != nil {
		return err
	}
	v.closeLater(func() error { v.mailer.Close(); return nil })
	revoke, err := v.revoker()
	if err != nil {
		return err
	}
	from, err := mail.ParseAddress(v.Mail.From)
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	v.runner = &response.Runner{Config: func() response.Config { return *v.policy.Load() },
		Claim: v.ledger.Claim, Begin: v.ledger.Begin, Finish: v.ledger.Finish, LastMail: v.ledger.LastMail,
		RevokedSince: v.ledger.RevokedSince, Brake: v.ledger.Brake, SetBrake: v.ledger.SetBrake,
		Tell: v.tell, Revoke: revoke, Domain: domain, Window: time.Duration(v.Mail.DigestWindow), Wake: v.ledger.Wake(),
		Now: time.Now, Log: v.log}
	return nil
}

// revoker returns what revokes tokens. Whatever the issuer, our own store knows
// it afterwards.
func (v *service) revoker() (issuer.Revoke, error) {
	store := issuer.Store(v.tokens.Revoke, time.Now)
	o := issuer.Options{URL: v.Issuer.URL, Credential: issuer.CredentialFile(v.Issuer.CredentialFile)}
	var outside issuer.Revoke
	var err error
	switch v.Issuer.Kind {
	case "azure-devops":
		outside, err = issuer.AzureDevOps(o)
	case "webhook":
		outside, err = issuer.Webhook(o)
	default:
		return store, nil
	}
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, t leak.Token) error {
		if err := outside(ctx, t); err != nil {
			return err
		}
		return store(ctx, t)
	}, nil
}

// tell writes a mail and hands it to the mail server.
func (v *service) tell(ctx context.Context, m response.Mail) error {
	n := notifier.Notice{ID: m.ID, MessageID: m.MessageID, References: m.References, From: v.Mail.From, To: m.To, ReviewURL: v.Web.PublicURL}
	for _, it := range m.Items {
		n.Items = append(n.Items, notifier.Item{Kind: notifier.Kind(it.Kind), Case: it.Case.ID, Correlation: it.Case.Correlation,
			Token: it.Case.Token, Sightings: it.Sightings, Earlier: it.Earlier, RevokedAt: it.RevokedAt, RevokeAt: it.RevokeAt,
			RevokeNow: it.RevokeNow, Held: it.Held, Reason: it.Reason, ManageURL: v.manageURL(it.Case.Token.Organization)})
		if at := newest(&it); at.After(n.Date) {
			n.Date = at
		}
	}
	message, err := notifier.Render(n)
	if err != nil {
		return err
	}
	return v.mailer.Send(ctx, message)
}

// manageURL is the page on which an owner revokes tokens; "" when we do not know
// it.
func (v *service) manageURL(organization string) string {
	if v.Issuer.Kind != "azure-devops" || organization == "" {
		return ""
	}
	return "https://dev.azure.com/" + url.PathEscape(organization) + "/_usersSettings/tokens"
}

// newest is when the last of what an item tells happened: the date of its mail,
// the same on every attempt.
func newest(it *response.Item) time.Time {
	at := it.Case.OpenedAt
	for i := range it.Sightings {
		if seen := it.Sightings[i].Push.SeenAt; seen.After(at) {
			at = seen
		}
	}
	if it.RevokedAt.After(at) {
		at = it.RevokedAt
	}
	return at
}

// run runs the parts until ctx ends. The feed stops first, then the workers when
// their pushes are on record, then the runner.
func (v *service) run(ctx context.Context) {
	acting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var runner, others sync.WaitGroup
	runner.Go(func() { v.runner.Run(acting) })
	others.Go(func() { v.worker.run(ctx, queue.Fast, v.GitHub.Concurrency, fastLease) })
	others.Go(func() { v.worker.run(ctx, queue.Slow, 2, slowLease) })
	if v.poller != nil {
		others.Go(func() { _ = v.poller.Run(ctx) }) // it ends with ctx only
		others.Go(func() { v.every(ctx, 10*time.Second, "noting the last poll", v.keepLastPoll) })
	}
	others.Go(func() { v.every(ctx, time.Minute, "looking parked tokens up again", v.triage.Recheck) })
	others.Go(func() {
		v.every(ctx, time.Duration(v.Audit.CheckpointEvery), "signing a checkpoint", func(ctx context.Context) error {
			_, err := v.ledger.Checkpoint(ctx)
			return err
		})
	})
	others.Go(func() {
		v.every(ctx, 24*time.Hour, "applying retention", func(ctx context.Context) error {
			_, err := v.ledger.Retain(ctx, time.Now().Add(-time.Duration(v.Audit.Retention)))
			return err
		})
	})
	others.Wait()
	stop()
	runner.Wait()
}

// every does something again and again until ctx ends.
func (v *service) every(ctx context.Context, interval time.Duration, what string, f func(context.Context) error) {
	for sleep(ctx, interval) == nil {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			v.log.Error(what, "error", err)
		}
	}
}

const lastPollFile = "last-poll"

// lastPoll is when the run before asked for events last, zero when it never did.
func (v *service) lastPoll() time.Time {
	data, err := os.ReadFile(v.file(lastPollFile))
	if err != nil {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(data)))
	if err != nil {
		return time.Time{}
	}
	return at
}

func (v *service) keepLastPoll(context.Context) error {
	last := v.poller.Metrics().LastPoll.Load()
	if last == 0 {
		return nil
	}
	return os.WriteFile(v.file(lastPollFile), []byte(time.Unix(last, 0).UTC().Format(time.RFC3339)+"\n"), 0o600)
}

// onHangup reads the policy again on SIGHUP. The func it returns ends that.
func (v *service) onHangup(ctx context.Context, reload func() (*home, error)) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			h, err := reload()
			if err != nil {
				v.log.Error("reading the policy again; the old one stays", "error", err)
				continue
			}
			v.setPolicy(h.Config)
			v.log.Info("policy read again", "revoke", h.Policy.Revoke)
		}
	})
	return func() { signal.Stop(signals); cancel(); done.Wait() }
}
