package tokenstore

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"patwatch/leak"
)

const (
	pepperSize  = 32
	maxPepper   = 64 << 10 // bytes of a pepper file
	pepperTitle = "# The peppers that token digests are made with, version and key, base64. Keep this file secret,\n" +
		"# and keep it: without it no leaked token can be recognised.\n"
)

// LoadKeyring returns the peppers of a file. If there is no file it makes one
// with a new pepper, version 1, that only its owner may read; when it returns
// nil then the file is on disk, and when two programs start at once both get the
// same pepper. It refuses a file that others may read, where files have modes.
func LoadKeyring(path string) (*leak.Keyring, error) {
	peppers, err := readPeppers(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createPepper(path); err == nil {
			peppers, err = readPeppers(path)
		}
	}
	var ring *leak.Keyring
	if err == nil {
		ring, err = leak.NewKeyring(peppers...)
	}
	if err != nil {
		return nil, fmt.Errorf("pepper file %s: %w", path, err)
	}
	return ring, nil
}

// RotatePepper adds a pepper to the file, which new digests are made with from
// the next start on, and returns its version. The older ones stay: tokens that
// were imported with them are still found.
func RotatePepper(path string) (version int, err error) {
	peppers, err := readPeppers(path)
	if err != nil {
		return 0, fmt.Errorf("pepper file %s: %w", path, err)
	}
	for _, p := range peppers {
		version = max(version, p.Version)
	}
	version++
	data, err := os.ReadFile(path)
	if err == nil {
		err = replaceFile(path, append(data, pepperLine(version)...))
	}
	if err != nil {
		return 0, fmt.Errorf("pepper file %s: %w", path, err)
	}
	return version, nil
}

func pepperLine(version int) string {
	key := make([]byte, pepperSize)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	return fmt.Sprintf("%d %s\n", version, base64.StdEncoding.EncodeToString(key))
}

// createPepper makes the file, unless somebody else just did.
func createPepper(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := writeTemp(path, []byte(pepperTitle+pepperLine(1)))
	if err != nil {
		return err
	}
	err = os.Link(tmp, path) // unlike a rename, it takes nobody's file away
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(tmp), syncFolder(path))
}

func replaceFile(path string, data []byte) error {
	tmp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	return errors.Join(os.Rename(tmp, path), syncFolder(path))
}

// writeTemp writes a file beside path, for its owner only, and syncs it.
func writeTemp(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".pepper-*") // its mode is 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncFolder makes a new name last, where folders can be synced.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func readPeppers(path string) ([]leak.Pepper, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, pathless(err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %#o): chmod 600 it, and make new peppers if they may have", mode)
	}
	if info.Size() > maxPepper {
		return nil, fmt.Errorf("it has %d bytes, and %d are the most", info.Size(), maxPepper)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, pathless(err)
	}
	return parsePeppers(data)
}

// parsePeppers reads lines "version key". Errors do not quote them.
func parsePeppers(data []byte) ([]leak.Pepper, error) {
	var peppers []leak.Pepper
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		version, key, _ := strings.Cut(text, " ")
		v, err := strconv.Atoi(version)
		raw, bad := base64.StdEncoding.DecodeString(strings.TrimSpace(key))
		if err != nil || bad != nil {
			return nil, fmt.Errorf("line %d is not a version and a base64 key", n)
		}
		peppers = append(peppers, leak.Pepper{Version: v, Key: leak.NewSecret(raw)})
	}
	return peppers, lines.Err()
}

// pathless is err without the path, which is said already.
func pathless(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
