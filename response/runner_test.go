package response_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"patwatch/leak"
	"patwatch/response"
)

const ada = "ada@contoso.example"

func story(t *testing.T, cfg response.Config, f func(*testing.T, *record)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRecord(t, cfg)) })
}

func TestOffTellsAndDoesNotRevoke(t *testing.T) {
	story(t, response.Config{}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.run(time.Hour, 0)
		if got := r.kinds(ada); !slices.Equal(got, []string{"leaked "}) || len(r.gone) != 0 {
			t.Errorf("mails %q, revoked %v", got, r.gone)
		}
	})
}

func TestAfterRemindsRevokesTellsAgain(t *testing.T) {
	story(t, response.Config{Revoke: response.After, After: 72 * time.Hour, RemindEvery: 24 * time.Hour}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.run(71*time.Hour, 0)
		if len(r.gone) != 0 || r.mails[0].Items[0].RevokeAt.IsZero() {
			t.Error("revoked too early, or not announced")
		}
		r.run(2*time.Hour, 0)
		if got := r.kinds(ada); !slices.Equal(got, []string{"leaked ", "reminder ", "reminder ", "revoked "}) || r.gone["PW-000001"] != 1 {
			t.Errorf("mails %q, revoked %v", got, r.gone)
		}
		if last := r.mails[3]; last.Items[0].RevokedAt.IsZero() || !slices.Contains(last.References, r.mails[0].MessageID) {
			t.Error("the second mail does not say when, or is not in the thread")
		}
	})
}

func TestImmediateNeedsOneMail(t *testing.T) {
	story(t, response.Config{Revoke: response.Immediate}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.run(time.Hour, 0)
		if got := r.kinds(ada); len(got) != 1 || r.gone["PW-000001"] != 1 {
			t.Errorf("mails %q, revoked %v", got, r.gone)
		}
	})
}

func TestDryRunTouchesNoToken(t *testing.T) {
	story(t, response.Config{Revoke: response.Immediate, DryRun: true}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.run(time.Hour, 0)
		if len(r.gone) != 0 || len(r.mails) != 1 || r.mails[0].Items[0].RevokeNow || !slices.Contains(r.log, "PW-000001/revoke/1 skipped false") {
			t.Errorf("revoked %v, log %q", r.gone, r.log)
		}
	})
}

func TestDigest(t *testing.T) {
	story(t, response.Config{}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.run(time.Minute, 0)
		for n := range 5000 {
			r.leak(n+2, ada, "contoso")
		}
		r.run(8*time.Minute, 0)
		if len(r.mails) != 1 {
			t.Errorf("%d mails inside of the window", len(r.mails))
		}
		r.run(3*time.Minute, 0)
		if len(r.mails) != 2 || len(r.mails[1].Items) != 5000 {
			t.Errorf("%d mails after the window", len(r.mails))
		}
	})
}

func TestDailyCap(t *testing.T) {
	story(t, response.Config{}, func(t *testing.T, r *record) {
		for n := range 120 {
			r.leak(n+1, ada, "contoso")
			r.run(12*time.Minute, 0)
		}
		if n := len(r.mails); n < 20 || n > 26 {
			t.Errorf("%d mails in a day", n)
		}
	})
}

func TestUnreachableOwnerIsEscalated(t *testing.T) {
	cfg := response.Config{Organizations: []response.Organization{{Name: "Contoso", Admins: []string{"admin@contoso.example"}}}}
	story(t, cfg, func(t *testing.T, r *record) {
		r.leak(1, "", "contoso")
		r.run(time.Minute, 0)
		if got := r.kinds("admin@contoso.example"); !slices.Equal(got, []string{"escalation "}) || !strings.Contains(r.mails[0].Items[0].Reason, "no mail address") {
			t.Errorf("mails %q", got)
		}
	})
}

