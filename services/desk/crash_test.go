package desk

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/view/sqlite"
)

// takingIn are the steps of taking in a message, with the newest index of two that
// is in the view after a crash there.
var takingIn = map[string]uint64{
	"journaled":              1, // on disk, not folded
	"committing view":        1, // folded in a transaction that is lost
	"folded":                 2, // committed, not acknowledged
	"acknowledging messages": 2,
	"acknowledged messages":  2,
}

// cosigning are those of cosigning the third message, with the size that is
// cosigned in the journal after a crash there.
var cosigning = map[string]uint64{
	"stored":            2, // leaves and checkpoint are on disk
	"recorded":          3, // so is the cosignature; nobody has seen it
	"publishing":        3,
	"published":         3, // not acknowledged
	"acknowledging log": 3,
	"acknowledged log":  3,
}

// The desk crashes between two steps of taking in a message: its directory as it
// is then, write-ahead logs and all, is what the next start finds.
func TestAdversary_D01_CrashBetweenCommitAndAcknowledgement(t *testing.T) {
	t.Parallel()
	for step, viewed := range takingIn {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			directory, left := t.TempDir(), filepath.Join(t.TempDir(), "left")
			w.say(police)
			first := w.start("XA", directory)
			first.has(1)
			must(t, first.stop())

			crashing := w.start("XA", directory, func(c *Config) {
				c.fault = func(at string) error {
					if at != step {
						return nil
					}
					return errors.Join(os.CopyFS(left, os.DirFS(directory)), errCrash)
				}
			})
			index := w.say(border)
			if err := crashing.crashed(); !errors.Is(err, errCrash) {
				t.Fatalf("Run: %v, want the crash", err)
			}

			// What is left, before anything comes from the hub.
			same(t, "newest index in the view", viewed, viewIn(t, left))
			alone := w.start("XA", left, func(c *Config) { c.Stream.URL = "nats://127.0.0.1:1" })
			last, _, err := alone.journal.Last(t.Context())
			must(t, err)
			same(t, "journaled index", index, last.Index)
			alone.has(index)
			must(t, alone.stop())

			again := w.start("XA", left)
			next := w.say(police)
			again.has(next)
			digest, entries := again.digest(), again.entries()
			must(t, again.stop())
			undisturbed := w.desk("XA")
			undisturbed.has(next)
			same(t, "digest", undisturbed.digest(), digest)
			same(t, "entries", undisturbed.entries(), entries)
		})
	}
}

// The desk crashes between two steps of cosigning. Whatever is left, the next
// start cosigns the size once, and the log never sees two signatures for it.
func TestAdversary_L12_CrashWhileCosigning(t *testing.T) {
	t.Parallel()
	for step, cosigned := range cosigning {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			directory, left := t.TempDir(), filepath.Join(t.TempDir(), "left")
			w.say(police)
			w.notarise()
			first := w.start("XA", directory)
			first.hasCosigned(2)
			must(t, first.stop())

			crashing := w.start("XA", directory, func(c *Config) {
				c.fault = func(at string) error {
					if at != step || cosignedSize(t, directory) < cosigned || leavesIn(t, directory) < 3 {
						return nil
					}
					return errors.Join(os.CopyFS(left, os.DirFS(directory)), errCrash)
				}
			})
			w.say(border)
			w.notarise()
			if err := crashing.crashed(); !errors.Is(err, errCrash) {
				t.Fatalf("Run: %v, want the crash", err)
			}
			again := w.start("XA", left)
			again.hasCosigned(3)
			w.say(police)
			w.notarise()
			again.hasCosigned(4)
			same(t, "alarm", "", again.Status().Alarm)
			for size, notes := range w.notes("XA") {
				same(t, fmt.Sprintf("different cosignatures of size %d", size), 1, len(notes))
			}
		})
	}
}

// cosignedSize and leavesIn look into the journal of a running desk.
func cosignedSize(t *testing.T, directory string) uint64 {
	return number(t, directory, "SELECT coalesce(max(size), 0) FROM cosigned")
}

func leavesIn(t *testing.T, directory string) uint64 {
	return number(t, directory, "SELECT count(*) FROM leaves")
}

func number(t *testing.T, directory, query string) uint64 {
	t.Helper()
	db, err := sql.Open("sqlite", journalPath(directory))
	must(t, err)
	defer db.Close()
	var n uint64
	must(t, db.QueryRow(query).Scan(&n))
	return n
}

// A desk that comes back to many checkpoints cosigns the newest, which covers them.
func TestOneCosignatureCoversManyCheckpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 5 {
		w.say(police)
		w.notarise()
	}
	d := w.desk("XA")
	d.hasCosigned(6)
	must(t, d.stop())
	same(t, "cosigned sizes", []uint64{6}, w.cosigned("XA"))
}

// viewIn is the newest index in the view of a directory that no desk has open.
func viewIn(t *testing.T, directory string) uint64 {
	t.Helper()
	v, err := sqlite.Open(t.Context(), filepath.Join(directory, "view-000001.db"))
	must(t, err)
	at, err := v.Cursor(t.Context())
	must(t, err)
	must(t, v.Close())
	return at.Index
}

// A message that was never acknowledged comes again, and is known.
func TestRedeliveredMessagesAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XA")
	index := w.say(police)
	d.has(index)
	fresh, err := d.sift(t.Context(), index+1, []stream.Message{
		{Subject: w.messages[0].Subject, Sequence: 1, Data: w.messages[0].Data},
		{Subject: w.messages[1].Subject, Sequence: 2, Data: w.messages[1].Data},
		{Subject: "evt.region.XA.police.site.reported", Sequence: 5, Data: []byte("new")},
	})
	must(t, err)
	if len(fresh) != 1 || fresh[0].Index != 4 {
		t.Errorf("fresh are %v, want the one at index 4", fresh)
	}
}

// The stream was lost and regrew past the cursor: the number alone would go on.
func TestAdversary_S03_RegrownStream(t *testing.T) {
	t.Parallel()
	for name, regrow := range map[string]func(*world){
		"other content at the cursor": func(w *world) { w.say(border); w.say(police); w.say(police) },
		"nothing at the cursor":       func(w *world) { w.say(police); w.say(pair); w.say(police) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			directory := t.TempDir()
			d := w.start("XC", directory)
			w.say(police)
			d.has(w.say(border))
			entries := d.entries()
			must(t, d.stop())
			w.serve()
			w.publish(stream.Message{Subject: w.messages[0].Subject, Data: w.messages[0].Data})
			regrow(w)
			d = w.start("XC", directory)
			have, got := d.alarmed(AlarmStreamChanged)
			same(t, "evidence: what was there", string(w.messages[2].Data), have)
			if got == have {
				t.Error("the evidence has the same bytes twice")
			}
			same(t, "entries", entries, d.entries())
		})
	}
}
