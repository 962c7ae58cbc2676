package leak_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"patwatch/leak"
)

func TestTokenStateAt(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		state   leak.TokenState
		validTo time.Time
		want    leak.TokenState
	}{
		{leak.TokenActive, time.Time{}, leak.TokenActive},
		{leak.TokenActive, now.Add(time.Second), leak.TokenActive},
		{leak.TokenActive, now, leak.TokenExpired},
		{leak.TokenRevoked, now.Add(-time.Hour), leak.TokenRevoked},
	} {
		tok := leak.Token{State: c.state, ValidTo: c.validTo}
		if got := tok.StateAt(now); got != c.want {
			t.Errorf("%s, valid to %s: %s, want %s", c.state, c.validTo, got, c.want)
		}
	}
}

func TestTokenJSONIsFlat(t *testing.T) {
	b, err := json.Marshal(leak.Token{AuthorizationID: "a", Owner: leak.Owner{ID: "o", Name: "n", Mail: "m@example.org"}})
	if err != nil || !strings.Contains(string(b), `"owner_mail":"m@example.org"`) || strings.Contains(string(b), "valid_to") {
		t.Errorf("%s %v", b, err)
	}
}

func TestLastFour(t *testing.T) {
	for token, want := range map[string]string{
		"":                              "",
		"nineteen-characters":           "",
		"twenty-characters-ab":          "s-ab",
		"many-characters-and-\x00\xffé": "....",
	} {
		if got := leak.NewSecret([]byte(token)).LastFour(); got != want {
			t.Errorf("%d bytes: %q, want %q", len(token), got, want)
		}
	}
}

func TestConfidenceText(t *testing.T) {
	for c := leak.Unverified; c <= leak.Verified; c++ {
		text, _ := c.MarshalText()
		var got leak.Confidence
		if err := got.UnmarshalText(text); err != nil || got != c {
			t.Errorf("%s became %s", c, got)
		}
	}
	got := leak.Verified
	if err := got.UnmarshalText([]byte("certain")); err != nil || got != 0 {
		t.Errorf("an unknown word became %s, %v", got, err)
	}
}
