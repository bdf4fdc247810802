package desk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
)

// tells publishes a sealed batch at a real hub, with its agency's credentials.
func (h *house) tells(chain event.Chain, drafts ...event.Draft) sealedBatch {
	h.t.Helper()
	b := h.seal(chain, drafts...)
	h.store(chain, []stream.Message{{Subject: b.record.Subject(), Data: b.record.Data}})
	h.store(chain, b.messages)
	for _, m := range b.messages {
		b.places = append(b.places, uint64(len(h.messages)))
		h.messages = append(h.messages, m)
	}
	return b
}

func (h *house) store(chain event.Chain, messages []stream.Message) {
	h.t.Helper()
	until(h.t, "the hub takes what is published", func() bool {
		_, err := h.as(stream.PublisherUser(chain.Country, chain.Agency)).PublishBatch(h.t.Context(), messages)
		return err == nil
	})
}

// What was erased is nowhere: not in a file of the hub, not in one of the desk, and not after all of the desk but
// its private keys is dropped and built again from the hub.
func TestAdversary_K07_ErasedAndRebuiltFromZero(t *testing.T) {
	t.Parallel()
	h, directory := newHouse(t), t.TempDir()
	planted := []byte("planted words that are erased")
	d := h.open("XB", directory, opening())
	b := h.tells(police, h.site("S-1", string(planted)), h.site("S-1", "what another said of it"), h.site("S-2", "stays"))
	d.shows(b.places[2], "")
	if document, _ := d.siteDocument("S-1"); len(holds(t, directory, planted)) == 0 || document == "" {
		t.Fatal("the words are in no file: the test would find nothing")
	}
	var wraps [][]byte
	for _, country := range []string{"XA", "XB", "XC"} {
		wraps = append(wraps, wrapsOf(b.record, country, b.events[0].ID)...)
	}
	same(t, "files of the hub with the keys before", true, len(holds(t, h.directory, wraps...)) > 0)

	next, erased := h.erases(b, keyOf(t, "XA", "police"), b.events[0])
	h.store(police, []stream.Message{{Subject: next.Subject(), Data: next.Data}})
	said := h.tells(police, erased)
	gone := func(when string) {
		t.Helper()
		d.shows(b.places[0], "erased")
		d.shows(b.places[1], "")
		d.shows(said.places[0], "")
		document, ok := d.siteDocument("S-1")
		if !ok || len(document) == 0 {
			t.Errorf("%s the entity has gone, and another event speaks of it", when)
		}
		same(t, "files with the words "+when, []string(nil), holds(t, directory, planted))
		same(t, "files with the keys "+when, []string(nil), holds(t, directory, wraps...))
		until(t, "the hub has overwritten the keys", func() bool { return len(holds(t, h.directory, wraps...)) == 0 })
		same(t, "files of the hub with the words "+when, []string(nil), holds(t, h.directory, planted))
	}
	gone("after the erasure")
	digest := d.digest()
	must(t, d.stop())
	for _, name := range []string{"keys.db", "view", "everything"} {
		t.Run("without "+name, func(t *testing.T) {
			dropFiles(t, directory, name)
			d = h.open("XB", directory, opening())
			gone("without " + name)
			same(t, "digest", digest, d.digest())
			must(t, d.stop())
		})
	}
}

// dropFiles takes away keys.db, the view, or both with the journal.
func dropFiles(t testing.TB, directory, what string) {
	t.Helper()
	patterns := map[string][]string{"keys.db": {"keys.db*"}, "view": {"view-*"}, "everything": {"*.db*"}}[what]
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(directory, pattern))
		must(t, err)
		if len(found) == 0 {
			t.Fatalf("there is no file %s", pattern)
		}
		for _, path := range found {
			must(t, os.Remove(path))
		}
	}
}

// An erasure takes effect by the log alone, where the hub goes on showing the old record.
func TestAdversary_K07_HubKeepsTheErasedRecord(t *testing.T) {
	t.Parallel()
	w, directory := newWorld(t), t.TempDir()
	planted := []byte("planted words that are erased")
	d := w.start("XB", directory, opening())
	b := w.tells(police, w.site("S-1", string(planted)), w.site("S-2", "stays"))
	d.shows(b.places[0], "")
	_, erased := w.erases(b, keyOf(t, "XA", "police"), b.events[0])
	said := w.tells(police, erased)
	d.has(said.places[0])
	d.shows(b.places[0], "erased")
	d.shows(b.places[1], "")
	must(t, d.stop())
	dropFiles(t, directory, "everything")
	d = w.start("XB", directory, opening())
	d.shows(said.places[0], "")
	d.shows(b.places[0], "erased")
	same(t, "files with the words", []string(nil), holds(t, directory, planted))
	same(t, "files with the keys", []string(nil), holds(t, directory, wrapsOf(b.record, "XB", b.events[0].ID)...))
	d.asRebuilt()
}

// An audit with each desk's keys, and its key ring, folds what the desk has: also what was
// recalled, erased and released.
func TestAuditOpensWhatEachDeskDoes(t *testing.T) {
	t.Parallel()
	h, directory := newHouse(t), t.TempDir()
	desks := []*running{h.open("XA", t.TempDir(), opening()), h.open("XB", directory, opening()), h.open("XC", t.TempDir(), opening(1))}
	b := h.tells(pair, h.site("S-1", "for the pair"), h.site("S-2", "of the pair, and recalled"))
	all := h.tells(police, h.site("S-3", "of all, and erased"), h.site("S-4", "of all"))
	h.witnesses(desks...)
	h.tells(pair, h.recalls("R-1", b.events[1]))
	next, erased := h.erases(all, keyOf(t, "XA", "police"), all.events[0])
	h.store(police, []stream.Message{{Subject: next.Subject(), Data: next.Data}})
	h.tells(police, erased)
	record, notice := h.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
	h.store(police, []stream.Message{{Subject: inRegion(record), Data: record.Data}})
	last := h.tells(police, notice)
	for _, d := range desks {
		d.shows(all.places[0], "erased")
		d.shows(all.places[1], "")
		d.shows(last.places[0], "")
	}
	if entry, ok := desks[2].entryAt(b.places[0]); !ok || entry.Released != last.places[0] {
		t.Errorf("what was released to XC is not there: %+v", entry)
	}
	h.witnesses(desks...)
	h.audit(desks...)
	same(t, "closed at XB", "recalled", desks[1].closed(b.places[1]))

	t.Run("by its files alone", func(t *testing.T) {
		opener, end, err := OpenerOf(t.Context(), desks[1].config)
		must(t, err)
		defer func() { must(t, end()) }()
		for i, want := range []string{"", "recalled"} {
			sections, err := opener(b.places[i], b.events[i])
			must(t, err)
			if got := sections[0].Closed; got != want && got != "expired" { // by the clock of this machine
				t.Errorf("event %d is %q, want %q", i, got, want)
			}
		}
	})
}
