package notary_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary"
)

func flip(t *testing.T, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt([]byte{data[at] ^ 1<<(at%8)}, int64(at))
	must(t, err)
	must(t, file.Close())
}

// L10: one bit of the leaf store is flipped, in every hash of it, leaf or inner, on
// the right edge or far from it. No root is signed over it, and the store is read
// again from the stream.
func TestAdversary_L10_BitOfTheLeafStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(20)
	h.followTo(21)
	h.shelvedTo(21)
	path := filepath.Join(h.directory, "hashes")
	held, err := os.Stat(path)
	must(t, err)
	for hash := range int(held.Size() / 32) {
		before, err := os.ReadFile(path)
		must(t, err)
		flip(t, path, hash*32+rand.IntN(32))
		if hash%2 == 0 { // at once, and where there is something new
			h.publish(1)
		}
		h.start()
		h.followTo(h.registry.Next)
		wait(t, fmt.Sprintf("hash %d is what it was", hash), func() bool {
			after, err := os.ReadFile(path)
			return err == nil && bytes.HasPrefix(after, before)
		})
		h.shelvedTo(h.registry.Next)
	}
	h.audits(h.registry.Next)
}

// L10: a bit flips while the notary runs. It ends before it signs over it, or before
// it shows a tile made of it, and goes on after a start.
func TestAdversary_L10_BitOfTheLeafStoreWhileRunning(t *testing.T) {
	t.Parallel()
	for name, hash := range map[string]int64{"on the edge": 510, "a leaf in a tile": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.start()
			h.publish(255)
			h.followTo(256)
			h.shelvedToRunning(256)
			flip(t, filepath.Join(h.directory, "hashes"), int(hash)*32)
			if name == "on the edge" {
				h.publish(1)
			}
			select { // the tiles are read again, or the next root is computed
			case err := <-h.ended:
				if err == nil || !strings.Contains(err.Error(), "leaf store") {
					t.Errorf("the notary ended with %v", err)
				}
			case <-time.After(deadline):
				t.Fatal("nobody noticed")
			}
			h.start()
			h.publish(1)
			h.followTo(h.registry.Next)
			h.shelvedTo(h.registry.Next)
			h.audits(h.registry.Next)
		})
	}
}

// L10: a tile or the checkpoint is damaged or lost. Whoever reads it notices, since it
// does not lead to the signed root; the notary writes it again by itself.
func TestAdversary_L10_BitOfATile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(299)
	h.followTo(300)
	h.shelvedToRunning(300)
	shelf := filepath.Join(h.directory, "tiles")
	var files []string
	must(t, filepath.WalkDir(shelf, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (entry.Name() == "000" || entry.Name() == "44" || entry.Name() == "1" || entry.Name() == "checkpoint") {
			files = append(files, path)
		}
		return err
	}))
	if len(files) != 4 {
		t.Fatalf("files %v", files)
	}
	for _, path := range files {
		want, err := os.ReadFile(path)
		must(t, err)
		for what, damage := range map[string]func(){
			"flipped": func() { flip(t, path, rand.IntN(len(want))) },
			"torn":    func() { must(t, os.Truncate(path, int64(len(want)/2))) },
			"lost":    func() { must(t, os.Remove(path)) },
		} {
			damage()
			wait(t, path+" written again where it was "+what, func() bool {
				got, err := os.ReadFile(path)
				return err == nil && bytes.Equal(got, want)
			})
		}
	}
	h.shelvedTo(300)
}

// L11: the leaf store has lost its end, and the tiles go on serving it. The notary
// reads what is missing again, and the tiles never go back.
func TestAdversary_L11_TailTruncatedWhileTilesServeIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(400)
	h.followTo(401)
	h.shelvedTo(401)
	path := filepath.Join(h.directory, "hashes")
	for _, keep := range []int64{0, 1, 31, 32, 100 * 32, 511 * 32, 512*32 + 7, 790 * 32} {
		must(t, os.Truncate(path, keep))
		done := make(chan struct{})
		back := make(chan uint64, 1)
		go func() {
			defer close(back)
			for last := uint64(0); ; {
				size := h.noted()
				if size < last {
					back <- size
				}
				last = size
				select {
				case <-done:
					return
				default:
				}
			}
		}()
		h.start()
		h.publish(1)
		h.followTo(h.registry.Next)
		h.shelvedTo(h.registry.Next)
		close(done)
		if size, ok := <-back; ok {
			t.Errorf("the tiles went back to %d leaves", size)
		}
	}
	h.audits(h.registry.Next)
}

