package desk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/translog"
)

// export reads a desk's holding back: its messages by index, and a follower that
// has taken in everything else.
func (w *world) export(country, directory string) (map[uint64]holding.Message, *translog.Follower) {
	w.t.Helper()
	var file bytes.Buffer
	must(w.t, Export(w.t.Context(), Config{Country: country, Directory: directory, Charter: w.charter}, &file))
	r, err := holding.NewReader(&file, w.charter.Digest)
	must(w.t, err)
	same(w.t, "party", "desk "+country, r.Party())
	policies, err := w.book.State.Policies()
	must(w.t, err)
	follower, err := translog.NewFollower(policies)
	must(w.t, err)
	messages := map[uint64]holding.Message{}
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return messages, follower
		}
		must(w.t, err)
		switch {
		case record.Leaves != nil:
			_, err := follower.Leaves(record.Leaves)
			must(w.t, err)
		case record.Message != nil:
			messages[record.Message.Index] = *record.Message
		default:
			if _, err := follower.Cosignature(record.Cosignature); !errors.Is(err, translog.ErrStale) {
				must(w.t, err)
			}
		}
	}
}

// A desk hands over its mirror with what it has cosigned, and every message, also
// those that the notary has not signed yet: while it runs, and when it does not.
func TestExportHoldsAllThatTheDeskHolds(t *testing.T) {
	t.Parallel()
	w, d, directory := mirrored(t)
	w.cosign("XB", w.checkpoint())
	w.say(police)
	w.notarise()
	d.hasCosigned(5)
	tail := w.say(border)
	d.has(tail)
	for _, running := range []bool{true, false} {
		if !running {
			must(t, d.stop())
		}
		messages, follower := w.export("XC", directory)
		newest, _ := follower.Checkpoint()
		same(t, "leaves", uint64(5), newest.Size)
		same(t, "cosigned", []string{"XC"}, follower.CosignedBy(5))
		// Of six messages one is for the pair; the last is above the mirror.
		same(t, "messages", 5, len(messages))
		for index, m := range messages {
			same(t, "subject", w.messages[index].Subject, m.Subject)
			same(t, "content", string(w.messages[index].Data), string(m.Data))
		}
	}
}

func TestExportWithoutAJournalMakesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	if err := Export(t.Context(), Config{Country: "XA", Directory: directory, Charter: w.charter}, io.Discard); err == nil {
		t.Error("an empty directory was exported")
	}
	if _, err := os.Stat(filepath.Join(directory, "journal.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an export has made a journal: %v", err)
	}
}
