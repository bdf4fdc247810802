package architecture

import (
	"fmt"
	"strings"
	"testing"
)

// rule is one row of the tables in this package.
type rule struct {
	says    string
	because string
	of      []string // the packages that it binds, as patterns of the go command
	except  []string // of those, the ones that it does not
	tests   bool     // test files are held to it too
	check   func(pkg) []string

	// What the rule must refuse and what it must let pass: a rule without
	// them could be one that nothing can break.
	broken, sound []example
}

// example is a package of one file.
type example struct{ path, file, text string }

// importing is an example of a package that imports each of what it is given.
func importing(path string, imports ...string) example {
	return importingIn("x.go", path, imports...)
}

func importingIn(file, path string, imports ...string) example {
	var text strings.Builder
	text.WriteString("// Package x is an example.\npackage x\n")
	for _, imp := range imports {
		if rest, ok := strings.CutPrefix(imp, "./"); ok {
			imp = module + "/" + rest
		}
		fmt.Fprintf(&text, "import %q\n", imp)
	}
	return example{path, file, text.String()}
}

func (r rule) binds(path string) bool {
	return matchAny(r.of, path) && !matchAny(r.except, path)
}

// faults returns what is wrong with the packages under this rule.
func (r rule) faults(all []pkg) []string {
	var found []string
	for _, p := range all {
		if !r.binds(p.path) {
			continue
		}
		held := pkg{path: p.path, name: p.name}
		for _, f := range p.files {
			if r.tests || !f.test {
				held.files = append(held.files, f)
			}
		}
		found = append(found, r.check(held)...)
	}
	return found
}

// idle returns the patterns that fit no package: a rule over nothing, or an
// exception that nobody needs.
func (r rule) idle(all []pkg) []string {
	var patterns []string
	for _, pattern := range append(append([]string{}, r.of...), r.except...) {
		if !anyMatches(pattern, all) {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}

func anyMatches(pattern string, all []pkg) bool {
	for _, p := range all {
		if match(pattern, p.path) {
			return true
		}
	}
	return false
}

// imports makes a check of a judgement on each import; what the judgement
// returns is what is wrong with it, or "".
func imports(judge func(from, imp string) string) func(pkg) []string {
	return func(p pkg) []string {
		var found []string
		for _, f := range p.files {
			for _, imp := range f.imports() {
				if wrong := judge(p.path, imp); wrong != "" {
					found = append(found, fmt.Sprintf("%s imports %s: %s", f.name, imp, wrong))
				}
			}
		}
		return found
	}
}

// oursOnly lets a package import, of this module, only what fits.
func oursOnly(allowed ...string) func(pkg) []string {
	return imports(func(_, imp string) string {
		if ours(imp) && !matchAny(allowed, imp) {
			return "of ours it may import only " + strings.Join(allowed, ", ")
		}
		return ""
	})
}

// othersOnly lets a package import, of other modules, only what fits.
func othersOnly(allowed ...string) func(pkg) []string {
	return imports(func(_, imp string) string {
		if !ours(imp) && !standard(imp) && !matchAny(allowed, imp) {
			return "of other modules it may import only " + strings.Join(allowed, ", ")
		}
		return ""
	})
}

// never forbids what fits.
func never(forbidden ...string) func(pkg) []string {
	return imports(func(_, imp string) string {
		if matchAny(forbidden, imp) {
			return "forbidden here"
		}
		return ""
	})
}

func rules() []rule {
	var all []rule
	for _, table := range [][]rule{layers(), purity(), technologies(), services(), sources()} {
		all = append(all, table...)
	}
	return all
}

func TestArchitecture(t *testing.T) {
	all := load(t)
	for _, r := range rules() {
		t.Run(r.says, func(t *testing.T) {
			for _, fault := range r.faults(all) {
				t.Errorf("%s\n\trule:    %s\n\tbecause: %s", fault, r.says, r.because)
			}
			for _, pattern := range r.idle(all) {
				t.Logf("no package fits %s: the rule has nothing to hold there", pattern)
			}
		})
	}
}

func TestRulesCanBeBroken(t *testing.T) {
	for _, r := range rules() {
		t.Run(r.says, func(t *testing.T) {
			if r.because == "" || len(r.broken) == 0 || len(r.sound) == 0 {
				t.Fatal("a rule needs a reason, and examples of what breaks it and what does not")
			}
			for _, e := range r.broken {
				if got := r.faults([]pkg{e.pkg(t)}); len(got) == 0 {
					t.Errorf("not refused: %s in %s:\n%s", e.file, e.path, e.text)
				}
			}
			for _, e := range r.sound {
				if got := r.faults([]pkg{e.pkg(t)}); len(got) != 0 {
					t.Errorf("refused: %q: %s in %s:\n%s", got, e.file, e.path, e.text)
				}
			}
		})
	}
}

func TestIdlePatternsAreSeen(t *testing.T) {
	r := rule{of: []string{"./a/...", "./b"}, except: []string{"./a/c"}}
	got := strings.Join(r.idle([]pkg{{path: "./a"}}), " ")
	if want := "./b ./a/c"; got != want {
		t.Errorf("idle patterns are %q, want %q", got, want)
	}
}

func (e example) pkg(t *testing.T) pkg {
	t.Helper()
	s, err := parse(e.file, []byte(e.text))
	if err != nil {
		t.Fatal(err)
	}
	return pkg{path: e.path, name: s.tree.Name.Name, files: []source{s}}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"./pkg/view/...", "./pkg/view", true},
		{"./pkg/view/...", "./pkg/view/sqlite", true},
		{"./pkg/view/...", "./pkg/viewer", false},
		{"./pkg/view", "./pkg/view/sqlite", false},
		{"./proto/...connect", "./proto/tripoint/x/v1/xv1connect", true},
		{"./proto/...connect", "./proto/tripoint/x/v1", false},
		{"os", "os/exec", false},
		{"os/...", "os", true},
		{"os/...", "oss", false},
		{"a.b/c", "axb/c", false},
	} {
		if got := match(c.pattern, c.path); got != c.want {
			t.Errorf("match(%q, %q) = %t", c.pattern, c.path, got)
		}
	}
}
