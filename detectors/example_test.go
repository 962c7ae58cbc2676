package detectors_test

import (
	"fmt"
	"math/rand/v2"

	"patwatch/detectors"
)

func Example() {
	formats, err := detectors.Builtin()
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := detectors.Compile(formats, detectors.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, f := range formats {
		if f.ID != "github-ghp" {
			continue
		}
		token, err := detectors.Mint(formats[i], rand.New(rand.NewPCG(1, 2)))
		if err != nil {
			fmt.Println(err)
			return
		}
		data := append([]byte("token: "), token...)
		for _, x := range m.Resolve(m.Find(nil, data)) {
			fmt.Println(m.Formats()[x.Format].ID, x.Grade, x.Start, x.End)
		}
	}
	// Output: github-ghp verified 7 47
}
