package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReplaceHasItsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o600} {
		must(t, os.WriteFile(path+".new", []byte("left by a crash"), 0o666))
		must(t, disk.Replace(path, []byte(fmt.Sprint(mode)), mode))
		data, err := os.ReadFile(path)
		must(t, err)
		info, err := os.Stat(path)
		must(t, err)
		if string(data) != fmt.Sprint(mode) || info.Mode().Perm() != mode {
			t.Errorf("%q with mode %v, want %v", data, info.Mode().Perm(), mode)
		}
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the staged file is left: %v", err)
	}
}

// Whatever fails, before or after it was done, the file is the old one or the new
// one, the caller is told, and the next call succeeds.
func TestEachChangeOfReplaceFails(t *testing.T) {
	var changes []disk.Change
	note := disk.Maker(func(c disk.Change, do func() error) error {
		changes = append(changes, c)
		return do()
	})
	directory := t.TempDir()
	must(t, note.Replace(filepath.Join(directory, "file"), []byte("old"), 0o600))
	path := filepath.Join(directory, "file")
	want := []disk.Change{{disk.Create, path + ".new"}, {disk.Write, path + ".new"}, {disk.Sync, path + ".new"},
		{disk.Rename, path}, {disk.SyncDirectory, directory}}
	if diff := cmp.Diff(want, changes); diff != "" {
		t.Fatalf("changes (-want +got):\n%s", diff)
	}
	broken := errors.New("broken")
	for _, fault := range changes {
		for _, persisted := range []bool{false, true} {
			must(t, disk.Replace(path, []byte("old"), 0o600))
			faulty := disk.Maker(func(c disk.Change, do func() error) error {
				if c != fault {
					return do()
				}
				if persisted {
					must(t, do())
				}
				return broken
			})
			if err := faulty.Replace(path, []byte("new"), 0o600); !errors.Is(err, broken) {
				t.Errorf("%v, persisted %v: %v", fault, persisted, err)
			}
			data, err := os.ReadFile(path)
			must(t, err)
			renamed := fault.Kind == disk.SyncDirectory || fault.Kind == disk.Rename && persisted
			if got := string(data); got != map[bool]string{false: "old", true: "new"}[renamed] {
				t.Errorf("%v, persisted %v: the file is %q", fault, persisted, got)
			}
		}
	}
}

func TestDirectories(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "a", "b", "c")
	var synced []string
	m := disk.Maker(func(c disk.Change, do func() error) error {
		if c.Kind == disk.SyncDirectory {
			synced = append(synced, c.Path)
		}
		return do()
	})
	must(t, m.MakeDirectory(path, 0o755))
	must(t, m.MakeDirectory(path, 0o755))
	want := []string{directory, filepath.Join(directory, "a"), filepath.Join(directory, "a", "b")}
	if diff := cmp.Diff(want, synced); diff != "" {
		t.Errorf("synced (-want +got):\n%s", diff)
	}
	must(t, os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
	must(t, m.RemoveAll(filepath.Join(directory, "a")))
	must(t, m.RemoveAll(filepath.Join(directory, "a")))
	if _, err := os.Stat(filepath.Join(directory, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(directory, "a"), nil, 0o600))
	if err := m.MakeDirectory(path, 0o755); err == nil {
		t.Error("a directory is made in a file")
	}
}
