// Package tokenstoretest is what every store of tokens must pass, whatever it is
// made of.
package tokenstoretest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
	"patwatch/tokenstore"
)

// Store is what is tested.
type Store interface {
	Lookup(ctx context.Context, digests []leak.Digest) (map[leak.Digest]leak.Token, error)
	Get(ctx context.Context, authorizationID string) (leak.Token, error)
	Revoke(ctx context.Context, authorizationID string, at time.Time) (bool, error)
	HighWater(ctx context.Context) (time.Time, error)
	Import(ctx context.Context, r io.Reader, o tokenstore.ImportOptions) (tokenstore.ImportReport, error)
}

// Run tests stores whose digests are made with keys. open makes an empty one.
func Run(t *testing.T, keys *leak.Keyring, open func(t *testing.T) Store) {
	for name, test := range map[string]func(*bench){
		"Lookup": lookup, "Delta": delta, "Snapshot": snapshot, "Revoke": revoke, "HighWater": highWater, "NoAnswer": noAnswer,
	} {
		t.Run(name, func(t *testing.T) { test(&bench{t, keys, open(t)}) })
	}
}

type bench struct {
	*testing.T
	keys  *leak.Keyring
	store Store
}

func sum(n int) [sha256.Size]byte { return sha256.Sum256(fmt.Append(nil, "token ", n)) }

// lines are the records of tokens, from one number to before another.
func lines(from, to int, state string) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		s := sum(n)
		fmt.Fprintf(&b, `{"sha256":"%s","authorization_id":"a%d","owner_mail":"o%d@contoso.example","state":"%s","valid_from":"2026-01-01T00:00:00Z"}`+"\n",
			hex.EncodeToString(s[:]), n, n%7, state)
	}
	return b.String()
}

func (b *bench) load(text string, o tokenstore.ImportOptions) {
	b.Helper()
	o.Format = tokenstore.NDJSON
	if _, err := b.store.Import(b.Context(), strings.NewReader(text), o); err != nil {
		b.Fatal(err)
	}
}

// state is how the store knows a token: "" when it does not.
func (b *bench) state(n int) leak.TokenState {
	b.Helper()
	found, err := b.store.Lookup(b.Context(), b.keys.All(sum(n)))
	if err != nil {
		b.Fatal(err)
	}
	return found[b.keys.Of(sum(n))].State
}

func (b *bench) want(n int, want leak.TokenState) {
	b.Helper()
	if got := b.state(n); got != want {
		b.Errorf("token %d is %q, want %q", n, got, want)
	}
}

func lookup(b *bench) {
	b.want(1, "")
	b.load(lines(0, 500, "active"), tokenstore.ImportOptions{})
	digests := []leak.Digest{b.keys.Of(sum(3)), b.keys.Of(sum(3))}
	for n := 400; n < 900; n++ {
		digests = append(digests, b.keys.Of(sum(n)))
	}
	found, err := b.store.Lookup(b.Context(), digests)
	if err != nil || len(found) != 101 {
		b.Fatalf("%d found, %v", len(found), err)
	}
	for d, token := range found {
		if token.Digest != d || token.AuthorizationID == "" || token.Mail == "" {
			b.Fatalf("%+v", token)
		}
	}
	if found, err := b.store.Lookup(b.Context(), nil); err != nil || len(found) != 0 {
		b.Errorf("%v, %v", found, err)
	}
}

func delta(b *bench) {
	b.load(lines(0, 10, "active"), tokenstore.ImportOptions{})
	b.load(lines(5, 15, "revoked"), tokenstore.ImportOptions{})
	b.load(lines(12, 13, "active"), tokenstore.ImportOptions{DryRun: true})
	b.want(4, leak.TokenActive)
	b.want(9, leak.TokenRevoked)
	b.want(12, leak.TokenRevoked)
}

func snapshot(b *bench) {
	b.load(lines(0, 10, "active"), tokenstore.ImportOptions{})
	b.load(lines(5, 15, "active"), tokenstore.ImportOptions{Snapshot: true})
	b.want(4, "")
	b.want(14, leak.TokenActive)
	_, err := b.store.Import(b.Context(), strings.NewReader(""), tokenstore.ImportOptions{Format: tokenstore.NDJSON, Snapshot: true})
	if !errors.Is(err, tokenstore.ErrEmptySnapshot) {
		b.Errorf("an empty snapshot: %v", err)
	}
	b.want(14, leak.TokenActive)
}

func revoke(b *bench) {
	b.load(lines(0, 3, "active"), tokenstore.ImportOptions{})
	at := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for id, want := range map[string]bool{"a1": true, "a9": false} {
		for range 2 {
			if known, err := b.store.Revoke(b.Context(), id, at); err != nil || known != want {
				b.Errorf("%s: %v, %v", id, known, err)
			}
		}
	}
	for _, whole := range []bool{false, true} {
		b.load(lines(0, 3, "active"), tokenstore.ImportOptions{Snapshot: whole})
		b.want(1, leak.TokenRevoked)
		b.want(2, leak.TokenActive)
	}
	if _, err := b.store.Get(b.Context(), "a9"); !errors.Is(err, tokenstore.ErrNotFound) {
		b.Error(err)
	}
}

func highWater(b *bench) {
	check := func(want time.Time) {
		b.Helper()
		if at, err := b.store.HighWater(b.Context()); err != nil || !at.Equal(want) {
			b.Errorf("%v, want %v, %v", at, want, err)
		}
	}
	check(time.Time{})
	newest := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.load(lines(0, 3, "active"), tokenstore.ImportOptions{})
	check(newest)
	later := newest.AddDate(0, 1, 0)
	b.load(lines(0, 3, "active")+"junk\n", tokenstore.ImportOptions{AsOf: later})
	check(newest)
	b.load(lines(0, 3, "active"), tokenstore.ImportOptions{AsOf: later})
	check(later)
}

func noAnswer(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if found, err := b.store.Lookup(ctx, b.keys.All(sum(1))); err == nil || found != nil {
		b.Errorf("%v, %v", found, err)
	}
}
