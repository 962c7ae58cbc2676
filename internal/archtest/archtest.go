// Package archtest holds the rules of the house as tests: who may import whom,
// what no code may do. It reads the source files itself, so that the answer is
// never an old one.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxLines is how long a file may be.
const maxLines = 800

// A file is one parsed Go file.
type file struct {
	name string // slash-separated, relative to the module
	dir  string // its folder: "git/pack"
	test bool
	ast  *ast.File
	set  *token.FileSet
}

// load parses every Go file below root.
func load(root string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".") && name != root) {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		files = append(files, file{rel, path.Dir(rel), strings.HasSuffix(rel, "_test.go"), parsed, set})
		return nil
	})
	return files, err
}

// arrows reads the table of allowed imports out of the design: the lines
// "| package | may import |" and what follows.
func arrows(design string) map[string][]string {
	_, table, _ := strings.Cut(design, "| package | may import |\n")
	out := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 2 {
			break
		}
		if strings.HasPrefix(strings.TrimSpace(cells[0]), "---") {
			continue
		}
		for _, from := range names(cells[0]) {
			out[from] = names(cells[1])
		}
	}
	return out
}

// names splits a cell of the table. Words after a semicolon are for people.
func names(cell string) []string {
	cell, _, _ = strings.Cut(cell, ";")
	var out []string
	for _, n := range strings.Split(cell, ",") {
		if n = strings.TrimSpace(n); n != "" && n != "nothing of ours" {
			out = append(out, n)
		}
	}
	return out
}

// allowed says whether the package in folder from may import the one in folder
// to. A package may import what lies below itself.
func allowed(table map[string][]string, from, to string) bool {
	if strings.HasPrefix(to, from+"/") {
		return true
	}
	may, known := table[from]
	for dir := from; !known && dir != "."; may, known = table[dir] {
		dir = path.Dir(dir)
	}
	return slices.ContainsFunc(may, func(m string) bool {
		return m == "all" || m == to || strings.HasSuffix(m, "/*") && strings.HasPrefix(to, strings.TrimSuffix(m, "*"))
	})
}

// testOnly are packages that tests may import beside what their package may.
func testOnly(to string) bool {
	return to == "fixtures" || to == "leak" || to == "detectors" || to == "internal/standin" || strings.HasSuffix(to, "test")
}

// imports finds the forbidden arrows.
func imports(table map[string][]string, files []file) []string {
	var bad []string
	for _, f := range files {
		for _, i := range f.ast.Imports {
			p := strings.Trim(i.Path.Value, `"`)
			if p == "C" {
				bad = append(bad, f.name+": imports C")
			}
			to, ours := strings.CutPrefix(p, "patwatch/")
			if !ours || to == f.dir || allowed(table, f.dir, to) || f.test && testOnly(to) {
				continue
			}
			bad = append(bad, fmt.Sprintf("%s: %s must not import %s (docs/design.md §2)", f.name, f.dir, to))
		}
	}
	return bad
}

// rules finds what no file may do, whatever its package.
func rules(files []file) []string {
	var bad []string
	changed := assigned(files)
	for _, f := range files {
		if n := f.set.File(f.ast.Pos()).LineCount(); n > maxLines {
			bad = append(bad, fmt.Sprintf("%s: %d lines, more than %d", f.name, n, maxLines))
		}
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			bad = append(bad, declaration(f, d, changed)...)
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				bad = append(bad, selector(f, s)...)
			}
			return true
		})
	}
	return bad
}

// declaration checks one top-level declaration: no init, no mutable package
// variable, a comment on what is exported.
func declaration(f file, d ast.Decl, changed map[string]bool) []string {
	at := func(text string, name string) []string {
		return []string{fmt.Sprintf("%s: %s %s", f.set.Position(d.Pos()), name, text)}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			return at("must not be used", "init")
		}
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			return at("has no comment", d.Name.Name)
		}
	case *ast.GenDecl:
		return general(f, d, changed)
	}
	return nil
}

// exportedReceiver says whether a func is seen from outside of its package.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	if p, ok := t.(*ast.StarExpr); ok {
		t = p.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

