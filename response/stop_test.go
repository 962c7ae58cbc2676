package response_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"patwatch/leak"
	"patwatch/response"
)

// TestStopFinishesWhatIsInHand ends the context while a mail is on its way: its
// outcome is on record before Run returns, and nothing new is begun.
func TestStopFinishesWhatIsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecord(t, response.Config{})
		r.leak(1, ada, "contoso")
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		returned := false
		go func() {
			(&response.Runner{
				Config: func() response.Config { return r.cfg }, Claim: r.Claim, Begin: r.Begin, Finish: r.Finish, LastMail: r.LastMail,
				RevokedSince: r.RevokedSince, Brake: r.Brake, SetBrake: r.SetBrake, Revoke: r.Revoke,
				Tell: func(ctx context.Context, m response.Mail) error {
					<-release
					if ctx.Err() != nil {
						t.Error("the mail is cut short")
					}
					return r.Tell(ctx, m)
				},
				Domain: "example.org", Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			}).Run(ctx)
			returned = true
		}()
		synctest.Wait()
		cancel()
		r.leak(2, "eve@contoso.example", "contoso")
		synctest.Wait()
		if returned {
			t.Error("Run returned with a mail on its way")
		}
		close(release)
		synctest.Wait()
		first, second := r.cases["PW-000001"].Acts[0], r.cases["PW-000002"].Acts[0]
		if !returned || first.State != leak.ActDone || second.Attempts != 0 {
			t.Errorf("returned %v, first %s, second tried %d times", returned, first.State, second.Attempts)
		}
	})
}
