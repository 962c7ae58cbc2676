//go:build !unix && !windows

package pack

import (
	"io"
	"os"
)

// mapFile reads size bytes of f into memory.
func mapFile(f *os.File, size int) ([]byte, func() error, error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, nil, err
	}
	return b, func() error { return nil }, nil
}
