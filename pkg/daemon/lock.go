package daemon

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse says that another process has the directory.
var ErrInUse = errors.New("in use by another process")

// Lock takes a directory for this process until the returned file is closed. The
// kernel lets the lock go when the process ends, however it ends.
func Lock(directory string) (*os.File, error) {
	file, err := os.Open(directory)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", directory, ErrInUse)
	}
	return nil, errors.Join(err, file.Close())
}
