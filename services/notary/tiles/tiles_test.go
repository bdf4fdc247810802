package tiles_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
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

// forest is a tree in memory with its notary.
type forest struct {
	t        *testing.T
	hashes   []tlog.Hash
	policies translog.Policies
	notary   *translog.Notary
}

func newForest(t *testing.T) *forest {
	t.Helper()
	state, err := registrytest.Charter(t).State()
	must(t, err)
	policies, err := state.Policies()
	must(t, err)
	notary, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(t, err)
	return &forest{t: t, policies: policies, notary: notary}
}

func (f *forest) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if position >= int64(len(f.hashes)) {
			return nil, fmt.Errorf("no hash %d", position)
		}
		found[i] = f.hashes[position]
	}
	return found, nil
}

// grow adds leaves up to a size and returns its checkpoint.
func (f *forest) grow(from, to uint64) []byte {
	f.t.Helper()
	for i := from; i < to; i++ {
		more, err := translog.StoredHashes(i, sha256.Sum256(binary.BigEndian.AppendUint64(nil, i)), f)
		must(f.t, err)
		f.hashes = append(f.hashes, more...)
	}
	root, err := translog.TreeRoot(to, f)
	must(f.t, err)
	note, err := f.notary.Sign(translog.Checkpoint{Origin: registrytest.Origin, Size: to, Root: root, Registry: f.policies.At(to).Registry})
	must(f.t, err)
	return note
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, directory string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	must(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(directory, path)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	}))
	return found
}

// The same files, however the tree grew and wherever it was stopped.
func TestTilesGrowWithTheTree(t *testing.T) {
	once, often := t.TempDir(), t.TempDir()
	f := newForest(t)
	sizes := []uint64{1, 2, 255, 256, 257, 511, 512, 700}
	from := uint64(0)
	var note []byte
	for _, size := range sizes {
		note = f.grow(from, size)
		d, err := tiles.Open(often, f.policies) // as after a restart
		must(t, err)
		must(t, d.Publish(size, note, f))
		from = size
	}
	d, err := tiles.Open(once, f.policies)
	must(t, err)
	must(t, d.Publish(from, note, f))
	step, whole := files(t, often), files(t, once)
	for name, data := range whole {
		if string(step[name]) != string(data) {
			t.Errorf("%s is another file when the tree grew by steps", name)
		}
	}
	for name := range step {
		if _, ok := whole[name]; !ok && !strings.Contains(name, ".p/") {
			t.Errorf("%s is left over", name)
		}
		if strings.HasPrefix(name, "tile/0/000.p") || strings.HasPrefix(name, "tile/0/001.p") {
			t.Errorf("%s is left beside its full tile", name)
		}
	}
	// A crash before the checkpoint: what is there is written again, the same.
	must(t, os.WriteFile(filepath.Join(once, "checkpoint"), []byte("torn"), 0o644))
	must(t, os.Remove(filepath.Join(once, "tile", "0", "001")))
	d, err = tiles.Open(once, f.policies)
	must(t, err)
	must(t, d.Publish(from, note, f))
	for name, data := range files(t, once) {
		if string(whole[name]) != string(data) {
			t.Errorf("%s is another file after a crash", name)
		}
	}
}

func TestServed(t *testing.T) {
	directory := t.TempDir()
	f := newForest(t)
	note := f.grow(0, 300)
	d, err := tiles.Open(directory, f.policies)
	must(t, err)
	must(t, d.Publish(300, note, f))
	must(t, os.WriteFile(filepath.Join(directory, "tile", "secret"), []byte("x"), 0o644))
	server := httptest.NewServer(tiles.Handler(directory))
	defer server.Close()
	get := func(path string) (int, http.Header, []byte) {
		response, err := http.Get(server.URL + path)
		must(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		must(t, err)
		return response.StatusCode, response.Header, body
	}
	for path, want := range map[string]struct {
		cache string
		size  int
	}{
		"/checkpoint":      {"no-cache", len(note)},
		"/tile/0/000":      {"public, max-age=31536000, immutable", 256 * 32},
		"/tile/0/001.p/44": {"public, max-age=3600", 44 * 32},
		"/tile/1/000.p/1":  {"public, max-age=3600", 32},
	} {
		code, header, body := get(path)
		if code != 200 || len(body) != want.size || header.Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d, %d bytes, %q", path, code, len(body), header.Get("Cache-Control"))
		}
	}
	for _, path := range []string{"/", "/tile", "/tile/0", "/tile/secret", "/tile/0/002", "/tile/0/001", "/tile/0/000.p/1", "/tile/0/../../checkpoint", "/tile/00/000", "/checkpoint.new"} {
		if code, _, _ := get(path); code != 404 && code != 301 {
			t.Errorf("%s: %d", path, code)
		}
	}
	response, err := http.Post(server.URL+"/checkpoint", "", nil)
	must(t, err)
	response.Body.Close()
	if response.StatusCode != 405 {
		t.Errorf("posted: %d", response.StatusCode)
	}
}
