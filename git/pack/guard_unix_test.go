//go:build unix

package pack

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFileCutWhileMapped cuts a pack off under a walk and a Reader: errors, and
// not the end of the program.
func TestFileCutWhileMapped(t *testing.T) {
	var fakes []fake
	for i := range 50 {
		fakes = append(fakes, fake{name: fmt.Sprint(i), kind: Blob, data: someBytes(20_000)})
	}
	data, rows := fakePack(fakes)
	path := writePack(t, data, fakeIndex2(rows, data[len(data)-20:], 1<<31))
	p := openPack(t, path, 20)
	if err := os.Truncate(path, 5000); err != nil {
		t.Fatal(err)
	}
	err := p.Walk(t.Context(), WalkOptions{Workers: 3, Kinds: allKinds, Fail: func(int, int, error) {}})
	if !errors.Is(err, errShrunk) || !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
		t.Errorf("walk: %v", err)
	}
	if _, _, err := p.NewReader().Read(p.Len() - 1); !errors.Is(err, errShrunk) {
		t.Errorf("reader: %v", err)
	}
}

// TestOtherPanics: what is not about the mapped files goes on.
func TestOtherPanics(t *testing.T) {
	p := openFakes(t, []fake{baseFake})
	for _, v := range []any{"text", errors.New("error")} {
		func() {
			defer func() {
				if r := recover(); r != v {
					t.Errorf("%v became %v", v, r)
				}
			}()
			_ = p.guard(func() error { panic(v) })
		}()
	}
}
