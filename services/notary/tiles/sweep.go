package tiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Sweep reads the next n files again, round after round, and writes those anew that
// are lost or not what they were. It returns their paths. A tree that does not lead
// to the checkpoint's root mends nothing: that is an error.
func (d *Directory) Sweep(n int, tree tlog.HashReader) (mended []string, err error) {
	for range n {
		tile, ok := d.next()
		if !ok { // a round is complete
			path, err := d.mendCheckpoint()
			return append(mended, path...), err
		}
		wrong, err := d.differs(tile, tree)
		if err == nil && wrong {
			err = d.write(d.size, d.root, []translog.Tile{tile}, tree)
			mended = append(mended, tile.Path())
		}
		if err != nil {
			return nil, fmt.Errorf("tiles: mending %s: %w", tile.Path(), err)
		}
	}
	return mended, nil
}

// next is the tile to look at: level after level, each from the left. ok is false
// after the last.
func (d *Directory) next() (tile translog.Tile, ok bool) {
	for hashes := d.size >> (8 * d.level); hashes > 0; hashes = d.size >> (8 * d.level) {
		if from := d.index * 256; from < hashes {
			tile = translog.Tile{Level: d.level, Index: d.index, Width: int(min(256, hashes-from))}
			d.index++
			return tile, true
		}
		d.level, d.index = d.level+1, 0
	}
	d.level, d.index = 0, 0
	return translog.Tile{}, false
}

func (d *Directory) differs(tile translog.Tile, tree tlog.HashReader) (bool, error) {
	want, err := tile.Data(tree)
	if err != nil {
		return false, err
	}
	have, err := os.ReadFile(d.file(tile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return !bytes.Equal(have, want), nil
}

// mendCheckpoint writes the checkpoint again where it is not what it was.
func (d *Directory) mendCheckpoint() (mended []string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	have, err := os.ReadFile(filepath.Join(d.path, "checkpoint"))
	if d.size == 0 || err == nil && bytes.Equal(have, d.note) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	if err := d.Disk.Replace(filepath.Join(d.path, "checkpoint"), d.note, 0o644); err != nil {
		return nil, fmt.Errorf("tiles: mending the checkpoint: %w", err)
	}
	return []string{"checkpoint"}, nil
}
