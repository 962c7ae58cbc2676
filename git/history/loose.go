package history

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"patwatch/git/pack"
)

var (
	errLooseHeader = errors.New("the loose object is corrupt: its header is malformed")
	errStream      = errors.New("the object is corrupt: it cannot be read to its end")
	errSize        = errors.New("the object is corrupt: its size is not what its header says")
	errHash        = errors.New("the object is corrupt: its contents do not have its name")
	errTooLarge    = errors.New("the object is too large to be read whole")
)

func newHash(idSize int) hash.Hash {
	if idSize == 32 {
		return sha256.New()
	}
	return sha1.New()
}

// A checkedReader reads the contents of an object. It returns io.EOF only when
// their size and name are right, and reads no more than one byte beyond the
// size.
type checkedReader struct {
	id   pack.ID
	kind pack.Kind
	size int64

	in   io.Reader
	left int64
	hash hash.Hash
}

func newCheckedReader(in io.Reader, id pack.ID, kind pack.Kind, size int64) *checkedReader {
	c := &checkedReader{id: id, kind: kind, size: size, in: in, left: size, hash: newHash(len(id.Append(nil)))}
	fmt.Fprintf(c.hash, "%s %d\x00", kind, size)
	return c
}

// Read reads on. It is not to be called again after an error.
func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p[:min(int64(len(p)), c.left+1)])
	c.hash.Write(p[:n])
	c.left -= int64(n)
	switch {
	case c.left < 0:
		return 0, errSize
	case err == nil:
		return n, nil
	case err != io.EOF:
		return n, errStream
	case c.left != 0:
		return n, errSize
	case !bytes.Equal(c.hash.Sum(nil), c.id.Append(nil)):
		return n, errHash
	}
	return n, io.EOF
}

// all returns the contents in buf, which grows as needed: no further than what
// there really is, and never above max bytes.
func (c *checkedReader) all(buf []byte, max int64) ([]byte, error) {
	if c.size > max {
		return nil, errTooLarge
	}
	w := bytes.NewBuffer(buf[:0])
	if c.size <= 1<<20 {
		w.Grow(int(c.size) + bytes.MinRead)
	}
	_, err := w.ReadFrom(c)
	return w.Bytes(), err
}

// maxLooseHeader bounds "commit 123456\0"; git's own limit is 32 bytes.
const maxLooseHeader = 32

// A looseReader opens one loose object after the other. The zero value is
// ready; it is for one goroutine.
type looseReader struct {
	file *os.File
	raw  *bufio.Reader
	z    io.ReadCloser
	body *bufio.Reader
}

// open opens the loose object id of a store and reads its header; close is to
// be called afterwards. The object is not there when the error wraps
// fs.ErrNotExist; after an error nothing needs to be closed.
func (l *looseReader) open(dir string, id pack.ID) (*checkedReader, error) {
	path := loosePath(dir, id)
	if st, err := os.Lstat(path); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, errNotRegular
	}
	var err error
	if l.file, err = os.Open(path); err != nil {
		return nil, err
	}
	if l.inflate() != nil {
		l.close()
		return nil, errLooseHeader
	}
	peek, _ := l.body.Peek(maxLooseHeader)
	kind, size, n, err := parseLooseHeader(peek)
	if err != nil {
		l.close()
		return nil, err
	}
	l.body.Discard(n) // peeked before: cannot fail
	return newCheckedReader(l.body, id, kind, size), nil
}

func (l *looseReader) close() { l.file.Close() } // says nothing about what was read

// inflate makes the inflater ready for the open file.
func (l *looseReader) inflate() (err error) {
	if l.raw == nil {
		l.raw, l.body = bufio.NewReader(nil), bufio.NewReader(nil)
	}
	l.raw.Reset(l.file)
	if z, ok := l.z.(zlib.Resetter); ok {
		err = z.Reset(l.raw, nil)
	} else {
		l.z, err = zlib.NewReader(l.raw)
	}
	l.body.Reset(l.z)
	return err
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
	if kind == 0 || err != nil || size < 0 || (digits[0] == '0' && len(digits) > 1) || digits[0] == '+' || digits[0] == '-' {
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

func loosePath(dir string, id pack.ID) string {
	h := id.String()
	return filepath.Join(dir, h[:2], h[2:])
}

func hasLoose(dir string, id pack.ID) bool {
	_, err := os.Lstat(loosePath(dir, id))
	return err == nil
}

// looseIDs lists the loose objects of a store in one fan-out directory, which
// need not be there.
func looseIDs(dir string, fan byte, idSize int) ([]pack.ID, error) {
	prefix := hex.EncodeToString([]byte{fan})
	f, err := os.Open(filepath.Join(dir, prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
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

// A looseWalk visits the loose objects that no pack and no earlier store has.
// Its callbacks are called from several goroutines at once.
type looseWalk struct {
	r       *Repository
	workers int
	visit   func(worker int, in *checkedReader) error // an error ends the walk
	fail    func(id pack.ID, err error)
	problem func(object string, err error)
}

// fanOut is the number of directories that loose objects are spread over.
const fanOut = 256

func (w *looseWalk) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var taken atomic.Int64
	var group sync.WaitGroup
	for n := range w.workers {
		group.Go(func() {
			var in looseReader
			for k := int(taken.Add(1)) - 1; k < fanOut*len(w.r.stores); k = int(taken.Add(1)) - 1 {
				if err := w.directory(ctx, n, &in, k/fanOut, byte(k%fanOut)); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

func (w *looseWalk) directory(ctx context.Context, worker int, in *looseReader, store int, fan byte) error {
	dir := w.r.stores[store].dir
	ids, err := looseIDs(dir, fan, w.r.idSize)
	if err != nil {
		w.problem(dir, fmt.Errorf("listing loose objects: %w", err))
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if packed(w.r.packs, id) || inStores(w.r.stores[:store], id) {
			continue
		}
		c, err := in.open(dir, id)
		if err != nil {
			w.fail(id, err)
			continue
		}
		err = w.visit(worker, c)
		in.close()
		if err != nil {
			return err
		}
	}
	return nil
}

func inStores(stores []*store, id pack.ID) bool {
	for _, s := range stores {
		if hasLoose(s.dir, id) {
			return true
		}
	}
	return false
}
