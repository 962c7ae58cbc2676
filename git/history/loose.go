package history

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"patwatch/git/pack"
)

var (
	errLooseHeader = errors.New("the loose object is corrupt: its header is malformed")
	errLooseStream = errors.New("the loose object is corrupt: it cannot be inflated")
	errLooseSize   = errors.New("the loose object is corrupt: its size is not what its header says")
	errLooseHash   = errors.New("the loose object is corrupt: its contents do not have its name")
)

// maxLooseHeader bounds "commit 123456\0"; git's own limit is 32 bytes.
const maxLooseHeader = 32

// A looseReader reads one loose object after the other. It verifies size and
// name when the contents of one have been read to the end. The zero value with
// idSize set is ready; it is for one goroutine.
type looseReader struct {
	idSize int
	file   *os.File
	raw    *bufio.Reader
	z      io.ReadCloser
	body   *bufio.Reader
	hash   hash.Hash
	id     pack.ID
	kind   pack.Kind
	size   int64
	left   int64
}

func newHash(idSize int) hash.Hash {
	if idSize == 32 {
		return sha256.New()
	}
	return sha1.New()
}

// open opens the loose object id of a store and reads its header. The object
// is not there when the error wraps fs.ErrNotExist. After an error nothing
// needs to be closed.
func (l *looseReader) open(dir string, id pack.ID) error {
	h := id.String()
	path := filepath.Join(dir, h[:2], h[2:])
	if st, err := os.Lstat(path); err != nil || !st.Mode().IsRegular() {
		if err == nil {
			err = errNotRegular
		}
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	l.file, l.id = f, id
	if err := l.start(); err != nil {
		l.Close()
		return err
	}
	return nil
}

func (l *looseReader) start() error {
	if err := l.reset(); err != nil {
		return errLooseHeader
	}
	peek, _ := l.body.Peek(maxLooseHeader)
	kind, size, n, err := parseLooseHeader(peek)
	if err != nil {
		return err
	}
	l.kind, l.size, l.left = kind, size, size
	l.hash.Write(peek[:n])
	l.body.Discard(n)
	return nil
}

// reset makes the inflater and the hash ready for the open file.
func (l *looseReader) reset() (err error) {
	if l.raw == nil {
		l.raw, l.body, l.hash = bufio.NewReader(nil), bufio.NewReader(nil), newHash(l.idSize)
	}
	l.raw.Reset(l.file)
	l.hash.Reset()
	if z, ok := l.z.(zlib.Resetter); ok {
		err = z.Reset(l.raw, nil)
	} else {
		l.z, err = zlib.NewReader(l.raw)
	}
	l.body.Reset(l.z)
	return err
}

// Read reads the contents. At their end it returns io.EOF only when size and
// name are right.
func (l *looseReader) Read(p []byte) (int, error) {
	n, err := l.body.Read(p)
	l.hash.Write(p[:n])
	if l.left -= int64(n); l.left < 0 {
		return 0, errLooseSize
	}
	if err == nil {
		return n, nil
	}
	if err != io.EOF {
		return n, errLooseStream
	}
	if l.left != 0 {
		return n, errLooseSize
	}
	if !bytes.Equal(l.hash.Sum(nil), l.id.Append(nil)) {
		return n, errLooseHash
	}
	return n, io.EOF
}

// Close closes the file. It says nothing about the contents.
func (l *looseReader) Close() error { return l.file.Close() }

// readAll returns the contents in buf, which grows as needed: no further than
// what the file really holds.
func (l *looseReader) readAll(buf []byte) ([]byte, error) {
	w := bytes.NewBuffer(buf[:0])
	if l.size <= 1<<20 {
		w.Grow(int(l.size) + bytes.MinRead)
	}
	_, err := w.ReadFrom(l)
	return w.Bytes(), err
}

// parseLooseHeader reads "TYPE SIZE\0" and returns its length too.
func parseLooseHeader(b []byte) (pack.Kind, int64, int, error) {
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return 0, 0, 0, errLooseHeader
	}
	word, digits, _ := bytes.Cut(b[:end], []byte(" "))
	kind := kindOf(string(word))
	size, err := strconv.ParseInt(string(digits), 10, 64)
	if kind == 0 || err != nil || size < 0 || (digits[0] == '0' && len(digits) > 1) || digits[0] == '+' {
		return 0, 0, 0, errLooseHeader
	}
	return kind, size, end + 1, nil
}

// kindOf is the inverse of pack.Kind's String.
func kindOf(word string) pack.Kind {
	for k := pack.Commit; k <= pack.Tag; k++ {
		if word == k.String() {
			return k
		}
	}
	return 0
}

// looseIDs lists the loose objects of a store in one fan-out directory.
func looseIDs(dir string, fan byte, idSize int) ([]pack.ID, error) {
	prefix := hex.EncodeToString([]byte{fan})
	f, err := os.Open(filepath.Join(dir, prefix))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("listing loose objects: %w", err)
	}
	ids := make([]pack.ID, 0, len(names))
	for _, n := range names {
		if len(n) != 2*idSize-2 {
			continue // temporary files
		}
		if id, err := pack.ParseID(prefix + n); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
