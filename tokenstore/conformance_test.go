package tokenstore_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"patwatch/leak"
	"patwatch/tokenstore"
	"patwatch/tokenstore/tokenstoretest"
)

func TestConformance(t *testing.T) {
	keys, err := leak.NewKeyring(leak.Pepper{Version: 1, Key: leak.NewSecret(bytes.Repeat([]byte{1}, 32))})
	if err != nil {
		t.Fatal(err)
	}
	tokenstoretest.Run(t, keys, func(t *testing.T) tokenstoretest.Store {
		s, err := tokenstore.Open(t.Context(), filepath.Join(t.TempDir(), "tokens.db"), keys)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
