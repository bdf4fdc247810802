package translog

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is that of C2SP tlog-tiles: a full tile has 256 hashes.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// Tile is a part of the tree as C2SP tlog-tiles cuts it: the hashes of Width
// subtrees of 256^Level leaves each, from the one with number 256·Index on. A full
// tile never changes; a partial one is a beginning of it.
type Tile struct {
	Level uint64 // 0: hashes of leaves
	Index uint64
	Width int // 1 to 256
}

// maxTileLevel is that of the largest tree.
const maxTileLevel = 48/tileHeight - 1

// Path is where the tile lies, below the log's prefix: "tile/0/x001/x234/067", and
// for a partial one "tile/0/000.p/5".
func (t Tile) Path() string {
	path := fmt.Sprintf("tile/%d/%s", t.Level, tileIndexPath(t.Index))
	if !t.Full() {
		path += ".p/" + strconv.Itoa(t.Width)
	}
	return path
}

// Full reports whether the tile never changes again.
func (t Tile) Full() bool { return t.Width == tileWidth }

// tileIndexPath is a number in groups of three digits, all but the last marked.
func tileIndexPath(n uint64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	return path
}

// ParseTilePath reads what Path writes and nothing else. Its errors are *Malformed.
func ParseTilePath(path string) (Tile, error) {
	refuse := func() (Tile, error) { return Tile{}, malformed("%.64q is not the path of a tile", path) }
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 64 {
		return refuse()
	}
	level, rest, _ := strings.Cut(rest, "/")
	t := Tile{Width: tileWidth}
	var err error
	if t.Level, err = strconv.ParseUint(level, 10, 8); err != nil || t.Level > maxTileLevel {
		return refuse()
	}
	index, width, partial := strings.Cut(rest, ".p/")
	if partial {
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= tileWidth {
			return refuse()
		}
	}
	for group := range strings.SplitSeq(index, "/") {
		digits := strings.TrimPrefix(group, "x")
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || len(digits) != 3 || t.Index > MaxSize/1000 {
			return refuse()
		}
		t.Index = t.Index*1000 + n
	}
	if t.Path() != path || t.Index >= MaxSize>>(tileHeight*(t.Level+1)) {
		return refuse()
	}
	return t, nil
}

// NewTiles are the tiles to publish when a tree grows from one size to another,
// the partial ones at its right edge included.
func NewTiles(from, to uint64) ([]Tile, error) {
	if err := checkSize(to); err != nil {
		return nil, err
	}
	if from > to {
		return nil, malformed("a tree does not shrink from %d to %d", from, to)
	}
	var tiles []Tile
	for _, t := range tlog.NewTiles(tileHeight, int64(from), int64(to)) {
		tiles = append(tiles, Tile{Level: uint64(t.L), Index: uint64(t.N), Width: t.W})
	}
	return tiles, nil
}

// Data are the tile's hashes, 32 bytes each, from the hashes of a tree that has them.
func (t Tile) Data(r tlog.HashReader) ([]byte, error) {
	if t.Level > maxTileLevel || t.Width < 1 || t.Width > tileWidth || t.Index >= MaxSize>>(tileHeight*(t.Level+1)) {
		return nil, malformed("there is no tile %d of level %d with %d hashes", t.Index, t.Level, t.Width)
	}
	data, err := tlog.ReadTileData(tlog.Tile{H: tileHeight, L: int(t.Level), N: int64(t.Index), W: t.Width}, r)
	if err != nil {
		return nil, fmt.Errorf("reading the hashes of %s: %w", t.Path(), err)
	}
	return data, nil
}

// CheckTiles verifies that tiles hold what the tree of size leaves with this root
// has there. read gives the data of a tile: of the given ones, and of those between them
// and the root. It holds all that it reads in memory.
func CheckTiles(size uint64, root Hash, tiles []Tile, read func(Tile) ([]byte, error)) error {
	if err := checkSize(size); err != nil {
		return err
	}
	var inside []int64
	for _, t := range tiles {
		hashes, from := size>>(tileHeight*t.Level), t.Index<<tileHeight
		if t.Level > maxTileLevel || t.Index > size || from >= hashes || t.Width != int(min(tileWidth, hashes-from)) {
			return malformed("a tree of %d leaves has no %s", size, t.Path())
		}
		inside = append(inside, tlog.StoredHashIndex(tileHeight*int(t.Level), int64(from)))
	}
	// Reading one hash of a tile, it verifies all of it against the tree.
	verifying := tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tilesBy(read))
	if _, err := verifying.ReadHashes(inside); err != nil {
		return fmt.Errorf("checking tiles of a tree of %d leaves: %w", size, err)
	}
	return nil
}

// tilesBy reads tiles for tlog by a function.
type tilesBy func(Tile) ([]byte, error)

func (tilesBy) Height() int { return tileHeight }

func (r tilesBy) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if all[i], err = r(Tile{Level: uint64(t.L), Index: uint64(t.N), Width: t.W}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (tilesBy) SaveTiles([]tlog.Tile, [][]byte) {}
