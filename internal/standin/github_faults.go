package standin

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

// FaultKind says what goes wrong with an answer.
type FaultKind string

// The kinds of a [Fault].
const (
	Stall       FaultKind = "stall"        // After bytes are sent, then nothing until the asker gives up
	Drip        FaultKind = "drip"         // After bytes are sent, then one byte each Every
	Cut         FaultKind = "cut"          // After bytes are sent, then the connection is closed
	Status      FaultKind = "status"       // Code, with RetryAfter if that is not 0, and Location if that is not ""
	ContentType FaultKind = "content-type" // the answer says that it is a page
	Empty       FaultKind = "empty"        // 200 without a body
	LyingSize   FaultKind = "lying-size"   // the answer announces After bytes more than it has
)

// Fault is what goes wrong with the answers for one repository or of the API.
type Fault struct {
	Kind       FaultKind
	After      int64         // bytes of the body that are sent properly
	Every      time.Duration // Drip: between two bytes
	Code       int           // Status
	RetryAfter time.Duration // Status: sent in seconds, rounded up
	Location   string        // Status: where a redirect leads
	Times      int           // answers that it spoils before it ends by itself; 0: all, until it is taken away
}

// inject answers a request as handler does, but for the fault.
func inject(w http.ResponseWriter, r *http.Request, f Fault, stop <-chan struct{}, handler http.Handler) {
	if f.Kind == Status {
		f.status(w)
		return
	}
	held := &recorder{header: http.Header{}, code: http.StatusOK}
	handler.ServeHTTP(held, r)
	for k, v := range held.header {
		w.Header()[k] = v
	}
	body := held.body.Bytes()
	switch f.Kind {
	case ContentType:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
	case Empty:
		body = nil
	case LyingSize:
		w.Header().Set("Content-Length", strconv.FormatInt(int64(len(body))+max(f.After, 1), 10))
	}
	w.WriteHeader(held.code)
	if f.Kind != Stall && f.Kind != Drip && f.Kind != Cut {
		_, _ = w.Write(body) // who asks may be gone
		return
	}
	first := min(f.After, int64(len(body)))
	_, _ = w.Write(body[:first])
	_ = http.NewResponseController(w).Flush()
	f.rest(r.Context(), w, body[first:], stop)
}

// rest sends what follows the bytes that were sent properly.
func (f Fault) rest(ctx context.Context, w http.ResponseWriter, body []byte, stop <-chan struct{}) {
	if f.Kind == Cut {
		panic(http.ErrAbortHandler)
	}
	var tick <-chan time.Time
	if f.Kind == Drip {
		t := time.NewTicker(max(f.Every, time.Millisecond))
		defer t.Stop()
		tick = t.C
	}
	for len(body) > 0 {
		select {
		case <-tick:
			_, _ = w.Write(body[:1])
			_ = http.NewResponseController(w).Flush()
			body = body[1:]
		case <-ctx.Done():
			return
		case <-stop:
			panic(http.ErrAbortHandler)
		}
	}
}

func (f Fault) status(w http.ResponseWriter) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	if f.Location != "" {
		w.Header().Set("Location", f.Location)
	}
	http.Error(w, http.StatusText(f.Code), f.Code)
}

// A recorder holds an answer back.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
