package desk

import (
	"testing"
	"time"
)

// An originator dates its events and their record into the far future. Its content ends all the same
// with the days of its class, from when it was first folded here: rows, pages, words on the
// disk, files. What the header says counts for nothing more than to shorten that.
func TestAdversary_K05_RecordedInTheFarFuture(t *testing.T) {
	t.Parallel()
	for class, days := range map[string]int{"case": 365, "forever": 365} { // the charter has no class forever
		t.Run(class, func(t *testing.T) {
			w, directory := newWorld(t).withFiles(), t.TempDir()
			planted := []byte("planted words that shall end")
			clock := &movable{}
			clock.set(spoken)
			d := w.start("XB", directory, opening(), clock.on)
			file, chunks := closes(t, "a.jpg", photograph(1000))
			w.stores(police, file, chunks)
			draft, other := w.siteWith("S-1", file), w.site("S-1", string(planted))
			draft.Recorded, draft.Retention = time.Date(9990, 1, 1, 0, 0, 0, 0, time.UTC), class
			other.Recorded, other.Retention = draft.Recorded, class
			b := w.tells(police, draft, other)
			d.shows(b.places[0], "")
			d.shows(b.places[1], "")
			_, err := d.reads(b.places[0], 0)
			must(t, err)

			clock.set(spoken.AddDate(0, 0, days-1)) // the view is folded again: that does not begin anew
			must(t, d.stop())
			dropFiles(t, directory, "view")
			d = w.start("XB", directory, opening(), clock.on)
			d.shows(b.places[1], "")
			same(t, "files of the event", 1, len(d.attachments(b.places[0])))

			clock.set(spoken.AddDate(0, 0, days).Add(time.Hour))
			d.shows(b.places[0], "expired")
			d.shows(b.places[1], "expired")
			until(t, "the cache is empty", func() bool { return cached(t, directory) == 0 })
			same(t, "files of the event", 0, len(d.attachments(b.places[0])))
			if _, ok := d.siteDocument("S-1"); ok {
				t.Error("the entity is there still")
			}
			same(t, "files with the words", []string(nil), holds(t, directory, planted))
			same(t, "files with the keys", []string(nil), holds(t, directory, append(wrapsOf(b.record, "XB", b.events[0].ID), wrapsOf(b.record, "XB", b.events[1].ID)...)...))
			clock.set(spoken)
			d.asRebuilt()
			d.shows(b.places[1], "expired")
		})
	}
}
