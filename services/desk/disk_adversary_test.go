package desk

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// windows are all byte strings of 32 bytes that lie in a directory's files, each once: so long are
// a content key, a batch key, and the seed of a private opening key.
func windows(t testing.TB, directory string) [][]byte {
	t.Helper()
	seen, all := map[[32]byte]bool{}, [][]byte{}
	must(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a file that the hub was just exchanging
		}
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for i := 0; i+32 <= len(data); i++ {
			if key := [32]byte(data[i : i+32]); !seen[key] {
				seen[key] = true
				all = append(all, data[i:i+32])
			}
		}
		return err
	}))
	return all
}

// lock is something sealed, and whether a byte string is its key.
type lock struct {
	name string
	open func(key []byte) bool
}

// locks are all that keeps a batch closed: each section's commitment, each entry's batch key, each recipient's
// opening key.
func locks(t testing.TB, b sealedBatch) []lock {
	t.Helper()
	var all []lock
	for _, e := range b.events {
		for _, section := range e.Sections() {
			all = append(all, lock{"content key", func(key []byte) bool {
				commitment := sha256.Sum256(pae.Encode(pae.Commitment, e.ID[:], u64(uint64(theCase)), key))
				return bytes.Equal(commitment[:], section.Commitment)
			}})
			for i, wrapped := range wrapsOf(b.record, "XB", e.ID) { // one of each compartment
				data := pae.Encode(pae.ContentKey, e.Place.Batch[:], u64(e.Place.Index), e.ID[:], u64(uint64(i+1)))
				nonce := append(make([]byte, 4), u64(e.Place.Index)...)
				all = append(all, lock{"batch key", func(key []byte) bool {
					_, err := gcm(t, key).Open(nil, nonce, wrapped, data)
					return err == nil
				}})
			}
		}
	}
	publics := map[string]bool{}
	for _, country := range []string{"XA", "XB", "XC"} {
		for _, private := range registrytest.OpeningsOf(country) {
			publics[string(private.PublicKey().Bytes())] = true
		}
	}
	return append(all, lock{"opening key", func(key []byte) bool {
		private, err := hpke.MLKEM768X25519().NewPrivateKey(key)
		return err == nil && publics[string(private.PublicKey().Bytes())]
	}})
}

// tried counts what opens with any of the keys, by what it is.
func tried(locks []lock, keys [][]byte) map[string]int {
	var mu sync.Mutex
	found, work := map[string]int{}, make(chan []byte, 1000)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for key := range work {
				for _, l := range locks {
					if l.open(key) {
						mu.Lock()
						found[l.name]++
						mu.Unlock()
					}
				}
			}
		})
	}
	for _, key := range keys {
		work <- key
	}
	close(work)
	workers.Wait()
	return found
}

// Whoever has all of the hub's directory, and no desk's private key, opens nothing: every byte string
// on it that is as long as a key is tried as each kind of key.
func TestAdversary_K04_TheHubsWholeDiskOpensNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := h.open("XB", t.TempDir(), opening())
	b := h.tells(police, h.site("S-1", "planted words"))
	d.shows(b.places[0], "")
	section := b.events[0].Sections()[0]
	if len(holds(t, h.directory, section.Content)) == 0 || len(holds(t, h.directory, b.record.Data)) == 0 {
		t.Fatal("event and record are not on the disk: the test would prove nothing")
	}
	same(t, "files of the hub with the words", []string(nil), holds(t, h.directory, []byte("planted words")))
	keys, closed := windows(t, h.directory), locks(t, b)
	t.Logf("%d byte strings, %d locks", len(keys), len(closed))
	same(t, "what opens", map[string]int{}, tried(closed, keys))

	// With a private key among them it does open.
	seed, err := registrytest.OpeningOf("XB", uint32(theCase)).Bytes()
	must(t, err)
	same(t, "what opens with a desk's key", map[string]int{"opening key": 1}, tried(closed, [][]byte{seed}))
	contentKey := contentKeyOf(t, d, b.events[0], b.places[0])
	same(t, "what opens with a content key", map[string]int{"content key": 1}, tried(closed, [][]byte{contentKey}))
}

func contentKeyOf(t testing.TB, d *running, e event.Verified, index uint64) []byte {
	t.Helper()
	sections, err := d.ring.Opener(d.config.OpeningKeys, d.registry).Open(t.Context(), index, e, spoken)
	must(t, err)
	return sections[0].Key[:]
}
