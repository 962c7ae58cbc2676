package standin

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A store writes objects and refs of one bare repository, as git itself would:
// loose objects, refs as files. A push takes some files and no process, so that
// a demo can have many of them in a second.
type store struct {
	dir     string
	writers *sync.Pool // of *zlib.Writer, which are dear to make
}

// initialise makes the repository.
func (s store) initialise() error {
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(s.dir, filepath.FromSlash(d)), 0o755); err != nil {
			return err
		}
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[gc]\n\tauto = 0\n"
	if err := os.WriteFile(filepath.Join(s.dir, "config"), []byte(config), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644)
}

// object writes an object and returns its name. One that is there already is
// left as it is.
func (s store) object(kind string, data []byte) (string, error) {
	full := fmt.Appendf(nil, "%s %d\x00", kind, len(data))
	full = append(full, data...)
	sum := sha1.Sum(full)
	id := hex.EncodeToString(sum[:])
	name := filepath.Join(s.dir, "objects", id[:2], id[2:])
	if _, err := os.Stat(name); err == nil {
		return id, nil
	}
	var packed bytes.Buffer
	z := s.writers.Get().(*zlib.Writer)
	defer s.writers.Put(z)
	z.Reset(&packed)
	if _, err := z.Write(full); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return id, s.replace(name, packed.Bytes())
}

// replace writes a file under another name and renames it, so that a reader
// sees all of it or none.
func (s store) replace(name string, data []byte) error {
	err := os.WriteFile(name+".new", data, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), 0o755); err == nil {
			err = os.WriteFile(name+".new", data, 0o644)
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// setRef points a ref at an object; "" removes it.
func (s store) setRef(ref, id string) error {
	name := filepath.Join(s.dir, filepath.FromSlash(ref))
	if id == "" {
		return os.Remove(name)
	}
	return s.replace(name, []byte(id+"\n"))
}

// tree writes the trees of files, which maps slash-separated paths to names of
// blobs, and returns the name of the topmost.
func (s store) tree(files map[string]string) (string, error) {
	blobs, folders := map[string]string{}, map[string]map[string]string{}
	for path, id := range files {
		dir, rest, nested := strings.Cut(path, "/")
		if !nested {
			blobs[path] = id
			continue
		}
		if folders[dir] == nil {
			folders[dir] = map[string]string{}
		}
		folders[dir][rest] = id
	}
	entries := map[string]string{} // name as git sorts it: that of a folder ends in a slash
	for name, id := range blobs {
		entries[name] = "100644 " + name + "\x00" + rawID(id)
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		id, err := s.tree(folders[name])
		if err != nil {
			return "", err
		}
		entries[name+"/"] = "40000 " + name + "\x00" + rawID(id)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		b.WriteString(entries[name])
	}
	return s.object("tree", []byte(b.String()))
}

// rawID turns a name that object returned into its bytes.
func rawID(id string) string {
	raw, _ := hex.DecodeString(id)
	return string(raw)
}

// commit writes a commit.
func (s store) commit(tree string, parents []string, author, message string, at time.Time) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", tree)
	for _, p := range parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	who := signature(author, at)
	fmt.Fprintf(&b, "author %s\ncommitter %s\n\n%s\n", who, who, message)
	return s.object("commit", []byte(b.String()))
}

// tag writes an annotated tag of a commit.
func (s store) tag(commit, name, author, message string, at time.Time) (string, error) {
	return s.object("tag", fmt.Appendf(nil, "object %s\ntype commit\ntag %s\ntagger %s\n\n%s\n", commit, name, signature(author, at), message))
}

func signature(author string, at time.Time) string {
	return fmt.Sprintf("%s %d +0000", author, at.Unix())
}
