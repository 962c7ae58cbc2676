package fetch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxPacket is the longest pkt-line there is, its four digits included.
const maxPacket = 65520

// A packetKind says what a pkt-line is.
type packetKind int

const (
	data        packetKind = iota
	flush                  // 0000
	delim                  // 0001
	responseEnd            // 0002
)

var errPacket = errors.New("not a pkt-line")

// A packetReader reads pkt-lines (gitprotocol-common(5)). It holds one at a
// time.
type packetReader struct {
	r   *bufio.Reader
	buf [maxPacket]byte
}

func newPacketReader(r io.Reader) *packetReader {
	return &packetReader{r: bufio.NewReaderSize(r, 1<<16)}
}

// next returns the next line, valid until the call after. The error is io.EOF
// at the end between two lines, and io.ErrUnexpectedEOF at one in the middle.
// With an error comes what there is of the line.
func (p *packetReader) next() (packetKind, []byte, error) {
	if _, err := io.ReadFull(p.r, p.buf[:4]); err != nil {
		return 0, nil, err
	}
	size, err := strconv.ParseUint(string(p.buf[:4]), 16, 16)
	switch {
	case err != nil || p.buf[0] == '+':
		return 0, nil, errPacket
	case size <= uint64(responseEnd-flush):
		return flush + packetKind(size), nil, nil
	case size < 4 || size > maxPacket:
		return 0, nil, fmt.Errorf("%w: %d bytes", errPacket, size)
	}
	line := p.buf[:size-4]
	if n, err := io.ReadFull(p.r, line); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return data, line[:n], err
	}
	return data, line, nil
}

// appendLine appends a pkt-line with a text and a line feed.
func appendLine(b []byte, text string) []byte {
	return append(fmt.Appendf(b, "%04x%s", len(text)+5, text), '\n')
}

const (
	flushPacket = "0000"
	delimPacket = "0001"
)
