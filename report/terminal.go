package report

import (
	"os"
	"runtime"

	"golang.org/x/term"
)

// Terminal says what a report or a [Progress] can do where it is shown. The
// zero value is a file or a pipe: nothing is coloured, wrapped or redrawn.
type Terminal struct {
	Width int  // columns, 0: no limit
	Color bool // may have ANSI colours
	Live  bool // a line may be redrawn
}

// DetectTerminal returns what f can do. NO_COLOR (any value but "") and
// TERM=dumb are honoured; getenv is os.Getenv but in tests.
func DetectTerminal(f *os.File, getenv func(string) string) Terminal {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return Terminal{}
	}
	width, _, err := term.GetSize(fd)
	if err != nil || width < 1 {
		width = 80
	}
	ansi := understandsANSI(runtime.GOOS, getenv)
	return Terminal{Width: width, Color: ansi && getenv("NO_COLOR") == "", Live: ansi}
}

// understandsANSI says whether a terminal can be expected to take escape
// sequences. The old console of Windows is not switched to them; newer
// terminals there say who they are.
func understandsANSI(goos string, getenv func(string) string) bool {
	if getenv("TERM") == "dumb" {
		return false
	}
	if goos != "windows" {
		return true
	}
	return getenv("WT_SESSION") != "" || getenv("TERM") != "" || getenv("ConEmuANSI") == "ON"
}
