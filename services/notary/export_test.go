package notary_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/holding"
)

// handed is how many leaves stand in the notary's holding, below a checkpoint.
func (h *keptHouse) handed() (size int) {
	h.t.Helper()
	file, err := os.Open(h.handsOver())
	must(h.t, err)
	defer file.Close()
	r, err := holding.NewReader(file, h.registry.Charter.Digest)
	must(h.t, err)
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return size
		}
		must(h.t, err)
		if len(record.Leaves.GetCheckpoint()) > 0 {
			size = int(record.Leaves.GetStart()) + len(record.Leaves.GetHashes())/32
		}
	}
}

// A crash between publication and tiles, or tiles that were lost, takes nothing from
// what the notary hands over.
func TestHoldingReachesWhatWasPublished(t *testing.T) {
	t.Parallel()
	h := keepHouse(t)
	h.notarise()
	h.say(3, 100, "said")
	h.shelvedToRunning(4)
	must(t, h.stop())
	tiles, older := filepath.Join(h.directory, "tiles"), filepath.Join(t.TempDir(), "tiles")
	must(t, os.CopyFS(older, os.DirFS(tiles)))
	h.notarise()
	h.say(3, 100, "said")
	h.shelvedToRunning(7) // published first, and noted here after it
	must(t, h.stop())
	for _, c := range []struct {
		name string
		lose func()
	}{
		{"all is there", func() {}},
		{"what is kept beside the store is lost", func() { must(t, os.Remove(filepath.Join(h.directory, "published"))) }},
	} {
		c.lose()
		if got := h.handed(); got != 7 {
			t.Errorf("%s: %d leaves are handed over, want 7", c.name, got)
		}
	}
	h.notarise() // keeps it again
	h.say(1, 100, "said")
	h.shelvedToRunning(8)
	must(t, h.stop())
	must(t, os.RemoveAll(tiles))
	if got := h.handed(); got != 8 {
		t.Errorf("without tiles: %d leaves are handed over, want 8", got)
	}
	must(t, os.CopyFS(tiles, os.DirFS(older)))
	if got := h.handed(); got != 8 {
		t.Errorf("with older tiles: %d leaves are handed over, want 8", got)
	}
}
