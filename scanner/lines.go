package scanner

import (
	"bytes"

	"patwatch/detectors"
	"patwatch/leak"
)

// A position is how far a text has been read: the offset, the line it is on
// (from 1), and where that line starts.
type position struct{ offset, line, lineStart int }

// advance moves p forward to offset, counting the lines of data on the way.
// data[0] stands at offset zero of p's coordinates.
func (p *position) advance(data []byte, offset int) {
	part := data[p.offset:offset]
	if n := bytes.Count(part, newline); n > 0 {
		p.line += n
		p.lineStart = p.offset + bytes.LastIndexByte(part, '\n') + 1
	}
	p.offset = offset
}

var newline = []byte{'\n'}

// locate returns where the matches stand, which are in ascending order of
// their start and do not overlap.
func locate(data []byte, ms []detectors.Match, at position) []span {
	spans := make([]span, len(ms))
	for i, m := range ms {
		at.advance(data, m.Start)
		spans[i].line, spans[i].column = at.line, m.Start-at.lineStart+1
		end := at
		end.advance(data, m.End)
		spans[i].endLine, spans[i].endColumn = end.line, m.End-end.lineStart+1
	}
	return spans
}

// A vault makes one Secret of equal tokens, so that a token in ten thousand
// versions of a file is held once. It belongs to one goroutine.
type vault map[string]leak.Secret

func (v vault) secret(token []byte) leak.Secret {
	s, ok := v[string(token)]
	if !ok {
		s = leak.NewSecret(token)
		v[string(token)] = s
	}
	return s
}

// hits takes the tokens of the resolved matches ms out of data.
func (v vault) hits(data []byte, ms []detectors.Match) []hit {
	if len(ms) == 0 {
		return nil
	}
	spans := locate(data, ms, position{line: 1})
	out := make([]hit, len(ms))
	for i, m := range ms {
		out[i] = hit{m.Format, m.Grade, v.secret(data[m.Start:m.End]), spans[i]}
	}
	return out
}
