package architecture

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// dependencies is how many other modules our code may import, tests apart.
// Each is code that a reviewer has to trust and an operator to update, so the
// number is fixed at a dozen, and DESIGN.md gives the reason for each of them.
// Who adds one says which one leaves, or argues for a larger number here.
const dependencies = 12

// onlyInTests lists modules that no running role contains.
var onlyInTests = map[string]string{
	"github.com/google/go-cmp":     "shows how two values differ",
	"github.com/chromedp/chromedp": "drives a browser through the desk's console",
	"github.com/chromedp/cdproto":  "chromedp's own types: accessibility tree, network conditions",
	"pgregory.net/rapid":           "draws sequences of registry updates for properties",
}

// countedWith lists modules that are one with another in all but name.
var countedWith = map[string]string{
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go": "buf.build/go/protovalidate", // its schema as generated Go, which our generated Go imports
}

// dependencyFaults judges what the packages import against go.mod's modules.
func dependencyFaults(all []pkg, required []string) []string {
	var found []string
	running, testing := map[string]bool{}, map[string]bool{}
	for _, p := range all {
		for _, f := range p.files {
			for _, imp := range f.imports() {
				if ours(imp) || standard(imp) {
					continue
				}
				mod := moduleOf(imp, required)
				switch {
				case mod == "":
					found = append(found, fmt.Sprintf("%s imports %s, which no module in go.mod has", f.name, imp))
				case f.test || strings.HasSuffix(p.name, "test"):
					testing[mod] = true
				case onlyInTests[mod] != "":
					found = append(found, fmt.Sprintf("%s imports %s, which is listed as only for tests", f.name, imp))
				default:
					if with := countedWith[mod]; with != "" {
						mod = with
					}
					running[mod] = true
				}
			}
		}
	}
	for _, mod := range sorted(testing) {
		if !running[mod] && onlyInTests[mod] == "" && countedWith[mod] == "" {
			found = append(found, mod+" is imported by tests only and not listed in onlyInTests")
		}
	}
	if len(running) > dependencies {
		found = append(found, fmt.Sprintf("%d direct dependencies, at most %d: %s",
			len(running), dependencies, strings.Join(sorted(running), ", ")))
	}
	return found
}

// moduleOf returns the module that has the package: the longest that fits.
func moduleOf(imp string, modules []string) string {
	longest := ""
	for _, mod := range modules {
		if (imp == mod || strings.HasPrefix(imp, mod+"/")) && len(mod) > len(longest) {
			longest = mod
		}
	}
	return longest
}

func sorted(set map[string]bool) []string {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func TestDependencies(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json", "../../go.mod")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("reading go.mod: %v", err)
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("reading go.mod: %v", err)
	}
	var required []string
	for _, r := range mod.Require {
		required = append(required, r.Path)
	}
	for _, fault := range dependencyFaults(load(t), required) {
		t.Errorf("%s\n\trule:    at most %d direct dependencies outside tests\n\tbecause: each is code to trust and to update; DESIGN.md gives the reason for each", fault, dependencies)
	}
}

func TestDependencyRuleCanBeBroken(t *testing.T) {
	required := []string{"example.org/a", "example.org/a/b", "github.com/google/go-cmp",
		"buf.build/go/protovalidate", "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go"}
	var many []string
	for i := range dependencies {
		many = append(many, fmt.Sprintf("example.org/m%d", i))
	}
	required = append(required, many...)
	schema := "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	for _, c := range []struct {
		name string
		e    example
		want string // part of the only fault, "" for none
	}{
		{"within the limit", importing("./pkg/x", append(slices.Clone(many), "fmt", "./pkg/y")...), ""},
		{"above the limit", importing("./pkg/x", append(slices.Clone(many), "example.org/a/c")...), "13 direct dependencies"},
		{"two packages of one module", importing("./pkg/x", append(slices.Clone(many), "example.org/m1/x")...), ""},
		{"a module in another is its own", importing("./pkg/x", append(slices.Clone(many[1:]), "example.org/a/c", "example.org/a/b/c")...), "13 direct dependencies"},
		{"a schema and its library are one", importing("./pkg/x", append(slices.Clone(many[1:]), schema, "buf.build/go/protovalidate")...), ""},
		{"a schema is one", importing("./pkg/x", append(slices.Clone(many), schema)...), "13 direct dependencies"},
		{"tests apart", importingIn("x_test.go", "./pkg/x", "github.com/google/go-cmp/cmp"), ""},
		{"listed for tests, used by a role", importing("./pkg/x", "github.com/google/go-cmp/cmp"), "only for tests"},
		{"for tests, not listed", importingIn("x_test.go", "./pkg/x", "example.org/a"), "not listed in onlyInTests"},
		{"in no module", importing("./pkg/x", "example.org/z"), "no module in go.mod"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := dependencyFaults([]pkg{c.e.pkg(t)}, required)
			if c.want == "" && len(got) == 0 || c.want != "" && len(got) == 1 && strings.Contains(got[0], c.want) {
				return
			}
			t.Errorf("faults are %q, want %q", got, c.want)
		})
	}
}