// L11: the whole hub was set back to a copy, log stream included, and the notary has
// lost its own note of what was published. The tiles know.
func TestAdversary_L11_TilesOutliveTheLogStream(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"published", "tiles/checkpoint", ""} {
		h := newHouse(t)
		h.start()
		h.publish(3)
		h.followTo(4)
		h.shelvedTo(4)
		h.halt()
		copied := filepath.Join(t.TempDir(), "copy")
		must(t, os.CopyFS(copied, os.DirFS(h.broker)))
		must(t, os.Chmod(filepath.Join(copied, "keys", "broker.key"), 0o600))
		h.open()
		h.start()
		h.publish(2)
		h.followTo(6)
		h.shelvedTo(6)
		h.halt()
		h.broker = copied
		h.open()
		if lost != "" {
			must(t, os.Remove(filepath.Join(h.directory, filepath.FromSlash(lost))))
		}
		h.ends(notary.ErrAltered)
	}
}

// L13: a partial tile is not the beginning of the full one that takes its place. The
// full one leads to the signed root.
func TestAdversary_L13_FullTileDisagreesWithAPartialOne(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, directory string){
		"the tile":  func(t *testing.T, d string) { flip(t, filepath.Join(d, "tiles", "tile", "0", "000.p", "200"), 77) },
		"its store": func(t *testing.T, d string) { flip(t, filepath.Join(d, "hashes"), 77) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.start()
			h.publish(199)
			h.followTo(200)
			h.shelvedTo(200)
			partial, err := os.ReadFile(filepath.Join(h.directory, "tiles", "tile", "0", "000.p", "200"))
			must(t, err)
			damage(t, h.directory)
			h.publish(100)
			h.start()
			h.followTo(300)
			h.shelvedTo(300)
			full, err := os.ReadFile(filepath.Join(h.directory, "tiles", "tile", "0", "000"))
			if err != nil || !bytes.HasPrefix(full, partial) {
				t.Errorf("the full tile is not what the partial one was the beginning of, %v", err)
			}
			h.audits(300)
		})
	}
}

// S03: the events were set back to a copy of before, and perhaps grown on from there,
// as far as the notary's last leaf or beyond. Nothing is signed over it.
func TestAdversary_S03_NotaryIsNotLedOn(t *testing.T) {
	t.Parallel()
	for name, regrown := range map[string]int{"set back": 0, "regrown a little": 2, "regrown as far": 6, "regrown beyond": 50} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.start()
			h.publish(3)
			h.followTo(4)
			h.stopped()
			h.halt()
			streams, err := filepath.Glob(filepath.Join(h.broker, "streams", "jetstream", "*", "streams", "EVENTS"))
			if err != nil || len(streams) != 1 {
				t.Fatalf("%v, %v", streams, err)
			}
			copied := filepath.Join(t.TempDir(), "EVENTS")
			must(t, os.CopyFS(copied, os.DirFS(streams[0])))
			head, last := h.head, h.last
			h.open()
			h.start()
			h.publish(6)
			h.followTo(10)
			h.stopped()
			h.halt()
			must(t, os.RemoveAll(streams[0]))
			must(t, os.CopyFS(streams[0], os.DirFS(copied)))
			h.open()
			h.head, h.last = head, last
			for range 3 { // another content
				h.last[len(h.last)-1]++
			}
			if regrown > 0 {
				h.publish(regrown)
			}
			before, err := os.ReadFile(filepath.Join(h.directory, "hashes"))
			must(t, err)
			h.ends(notary.ErrAltered, "from index 4 on, of 10 leaves", "tripoint hub restore")
			after, err := os.ReadFile(filepath.Join(h.directory, "hashes"))
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the store was changed, %v", err)
			}
			if size := h.followTo(10).Size(); size != 10 {
				t.Errorf("the log has %d leaves, want 10", size)
			}
		})
	}
}

// The published root is another, signed with the notary's own key: whoever has it
// publishes a fork. The store, which has what was published from it, is not given up.
func TestForkOnTheLogStreamIsNotFollowed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.publish(3)
	h.followTo(4)
	h.shelvedTo(4)
	h.publish(1)
	thief, err := translog.NewNotary(registrytest.Origin, registrytest.Key("notary"))
	must(t, err)
	note, err := thief.Sign(translog.Checkpoint{Origin: registrytest.Origin, Size: 5, Root: translog.Hash{1}})
	must(t, err)
	h.forge(5, note)
	var said bytes.Buffer
	h.logger = slog.New(slog.NewTextHandler(&said, nil))
	h.ends(notary.ErrAltered)
	h.ends(notary.ErrAltered)
	if strings.Contains(said.String(), "reading the whole stream again") {
		t.Errorf("the store was given up: %s", &said)
	}
}
