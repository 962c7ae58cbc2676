package scanner

import "fmt"

// A tooLargeError says that something was left out for its size.
type tooLargeError struct {
	name      string
	size, max int64
}

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("%s: %d bytes, more than --max-blob allows (%d)", e.name, e.size, e.max)
}
