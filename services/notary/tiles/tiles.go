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
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Directory holds one log's tiles. Publish is for one goroutine; Attach and Tree are for any.
type Directory struct {
	path string
	size uint64 // of the tree whose tiles are all here

	mu   sync.Mutex // guards note and the files that Attach writes
	note []byte     // the checkpoint's file: the notary's note, cosignatures after it
}

// Open finds how far the tiles in a directory go, or begins there. The checkpoint
// is written last, so all tiles of its size are there.
func Open(path string, policies translog.Policies) (*Directory, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	d := &Directory{path: path}
	note, err := os.ReadFile(filepath.Join(path, "checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tiles: %w", err)
	}
	// What does not verify is no beginning: all tiles are written again.
	if checkpoint, err := policies.OpenCheckpoint(note); err == nil {
		d.size, d.note = checkpoint.Size, note
	}
	return d, nil
}

// Publish writes the tiles that a tree of this size has and the one before had
// not, and then its checkpoint. Everything is on disk when it returns. A crash on
// the way leaves tiles beside an older checkpoint, and the next call writes them again.
func (d *Directory) Publish(size uint64, note []byte, tree tlog.HashReader) error {
	if size < d.size {
		d.size = 0 // the tiles are of something else than this tree
	}
	tiles, err := translog.NewTiles(d.size, size)
	if err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	for _, tile := range tiles {
		data, err := tile.Data(tree)
		if err != nil {
			return fmt.Errorf("tiles: %w", err)
		}
		path := filepath.Join(d.path, filepath.FromSlash(tile.Path()))
		if err := write(path, data); err != nil {
			return fmt.Errorf("tiles: %w", err)
		}
		if tile.Full() {
			// Its beginnings are in it.
			if err := os.RemoveAll(path + ".p"); err != nil {
				return fmt.Errorf("tiles: %w", err)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !bytes.HasPrefix(d.note, note) { // else it is there, perhaps cosigned
		d.note = bytes.Clone(note)
	}
	if err := write(filepath.Join(d.path, "checkpoint"), d.note); err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	d.size = size
	return nil
}

// write puts a file that everybody may read in place, whole or not at all.
func write(path string, data []byte) error {
	directory := filepath.Dir(path)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	opened, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// Handler serves the files of a directory: full tiles for ever, partial ones and
// the checkpoint as they are now.
func Handler(path string) http.Handler {
	root := http.Dir(path)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "a log is only read", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		tile, err := translog.ParseTilePath(name)
		if err != nil && name != "checkpoint" && !cosignedPath.MatchString(name) {
			http.NotFound(w, r)
			return
		}
		file, openErr := root.Open("/" + name)
		if openErr != nil {
			http.NotFound(w, r)
			return
		}
		defer file.Close()
		info, statErr := file.Stat()
		if statErr != nil || info.IsDir() {
			http.NotFound(w, r)
			return
		}
		switch {
		case err != nil:
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
		case tile.Full():
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		default:
			// It never changes either, but goes once the tile is full.
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Cache-Control", "public, max-age=3600")
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", info.ModTime(), file)
	})
}
