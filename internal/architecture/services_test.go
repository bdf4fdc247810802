package architecture

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

// technologies says which packages may use which foreign technology. Tests are
// free: an attack is played with the attacker's own client.
func technologies() []rule {
	return []rule{{
		says:    "only pkg/stream imports the NATS client",
		because: "subjects, batch publishing and replay are decided once; what came over the wire reaches the rest as bytes",
		of:      []string{"./..."},
		except: []string{
			"./pkg/stream/...",
			"./services/hub", // administers the server that it embeds: streams and consumers, no events
		},
		check:  never("github.com/nats-io/nats.go/..."),
		broken: []example{importing("./services/notary", "github.com/nats-io/nats.go"), importing("./services/desk", "github.com/nats-io/nats.go/jetstream")},
		sound:  []example{importing("./pkg/stream", "github.com/nats-io/nats.go/jetstream"), importing("./services/hub", "github.com/nats-io/nats.go/jetstream"), importingIn("x_test.go", "./services/desk", "github.com/nats-io/nats.go")},
	}, {
		says:    "only services/hub embeds the NATS server and derives accounts",
		because: "the hub alone carries the server and makes its accounts out of the registry; anyone else with the account keys could grant",
		of:      []string{"./..."},
		except:  []string{"./services/hub/..."},
		check:   never("github.com/nats-io/nats-server/...", "github.com/nats-io/jwt/...", "github.com/nats-io/nkeys/..."),
		broken: []example{importing("./services/pilot", "github.com/nats-io/nats-server/v2/server"), importing("./services/desk", "github.com/nats-io/jwt/v2"),
			importing("./pkg/stream", "github.com/nats-io/nkeys")},
		sound: []example{importing("./services/hub", "github.com/nats-io/nats-server/v2/server", "github.com/nats-io/jwt/v2"),
			importingIn("x_test.go", "./pkg/stream", "github.com/nats-io/nats-server/v2/server")},
	}, {
		says:    "only pkg/keyfile seals files",
		because: "how a key rests on disk, what opening one may cost and what an error may show are decided once",
		of:      []string{"./..."},
		except:  []string{"./pkg/keyfile/..."},
		check:   never("filippo.io/age/..."),
		broken:  []example{importing("./services/tripoint", "filippo.io/age"), importing("./services/desk", "filippo.io/age/armor")},
		sound:   []example{importing("./pkg/keyfile", "filippo.io/age", "filippo.io/age/armor"), importingIn("x_test.go", "./services/hub", "filippo.io/age")},
	}, {
		says:    "SQLite stays in the packages named here",
		because: "each file format on disk has one owner, who knows what a crash leaves behind",
		of:      []string{"./..."},
		except: []string{
			"./pkg/view/sqlite",           // the read model
			"./services/publisher/outbox", // what is accepted and not yet witnessed
			"./services/desk/journal",     // what a desk has received, and cosigned
			"./services/desk/keyring",     // what a desk may open it with; what ends there has to be overwritten
		},
		check:  never("modernc.org/..."),
		broken: []example{importing("./services/desk", "modernc.org/sqlite"), importing("./pkg/view", "modernc.org/sqlite/lib"), importing("./services/publisher", "modernc.org/sqlite")},
		sound:  []example{importing("./pkg/view/sqlite", "modernc.org/sqlite"), importing("./services/publisher/outbox", "modernc.org/sqlite")},
	}}
}

