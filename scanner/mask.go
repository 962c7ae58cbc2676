package scanner

import (
	"strings"

	"patwatch/leak"
)

// Mask returns text with the tokens in it replaced by their masks: for paths,
// names and messages, which may repeat a token, or hold one that nothing else
// has.
func (s *Scanner) Mask(text string) string {
	ms := s.matcher.Resolve(s.matcher.Find(nil, []byte(text)))
	if len(ms) == 0 {
		return text
	}
	var b strings.Builder
	done := 0
	for _, m := range ms {
		b.WriteString(text[done:m.Start])
		b.WriteString(leak.NewSecret([]byte(text[m.Start:m.End])).Mask())
		done = m.End
	}
	return b.String() + text[done:]
}
