package architecture

// pure lists the pure packages in order, each with those of ours, besides
// proto, that lie below it. A package that is not here nor among the adapters
// may not stand in pkg/.
var pure = []struct {
	path  string
	below []string
	why   string
}{
	{"./pkg/pae/...", nil,
		"an encoding that everything signed rests on must be readable by itself"},
	{"./pkg/checkup/...", nil,
		"every role and adapter says in one form what it found wrong with itself; the form knows none of them"},
	{"./pkg/second/...", nil,
		"what a second signature is can be read by itself; who must have one is decided above it"},
	{"./pkg/event/...", []string{"./pkg/pae/...", "./pkg/second/..."},
		"an event can be checked without knowing who is trusted; trust is judged above it"},
	{"./pkg/translog/...", []string{"./pkg/pae/...", "./pkg/second/..."},
		"the tree is over bytes: a mirror or a court checks it without knowing what an event is"},
	{"./pkg/registry/...", []string{"./pkg/pae/...", "./pkg/second/...", "./pkg/event/...", "./pkg/translog/..."},
		"trust is a fold of events, so it stands above them and below every verdict; it names the log's witnesses in the tree's own terms"},
	{"./pkg/holding/...", []string{"./pkg/pae/...", "./pkg/event/...", "./pkg/translog/..."},
		"a file that parties hand over is read before anybody is believed; what it proves is found out above it"},
	{"./pkg/verdict/...", []string{"./pkg/pae/...", "./pkg/event/...", "./pkg/registry/...", "./pkg/translog/..."},
		"a verdict is a function of registry, chains and message, and of nothing else, or two readers would differ"},
	{"./pkg/evidence/...", []string{"./pkg/pae/...", "./pkg/event/...", "./pkg/registry/...", "./pkg/translog/...", "./pkg/verdict/...", "./pkg/seal/..."},
		"a court's expert reads it to the ground and builds it alone: it needs the verdict on one event, and no log, no store and no casework"},
	{"./pkg/seal/...", []string{"./pkg/pae/...", "./pkg/second/...", "./pkg/event/...", "./pkg/registry/..."},
		"sealing needs the header that it is bound to and the recipients' keys, and no log and no casework"},
	{"./pkg/attachment/...", []string{"./pkg/pae/...", "./pkg/event/..."},
		"a file is closed and opened with what its section says of it, and with nothing of log, sealing or casework's rules"},
	{"./pkg/casework/...", []string{"./pkg/pae/...", "./pkg/event/...", "./pkg/registry/..."},
		"the domain must not depend on how the log is proven or the view is kept"},
	{"./pkg/audit/...", []string{"./pkg/pae/...", "./pkg/event/...", "./pkg/registry/...", "./pkg/verdict/...",
		"./pkg/translog/...", "./pkg/seal/...", "./pkg/casework/..."},
		"the auditor's judgement uses the very code of those it judges, and nobody rests on it"},
}

// adapters are the packages of pkg/ that touch the world.
var adapters = []string{"./pkg/stream/...", "./pkg/daemon/...", "./pkg/keyfile/...", "./pkg/disk/...", "./pkg/view/..."}

func purePaths() []string {
	var paths []string
	for _, p := range pure {
		paths = append(paths, p.path)
	}
	return paths
}

// layers says which of our packages may import which of our packages.
func layers() []rule {
	below := append([]string{"./proto/..."}, purePaths()...)
	all := []rule{{
		says:    "proto imports nothing of ours",
		because: "the wire format is what other languages and other implementations read; it must stand without our code",
		of:      []string{"./proto/..."},
		tests:   true,
		check:   oursOnly("./proto/..."),
		broken:  []example{importing("./proto/tripoint/event/v1", "./pkg/pae"), importingIn("x_test.go", "./proto/tripoint/event/v1", "./pkg/event")},
		sound:   []example{importing("./proto/tripoint/publisher/v1", "./proto/tripoint/casework/v1", "net/http", "connectrpc.com/connect")},
	}, {
		says:    "a package in pkg is listed as pure or as an adapter",
		because: "a package in no layer would be bound by no rule",
		of:      []string{"./pkg/..."},
		except:  append(purePaths(), adapters...),
		check: func(p pkg) []string {
			return []string{p.path + " is in no layer: add it to internal/architecture/layers_test.go, with a reason"}
		},
		broken: []example{importing("./pkg/drawer")},
		sound:  []example{importing("./pkg/event"), importing("./pkg/view/sqlite"), importing("./services/hub")},
	}, {
		says:    "an adapter imports pure packages, never another adapter",
		because: "one technology each: NATS, SQL or signals can be replaced without touching the others",
		of:      []string{"./pkg/stream/...", "./pkg/daemon/...", "./pkg/keyfile/...", "./pkg/disk/...", "./pkg/view"},
		check:   oursOnly(below...),
		broken: []example{importing("./pkg/stream", "./pkg/view"), importing("./pkg/daemon", "./pkg/stream"), importing("./pkg/keyfile", "./pkg/disk"),
			importing("./pkg/view", "./pkg/view/sqlite"), importing("./pkg/stream", "./services/hub")},
		sound: []example{importing("./pkg/stream", "./pkg/verdict", "./proto/tripoint/log/v1", "net"),
			importingIn("x_test.go", "./pkg/stream", "./pkg/daemon")},
	}, {
		says:    "a kind of view imports the view's contract and pure packages, never another kind",
		because: "SQLite and PostgreSQL are held to one contract by one suite; neither may lean on the other",
		of:      []string{"./pkg/view/..."},
		except:  []string{"./pkg/view"},
		check:   oursOnly(append([]string{"./pkg/view"}, below...)...),
		broken:  []example{importing("./pkg/view/postgres", "./pkg/view/sqlite"), importing("./pkg/view/sqlite", "./pkg/stream")},
		sound: []example{importing("./pkg/view/sqlite", "./pkg/view", "./pkg/casework", "database/sql"),
			importingIn("x_test.go", "./pkg/view/sqlite", "./pkg/view/viewtest")},
	}}
	for _, p := range pure {
		path := p.path[:len(p.path)-len("/...")]
		allowed := append([]string{"./proto/...", p.path}, p.below...)
		row := rule{
			says:    path + " imports of ours only proto and what lies below it",
			because: p.why,
			of:      []string{p.path},
			check:   oursOnly(allowed...),
			broken:  []example{importing(path, "./pkg/stream"), importing(path, "./services/hub")},
			sound:   []example{importing(path, "./proto/tripoint/event/v1", "bytes"), importingIn("x_test.go", path, "./pkg/stream")},
		}
		for _, other := range pure {
			e := importing(path, other.path[:len(other.path)-len("/...")])
			if matchAny(allowed, other.path) {
				row.sound = append(row.sound, e)
			} else {
				row.broken = append(row.broken, e)
			}
		}
		all = append(all, row)
	}
	return all
}
