package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestManualsCallTheProgramRightly parses every call of the program in the
// manuals and in the program's own help.
func TestManualsCallTheProgramRightly(t *testing.T) {
	manuals, err := filepath.Glob("../../../docs/*.md")
	if err != nil || len(manuals) < 3 {
		t.Fatal(manuals, err)
	}
	texts := map[string]string{}
	for _, name := range append(manuals, "../../../README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	for _, args := range [][]string{{"--help"}, {"scan", "--help"}, {"formats", "list", "--help"}, {"demo", "--help"}} {
		_, out, _ := patwatch(t, "", args...)
		texts[strings.Join(args, " ")] = out
	}
	calls := 0
	for name, text := range texts {
		for line := range strings.Lines(text) {
			if args := call(line); args != nil {
				calls++
				if err := understood(args); err != nil {
					t.Errorf("%s: patwatch %s: %v", name, strings.Join(args, " "), err)
				}
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls in the manuals: they are not recognised", calls)
	}
}

// call returns the arguments of the call of patwatch scan, formats, demo or
// version that a line shows, or nil.
func call(line string) []string {
	if strings.HasPrefix(line, "|") || strings.Contains(line, "[flags]") {
		return nil // a row of a table, a usage line
	}
	for _, prompt := range []string{"$ ", "exec ", "| "} {
		if _, rest, ok := strings.Cut(line, prompt+"patwatch "); ok {
			line = "patwatch " + rest
		}
	}
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "patwatch ")
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "  ") // what people read stands further right
	var args []string
	for _, a := range strings.Fields(rest) {
		args = append(args, strings.Trim(a, "'\"`"))
	}
	switch args[0] {
	case "scan", "formats", "demo", "version":
		return args
	}
	return nil
}

// understood parses a call without running it.
func understood(args []string) error {
	cmd, rest, err := newRoot(Streams{}).Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}
