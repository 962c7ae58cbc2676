package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"time"

	"patwatch/leak"
	"patwatch/queue"
)

// A statusServer answers /, /healthz, /readyz and /metrics.
type statusServer struct {
	server   *http.Server
	listener net.Listener
	failed   chan error
}

// Addr returns "host:port".
func (s *statusServer) Addr() string { return s.listener.Addr().String() }

// Close ends the server, answers in progress first.
func (s *statusServer) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if served := <-s.failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// listen starts the server.
func (v *service) listen() (*statusServer, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", v.statusPage)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", v.ready)
	mux.HandleFunc("GET /metrics", v.metrics)
	listener, err := net.Listen("tcp", v.Web.Listen)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	if v.Web.TLSCertFile != "" {
		pair, err := tls.LoadX509KeyPair(v.Web.TLSCertFile, v.Web.TLSKeyFile)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("web.tls_cert_file: %w", err), listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	s := &statusServer{listener: listener, failed: make(chan error, 1), server: &http.Server{Handler: guarded(mux),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}}
	go func() { s.failed <- s.server.Serve(listener) }()
	return s, nil
}

// guarded adds the headers that keep a browser from doing anything with a page
// but show it.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// ready asks each store.
func (v *service) ready(w http.ResponseWriter, r *http.Request) {
	_, err := v.status(r.Context())
	if err != nil {
		v.log.Error("not ready", "error", err)
		http.Error(w, "a store does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// serviceStatus is what the status page shows.
type serviceStatus struct {
	Uptime     time.Duration
	Handled    int64
	Failed     int64
	Candidates int64
	Waiting    int
	Slow       int
	Dead       int
	Gaps       int
	Open       int
	Resolved   int
	Sightings  int
	Parked     int
	Incomplete int
	Events     int64
	Due        int
	Done       int
	Braked     string
	HighWater  time.Time
}

func (v *service) status(ctx context.Context) (serviceStatus, error) {
	waiting, err := v.queue.Stats(ctx)
	if err != nil {
		return serviceStatus{}, err
	}
	record, err := v.ledger.Stats(ctx)
	if err != nil {
		return serviceStatus{}, err
	}
	_, braked, err := v.ledger.Brake(ctx)
	if err != nil {
		return serviceStatus{}, err
	}
	mark, err := v.tokens.HighWater(ctx)
	if err != nil {
		return serviceStatus{}, err
	}
	c := &v.worker.counts
	return serviceStatus{Uptime: time.Since(v.started).Round(time.Second), Handled: c.handled.Load(), Failed: c.failed.Load(), Candidates: c.candidates.Load(),
		Waiting: waiting.Lanes[queue.Fast].Pushes, Slow: waiting.Lanes[queue.Slow].Pushes, Dead: waiting.Dead, Gaps: waiting.Gaps,
		Open: record.OpenCases, Resolved: record.ResolvedCases, Sightings: record.Sightings, Parked: record.Parked, Incomplete: record.Incomplete,
		Events: record.Events, Due: record.Acts[leak.ActDue], Done: record.Acts[leak.ActDone], Braked: braked, HighWater: mark}, nil
}

func (v *service) statusPage(w http.ResponseWriter, r *http.Request) {
	st, err := v.status(r.Context())
	if err != nil {
		v.log.Error("the status page", "error", err)
		http.Error(w, "a store does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := statusTemplate().Execute(w, st); err != nil {
		v.log.Debug("the status page", "error", err)
	}
}

func statusTemplate() *template.Template {
	return template.Must(template.New("status").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>patwatch</title>
<style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:44rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td{padding:.3rem 0;border-bottom:1px solid #8884}td:last-child{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:#c22;font-weight:600}
</style>
<h1>patwatch</h1>
{{with .Braked}}<p class="bad">All revocations are stopped: {{.}}</p>{{end}}
<table>
<tr><td>Running for<td>{{.Uptime}}
<tr><td>Pushes read since the start<td>{{.Handled}}
<tr><td>Attempts that failed<td>{{.Failed}}
<tr><td>Pushes waiting (in the slow lane)<td>{{.Waiting}} ({{.Slow}})
<tr><td>Dead letters<td{{if .Dead}} class="bad"{{end}}>{{.Dead}}
<tr><td>Gaps in the feed<td>{{.Gaps}}
<tr><td>Open cases<td>{{.Open}}
<tr><td>Resolved cases<td>{{.Resolved}}
<tr><td>Places where tokens were seen<td>{{.Sightings}}
<tr><td>Mails and revocations due (done)<td>{{.Due}} ({{.Done}})
<tr><td>Tokens not known yet, looked up again<td>{{.Parked}}
<tr><td>Scans that are incomplete<td>{{.Incomplete}}
<tr><td>Audit events<td>{{.Events}}
<tr><td>The store knows every token from before<td>{{if .HighWater.IsZero}}nothing was imported yet{{else}}{{.HighWater.Format "2006-01-02 15:04 MST"}}{{end}}
</table>
</html>
`))
}

// metrics writes the numbers of the status page in Prometheus' text format.
func (v *service) metrics(w http.ResponseWriter, r *http.Request) {
	st, err := v.status(r.Context())
	if err != nil {
		v.log.Error("metrics", "error", err)
		http.Error(w, "a store does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, m := range []struct {
		name, kind, help string
		value            int64
	}{
		{"patwatch_pushes_handled_total", "counter", "Pushes that were read and put on record.", st.Handled},
		{"patwatch_push_failures_total", "counter", "Attempts at pushes that failed.", st.Failed},
		{"patwatch_candidates_total", "counter", "Strings with the form of a token.", st.Candidates},
		{"patwatch_pack_bytes_total", "counter", "Bytes of packs that were read.", v.worker.counts.bytes.Load()},
		{"patwatch_queue_pushes", "gauge", "Pushes that wait or are being read, both lanes.", int64(st.Waiting + st.Slow)},
		{"patwatch_queue_dead", "gauge", "Dead letters.", int64(st.Dead)},
		{"patwatch_feed_gaps", "gauge", "Gaps in the feed that were not filled.", int64(st.Gaps)},
		{"patwatch_cases_open", "gauge", "Open cases.", int64(st.Open)},
		{"patwatch_sightings", "gauge", "Places where tokens were seen.", int64(st.Sightings)},
		{"patwatch_acts_due", "gauge", "Mails and revocations that are due.", int64(st.Due)},
		{"patwatch_acts_done", "gauge", "Mails and revocations that are done.", int64(st.Done)},
		{"patwatch_parked", "gauge", "Sightings of tokens that the store does not know yet.", int64(st.Parked)},
		{"patwatch_incomplete_scans", "gauge", "Pushes that were not read whole.", int64(st.Incomplete)},
		{"patwatch_audit_events", "gauge", "Events in the audit log.", st.Events},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
}
