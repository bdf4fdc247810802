package tiles_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/tiles"
)

// Cosignatures stand behind the notary's signature while that checkpoint is the
// newest, one a witness, and the tiles are opened again with them.
func TestCosignaturesAreShown(t *testing.T) {
	directory, f := t.TempDir(), newForest(t)
	d, err := tiles.Open(directory, f.policies)
	must(t, err)
	five := f.grow(0, 5)
	must(t, d.Publish(5, five, f))
	attach := func(note []byte, name string, at uint64) string {
		t.Helper()
		w, err := translog.NewWitness(name, registrytest.Key(name))
		must(t, err)
		text, _, _ := strings.Cut(string(note), "\n\n")
		line, err := w.Cosign(translog.TreeHead{Text: text + "\n"}, at)
		must(t, err)
		must(t, d.Attach(note, w.VKey(), line))
		own, err := os.ReadFile(filepath.Join(directory, "witness", w.VKey().ID()))
		if err != nil || string(own) != string(note)+string(line) {
			t.Errorf("%s's own file: %q, %v", name, own, err)
		}
		return string(line)
	}
	checkpoint := func(want string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
		if err != nil || string(got) != want {
			t.Errorf("checkpoint %q, %v, want %q", got, err, want)
		}
		if _, err := f.policies.OpenCheckpoint(got); err != nil {
			t.Error(err)
		}
	}
	one, two := attach(five, "one.example/w", 1), attach(five, "two.example/w", 1)
	checkpoint(string(five) + one + two)
	one = attach(five, "one.example/w", 2)
	checkpoint(string(five) + two + one)
	d, err = tiles.Open(directory, f.policies)
	must(t, err)
	must(t, d.Publish(5, five, f)) // as after a restart
	checkpoint(string(five) + two + one)
	two = attach(five, "two.example/w", 3)
	checkpoint(string(five) + one + two)
	nine := f.grow(5, 9)
	must(t, d.Publish(9, nine, f))
	checkpoint(string(nine))
	attach(five, "two.example/w", 4) // too late
	checkpoint(string(nine))
	two = attach(nine, "two.example/w", 5)
	checkpoint(string(nine) + two)
	served(t, directory, string(nine)+two)
}

func served(t *testing.T, directory, want string) {
	t.Helper()
	server := httptest.NewServer(tiles.Handler(directory))
	defer server.Close()
	w, err := translog.NewWitness("two.example/w", registrytest.Key("two.example/w"))
	must(t, err)
	for path, status := range map[string]int{"/witness/" + w.VKey().ID(): 200, "/witness/00000000": 404, "/witness": 404, "/witness/../checkpoint.new": 404} {
		response, err := http.Get(server.URL + path)
		must(t, err)
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != status || status == 200 && (string(body) != want || response.Header.Get("Cache-Control") != "no-cache") {
			t.Errorf("%s: %d %q, %v", path, response.StatusCode, body, err)
		}
	}
}

// A published tree can be read while later ones are published, when its partial
// tiles have gone too.
func TestTreeIsReadWhileItGrows(t *testing.T) {
	directory, f := t.TempDir(), newForest(t)
	d, err := tiles.Open(directory, f.policies)
	must(t, err)
	from := uint64(0)
	var trees []tlog.HashReader
	sizes := []uint64{1, 255, 256, 257, 600, 70_000}
	roots := map[uint64]translog.Hash{}
	for _, size := range sizes {
		must(t, d.Publish(size, f.grow(from, size), f))
		from = size
		roots[size], err = translog.TreeRoot(size, f)
		must(t, err)
		trees = append(trees, d.Tree(size))
	}
	for i, size := range sizes {
		for _, old := range sizes[:i+1] {
			proof, err := translog.ProveConsistency(old, size, trees[i])
			must(t, err)
			if err := translog.CheckConsistency(proof, old, size, roots[old], roots[size]); err != nil {
				t.Error(err)
			}
			if root, err := translog.TreeRoot(old, trees[i]); err != nil || root != roots[old] {
				t.Errorf("%d in %d: %v, %v", old, size, root, err)
			}
		}
		if _, err := translog.TreeRoot(size+1, trees[i]); err == nil && size != 70_000 {
			t.Errorf("a tree of %d leaves has one of %d", size, size+1)
		}
	}
	must(t, os.Truncate(filepath.Join(directory, "tile", "0", "000"), 8191))
	if _, err := translog.ProveConsistency(3, 257, d.Tree(257)); err == nil {
		t.Error("a torn tile was read")
	}
}