func TestCapHolds(t *testing.T) {
	story(t, response.Config{Revoke: response.Immediate, MaxPerHour: 3}, func(t *testing.T, r *record) {
		for n := range 5 {
			r.leak(n+1, fmt.Sprint("o", n, "@x.example"), "contoso")
			r.run(time.Minute, 0)
		}
		if len(r.gone) != 3 || r.brake != "" {
			t.Errorf("%d revoked, brake %q", len(r.gone), r.brake)
		}
		r.run(2*time.Hour, 0)
		if len(r.gone) != 5 {
			t.Errorf("%d revoked after the hour", len(r.gone))
		}
	})
}

func TestBrake(t *testing.T) {
	story(t, response.Config{Revoke: response.Immediate, MaxPerHour: 3, Admins: []string{"admin@x.example"}}, func(t *testing.T, r *record) {
		for n := range 50 {
			r.leak(n+1, ada, "contoso")
		}
		r.run(time.Hour, 0)
		if len(r.gone) != 0 || !strings.Contains(r.brake, "50 tokens") || len(r.kinds("admin@x.example")) != 1 || len(r.kinds(ada)) != 1 {
			t.Errorf("%d revoked, brake %q, mails %d", len(r.gone), r.brake, len(r.mails))
		}
	})
}

func TestHastenAndHold(t *testing.T) {
	story(t, response.Config{}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		c := r.cases["PW-000001"]
		c.Acts = append(c.Acts, leak.Act{Key: "PW-000001/revoke/1", Kind: leak.Revoke, State: leak.ActDue, Due: time.Now(), Reason: "brought forward by eve"})
		failures := 0
		r.crash = func(point string) (bool, bool) { failures++; return point == "revoke" && failures < 20, false }
		r.run(time.Hour, 0)
		if r.gone["PW-000001"] != 1 || !slices.Contains(r.kinds(ada), "revoked ") {
			t.Errorf("revoked %v, mails %q, log %q", r.gone, r.kinds(ada), r.log)
		}
	})
	story(t, response.Config{Revoke: response.Immediate}, func(t *testing.T, r *record) {
		r.leak(1, ada, "contoso")
		r.cases["PW-000001"].Hold = true
		r.run(time.Hour, 0)
		if len(r.gone) != 0 {
			t.Error("revoked although it is held")
		}
	})
}

// TestFaults fails each step in turn, not done and done all the same, with a
// restart every few seconds, and checks what must hold in the end.
func TestFaults(t *testing.T) {
	for _, point := range []string{"claim", "begin", "tell", "revoke", "finish"} {
		for _, stored := range []bool{false, true} {
			for nth := range 8 {
				name := fmt.Sprintf("%s %d, stored %v", point, nth, stored)
				story(t, response.Config{Revoke: response.After, After: time.Minute}, func(t *testing.T, r *record) {
					count := 0
					r.crash = func(p string) (before, after bool) {
						if p == point {
							count++
						}
						hit := p == point && count > nth && count <= nth+5
						return hit && !stored, hit && stored
					}
					for n := range 4 {
						r.leak(n+1, ada, "contoso")
					}
					r.run(6*time.Hour, 7*time.Second)
					for _, c := range r.cases {
						if r.gone[c.ID] != 1 {
							t.Errorf("%s: %s is not revoked", name, c.ID)
						}
						for _, a := range c.Acts {
							if a.State != leak.ActDone {
								t.Errorf("%s: %s is %s: %s", name, a.Key, a.State, a.Reason)
							}
						}
					}
					told(t, name, r)
				})
			}
		}
	}
}

// told checks that each case was told of, and each time with one Message-ID.
func told(t *testing.T, name string, r *record) {
	t.Helper()
	ids := map[string]map[string]bool{}
	for _, m := range r.mails {
		for _, it := range m.Items {
			if it.Kind == response.Leaked {
				if ids[it.Case.ID] == nil {
					ids[it.Case.ID] = map[string]bool{}
				}
				ids[it.Case.ID][m.MessageID] = true
			}
		}
	}
	for id := range r.cases {
		if len(ids[id]) != 1 {
			t.Errorf("%s: %s was told with %d Message-IDs", name, id, len(ids[id]))
		}
	}
}
