package pack

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// ID is the name of an object: 20 bytes (SHA-1) or 32 (SHA-256). It is
// comparable. The zero value names no object.
type ID struct {
	b [32]byte
	n uint8
}

var errIDSize = errors.New("an object name has 20 or 32 bytes")

// NewID returns the ID whose raw bytes are raw, of which it keeps a copy.
func NewID(raw []byte) (ID, error) {
	if len(raw) != 20 && len(raw) != 32 {
		return ID{}, errIDSize
	}
	return makeID(raw), nil
}

func makeID(raw []byte) (id ID) {
	id.n = uint8(copy(id.b[:], raw))
	return id
}

// ParseID returns the ID that s, 40 or 64 hex digits, stands for.
func ParseID(s string) (ID, error) {
	if len(s) != 40 && len(s) != 64 {
		return ID{}, errIDSize
	}
	raw, err := hex.DecodeString(s)
	if err != nil {
		return ID{}, errIDSize
	}
	return makeID(raw), nil
}

// Append appends the raw bytes of the ID to dst.
func (id ID) Append(dst []byte) []byte { return append(dst, id.b[:id.n]...) }

// String returns the ID in hex, "" for the zero value.
func (id ID) String() string { return hex.EncodeToString(id.b[:id.n]) }

// IsZero says whether the ID names no object.
func (id ID) IsZero() bool { return id.n == 0 }

// Key returns the first eight bytes of the ID, for hash tables. Different IDs
// may share a key: strangers can make them do so.
func (id ID) Key() uint64 { return binary.LittleEndian.Uint64(id.b[:8]) }

// Kind is the type of an object, with the numbers that packs use.
type Kind uint8

// The types of objects. The zero value is no type.
const (
	Commit Kind = 1
	Tree   Kind = 2
	Blob   Kind = 3
	Tag    Kind = 4

	offsetDelta Kind = 6 // delta, its base named by its distance in the pack
	nameDelta   Kind = 7 // delta, its base named by its ID
)

// String returns git's word for the type, "unknown" for no type.
func (k Kind) String() string {
	switch k {
	case Commit:
		return "commit"
	case Tree:
		return "tree"
	case Blob:
		return "blob"
	case Tag:
		return "tag"
	}
	return "unknown"
}
