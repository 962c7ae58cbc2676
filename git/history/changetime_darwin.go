package history

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime returns when the inode of a file last changed, zero when that is
// not known.
func changeTime(st fs.FileInfo) time.Time {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(s.Ctimespec.Sec), int64(s.Ctimespec.Nsec))
	}
	return time.Time{}
}
