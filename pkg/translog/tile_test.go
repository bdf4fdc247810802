package translog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
)

// memoryHashes is a store of hashes in memory.
type memoryHashes []tlog.Hash

func (m memoryHashes) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if position < 0 || position >= int64(len(m)) {
			return nil, fmt.Errorf("no hash %d of %d", position, len(m))
		}
		found[i] = m[position]
	}
	return found, nil
}

func grow(t *testing.T, size uint64) memoryHashes {
	t.Helper()
	var hashes memoryHashes
	for i := range size {
		more, err := StoredHashes(i, sha256.Sum256(binary.BigEndian.AppendUint64(nil, i)), hashes)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	return hashes
}

// The examples are those of C2SP tlog-tiles.
func TestTilePath(t *testing.T) {
	for path, tile := range map[string]Tile{
		"tile/0/000":                {0, 0, 256},
		"tile/0/000.p/1":            {0, 0, 1},
		"tile/0/x001/x234/067":      {0, 1234067, 256},
		"tile/1/x001/000.p/255":     {1, 1000, 255},
		"tile/5/000":                {5, 0, 256},
		"tile/0/x999/x999/999.p/17": {0, 999999999, 17},
	} {
		if got := tile.Path(); got != path {
			t.Errorf("%+v lies at %s, want %s", tile, got, path)
		}
		if got, err := ParseTilePath(path); err != nil || got != tile {
			t.Errorf("%s is %+v, %v; want %+v", path, got, err, tile)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000", "tile/6/000", "tile/+0/000",
		"tile/0/x000/000", "tile/0/001/000", "tile/0/x001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/",
		"tile/0/000.p", "tile/0/000/", "/tile/0/000", "tile/0/../000", "tile/entries/000", "tile/0/-01", "tile/0/000.p/1/",
		"tile/0/x281/x474/x976/x710/656", "tile/5/001",
	} {
		if got, err := ParseTilePath(path); err == nil {
			t.Errorf("%q was read as %+v", path, got)
		}
	}
}

// Tiles of every step, however the tree grew, hold the hashes of the tree: a reader
// who has tiles alone computes the same root.
func TestTilesAreTheTree(t *testing.T) {
	const largest = 70_000
	hashes := grow(t, largest)
	for _, size := range []uint64{0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, largest} {
		published := map[string][]byte{}
		from := uint64(0)
		for _, step := range []uint64{1, size / 3, size / 2, size} {
			if step < from || step > size {
				continue
			}
			tiles, err := NewTiles(from, step)
			if err != nil {
				t.Fatal(err)
			}
			for _, tile := range tiles {
				if published[tile.Path()], err = tile.Data(hashes); err != nil {
					t.Fatal(err)
				}
			}
			from = step
		}
		want, err := TreeRoot(size, hashes)
		if err != nil {
			t.Fatal(err)
		}
		got, err := TreeRoot(size, tileReader{published, size})
		if err != nil {
			t.Errorf("size %d: %v", size, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("size %d: another root:\n%s", size, diff)
		}
	}
	if _, err := NewTiles(2, 1); err == nil {
		t.Error("a tree shrank")
	}
	if _, err := NewTiles(0, MaxSize+1); err == nil {
		t.Error("a tree of more than 2^48 leaves")
	}
}

// tileReader finds hashes in tiles by their coordinates alone.
type tileReader struct {
	tiles map[string][]byte
	size  uint64
}

func (r tileReader) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, position := range positions {
		tile := tlog.TileForIndex(tileHeight, position)
		full := Tile{Level: uint64(tile.L), Index: uint64(tile.N), Width: tileWidth}
		data, ok := r.tiles[full.Path()]
		if !ok {
			rest := r.size>>(tileHeight*full.Level) - full.Index<<tileHeight
			partial := Tile{Level: full.Level, Index: full.Index, Width: int(rest)}
			if data, ok = r.tiles[partial.Path()]; !ok {
				return nil, fmt.Errorf("no tile %s", partial.Path())
			}
			full = partial
		}
		hash, err := tlog.HashFromTile(tlog.Tile{H: tileHeight, L: tile.L, N: tile.N, W: full.Width}, slices.Clone(data), position)
		if err != nil {
			return nil, err
		}
		found = append(found, hash)
	}
	return found, nil
}

func FuzzParseTilePath(f *testing.F) {
	f.Add("tile/0/x001/x234/067")
	f.Add("tile/1/000.p/255")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := ParseTilePath(path); err == nil && tile.Path() != path {
			t.Errorf("%q is also %q", path, tile.Path())
		}
	})
}

// What is checked is all of a tile, and nothing else is accepted.
func TestCheckTiles(t *testing.T) {
	const size = 256*256 + 300
	hashes := grow(t, size)
	root, err := TreeRoot(size, hashes)
	if err != nil {
		t.Fatal(err)
	}
	all, err := NewTiles(0, size)
	if err != nil {
		t.Fatal(err)
	}
	honest := func(tile Tile) ([]byte, error) { return tile.Data(hashes) }
	if err := CheckTiles(size, root, all, honest); err != nil {
		t.Fatal(err)
	}
	for _, tile := range []Tile{all[0], all[100], all[len(all)-1], {0, 256, 256}, {0, 257, 44}, {1, 0, 256}, {1, 1, 1}, {2, 0, 1}} {
		for _, at := range []int{0, 32*tile.Width/2 + 7, 32*tile.Width - 1} {
			err := CheckTiles(size, root, []Tile{tile}, func(asked Tile) ([]byte, error) {
				data, err := asked.Data(hashes)
				if asked == tile {
					data[at] ^= 1
				}
				return data, err
			})
			if err == nil {
				t.Errorf("%s is accepted with byte %d flipped", tile.Path(), at)
			}
		}
	}
	for _, tile := range []Tile{{0, 257, 43}, {0, 257, 256}, {0, 258, 1}, {1, 1, 2}, {2, 0, 2}, {3, 0, 1}, {6, 0, 1}, {0, 1 << 60, 256}} {
		if err := CheckTiles(size, root, []Tile{tile}, honest); err == nil {
			t.Errorf("%+v is accepted", tile)
		}
	}
	if err := CheckTiles(1<<62, root, all, honest); err == nil {
		t.Error("a tree of 2^62 leaves is accepted")
	}
}
