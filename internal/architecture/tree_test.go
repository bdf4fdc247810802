package architecture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// module is this module's path. Inside these tests its packages are written
// "./pkg/event", so that they are never mistaken for the standard library's.
const module = "github.com/tripoint/tripoint"

// pkg is one package of ours with all its files, whatever their build tags.
type pkg struct {
	path  string // "./pkg/event"
	name  string
	files []source
}

type source struct {
	name      string
	test      bool // its name ends in _test.go
	generated bool // it carries the standard "Code generated" line
	lines     int
	fset      *token.FileSet
	tree      *ast.File
}

func parse(name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, fmt.Errorf("parsing %s: %w", name, err)
	}
	return source{
		name:      name,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(tree),
		lines:     bytes.Count(text, []byte("\n")),
		fset:      fset,
		tree:      tree,
	}, nil
}

// imports returns what the file imports, our own packages as "./...".
func (s source) imports() []string {
	var all []string
	for _, spec := range s.tree.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has refused such a file already
		}
		all = append(all, local(path))
	}
	return all
}

// at says where in the file a node stands.
func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.name, s.fset.Position(n.Pos()).Line)
}

// local writes an import path of this module as "./...", any other unchanged.
func local(path string) string {
	if path == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return "./" + rest
	}
	return path
}

func ours(path string) bool { return path == "." || strings.HasPrefix(path, "./") }

// standard reports whether path is in the standard library: only its first
// elements have no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// match reports whether path fits a pattern of the go command, in which "..."
// stands for anything and a final "/..." for nothing too.
func match(pattern, path string) bool {
	expr := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\.\.\.`, `.*`)
	if rest, ok := strings.CutSuffix(expr, `/.*`); ok {
		expr = rest + `(/.*)?`
	}
	return regexp.MustCompile(`^` + expr + `$`).MatchString(path)
}

func matchAny(patterns []string, path string) bool {
	for _, pattern := range patterns {
		if match(pattern, path) {
			return true
		}
	}
	return false
}

// load reads every package of the module. The go command names them; the files
// are found by walking, so that no build tag hides one, and so that a file
// added anywhere makes a cached test result stale.
func load(t *testing.T) []pkg {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := goFiles(root)
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for _, listed := range list(t, root) {
		if listed.Error != nil {
			t.Errorf("%s cannot be read, so no rule was checked on it: %s", listed.ImportPath, listed.Error.Err)
			continue
		}
		p := pkg{path: local(listed.ImportPath), name: listed.Name}
		for _, file := range files[listed.Dir] {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parse(name, text)
			if err != nil {
				t.Fatal(err)
			}
			p.files = append(p.files, s)
		}
		delete(files, listed.Dir)
		all = append(all, p)
	}
	for dir := range files {
		t.Errorf("%s has Go files that go list does not see: is every one behind a build tag?", dir)
	}
	return all
}

type listed struct {
	ImportPath, Dir, Name string
	Error                 *struct{ Err string }
}

func list(t *testing.T, root string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Error", "./...")
	cmd.Dir = root
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
}

// goFiles returns the module's Go files by directory. What the go command
// skips is skipped: hidden directories, testdata, and modules within.
func goFiles(root string) (map[string][]string, error) {
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		skip := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
		if d.IsDir() {
			if path == root {
				return nil
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil || skip || name == "testdata" || name == "vendor" {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ".go") && !skip {
			found[filepath.Dir(path)] = append(found[filepath.Dir(path)], path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("walking the module: %w", err)
	}
	return found, nil
}
