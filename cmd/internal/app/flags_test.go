package app

import (
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestByteSize(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "4096": 4096, "4096B": 4096, "500KB": 500_000, "500 kb": 500_000, "1k": 1024, "64MiB": 64 << 20,
		"64m": 64 << 20, "1.5GiB": 3 << 29, "10MB": 10_000_000, "2GB": 2_000_000_000, ".5k": 512, "1e3": 1000,
	} {
		var b byteSize
		if err := b.Set(in); err != nil || int64(b) != want {
			t.Errorf("%q is %d, %v; want %d", in, b, err, want)
		}
	}
	for _, in := range []string{"", "k", "-1", "-1k", "12Q", "1 000", "1,5k", "9e99", "NaN", "Inf", "9223372036854775808", "8589934592GiB", "64MiBs"} {
		b := byteSize(7)
		if err := b.Set(in); err == nil || b != 7 {
			t.Errorf("%q is taken for %d", in, b)
		}
	}
}

func FuzzByteSize(f *testing.F) {
	for _, s := range []string{"64MiB", "1.5g", "-0", "0x10", "1e5", "٣", "1_0", "inf", "nan", "+5kb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var b byteSize
		if err := b.Set(s); err != nil {
			if b != 0 {
				t.Errorf("%q is an error and %d", s, b)
			}
			return
		}
		if b < 0 {
			t.Errorf("%q is %d", s, b)
		}
		var again byteSize
		if err := again.Set(b.String()); err != nil || again/1024 != b/1024 && b < 1<<50 {
			t.Errorf("%q is %d, written %s, read %d, %v", s, b, b.String(), again, err)
		}
	})
}

func TestUnknownName(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{unknownName("flag", "--formt", []string{"--format"}).Error(), `unknown flag "--formt"; did you mean "--format"?`},
		{unknownName("flag", "--zz", []string{"--format"}, "x --help").Error(), `unknown flag "--zz"; see x --help`},
		{unknownName("report format", "zz", []string{"json", "csv"}).Error(), `unknown report format "zz": one of json, csv`},
		{unknownName("command", "\x1b[2J", nil, "x").Error(), `unknown command "\x1b[2J"; see x`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestFlagErrorsHideGo(t *testing.T) {
	cmd := newScan(Streams{})
	root := &cobra.Command{Use: "patwatch"}
	root.AddCommand(cmd)
	_, err := strconv.Atoi("x")
	if got := flagError(cmd, err).Error(); strings.Contains(got, "strconv") && !strings.Contains(got, "see patwatch scan --help") {
		t.Errorf("says %q", got)
	}
	err = cmd.Flags().Set("jobs", "x")
	if got := flagError(cmd, err).Error(); strings.Contains(got, "strconv") || !strings.Contains(got, `"x"`) {
		t.Errorf("says %q", got)
	}
}

func TestSplitRange(t *testing.T) {
	for in, want := range map[string][2]string{
		"A..B": {"A", "B"}, "A..": {"A", "HEAD"}, "origin/main..HEAD": {"origin/main", "HEAD"}, "v1.0..v2.0": {"v1.0", "v2.0"},
		"HEAD~3..HEAD^2": {"HEAD~3", "HEAD^2"},
	} {
		from, to, err := splitRange(in)
		if err != nil || from != want[0] || to != want[1] {
			t.Errorf("%q is %q to %q, %v", in, from, to, err)
		}
	}
	for _, in := range []string{"", "A", "..", "..B", "A...B", "A....B"} {
		if from, to, err := splitRange(in); err == nil {
			t.Errorf("%q is %q to %q", in, from, to)
		}
	}
}

func FuzzSplitRange(f *testing.F) {
	for _, s := range []string{"A..B", "A...B", "..", "A..", "a..b..c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, err := splitRange(s)
		if err == nil && (from == "" || to == "" || from+".."+to != s && from+".." != s) {
			t.Errorf("%q is %q to %q", s, from, to)
		}
	})
}

func TestSelection(t *testing.T) {
	for _, c := range []struct {
		f                scanFlags
		include, exclude string
	}{
		{scanFlags{}, "", ""},
		{scanFlags{since: "A"}, "HEAD", "A"},
		{scanFlags{span: "A..B"}, "B", "A"},
		{scanFlags{branches: []string{"x", "y"}}, "x y", ""},
		{scanFlags{since: "A", branches: []string{"x"}}, "x", "A"},
		{scanFlags{span: "A..B", branches: []string{"x"}}, "x B", "A"},
	} {
		sel, err := c.f.selection()
		if err != nil || strings.Join(sel.Include, " ") != c.include || strings.Join(sel.Exclude, " ") != c.exclude {
			t.Errorf("%+v selects %+v, %v", c.f, sel, err)
		}
		if c.f.selects() != (c.include+c.exclude != "") {
			t.Errorf("%+v selects: %v", c.f, c.f.selects())
		}
	}
}