func general(f file, d *ast.GenDecl, changed map[string]bool) []string {
	var bad []string
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				bad = append(bad, fmt.Sprintf("%s: type %s has no comment", f.set.Position(s.Pos()), s.Name.Name))
			}
		case *ast.ValueSpec:
			if d.Tok == token.VAR && !constant(d, s) && !table(f, s, changed) {
				bad = append(bad, fmt.Sprintf("%s: package variable %s", f.set.Position(s.Pos()), s.Names[0].Name))
			}
			if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				bad = append(bad, fmt.Sprintf("%s: %s has no comment", f.set.Position(s.Pos()), s.Names[0].Name))
			}
		}
	}
	return bad
}

// constant says whether a package variable is one only because Go has no
// constants of its type: errors, embedded files, compiled expressions, byte
// strings, and interface checks.
func constant(d *ast.GenDecl, s *ast.ValueSpec) bool {
	if d.Doc != nil && strings.Contains(embedded(d), "//go:embed") || s.Names[0].Name == "_" {
		return true
	}
	for _, v := range s.Values {
		call, ok := v.(*ast.CallExpr)
		if !ok {
			if lit, ok := v.(*ast.CompositeLit); ok {
				_, slice := lit.Type.(*ast.ArrayType)
				return slice && len(lit.Elts) == 1 // []byte{'\n'}
			}
			return false
		}
		switch name(call.Fun) {
		case "errors.New", "fmt.Errorf", "regexp.MustCompile", "[]byte":
		default:
			return false
		}
	}
	return len(s.Values) > 0
}

// table says whether a package variable is an unexported table that no file of
// its package changes or takes the address of.
func table(f file, s *ast.ValueSpec, changed map[string]bool) bool {
	n := s.Names[0]
	return !n.IsExported() && len(s.Values) == 1 && !changed[f.dir+"."+n.Name]
}

// assigned returns the names, "dir.name", that are written to or whose address
// is taken anywhere in their package. It does not tell a package variable from
// a local one of the same name.
func assigned(files []file) map[string]bool {
	out := map[string]bool{}
	for _, f := range files {
		note := func(e ast.Expr) {
			if id := rootOf(e); id != "" {
				out[f.dir+"."+id] = true
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						note(e)
					}
				}
			case *ast.IncDecStmt:
				note(n.X)
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					note(n.X)
				}
			}
			return true
		})
	}
	return out
}

// rootOf is the variable that x, x[i], x.f, *x or (x) begins with.
func rootOf(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

func embedded(d *ast.GenDecl) string {
	var b strings.Builder
	for _, c := range d.Doc.List {
		b.WriteString(c.Text)
	}
	return b.String()
}

// name is the source form of a func that is called.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
	case *ast.ArrayType:
		return "[]byte"
	}
	return ""
}

// selector checks who makes and who reads a token in clear, and where contexts
// begin.
func selector(f file, s *ast.SelectorExpr) []string {
	at := func(text string) []string { return []string{fmt.Sprintf("%s: %s", f.set.Position(s.Pos()), text)} }
	switch name(s) {
	case "context.Background", "context.TODO":
		if f.dir != "cmd/patwatch" && !strings.HasPrefix(f.dir, "internal/bench") {
			return at("a context begins in main only")
		}
	case "leak.NewSecret":
		if !slices.Contains(secretMakers(), f.dir) {
			return at("a leak.Secret is made where tokens are found and where secret files are read")
		}
	}
	if s.Sel.Name == "Reveal" && !slices.Contains(secretReaders(), f.dir) {
		return at("Reveal may not be called here")
	}
	return nil
}

// secretMakers may hold a secret's bytes before they are a leak.Secret: tokens
// that were found, peppers, and the secret files of the configuration.
func secretMakers() []string { return []string{"scanner", "tokenstore", "cmd/internal/app"} }

// secretReaders may have a secret in clear: to show it when told to, to digest
// it, and to show it to the server it is for.
func secretReaders() []string {
	return []string{"leak", "report", "triage", "issuer", "notifier", "feed"}
}
