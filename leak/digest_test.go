package leak_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"patwatch/leak"
)

func pepper(version int, fill byte) leak.Pepper {
	return leak.Pepper{Version: version, Key: leak.NewSecret([]byte(strings.Repeat(string(fill), 32)))}
}

func keyring(t *testing.T, peppers ...leak.Pepper) *leak.Keyring {
	t.Helper()
	k, err := leak.NewKeyring(peppers...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestDigestIsHMACOverSHA256(t *testing.T) {
	token := leak.NewSecret([]byte("some token"))
	sum := sha256.Sum256([]byte("some token"))
	mac := hmac.New(sha256.New, []byte(strings.Repeat("a", 32)))
	mac.Write(sum[:])
	got := keyring(t, pepper(7, 'a')).Of(token.Sum())
	if want := fmt.Sprintf("7:%x", mac.Sum(nil)); got.String() != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestKeyringAll(t *testing.T) {
	sum := sha256.Sum256([]byte("some token"))
	k := keyring(t, pepper(1, 'a'), pepper(3, 'c'), pepper(2, 'b'))
	all := k.All(sum)
	if k.Current() != 3 || len(all) != 3 || all[0] != k.Of(sum) || all[1].Version != 2 || all[2].Version != 1 {
		t.Errorf("current %d, digests %v", k.Current(), all)
	}
	if old := keyring(t, pepper(1, 'a')); all[2] != old.Of(sum) {
		t.Error("an older pepper gives another digest once there is a newer one")
	}
	if !k.Has(2) || k.Has(4) {
		t.Error("Has is wrong")
	}
}

func TestNewKeyringRefuses(t *testing.T) {
	short := leak.Pepper{Version: 1, Key: leak.NewSecret([]byte("short"))}
	for _, c := range []struct {
		peppers []leak.Pepper
		want    string
	}{
		{nil, "needs a pepper"},
		{[]leak.Pepper{short}, "5 bytes"},
		{[]leak.Pepper{pepper(0, 'a')}, "from 1"},
		{[]leak.Pepper{pepper(1, 'a'), pepper(1, 'b')}, "twice"},
	} {
		k, err := leak.NewKeyring(c.peppers...)
		if k != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d peppers: %v, want an error with %q", len(c.peppers), err, c.want)
		}
	}
}

func TestPepperDoesNotPrint(t *testing.T) {
	k := keyring(t, pepper(1, 'a'))
	if out := fmt.Sprintf("%v %+v %#v", k, pepper(1, 'a'), *k); strings.Contains(out, "aaaa") {
		t.Error("a pepper can be printed")
	}
}

func TestDigestText(t *testing.T) {
	d := keyring(t, pepper(12, 'a')).Of(sha256.Sum256(nil))
	type record struct {
		Digest leak.Digest `json:"digest"`
	}
	for _, want := range []record{{d}, {}} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got record
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%s became %v, %v", b, got, err)
		}
	}
}

func FuzzParseDigest(f *testing.F) {
	for _, s := range []string{"", "1:", "0:" + strings.Repeat("0", 64), "1:" + strings.Repeat("0", 64), "1:" + strings.Repeat("g", 64),
		"-1:" + strings.Repeat("0", 64), "1:" + strings.Repeat("0", 66), "12:" + strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := leak.ParseDigest(s)
		if err != nil {
			if !d.IsZero() {
				t.Fatal("an error, and a digest")
			}
			return
		}
		if again, err := leak.ParseDigest(d.String()); err != nil || again != d || d.Version < 1 {
			t.Fatalf("%s became %s", d, again)
		}
	})
}
