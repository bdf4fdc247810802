// Package tiles is the log's tree as static files, in the layout of C2SP
// tlog-tiles: a checkpoint, and tiles of 256 hashes that never change once they
// are full. Whoever reads them trusts nothing but the signatures on the checkpoint.
//
// The files hold hashes alone. What the leaves are of goes to those who may read
// it, over the stream; so there are no entry bundles here.
package tiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/translog"
)

// atOnce is how many tiles are verified and written together, 8 kB each.
const atOnce = 64

// ErrSmaller says that the directory has a signed checkpoint of a larger tree.
var ErrSmaller = errors.New("the tiles are of a larger tree")

// Directory holds one log's tiles. Attach and Tree are for any goroutine, all else is for one.
type Directory struct {
	Disk disk.Maker // nil: makes every change

	path string
	size uint64        // of the tree whose tiles are all here
	root translog.Hash // of that tree

	mu   sync.Mutex // guards note and the files that Attach writes
	note []byte     // the checkpoint's file: the notary's note, cosignatures after it

	level, index uint64 // of the tile that Sweep looks at next
}

// Open finds how far the tiles in a directory go, or begins there.
func Open(path string, policies translog.Policies) (*Directory, error) {
	d := &Directory{path: path}
	if err := d.Disk.MakeDirectory(path, 0o755); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	return d, d.Find(policies)
}

// Find finds again how far the tiles go, by the checkpoint that is signed under
// these policies. It is written last, so all tiles of its size are there.
func (d *Directory) Find(policies translog.Policies) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.size, d.root, d.note = 0, translog.Hash{}, nil
	note, err := os.ReadFile(filepath.Join(d.path, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	// What does not verify is no beginning: all tiles are written again.
	if checkpoint, err := policies.OpenCheckpoint(note); err == nil {
		d.size, d.root, d.note = checkpoint.Size, checkpoint.Root, note
	}
	return nil
}

// Newest is the tree whose tiles are here: its size in leaves, and its root.
func (d *Directory) Newest() (size uint64, root translog.Hash) { return d.size, d.root }

// Publish writes the tiles that a tree of this size has and the one before had
// not, and then its checkpoint, which the caller has verified. No tile is written
// that does not lead to the checkpoint's root. Everything is on disk when it
// returns. A crash on the way leaves tiles beside an older checkpoint, and the next
// call writes them again. Errors: ErrSmaller.
func (d *Directory) Publish(size uint64, note []byte, tree tlog.HashReader) error {
	if size < d.size {
		return fmt.Errorf("tiles: %w: of %d leaves, not %d", ErrSmaller, d.size, size)
	}
	root, err := rootOf(note)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	tiles, err := translog.NewTiles(d.size, size)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	for len(tiles) > 0 {
		portion := tiles[:min(atOnce, len(tiles))]
		tiles = tiles[len(portion):]
		if err := d.write(size, root, portion, tree); err != nil {
			return fmt.Errorf("tiles: %w", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !bytes.HasPrefix(d.note, note) { // else it is there, perhaps cosigned
		d.note = bytes.Clone(note)
	}
	if err := d.Disk.Replace(filepath.Join(d.path, "checkpoint"), d.note, 0o644); err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	d.size, d.root = size, root
	return nil
}

// rootOf reads a verified note.
func rootOf(note []byte) (translog.Hash, error) {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	checkpoint, err := translog.ParseCheckpoint(string(text) + "\n")
	return checkpoint.Root, err
}

// write puts verified tiles in place.
func (d *Directory) write(size uint64, root translog.Hash, tiles []translog.Tile, tree tlog.HashReader) error {
	all, err := verified(size, root, tiles, tree)
	if err != nil {
		return err
	}
	for _, tile := range tiles {
		path := d.file(tile)
		if err := d.Disk.MakeDirectory(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := d.Disk.Replace(path, all[tile], 0o644); err != nil {
			return err
		}
		if tile.Full() {
			// Its beginnings are in it.
			if err := d.Disk.RemoveAll(path + ".p"); err != nil {
				return err
			}
		}
	}
	return nil
}

// verified are the tiles' data, from a tree that is held against the root first:
// a hash that has changed on its disk goes no further.
func verified(size uint64, root translog.Hash, tiles []translog.Tile, tree tlog.HashReader) (map[translog.Tile][]byte, error) {
	all := map[translog.Tile][]byte{}
	for _, tile := range tiles {
		data, err := tile.Data(tree)
		if err != nil {
			return nil, err
		}
		all[tile] = data
	}
	return all, translog.CheckTiles(size, root, tiles, func(tile translog.Tile) ([]byte, error) {
		if data, ok := all[tile]; ok {
			return data, nil
		}
		return tile.Data(tree)
	})
}

func (d *Directory) file(tile translog.Tile) string {
	return filepath.Join(d.path, filepath.FromSlash(tile.Path()))
}
