package daemon

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/tripoint/tripoint/pkg/checkup"
)

// leastFree is how much room a role's disk should have, in bytes: a role whose
// disk is full answers nothing any more.
const leastFree = 1 << 30

// InUse reports whether a process holds a directory by Lock. For an instant it
// holds the directory itself, where nobody does.
func InUse(directory string) (bool, error) {
	lock, err := Lock(directory)
	if errors.Is(err, ErrInUse) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Close()
}

// Examine looks at a role's directory: that it is there, for its owner alone, has
// room, and whether a process has it. It makes nothing.
func Examine(directory string) (checks []checkup.Check, running bool) {
	info, err := os.Stat(directory)
	switch {
	case err != nil:
		return []checkup.Check{checkup.Bad("directory", "start the role once, or correct the path in its configuration", "%v", err)}, false
	case !info.IsDir():
		return []checkup.Check{checkup.Bad("directory", "correct the path in the role's configuration", "%s is no directory", directory)}, false
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		checks = append(checks, checkup.Bad("directory", "chmod 700 "+directory, "%s: others than its owner may enter it (mode %04o)", directory, mode))
	} else {
		checks = append(checks, checkup.Good("directory", "%s, for its owner alone", directory))
	}
	checks = append(checks, room(directory))
	running, err = InUse(directory)
	switch {
	case err != nil:
		checks = append(checks, checkup.Bad("process", "run the examination as the role's own user", "%v", err))
	case running:
		checks = append(checks, checkup.Good("process", "running"))
	default:
		checks = append(checks, checkup.Good("process", "stopped"))
	}
	return checks, running
}

func room(directory string) checkup.Check {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(directory, &disk); err != nil {
		return checkup.Bad("disk", "see why the file system does not answer", "%v", err)
	}
	free := disk.Bavail * uint64(disk.Bsize)
	if free < leastFree {
		return checkup.Bad("disk", "make room: a role whose disk is full takes nothing in any more", "%s free, less than %s", bytes(free), bytes(leastFree))
	}
	return checkup.Good("disk", "%s free", bytes(free))
}

// bytes writes a number of bytes for people.
func bytes(n uint64) string {
	const gibi = 1 << 30
	if n < gibi {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/gibi)
}
