package fetch

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

var (
	errSlow    = errors.New("the answer takes too long")
	errStalled = errors.New("the answer does not go on, or only by drips")
)

// A watch reads an answer and ends the request when it takes too long, stalls
// or drips: at the end of each span at least floor bytes must have come in it.
type watch struct {
	body   io.Reader
	cancel context.CancelCauseFunc
	idle   time.Duration
	got    atomic.Int64
	floor  atomic.Int64
	last   int64 // of got, at the end of the last span; the timer's own
	timer  *time.Timer
	whole  *time.Timer
}

// newWatch starts both clocks.
func newWatch(timeout, idle time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{cancel: cancel, idle: idle}
	w.floor.Store(1)
	w.whole = time.AfterFunc(timeout, func() { cancel(errSlow) })
	ready := make(chan struct{})
	w.timer = time.AfterFunc(idle, func() { <-ready; w.tick() })
	close(ready)
	return w
}

func (w *watch) tick() {
	got := w.got.Load()
	if got-w.last < w.floor.Load() {
		w.cancel(errStalled)
		return
	}
	w.last = got
	w.timer.Reset(w.idle)
}

// Read reads the answer.
func (w *watch) Read(b []byte) (int, error) {
	n, err := w.body.Read(b)
	w.got.Add(int64(n))
	return n, err
}

func (w *watch) stop() {
	w.timer.Stop()
	w.whole.Stop()
}
