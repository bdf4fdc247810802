package notary_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary"
)

// onTheWeb is a client that has an address, the notary's public key, and nothing else.
type onTheWeb struct {
	t    *testing.T
	url  string
	size uint64
}

func (w *onTheWeb) get(path string) []byte {
	w.t.Helper()
	body, status := w.ask(path)
	if status != http.StatusOK {
		w.t.Fatalf("%s: status %d", path, status)
	}
	return body
}

func (w *onTheWeb) ask(path string) (body []byte, status int) {
	w.t.Helper()
	response, err := http.Get(w.url + "/" + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return body, response.StatusCode
}

// ReadHashes finds hashes in tiles of the client's size.
func (w *onTheWeb) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, position := range positions {
		at := tlog.TileForIndex(8, position)
		tile := translog.Tile{Level: uint64(at.L), Index: uint64(at.N), Width: 256}
		tile.Width = int(min(256, w.size>>(8*tile.Level)-tile.Index*256))
		at.W = tile.Width
		hash, err := tlog.HashFromTile(at, w.get(tile.Path()), position)
		if err != nil {
			return nil, err
		}
		found = append(found, hash)
	}
	return found, nil
}

// root computes the tree's root from tiles alone, and holds it against the signed one.
func (w *onTheWeb) root(size uint64) {
	w.t.Helper()
	var checkpoint translog.Checkpoint
	wait(w.t, fmt.Sprintf("tiles of %d leaves", size), func() bool {
		if note, status := w.ask("checkpoint"); status == http.StatusOK { // the tiles come after the publication
			var err error
			if checkpoint, err = translog.OpenCheckpoint(note, registrytest.Origin, registrytest.Public("notary")); err != nil {
				w.t.Fatal(err)
			}
		}
		return checkpoint.Size >= size
	})
	w.size = checkpoint.Size
	root, err := translog.TreeRoot(checkpoint.Size, w)
	if err != nil || root != checkpoint.Root {
		w.t.Errorf("size %d: the tiles have root %s, the checkpoint %s, %v", checkpoint.Size, root, checkpoint.Root, err)
	}
}

func (h *house) serve() (url string, stop func()) {
	h.t.Helper()
	n, err := notary.New(notary.Config{
		Directory: h.directory, Charter: h.registry.Charter, Key: h.key, Listen: "127.0.0.1:0",
		Stream: h.config(stream.NotaryUser), Interval: time.Millisecond,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	var stopped bool
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				h.t.Error(err)
			}
		}
	}
	h.t.Cleanup(stop)
	return n.URL(), stop
}

// Anybody can compute the root from the tiles, while the log grows, after a restart,
// and after the tiles were lost.
func TestTreeIsServedAsTiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	url, stop := h.serve()
	h.publish(100)
	h.followTo(101)
	(&onTheWeb{t: t, url: url}).root(101)
	h.publish(500)
	h.followTo(601)
	(&onTheWeb{t: t, url: url}).root(601)
	stop()
	if err := os.RemoveAll(filepath.Join(h.directory, "tiles")); err != nil {
		t.Fatal(err)
	}
	url, _ = h.serve()
	h.publish(1)
	h.followTo(602)
	(&onTheWeb{t: t, url: url}).root(602)
}
