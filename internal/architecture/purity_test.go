package architecture

import (
	"fmt"
	"go/ast"
	"strconv"
)

// clock lists what in package time reads or waits for a clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}

// purity says what a pure package may use besides our own packages. Tests are
// not held to it: they read files and measure time.
func purity() []rule {
	return []rule{{
		says:    "a pure package imports, of other modules, only protobuf and sumdb",
		because: "what decides whether evidence holds must be small enough to read to the ground",
		of:      purePaths(),
		except:  []string{"./pkg/second/..."}, // has the row below
		check:   othersOnly("google.golang.org/protobuf/...", "golang.org/x/mod/sumdb/..."),
		broken: []example{importing("./pkg/event", "github.com/nats-io/nats.go"), importing("./pkg/registry", "golang.org/x/mod/semver"),
			importing("./pkg/casework", "buf.build/go/protovalidate")},
		sound: []example{importing("./pkg/translog", "golang.org/x/mod/sumdb/tlog", "golang.org/x/mod/sumdb/note", "crypto/sha256"),
			importing("./pkg/event", "google.golang.org/protobuf/proto"), importingIn("x_test.go", "./pkg/event", "github.com/google/go-cmp/cmp")},
	}, {
		says:    "pkg/second imports, of other modules, ML-DSA alone",
		because: "the algorithm is not in the standard library yet; where it is, this module goes and nothing else changes",
		of:      []string{"./pkg/second/..."},
		check:   othersOnly("filippo.io/mldsa/..."),
		broken:  []example{importing("./pkg/second", "google.golang.org/protobuf/proto"), importing("./pkg/second", "golang.org/x/crypto/sha3")},
		sound:   []example{importing("./pkg/second", "filippo.io/mldsa", "filippo.io/mldsa/x509", "errors")},
	}, {
		says:    "only pkg/second imports ML-DSA",
		because: "what is signed, for what use, in which parameters and which key file is decided once",
		of:      []string{"./..."},
		except:  []string{"./pkg/second/..."},
		check:   never("filippo.io/mldsa/..."),
		broken:  []example{importing("./services/notary", "filippo.io/mldsa"), importing("./pkg/keyfile", "filippo.io/mldsa/x509")},
		sound:   []example{importing("./pkg/second", "filippo.io/mldsa"), importing("./pkg/keyfile", "./pkg/second")},
	}, {
		says:    "a pure package does no input or output",
		because: "the same bytes must give the same answer on every machine, in a replay years later too",
		of:      purePaths(),
		check: never("os/...", "io/ioutil", "net", "net/http/...", "net/rpc/...", "net/smtp", "database/sql/...",
			"syscall/...", "plugin", "log/..."),
		broken: []example{importing("./pkg/event", "os"), importing("./pkg/event", "os/exec"), importing("./pkg/registry", "net"),
			importing("./pkg/audit", "net/http"), importing("./pkg/casework", "database/sql"), importing("./pkg/verdict", "log/slog")},
		sound: []example{importing("./pkg/event", "io", "net/netip", "net/url"), importing("./pkg/stream", "net"), importingIn("x_test.go", "./pkg/event", "os")},
	}, {
		says:    "a pure package does not import generated clients and servers",
		because: "they bring net/http in by the back door",
		of:      purePaths(),
		check:   never("./proto/...connect"),
		broken:  []example{importing("./pkg/casework", "./proto/tripoint/publisher/v1/publisherv1connect")},
		sound:   []example{importing("./pkg/casework", "./proto/tripoint/publisher/v1"), importing("./pkg/daemon", "./proto/tripoint/publisher/v1/publisherv1connect")},
	}, {
		says:    "a pure package reads no clock",
		because: "a key is judged at a log index, and a deadline by the times in the log: a clock would make a replay differ",
		of:      purePaths(),
		check:   readsClock,
		broken: []example{
			{"./pkg/event", "x.go", "package event\nimport \"time\"\nvar _ = time.Now()\n"},
			{"./pkg/event", "x.go", "package event\nimport \"time\"\nvar now = time.Now\n"},
			{"./pkg/registry", "x.go", "package registry\nimport clock \"time\"\nvar _ = clock.Since(clock.Time{})\n"},
			{"./pkg/registry", "x.go", "package registry\nimport . \"time\"\nvar _ = Now()\n"},
		},
		sound: []example{
			{"./pkg/event", "x.go", "package event\nimport \"time\"\nvar _ = time.UnixMilli(0).Add(time.Hour)\n"},
			{"./pkg/event", "x.go", "package event\nimport time \"math\"\nvar _ = time.Pi\n"},
			{"./pkg/event", "x_test.go", "package event\nimport \"time\"\nvar _ = time.Now()\n"},
			{"./pkg/daemon", "x.go", "package daemon\nimport \"time\"\nvar _ = time.Now()\n"},
		},
	}}
}

func readsClock(p pkg) []string {
	forbidden := map[string]bool{}
	for _, name := range clock {
		forbidden[name] = true
	}
	var found []string
	for _, f := range p.files {
		name := importedAs(f, "time")
		if name == "." {
			found = append(found, f.name+" imports time with a dot: its uses cannot be told")
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && name != "" && x.Name == name && forbidden[sel.Sel.Name] {
				found = append(found, fmt.Sprintf("%s uses time.%s", f.at(sel), sel.Sel.Name))
			}
			return true
		})
	}
	return found
}

// importedAs returns the name by which a file knows a standard package, or "".
func importedAs(f source, path string) string {
	for _, spec := range f.tree.Imports {
		if got, err := strconv.Unquote(spec.Path.Value); err != nil || got != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path
	}
	return ""
}
