package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func TestHouse(t *testing.T) {
	files, err := load(root)
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	design, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := arrows(string(design))
	if len(table) < 10 || len(table["scanner"]) != 3 {
		t.Fatalf("the table of docs/design.md reads as %v", table)
	}
	for _, bad := range append(imports(table, files), rules(files)...) {
		t.Error(bad)
	}
}

// TestRulesCatch checks that each rule catches what it is for.
func TestRulesCatch(t *testing.T) {
	table := map[string][]string{"leak": nil, "scanner": {"leak", "git/*"}, "cmd/internal/app": {"all"}}
	cases := []struct{ name, file, source, want string }{
		{"allowed", "scanner/a.go", "package scanner\nimport _ \"patwatch/leak\"\nimport _ \"patwatch/git/pack\"", ""},
		{"all", "cmd/internal/app/a.go", "package app\nimport _ \"patwatch/scanner\"", ""},
		{"forbidden", "leak/a.go", "package leak\nimport _ \"patwatch/scanner\"", "must not import scanner"},
		{"unknown package", "odd/a.go", "package odd\nimport _ \"patwatch/leak\"", "must not import leak"},
		{"cgo", "leak/a.go", "package leak\nimport \"C\"", "imports C"},
		{"init", "leak/a.go", "package leak\nfunc init() {}", "init must not be used"},
		{"variable", "leak/a.go", "package leak\nvar cache = map[string]int{}\nfunc f() { cache[\"a\"] = 1 }", "package variable cache"},
		{"exported variable", "leak/a.go", "package leak\n// T is one.\nvar T = map[string]int{}", "package variable T"},
		{"table", "leak/a.go", "package leak\nvar sizes = map[string]int{\"a\": 1}", ""},
		{"sentinel", "leak/a.go", "package leak\nimport \"errors\"\nvar errX = errors.New(\"x\")", ""},
		{"comment", "leak/a.go", "package leak\nfunc Do() {}", "Do has no comment"},
		{"type comment", "leak/a.go", "package leak\ntype T int", "type T has no comment"},
		{"background", "leak/a.go", "package leak\nimport \"context\"\nvar _ = context.Background()", "a context begins in main"},
		{"secret", "leak/a.go", "package leak\nfunc f() { leak.NewSecret(nil) }", "is made where tokens are found"},
		{"reveal", "scanner/a.go", "package scanner\nfunc f() { s.Reveal() }", "Reveal may not"},
		{"length", "leak/a.go", "package leak\n" + strings.Repeat("\n", 900), "lines, more than"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, filepath.FromSlash(c.file))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.source), 0o644); err != nil {
				t.Fatal(err)
			}
			files, err := load(dir)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(append(imports(table, files), rules(files)...), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestNoMachine checks that no text in the repository names a machine's paths
// or a registry's hosts.
func TestNoMachine(t *testing.T) {
	words := []string{"/" + "work/", "/ro" + "ot/", "proxy." + "golang", "registry." + "npmjs", "repo1." + "maven", "deb." + "debian"}
	err := filepath.WalkDir(root, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if err == nil && e.Name() == ".git" {
				return filepath.SkipDir
			}
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil || strings.HasSuffix(name, ".sum") || !strings.Contains(".go .md .toml .json .txt .golden .conf Makefile run Dockerfile", filepath.Ext(name)) {
			return err
		}
		for _, w := range words {
			if strings.Contains(string(b), w) {
				t.Errorf("%s: holds %q", name, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
