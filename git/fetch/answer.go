package fetch

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Reason says why something of a push was not read, in a word.
type Reason string

// The reasons.
const (
	Truncated Reason = "truncated" // a bound on bytes was met; the slow lane may get more
	TimedOut  Reason = "timeout"   // a bound on time was met
	CutOff    Reason = "cut"       // the connection or the server ended the answer early
	Corrupt   Reason = "corrupt"   // the pack's checksum is wrong
	Gone      Reason = "gone"      // the host does not have it any more
	Limited   Reason = "limited"   // large blobs were not asked for
)

// An answer is what came back for one fetch.
type answer struct {
	acked  []string // of the haves, those that the server knows
	packed bool     // a pack came, if only the start of it
	pack   []byte
	idSize int    // of the names in it
	reason Reason // "": all of the pack came
	detail string
}

const (
	maxAcks     = 1 << 16 // lines outside of the pack
	maxProgress = 4 << 20 // bytes of messages beside the pack
)

var errBound = errors.New("more bytes than are allowed")

// remoteError is what the server said. Its text comes from a stranger: control
// characters are taken out, and it is cut short.
type remoteError struct{ text string }

func (e *remoteError) Error() string { return "the server says: " + e.text }

func remote(text []byte) *remoteError {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(text[:min(len(text), 200)]))
	return &remoteError{clean}
}

// serverSaid turns an ERR line into the error it stands for.
func serverSaid(text []byte) error {
	err := remote(bytes.TrimSpace(text))
	switch {
	case strings.Contains(err.text, "not our ref"), strings.Contains(err.text, "unknown ref"):
		return fmt.Errorf("%w: %w", ErrMissing, err)
	case strings.Contains(err.text, "object format"):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	case strings.Contains(err.text, "not exported"), strings.Contains(err.text, "not found"):
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return fmt.Errorf("%w: %w", ErrProtocol, err)
}

// line returns the next line without its line feed; an ERR line is an error.
func (p *packetReader) line() (packetKind, []byte, error) {
	kind, b, err := p.next()
	if err != nil {
		return kind, nil, err
	}
	if text, bad := bytes.CutPrefix(b, []byte("ERR ")); bad && kind == data {
		return kind, nil, serverSaid(text)
	}
	return kind, bytes.TrimSuffix(b, []byte("\n")), nil
}

// read reads the answer to a fetch. keep takes the pack piece by piece; it is
// called once with nil when the pack begins. An error means that there is
// nothing; when a pack began, what ended it is left to the caller by its
// second result.
func (a *answer) read(p *packetReader, keep func([]byte) error) (err, ended error) {
	lines := 0
	for first := true; ; first = false {
		kind, section, err := p.line()
		if err != nil {
			return beginning(err, first), nil
		}
		if kind != data {
			return fmt.Errorf("%w: a section is missing", ErrProtocol), nil
		}
		if string(section) == "packfile" {
			a.packed = true
			if err := keep(nil); err != nil {
				return err, nil
			}
			return nil, sideband(p, keep)
		}
		more, err := a.section(p, string(section), &lines)
		if err != nil || !more {
			return err, nil
		}
	}
}

// beginning words the error of an answer that ended before a pack.
func beginning(err error, first bool) error {
	if first && errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: an empty answer", ErrProtocol)
	}
	if errors.Is(err, errPacket) {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return err
}

// section reads the lines of a section and says whether another one follows.
func (a *answer) section(p *packetReader, name string, lines *int) (more bool, err error) {
	switch name {
	case "acknowledgments", "shallow-info", "wanted-refs":
	default:
		return false, fmt.Errorf("%w: unknown section", ErrProtocol)
	}
	for {
		kind, b, err := p.line()
		if err != nil {
			return false, beginning(err, false)
		}
		switch kind {
		case delim:
			return true, nil
		case flush, responseEnd:
			return false, nil
		}
		if *lines++; *lines > maxAcks {
			return false, fmt.Errorf("%w: too many lines", ErrProtocol)
		}
		if id, ok := strings.CutPrefix(string(b), "ACK "); ok && name == "acknowledgments" && ValidObject(id) {
			a.acked = append(a.acked, id)
		}
	}
}

// sideband reads the pack until its end, which is nil. Any error ends it early.
func sideband(p *packetReader, keep func([]byte) error) error {
	other := 0
	for {
		kind, b, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil && len(b) > 1 && b[0] == 1:
			return cmp.Or(keep(b[1:]), err)
		case err != nil:
			return err
		case kind == flush, kind == responseEnd:
			return nil
		case kind == delim || len(b) == 0:
			return errPacket
		}
		switch b[0] {
		case 1:
			if err := keep(b[1:]); err != nil {
				return err
			}
		case 2:
			if other += len(b); other > maxProgress {
				return errBound
			}
		case 3:
			return remote(bytes.TrimSpace(b[1:]))
		default:
			return errPacket
		}
	}
}

// finish says what of the pack is there, after ended ended it.
func (a *answer) finish(ended error, idSize int) {
	a.idSize = idSize
	switch {
	case ended == nil && whole(a.pack, idSize):
	case ended == nil:
		a.reason, a.detail = Corrupt, "the pack's checksum is wrong"
	case errors.Is(ended, errBound):
		a.reason, a.detail = Truncated, fmt.Sprintf("the pack has more than the %d bytes that are read", len(a.pack))
	case errors.Is(ended, errSlow), errors.Is(ended, errStalled):
		a.reason, a.detail = TimedOut, ended.Error()
	default:
		a.reason, a.detail = CutOff, "the answer ended early: "+remote([]byte(ended.Error())).text
	}
}

// whole says whether b is a pack with its checksum.
func whole(b []byte, idSize int) bool {
	if len(b) < 12+idSize || string(b[:4]) != "PACK" {
		return false
	}
	body, sum := b[:len(b)-idSize], b[len(b)-idSize:]
	if idSize == sha256.Size {
		got := sha256.Sum256(body)
		return bytes.Equal(got[:], sum)
	}
	got := sha1.Sum(body)
	return bytes.Equal(got[:], sum)
}

// objects returns how many objects a pack says it has.
func objects(pack []byte) int {
	if len(pack) < 12 {
		return 0
	}
	return int(binary.BigEndian.Uint32(pack[8:]))
}
