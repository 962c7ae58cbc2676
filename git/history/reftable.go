package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"patwatch/git/pack"
)

// maxReftable bounds the tables of a stack together, maxReftables their number.
const (
	maxReftable  = 1 << 30 // bytes
	maxReftables = 1000
)

var errReftable = errors.New("the reftable is malformed")

// reftables reads the refs of a stack of tables, as "git init
// --ref-format=reftable" makes it: later tables hide what earlier ones say. Log
// and object blocks are not read.
func (l *refLoader) reftables(dir, prefix string) {
	list := filepath.Join(dir, "reftable", "tables.list")
	b, err := readSmall(list, maxSmallFile)
	if err != nil {
		l.problems = append(l.problems, Problem{list, fmt.Errorf("no refs are known: %w", err)})
		return
	}
	names := strings.Fields(string(b))
	if len(names) > maxReftables {
		l.problem(list, errors.New("names too many tables: not all are read"))
		names = names[:maxReftables]
	}
	left := int64(maxReftable)
	for _, name := range names {
		file := filepath.Join(dir, "reftable", filepath.Base(name))
		b, err := readSmall(file, left)
		left -= int64(len(b))
		if err == nil {
			err = parseReftable(b, l.idSize, func(ref reftableRecord) { l.record(prefix, ref) })
		}
		if err != nil { // a table that has gone is a problem, too
			l.problems = append(l.problems, Problem{file, fmt.Errorf("not all of its refs are known: %w", err)})
		}
	}
}

func (l *refLoader) record(prefix string, ref reftableRecord) {
	if ref.name != "HEAD" && !strings.HasPrefix(ref.name, "refs/") { // ORIG_HEAD and the like
		return
	}
	if !plainName(ref.name) {
		l.problem("refs", errControl)
		return
	}
	name := prefix + ref.name
	delete(l.ids, name)
	delete(l.symbolic, name)
	switch {
	case ref.target != "":
		l.symbolic[name] = ref.target
	case !ref.id.IsZero():
		l.ids[name] = ref.id
	}
}

// A reftableRecord is what a table says of a ref: its object, or the ref that it
// stands for, or neither when it was deleted.
type reftableRecord struct {
	name   string
	id     pack.ID
	target string
}

// parseReftable calls add for each ref of a table (gitformat-reftable(5)), in
// the order of the file.
func parseReftable(b []byte, idSize int, add func(reftableRecord)) error {
	if len(b) < 24 || string(b[:4]) != "REFT" || b[4] != 1 && b[4] != 2 {
		return errReftable
	}
	header := 24
	if b[4] == 2 {
		header = 28
	}
	blockSize := int(binary.BigEndian.Uint32(b[4:]) & 0xffffff)
	for start, at := 0, header; at+4 <= len(b) && b[at] == 'r'; {
		end := start + int(binary.BigEndian.Uint32(b[at:])&0xffffff)
		if end > len(b) || end < at+6 {
			return errReftable
		}
		restarts := 3*int(binary.BigEndian.Uint16(b[end-2:])) + 2
		if end-restarts < at+4 {
			return errReftable
		}
		in := reftableBlock{rest: b[at+4 : end-restarts], idSize: idSize}
		for len(in.rest) > 0 {
			ref, ok := in.next()
			if !ok {
				return errReftable
			}
			add(ref)
		}
		if start = end; blockSize > 0 {
			start = (end + blockSize - 1) / blockSize * blockSize
		}
		at = start
	}
	return nil
}

// A reftableBlock is the records of a block that were not read yet.
type reftableBlock struct {
	rest   []byte
	idSize int
	name   []byte // of the record last read
	bad    bool
}

func (in *reftableBlock) next() (ref reftableRecord, ok bool) {
	shared, suffix := in.number(), in.number()
	if shared > uint64(len(in.name)) || suffix>>3 > maxRefName {
		return ref, false
	}
	in.name = append(bytes.Clone(in.name[:shared]), in.take(suffix>>3)...)
	if len(in.name) > maxRefName {
		return ref, false
	}
	ref.name = string(in.name)
	in.number() // when it was written
	switch suffix & 7 {
	case 0: // deleted
	case 1, 2:
		ref.id, _ = pack.NewID(in.take(uint64(in.idSize)))
		if suffix&7 == 2 { // and what the tag leads to
			in.take(uint64(in.idSize))
		}
	case 3:
		ref.target = string(in.take(in.number()))
	default:
		in.bad = true
	}
	return ref, !in.bad
}

func (in *reftableBlock) take(n uint64) []byte {
	if n > uint64(len(in.rest)) {
		in.bad, in.rest = true, nil
		return nil
	}
	b := in.rest[:n]
	in.rest = in.rest[n:]
	return b
}

// number reads a variable-length number, as offsets in packs have it.
func (in *reftableBlock) number() (n uint64) {
	for range 9 {
		b := in.take(1)
		if len(b) == 0 {
			return 0
		}
		if n |= uint64(b[0] & 0x7f); b[0]&0x80 == 0 {
			return n
		}
		n = (n + 1) << 7
	}
	in.bad = true
	return 0
}
