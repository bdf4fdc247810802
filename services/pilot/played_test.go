package pilot_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// shelf is where what several tests begin with lies while this process runs.
var shelf string

func TestMain(m *testing.M) {
	directory, err := os.MkdirTemp("", "pilot-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	shelf = directory
	code := m.Run()
	os.RemoveAll(directory)
	os.Exit(code)
}

// founded is a stopped pilot that has played the scenario. It is played once.
var founded = sync.OnceValues(func() (string, error) {
	data := filepath.Join(shelf, "data")
	facts, err := scenario.BuiltIn()
	if err != nil {
		return "", err
	}
	return data, pilot.Run(context.Background(), pilot.Config{Data: data, Scenario: facts}, func(ctx context.Context, p *pilot.Pilot) error {
		if err := p.Settle(ctx); err != nil {
			return err
		}
		return pilot.ErrDone
	})
})

// played is a data directory of this test's own whose pilot has played the scenario
// and was stopped: the same for every test that goes on from there.
func played(t *testing.T) string {
	t.Helper()
	from, err := founded()
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "data")
	if err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		beneath, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Mkdir(filepath.Join(to, beneath), info.Mode().Perm())
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, beneath), content, info.Mode().Perm()) // keys that all may read are refused
	}); err != nil {
		t.Fatal(err)
	}
	return to
}
