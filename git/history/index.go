package history

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"

	"patwatch/git/pack"
)

// maxIndex bounds the index file, in bytes.
const maxIndex = 512 << 20

// An indexEntry is what the index says about one file.
type indexEntry struct {
	path    string
	id      pack.ID
	link    bool // a symbolic link
	stage   int  // 0, or one side of a conflict
	planned bool // git add -N: the file has no contents yet
	size    uint32
	changed time.Time // of the inode; zero when not known
	written time.Time
}

// An indexFile is the index, files and symbolic links only.
type indexFile struct {
	entries  []indexEntry
	modules  map[string]bool // paths of other repositories
	modified time.Time
	stats    bool // entries know the state of the file that they were made from
}

// readIndex reads the index file. There is none in a repository without one:
// that is an empty index.
func (r *Repository) readIndex(ctx context.Context) (*indexFile, error) {
	st, err := os.Lstat(r.index)
	if errors.Is(err, fs.ErrNotExist) {
		return &indexFile{stats: true}, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := readSmall(r.index, maxIndex)
	if err != nil {
		return nil, err
	}
	if !wholeIndex(b, r.idSize) {
		return nil, fmt.Errorf("the index %s is damaged: its checksum is wrong", r.index)
	}
	if x, err := r.decodeIndex(b); err == nil {
		x.modified, x.stats = st.ModTime(), true
		return x, nil
	}
	x, err := r.listIndex(ctx)
	if err != nil {
		return nil, fmt.Errorf("the index cannot be read, by git neither: %w", err)
	}
	return x, nil
}

// wholeIndex compares the checksum at the end, which git itself does not. It is
// zero where index.skipHash is set.
func wholeIndex(b []byte, idSize int) bool {
	if len(b) < idSize {
		return false
	}
	body, sum := b[:len(b)-idSize], b[len(b)-idSize:]
	h := newHash(idSize)
	h.Write(body)
	return bytes.Equal(sum, h.Sum(nil)) || bytes.Equal(sum, make([]byte, idSize))
}

var errIndex = errors.New("the index is of a kind that is not read natively")

// decodeIndex reads versions 2 to 4 with SHA-1 names, not split nor sparse.
func (r *Repository) decodeIndex(b []byte) (x *indexFile, err error) {
	if r.idSize != 20 {
		return nil, errIndex
	}
	defer func() {
		if recover() != nil { // the parser is not ours, its input is anyone's
			err = errIndex
		}
	}()
	var in index.Index
	if err := index.NewDecoder(bytes.NewReader(b)).Decode(&in); err != nil {
		return nil, err
	}
	x = &indexFile{modules: map[string]bool{}}
	for _, e := range in.Entries {
		x.add(e)
	}
	return x, nil
}

func (x *indexFile) add(e *index.Entry) {
	switch e.Mode {
	case filemode.Regular, filemode.Executable, filemode.Deprecated, filemode.Symlink:
		id, _ := pack.NewID(e.Hash[:])
		x.entries = append(x.entries, indexEntry{path: e.Name, id: id, link: e.Mode == filemode.Symlink, stage: int(e.Stage),
			planned: e.IntentToAdd, size: e.Size, changed: e.CreatedAt, written: e.ModifiedAt})
	case filemode.Submodule:
		x.modules[e.Name] = true
	}
}

// listIndex asks git for the entries, without what it knows of the files.
func (r *Repository) listIndex(ctx context.Context) (*indexFile, error) {
	x := &indexFile{modules: map[string]bool{}}
	c := gitCommand{args: []string{"ls-files", "--stage", "-z", "--full-name"}, env: []string{"GIT_INDEX_FILE=" + r.index}}
	err := r.git(ctx, c, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString(0)
			if err == io.EOF {
				return nil
			}
			if err == nil {
				err = x.parse(strings.TrimSuffix(line, "\x00"))
			}
			if err != nil {
				return err
			}
		}
	})
	return x, err
}

var errListing = errors.New("git ls-files gave an answer that is not understood")

// parse reads "MODE ID STAGE\tPATH".
func (x *indexFile) parse(line string) error {
	meta, path, ok := strings.Cut(line, "\t")
	f := strings.Fields(meta)
	if !ok || len(f) != 3 {
		return errListing
	}
	if f[0] == "160000" {
		x.modules[path] = true
		return nil
	}
	id, err := pack.ParseID(f[1])
	stage, bad := strconv.Atoi(f[2])
	if err != nil || bad != nil || path == "" {
		return errListing
	}
	x.entries = append(x.entries, indexEntry{path: path, id: id, stage: stage, link: f[0] == "120000"})
	return nil
}

// A StagedFile is a file of the index that HEAD does not have in this form. A
// symbolic link is one too: its contents are the path that it leads to.
type StagedFile struct {
	Path string
	Blob pack.ID // what the index has
	Head pack.ID // what HEAD has at Path, zero when nothing
}

// Staged returns the files of the index that differ from HEAD's tree, by path.
// Files that the index lacks are no differences, nor are other repositories
// within this one. Of a conflict all sides are listed.
func (r *Repository) Staged(ctx context.Context) ([]StagedFile, error) {
	x, err := r.readIndex(ctx)
	if err != nil {
		return nil, err
	}
	rd := r.reader()
	defer rd.release()
	head, err := rd.headFiles(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading HEAD: %w", err)
	}
	var out []StagedFile
	for _, e := range x.entries {
		if old := head[e.path]; old != e.id && !e.planned {
			out = append(out, StagedFile{e.path, e.id, old})
		}
	}
	slices.SortFunc(out, func(a, b StagedFile) int { return strings.Compare(a.Path, b.Path) })
	return slices.Compact(out), nil
}

const maxHeadFiles = 50_000_000

// headFiles returns the blobs of HEAD's tree by path, none when there is no
// commit yet.
func (rd *reader) headFiles(ctx context.Context) (map[string]pack.ID, error) {
	files := map[string]pack.ID{}
	root, ok, err := rd.headTree(ctx)
	if err != nil || !ok {
		return files, err
	}
	return files, rd.files(ctx, root, "", 0, files)
}

// files adds the blobs below a tree.
func (rd *reader) files(ctx context.Context, tree pack.ID, prefix string, depth int, files map[string]pack.ID) error {
	if depth > maxPathDepth || len(files) > maxHeadFiles {
		return errors.New("its tree is too large")
	}
	_, data, err := rd.read(ctx, tree, maxMetaRead)
	if err != nil {
		return err
	}
	s := treeScanner{data: slices.Clone(data), idSize: rd.r.idSize}
	for s.next() {
		id, err := pack.NewID(s.id)
		if err != nil {
			return err
		}
		switch s.kind {
		case entryBlob:
			files[prefix+string(s.name)] = id
		case entryTree:
			if err := rd.files(ctx, id, prefix+string(s.name)+"/", depth+1, files); err != nil {
				return err
			}
		}
	}
	return nil
}
