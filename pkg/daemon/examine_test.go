package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
)

func find(t *testing.T, checks []checkup.Check, name string) checkup.Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q in %+v", name, checks)
	return checkup.Check{}
}

func TestExamineSeesWhoMayEnterAndWhoIsThere(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "role")
	checks, _ := Examine(directory)
	if c := find(t, checks, "directory"); c.OK || c.Hint == "" {
		t.Errorf("a directory that is not there: %+v", c)
	}
	if _, err := os.Stat(directory); err == nil {
		t.Error("the examination has made the directory")
	}
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	checks, running := Examine(directory)
	if running || checkup.Wrong(checks) != 0 || find(t, checks, "process").Detail != "stopped" {
		t.Errorf("a sound directory: %+v", checks)
	}
	lock, err := Lock(directory)
	if err != nil {
		t.Fatal(err)
	}
	if checks, running := Examine(directory); !running || find(t, checks, "process").Detail != "running" {
		t.Errorf("a directory in use: %+v", checks)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o750); err != nil {
		t.Fatal(err)
	}
	checks, _ = Examine(directory)
	if c := find(t, checks, "directory"); c.OK || !strings.Contains(c.Hint, "chmod 700 ") {
		t.Errorf("a directory for others: %+v", c)
	}
	file := filepath.Join(directory, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checks, _ = Examine(file)
	if c := find(t, checks, "directory"); c.OK || !strings.Contains(c.Detail, "no directory") {
		t.Errorf("a file: %+v", c)
	}
}

func TestBytesForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 MiB", 5 << 20: "5 MiB", 3 << 29: "1.5 GiB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d bytes read %q, want %q", n, got, want)
		}
	}
}
