package architecture

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// closures says what must not be in everything that a package imports, itself and
// all below it, whoever imports it on the way.
var closures = []struct {
	of      string
	never   []string
	because string
}{
	{"./pkg/evidence", []string{"github.com/nats-io/...", "modernc.org/...", "database/sql/...", "net/http/...", "github.com/spf13/..."},
		"whoever verifies evidence trusts this code alone, and has no network and no database"},
	{"./services/tripoint-verify", []string{"github.com/nats-io/...", "modernc.org/...", "database/sql/...", "net/http/...", "github.com/spf13/..."},
		"a court's expert builds it alone and reads what is in it"},
}

// closureFaults are those of the packages that are forbidden.
func closureFaults(closure, forbidden []string) []string {
	var found []string
	for _, path := range closure {
		if matchAny(forbidden, path) {
			found = append(found, path)
		}
	}
	return found
}

// closureOf lists all packages that one is built from.
func closureOf(t *testing.T, path string) []string {
	t.Helper()
	command := exec.Command("go", "list", "-deps", path)
	command.Dir, command.Stderr = "../..", t.Output()
	out, err := command.Output()
	if err != nil {
		t.Fatalf("listing what %s imports: %v", path, err)
	}
	return strings.Fields(string(out))
}

func TestClosures(t *testing.T) {
	for _, c := range closures {
		closure := closureOf(t, c.of)
		if !slices.Contains(closure, module+"/pkg/translog") {
			t.Errorf("what %s imports was not listed: %q", c.of, closure)
		}
		for _, path := range closureFaults(closure, c.never) {
			t.Errorf("%s is built from %s\n\tbecause: %s", c.of, path, c.because)
		}
	}
	for _, c := range closures { // a desk is built from all that is forbidden here, but for the command's flags
		if got := closureFaults(append(closureOf(t, "./services/desk"), "github.com/spf13/cobra"), c.never); len(got) < len(c.never) {
			t.Errorf("%s: only %q would be found", c.of, got)
		}
	}
}
