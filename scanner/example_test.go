package scanner_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"patwatch/detectors"
	"patwatch/leak"
	"patwatch/scanner"
)

// A stream is scanned for all built-in formats. The token is made up here, so
// that none stands in this file.
func Example() {
	formats, err := detectors.Builtin()
	if err != nil {
		fmt.Println(err)
		return
	}
	matcher, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	text := "first line\nexport TOKEN=" + madeUp(formats, "github-ghp") + "\n"
	s := scanner.New(matcher, scanner.Options{})
	tally, err := s.Stream(context.Background(), "deploy.log", strings.NewReader(text), func(c leak.Candidate) error {
		fmt.Printf("%s: %s at %s:%d:%d\n", c.Confidence, c.Format.ID, c.Place.Path, c.Place.Line, c.Place.Column)
		return nil
	})
	fmt.Println(tally.Bytes > 0, tally.Incomplete, err)
	// Output:
	// verified: github-ghp at deploy.log:2:14
	// true [] <nil>
}

func madeUp(formats []detectors.Format, id string) string {
	for _, f := range formats {
		if f.ID == id {
			token, err := detectors.Mint(f, rand.New(rand.NewPCG(1, 2)))
			if err != nil {
				return err.Error()
			}
			return string(token)
		}
	}
	return ""
}
