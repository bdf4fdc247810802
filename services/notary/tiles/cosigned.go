package tiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tripoint/tripoint/pkg/translog"
)

// cosignedPath is where the newest checkpoint lies that one outside witness has
// cosigned, by its key hash. A busy log has a newer checkpoint before the witness
// has answered for the last one.
var cosignedPath = regexp.MustCompile(`^witness/[0-9a-f]{8}$`)

// Attach shows a cosignature line, which the caller has verified, of a published
// note: after the note in the witness's own file, and in the checkpoint while that
// is this very note. A line of the same key from before makes way for it. A crash
// leaves each of the two files whole.
func (d *Directory) Attach(note []byte, key translog.VKey, line []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := append(bytes.Clone(note), line...)
	witness := filepath.Join(d.path, "witness")
	err := d.Disk.MakeDirectory(witness, 0o755)
	if err == nil {
		err = d.Disk.Replace(filepath.Join(witness, key.ID()), own, 0o644)
	}
	if err != nil {
		return fmt.Errorf("showing a cosignature: %w", err)
	}
	others, current := bytes.CutPrefix(d.note, note)
	if !current {
		return nil
	}
	merged := bytes.Clone(note)
	for other := range strings.Lines(string(others)) {
		if _, _, err := key.Cosignature(note, []byte(other)); err != nil {
			merged = append(merged, other...)
		}
	}
	merged = append(merged, line...)
	if err := d.Disk.Replace(filepath.Join(d.path, "checkpoint"), merged, 0o644); err != nil {
		return fmt.Errorf("showing a cosignature: %w", err)
	}
	d.note = merged
	return nil
}

// Cosigned is the newest note that a witness has cosigned, with its signature; nil
// where there is none. It is for any goroutine.
func (d *Directory) Cosigned(key translog.VKey) ([]byte, error) {
	note, err := os.ReadFile(filepath.Join(d.path, "witness", key.ID()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return note, err
}
