package auditlog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader is the first line of a proof.
const proofHeader = "patwatch audit proof v1"

// maxProofHashes is the height of the largest tree there can be.
const maxProofHashes = 63

// Proof shows that an event is in a log: the event as it was stored, its path
// through the tree, and a signed checkpoint of the tree. Who has the signer's
// public key checks it without the log, see [Proof.Check].
type Proof struct {
	Index      int64
	Event      []byte // as [Event.Canonical] made it
	Path       tlog.RecordProof
	Checkpoint string // signed
}

// Prove returns the proof that the event with this index and canonical bytes is
// in the log that the checkpoint (c, signed) is of.
func Prove(r tlog.HashReader, c Checkpoint, signed string, index int64, canonical []byte) (Proof, error) {
	path, err := tlog.ProveRecord(c.Size, index, r)
	if err != nil {
		return Proof{}, fmt.Errorf("proving event %d of %d: %w", index, c.Size, err)
	}
	if err := tlog.CheckRecord(path, c.Size, c.Root, index, tlog.RecordHash(canonical)); err != nil {
		return Proof{}, fmt.Errorf("event %d is not the one that the checkpoint of %d events holds: the log was altered", index, c.Size)
	}
	return Proof{index, canonical, path, signed}, nil
}

// Encode returns the proof as a text file: a header, "index" and the leaf's
// number, "event" and its bytes, a base64 hash a line, an empty line, and the
// checkpoint.
func (p Proof) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\nevent %s\n", proofHeader, p.Index, p.Event)
	for _, h := range p.Path {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads what [Proof.Encode] wrote. It proves nothing yet.
func ParseProof(b []byte) (Proof, error) {
	bad := func(what string) (Proof, error) { return Proof{}, errors.New("not a proof of an audit event: " + what) }
	if len(b) > maxEvent+maxNote+maxProofHashes*64 {
		return bad("too long")
	}
	head, checkpoint, found := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || lines[0] != proofHeader {
		return bad("it does not begin with " + strconv.Quote(proofHeader))
	}
	index, ok := strings.CutPrefix(lines[1], "index ")
	n, err := strconv.ParseInt(index, 10, 64)
	if !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != index {
		return bad("the second line is not the event's number")
	}
	event, ok := strings.CutPrefix(lines[2], "event ")
	if !ok || event == "" {
		return bad("the third line is not the event")
	}
	p := Proof{Index: n, Event: []byte(event), Checkpoint: checkpoint}
	if len(lines)-3 > maxProofHashes {
		return bad("too many hashes")
	}
	for _, line := range lines[3:] {
		h, err := tlog.ParseHash(line)
		if err != nil || h.String() != line {
			return bad("a hash is not base64 of 32 bytes")
		}
		p.Path = append(p.Path, h)
	}
	return p, nil
}

// Check returns the event and the checkpoint of a proof that holds: the key of
// v signed the checkpoint, and the log it is of has exactly this event at this
// index.
func (p Proof) Check(v *Verifier) (Event, Checkpoint, error) {
	c, err := v.Open(p.Checkpoint)
	if err != nil {
		return Event{}, Checkpoint{}, err
	}
	if p.Index >= c.Size {
		return Event{}, c, fmt.Errorf("event %d is not among the first %d, of which the checkpoint is", p.Index, c.Size)
	}
	if err := tlog.CheckRecord(slices.Clone(p.Path), c.Size, c.Root, p.Index, tlog.RecordHash(p.Event)); err != nil {
		return Event{}, c, fmt.Errorf("event %d is not in the log: its hashes do not lead to the checkpoint's", p.Index)
	}
	e, err := ParseEvent(p.Event)
	return e, c, err
}
