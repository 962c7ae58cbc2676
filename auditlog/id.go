package auditlog

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

const (
	tick = 100 * time.Nanosecond // of .NET's clock

	epochTicks = 621355968000000000  // from the year 1 to 1970
	maxTicks   = 3155378975999999999 // the last of the year 9999

	zeroUUID  = "00000000-0000-0000-0000-000000000000"
	serviceID = "0000000d-0000-8888-8000-000000000000" // of what this program does by itself
)

// EventID returns the id of an event: what is left of .NET's clock at the time,
// the service, and the event's own UUID, joined by semicolons. So ids sort
// newest first.
func EventID(at time.Time, guid string) string {
	ticks := at.Unix()*int64(time.Second/tick) + int64(at.Nanosecond())/int64(tick) + epochTicks
	return strconv.FormatInt(maxTicks-ticks, 10) + ";" + serviceID + ";" + guid
}

// SplitID returns the time and the UUID that [EventID] joined.
func SplitID(id string) (at time.Time, guid string, err error) {
	left, rest, _ := strings.Cut(id, ";")
	_, guid, _ = strings.Cut(rest, ";")
	n, err := strconv.ParseInt(left, 10, 64)
	if err != nil || n < 0 || n > maxTicks || !IsUUID(guid) {
		return time.Time{}, "", errors.New("an event's id is a number, a service and a UUID, joined by semicolons")
	}
	ticks := maxTicks - n - epochTicks
	const second = int64(time.Second / tick)
	return time.Unix(ticks/second, ticks%second*int64(tick)).UTC(), guid, nil
}

// GUID returns the event's own UUID, the last part of its id, by which streams
// name it; "" when the id is not one.
func (e *Event) GUID() string {
	return e.ID[strings.LastIndexByte(e.ID, ';')+1:]
}

// NewUUID returns a new UUID (version 7): the milliseconds of the clock, then
// random bits. Those that are made one after the other stand together in an
// index.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	var now [8]byte
	binary.BigEndian.PutUint64(now[:], uint64(time.Now().UnixMilli()))
	copy(b[:6], now[2:])
	return format(b, 7)
}

// nameUUID returns a UUID (version 8) that is always the same for a kind and a
// name, letter case aside: organizations and people are known by names, and
// the log wants UUIDs.
func nameUUID(kind, name string) string {
	sum := sha256.Sum256([]byte("patwatch " + kind + "\x00" + strings.ToLower(name)))
	return format([16]byte(sum[:16]), 8)
}

// OrganizationID returns the scope id of events that concern an organization:
// its name if that is a UUID, and else one that is derived from the name.
func OrganizationID(name string) string {
	if IsUUID(name) {
		return strings.ToLower(name)
	}
	return nameUUID("organization", name)
}

func format(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[:], b[:4])
	for i, at := range []int{9, 14, 19} {
		s[at-1] = '-'
		hex.Encode(s[at:], b[4+2*i:6+2*i])
	}
	s[23] = '-'
	hex.Encode(s[24:], b[10:])
	return string(s[:])
}

// IsUUID reports whether s is 32 hex digits in five groups.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		digit := '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
		if dash != (c == '-') || !dash && !digit {
			return false
		}
	}
	return true
}
