package hub_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// tree is every file below a directory, with its mode, time and content.
func tree(t *testing.T, directory string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == directory { // whose time changes with what is made and taken away in it
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var content []byte
		if !entry.IsDir() {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		all[path] = info.Mode().String() + " " + info.ModTime().String() + "\n" + string(content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A dry run over whatever an earlier restoration has left, or over a hub that was
// never there, says what would come of it and changes nothing.
func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	crash, sound := errors.New("crash"), newLogged(t)
	how := hub.Restoration{Time: restoredAt, DryRun: true}
	for _, step := range []string{"", "before build", "before check", "before seal", "before exchange"} {
		t.Run("broken off "+step, func(t *testing.T) {
			l := sound.copied(t)
			if step != "" {
				_, err := hub.RestoreUntil(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt}, func(at string) error {
					if at == step {
						return crash
					}
					return nil
				}, l.desk)
				if !errors.Is(err, crash) {
					t.Fatal(err)
				}
			}
			before := tree(t, l.directory)
			done, err := hub.Restore(t.Context(), configOf(t, l.directory), how, l.desk)
			if err != nil || done.Size != 12 || done.Survived != 12 {
				t.Errorf("%+v, error %v", done, err)
			}
			if diff := cmp.Diff(before, tree(t, l.directory)); diff != "" {
				t.Errorf("a dry run has changed (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("without the secret", func(t *testing.T) {
		l := sound.copied(t)
		remove(t, filepath.Join(l.directory, "keys"))
		before := tree(t, l.directory)
		if done, err := hub.Restore(t.Context(), configOf(t, l.directory), how, l.desk); err != nil || done.Recovered != 12 || done.Unread == "" {
			t.Errorf("%+v, error %v", done, err)
		}
		if diff := cmp.Diff(before, tree(t, l.directory)); diff != "" {
			t.Errorf("a dry run has changed (-want +got):\n%s", diff)
		}
	})
	t.Run("without a hub", func(t *testing.T) {
		directory := filepath.Join(t.TempDir(), "none")
		if done, err := hub.Restore(t.Context(), configOf(t, directory), how, sound.desk); err != nil || done.Recovered != 12 {
			t.Errorf("%+v, error %v", done, err)
		}
		if _, err := os.Stat(directory); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a dry run has made the hub's directory: %v", err)
		}
	})
}

// What is left of the log stream has later leaves, and those before them are in
// nothing that was given.
func TestSignedLeavesBehindAGapAreNotDroppedInSilence(t *testing.T) {
	t.Parallel()
	l := newLogged(t)
	remove(t, filepath.Join(l.directory, "streams"))
	later := signedLeaves(t, l.messages[:12])
	later.Start, later.Hashes, later.Labels = 9, later.Hashes[9*32:], later.Labels[9:]
	left := inMemory("what is left", later, nil)
	left.Damaged = true
	desk := inMemory("desk XC", signedLeaves(t, l.messages[:5]), l.messages[:5])
	for _, dry := range []bool{true, false} {
		_, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt, DryRun: dry}, desk, left)
		if short := (*salvage.Short)(nil); !errors.As(err, &short) || short.Seen.Checkpoint.Size != 12 || !strings.Contains(err.Error(), "missing from 5 on") {
			t.Errorf("dry run %v: %v", dry, err)
		}
	}
	done, err := hub.Restore(t.Context(), configOf(t, l.directory), hub.Restoration{Time: restoredAt, AcceptLoss: true}, desk, left)
	if err != nil || done.Size != 5 || done.Cut != 12 {
		t.Errorf("%+v, error %v", done, err)
	}
}
