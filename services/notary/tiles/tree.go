package tiles

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Tree has the hashes of the tree of a published size, as they lie here, while the
// log goes on growing. It is for one goroutine, and good for a few questions: it
// keeps what it has read.
func (d *Directory) Tree(size uint64) tlog.HashReader {
	return &tree{path: d.path, size: size, read: map[translog.Tile][]byte{}}
}

type tree struct {
	path string
	size uint64 // leaves
	read map[translog.Tile][]byte
}

// ReadHashes makes it a tlog.HashReader.
func (t *tree) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if position < 0 {
			return nil, fmt.Errorf("no hash %d", position)
		}
		at := tlog.TileForIndex(8, position)
		width := int64(t.size>>(8*at.L)) - at.N*256
		if width < int64(at.W) {
			return nil, fmt.Errorf("hash %d is not of a tree of %d leaves", position, t.size)
		}
		data, err := t.tile(translog.Tile{Level: uint64(at.L), Index: uint64(at.N), Width: int(min(width, 256))})
		if err != nil {
			return nil, err
		}
		at.W = len(data) / tlog.HashSize
		if found[i], err = tlog.HashFromTile(at, data, position); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// tile reads a tile, or the full one that has taken its place in the meantime.
func (t *tree) tile(want translog.Tile) ([]byte, error) {
	if data, ok := t.read[want]; ok {
		return data, nil
	}
	full := want
	full.Width = 256
	var data []byte
	var err error
	// The full one comes before the partial one goes.
	for _, candidate := range []translog.Tile{want, full} {
		data, err = os.ReadFile(filepath.Join(t.path, filepath.FromSlash(candidate.Path())))
		if err == nil && len(data) != candidate.Width*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", candidate.Path(), len(data))
		}
		if err == nil {
			t.read[want] = data
			return data, nil
		}
	}
	return nil, err
}
