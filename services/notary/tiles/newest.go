package tiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Checkpoint is the note that stands in a directory of tiles, as it was written;
// nil where there is none yet.
func Checkpoint(path string) (note []byte, err error) {
	note, err = os.ReadFile(filepath.Join(path, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	return note, nil
}
