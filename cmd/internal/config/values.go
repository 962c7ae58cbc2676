package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span, written "90s", "10m", "72h" or "400d".
type Duration time.Duration

var errDuration = errors.New(`a time span is a number and s, m, h or d: "90s", "72h", "400d"`)

// UnmarshalText reads a span. Days have 24 hours.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return errDuration
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return errDuration
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a span as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes whole days as days, and anything else as Go does.
func (d Duration) String() string {
	const day = Duration(24 * time.Hour)
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return time.Duration(d).String()
}

// Size is a number of bytes, written "64MiB", "10MB" or "4096".
type Size int64

var errSize = errors.New(`a size is a number and B, KiB, MiB, GiB, KB, MB or GB: "64MiB"`)

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	units := []struct {
		name  string
		bytes uint64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}
	for _, u := range units {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 63)
		if err != nil || n > math.MaxInt64/u.bytes {
			return errSize
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return errSize
}

// MarshalText writes a size as it is read.
func (s Size) MarshalText() ([]byte, error) {
	for _, u := range []struct {
		name  string
		bytes Size
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s > 0 && s%u.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", s/u.bytes, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%d", int64(s)), nil
}
