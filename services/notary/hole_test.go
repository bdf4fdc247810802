package notary_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/services/hub"
	"github.com/tripoint/tripoint/services/hub/salvage"
	"github.com/tripoint/tripoint/services/notary"
)

// restored stops notary and hub, loses all streams, and restores them from what the
// notary has and the messages that were said, but those from one index to another.
func (h *keptHouse) restored(from, to uint64) {
	h.t.Helper()
	must(h.t, h.stop())
	h.stopHub()
	must(h.t, os.RemoveAll(filepath.Join(h.disk, "streams")))
	tree, messages := h.handsOver(), h.writes("messages", func(w *holding.Writer) {
		for i, m := range h.said {
			if index := uint64(i); index < from || index >= to {
				must(h.t, w.Message(holding.Message{Index: index, Known: true, Subject: m.Subject, Data: m.Data}))
			}
		}
	})
	_, err := hub.Restore(h.t.Context(), hub.Config{Directory: h.disk, Lock: keyfile.Unsealed, Charter: h.registry.Charter},
		hub.Restoration{AcceptLoss: true, Time: time.Unix(1_700_000_000, 0)}, salvage.File(tree, h.registry.Charter), salvage.File(messages, h.registry.Charter))
	must(h.t, err)
	h.startHub()
}

// handsOver is the notary's holding in a file.
func (h *keptHouse) handsOver() string {
	h.t.Helper()
	file, err := os.Create(filepath.Join(h.t.TempDir(), "notary"))
	must(h.t, err)
	must(h.t, notary.Export(h.t.Context(), notary.Config{Directory: h.directory, Charter: h.registry.Charter}, file))
	must(h.t, file.Close())
	return file.Name()
}

func (h *keptHouse) writes(name string, write func(*holding.Writer)) string {
	h.t.Helper()
	file, err := os.Create(filepath.Join(h.t.TempDir(), name))
	must(h.t, err)
	w, err := holding.NewWriter(file, h.registry.Charter.Digest, name)
	must(h.t, err)
	write(w)
	must(h.t, w.Close())
	must(h.t, file.Close())
	return file.Name()
}

// A stream that was restored with a loss has a hole. A notary whose directory is of
// before, or is lost, comes to the published root all the same, and goes on.
func TestHoleThatIsDeclaredIsCaughtUpOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		stored int // messages that the directory is of, with the founding; 0: it is empty
	}{{"from nothing", 0}, {"from before the hole", 4}, {"from its beginning", 6}, {"from inside of it", 7}, {"from its end", 8}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := keepHouse(t)
			h.notarise()
			directory := t.TempDir()
			for size := 2; size <= 12; size++ {
				h.say(1, 100, "said")
				h.signed(uint64(size))
				if size == c.stored {
					must(t, h.stop())
					must(t, os.CopyFS(filepath.Join(directory, "copy"), os.DirFS(h.directory)))
					h.notarise()
				}
			}
			h.restored(5, 8)
			h.directory = filepath.Join(directory, "copy")
			h.notarise()
			h.followTo(13) // hub.restored
			must(t, h.stop())
			h.directory = t.TempDir() // and once more, with all of it published
			h.notarise()
			h.say(1, 100, "afterwards")
			h.followTo(14)
			must(t, h.stop())
		})
	}
}

// A hole of which nothing says that it is lost for good may still be filled by those
// who have its messages: nothing is signed over it.
func TestHoleThatIsNotDeclaredIsNotSignedOver(t *testing.T) {
	t.Parallel()
	h := keepHouse(t)
	h.notarise()
	h.say(68, 250<<10, "sound")
	h.signed(69)
	must(t, h.stop())
	h.stopHub()
	deleteBlock(t, h.blocks())
	h.startHub()
	h.directory = t.TempDir()
	h.notarise()
	h.endsWith(notary.ErrAltered)
}
