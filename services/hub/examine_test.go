package hub_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/services/hub"
)

// A hub whose streams are gone is not one that has not run yet: who is told so starts
// it, and the log begins anew.
func TestExamineMissesStreamsThatWere(t *testing.T) {
	t.Parallel()
	wrong := func(directory string) bool {
		checks, _ := hub.Examine(configOf(t, directory))
		return slices.ContainsFunc(checks, func(c checkup.Check) bool { return c.Name == "streams" && !c.OK })
	}
	if wrong(t.TempDir()) {
		t.Error("a hub that never ran is said to have lost its streams")
	}
	l := newLogged(t)
	if wrong(l.directory) {
		t.Error("the streams are there, and said to be lost")
	}
	remove(t, filepath.Join(l.directory, "streams"))
	if !wrong(l.directory) {
		t.Error("the streams are gone, and nothing says so")
	}
	if err := os.Mkdir(filepath.Join(l.directory, "streams.restored"), 0o700); err != nil {
		t.Fatal(err)
	}
	if wrong(l.directory) {
		t.Error("restored streams wait for the next start, and are said to be lost")
	}
}
