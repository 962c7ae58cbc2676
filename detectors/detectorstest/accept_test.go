package detectorstest_test

import (
	"testing"

	"patwatch/detectors"
	"patwatch/detectors/detectorstest"
)

func TestBuiltinFormats(t *testing.T) {
	formats, err := detectors.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	detectorstest.Accept(t, formats)
}
