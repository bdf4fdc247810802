package outbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the directory for this process. Two relays on one outbox would
// sign two events with one counter, and that is equivocation. The kernel lets
// the lock go when the process ends, however it ends.
func lock(directory string) (*os.File, error) {
	file, err := os.Open(directory)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s is in use by another publisher: stop that one first", directory)
	}
	return nil, errors.Join(err, file.Close())
}
