package auditlog

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxNote is how long a signed checkpoint may be, in bytes.
const maxNote = 16 << 10

// Checkpoint is the state of a log at one moment: who has a signed one can tell
// later whether anything of what the log held then was changed.
type Checkpoint struct {
	Origin string    // the name of the log: that of the key which signs
	Size   int64     // events
	Root   tlog.Hash // of the tree
}

// text is the checkpoint as C2SP's tlog-checkpoint has it.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// Sign returns the checkpoint of a log with this size and root as a signed
// note: origin, size and base64 root on a line each, an empty line, signatures.
func (s *Signer) Sign(size int64, root tlog.Hash) (string, error) {
	c := Checkpoint{Origin: s.signer.Name(), Size: size, Root: root}
	b, err := note.Sign(&note.Note{Text: c.text()}, s.signer)
	if err != nil {
		return "", fmt.Errorf("signing the checkpoint of %d events: %w", size, err)
	}
	return string(b), nil
}

// Verifier checks what one [Signer] signed. It is immutable.
type Verifier struct{ verifier note.Verifier }

// NewVerifier returns the verifier of a public key as [Signer.Public] gives it.
func NewVerifier(public string) (*Verifier, error) {
	v, err := note.NewVerifier(strings.TrimSpace(public))
	if err != nil {
		return nil, errors.New("a public key is a name, a hash and base64, joined by plus signs")
	}
	return &Verifier{v}, nil
}

// Open returns the checkpoint in a signed note. It is an error when the key did
// not sign it, or when it is the checkpoint of a log with another name. Lines
// after the third are extensions and are passed over.
func (v *Verifier) Open(signed string) (Checkpoint, error) {
	if len(signed) > maxNote {
		return Checkpoint{}, fmt.Errorf("a checkpoint of %d bytes; %d are allowed", len(signed), maxNote)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v.verifier))
	if err != nil {
		return Checkpoint{}, errors.New("the checkpoint was not signed by the key " + v.verifier.Name())
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.verifier.Name() {
		return Checkpoint{}, fmt.Errorf("the checkpoint is not one of the log %s", v.verifier.Name())
	}
	return c, nil
}

func parseCheckpoint(text string) (Checkpoint, error) {
	bad := errors.New("a checkpoint is a name, a number of events and a base64 hash, on a line each")
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, bad
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, bad
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, bad
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// Signer signs the checkpoints of a log. It is immutable and prints nothing of
// its key.
type Signer struct {
	signer note.Signer
	public string
}

// Public returns the key that checks the signatures, as one line of text. It is
// no secret: give it to whom you send checkpoints and proofs.
func (s *Signer) Public() string { return s.public }

// Verifier returns the verifier of what s signs.
func (s *Signer) Verifier() (*Verifier, error) { return NewVerifier(s.public) }

// OpenSigner returns the signer whose key the file at path holds. If there is
// no file it makes a key with the given name and writes it, readable by its
// owner only, and the public key beside it, at path + ".pub". When it returns
// nil the key is on disk; when two programs start at once, both get the same.
// It refuses a key that everyone on the machine may read.
func OpenSigner(path, name string) (*Signer, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path, name); err != nil {
			return nil, fmt.Errorf("making the key %s that signs the audit log: %w", path, err)
		}
		key, err = readKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key %s that signs the audit log: %w", path, err)
	}
	return newSigner(key)
}

func newSigner(key string) (*Signer, error) {
	signer, err := note.NewSigner(key)
	if err != nil {
		return nil, errors.New("the key that signs the audit log is not one")
	}
	parts := strings.SplitN(key, "+", 5) // PRIVATE+KEY+name+hash+base64 of the kind and the seed
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, errors.New("the key that signs the audit log is not an ed25519 key")
	}
	pair := ed25519.NewKeyFromSeed(seed[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), pair.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("the public key of the audit log: %w", err)
	}
	return &Signer{signer, public}, nil
}

func readKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("its mode is %04o: everyone on the machine may use it; make it 0600, and a new key if others were here", info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, 4<<10))
	return strings.TrimSpace(string(b)), err
}

// makeKey writes a new key to path, unless someone else did so first. The file
// comes into being whole: it is written under another name and linked.
func makeKey(path, name string) error {
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	if err := writeSync(temp, secret+"\n"); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	if err := os.WriteFile(path+".pub", []byte(public+"\n"), 0o644); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func writeSync(f *os.File, text string) error {
	_, err := f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in a folder durable, where the system can.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