// services says what the roles may import. Tests are free: a real hub is a part
// of every test that goes over the wire.
func services() []rule {
	return []rule{{
		says:    "a service never imports another service",
		because: "roles belong to different owners and meet only over the wire; services/pilot and services/tripoint put them together",
		of:      []string{"./services/..."},
		except:  []string{"./services/pilot/...", "./services/tripoint/..."},
		check:   imports(otherService),
		broken: []example{importing("./services/desk", "./services/hub"), importing("./services/publisher/outbox", "./services/notary"),
			importing("./services/hub", "./services/hubs")},
		sound: []example{importing("./services/publisher", "./services/publisher/outbox", "./pkg/stream"), importing("./services/publisher/outbox", "./services/publisher"),
			importingIn("x_test.go", "./services/notary", "./services/hub"), importing("./services/pilot", "./services/hub"), importing("./services/tripoint", "./services/pilot")},
	}, {
		says:    "nobody imports services/tripoint",
		because: "the command is the top: it reads flags and starts roles, and nothing may need it",
		of:      []string{"./..."},
		except:  []string{"./services/tripoint/..."},
		tests:   true,
		check:   never("./services/tripoint/..."),
		broken:  []example{importing("./services/pilot", "./services/tripoint"), importingIn("x_test.go", "./services/pilot", "./services/tripoint")},
		sound:   []example{importing("./services/tripoint", "./services/tripoint/flags"), importing("./services/pilot", "./services/hub")},
	}, {
		says:    "the auditor imports no view",
		because: "it replays the log itself; reading a desk's tables would be trusting what it is there to check",
		of:      []string{"./services/auditor/..."},
		check:   never("./pkg/view/..."),
		broken:  []example{importing("./services/auditor", "./pkg/view/sqlite"), importing("./services/auditor", "./pkg/view")},
		sound:   []example{importing("./services/auditor", "./pkg/audit", "./pkg/stream", "./pkg/casework"), importing("./services/desk", "./pkg/view/sqlite")},
	}, {
		says:    "the auditor uses nothing that signs",
		because: "it holds no key: what it says is proven by what it shows, and it cannot be suspected of having made it",
		of:      []string{"./services/auditor/..."},
		check:   signs,
		broken: []example{
			{"./services/auditor", "x.go", "package auditor\nvar _ = event.Sign(nil)\n"},
			{"./services/auditor", "x.go", "package auditor\nvar _ = note.NewSigner\n"},
			{"./services/auditor", "x.go", "package auditor\ntype k struct{ key ed25519.PrivateKey }\n"},
			{"./services/auditor", "x.go", "package auditor\nvar _ crypto.Signer\n"},
			{"./services/auditor", "x.go", "package auditor\nvar _, _ = translog.NewMirror(\"\", \"\", nil)\n"},
			{"./services/auditor/trace", "x.go", "package trace\nfunc f() { m.Cosign(c, 0); event.SignBatch(b) }\n"},
		},
		sound: []example{
			{"./services/auditor", "x.go", "package auditor\nvar _ = ed25519.Verify\nvar _ = proof.Signature\nvar _ = header.SignedAt\nvar _ = c.Cosigned\n"},
			{"./services/auditor", "x_test.go", "package auditor\nvar _ = event.Sign(nil)\n"},
			{"./services/notary", "x.go", "package notary\nvar _ = event.Sign(nil)\n"},
		},
	}}
}

// otherService judges an import made by a service.
func otherService(from, imp string) string {
	root := func(path string) string {
		rest, ok := strings.CutPrefix(path, "./services/")
		if !ok {
			return ""
		}
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	if to := root(imp); to != "" && to != root(from) {
		return "another service"
	}
	return ""
}

// signing fits the names under which keys and signers are made or used. It
// judges names and not packages, since the code that signs stands beside the
// code that verifies.
var signing = regexp.MustCompile(`^(Sign([A-Z].*)?|Signer|Cosign|NewSigner|NewNotary|NewMirror|PrivateKey|NewKeyFromSeed|GenerateKey)$`)

func signs(p pkg) []string {
	var found []string
	for _, f := range p.files {
		ast.Inspect(f.tree, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && signing.MatchString(sel.Sel.Name) {
				found = append(found, fmt.Sprintf("%s uses %s", f.at(sel), sel.Sel.Name))
			}
			return true
		})
	}
	return found
}
