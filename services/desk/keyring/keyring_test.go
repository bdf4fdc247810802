package keyring

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

func TestRingOpensAfterARestart(t *testing.T) {
	w, directory := newWorld(t), t.TempDir()
	b := w.says(3)
	r := w.ring(directory)
	same(t, "before the record", []string{"no-record", "no-record"}, reads(t, w.opener(r), b.events[0], start))
	w.take(r, start, b.record)
	want := []string{text(2, theCase), "no-private-key"}
	same(t, "with it", want, reads(t, w.opener(r), b.events[1], start))
	must(t, r.Close())
	r = w.ring(directory)
	same(t, "after a restart", want, reads(t, w.opener(r), b.events[1], start))
	place, err := r.Place(t.Context())
	must(t, err)
	same(t, "place", uint64(1), place)
	beside, err := Read(t.Context(), directory+"/keys.db", "XB")
	must(t, err)
	same(t, "read beside it", want, opens(t, w.opener(beside), b.events[1], start))
	must(t, beside.Close())
}

func TestStaleIsCountedOnceAnEventWasFolded(t *testing.T) {
	w := newWorld(t)
	b, unfolded := w.says(2), w.says(1)
	r := w.ring(t.TempDir())
	stale := func(want bool) {
		t.Helper()
		got, mark, err := r.Stale(t.Context())
		must(t, err)
		same(t, "stale", want, got)
		must(t, r.Folded(t.Context(), mark))
	}
	stale(true) // a new ring knows of no fold
	stale(false)
	w.take(r, start, unfolded.record)
	stale(false)
	reads(t, w.opener(r), b.events[0], start)
	if taken := w.take(r, start, b.record); !taken.Stale {
		t.Error("a late record of a folded batch does not make the view stale")
	}
	stale(true)
	w.take(r, start, b.record)
	stale(false)
}

// A fold beside the one that takes records in reads the batch before, and notes it after.
func TestRecordThatComesBetweenReadingAndNoting(t *testing.T) {
	w := newWorld(t)
	b := w.says(1)
	r := w.ring(t.TempDir())
	_, mark, err := r.Stale(t.Context())
	must(t, err)
	must(t, r.Folded(t.Context(), mark))
	o := w.opener(r)
	_, err = o.Open(t.Context(), 10, b.events[0], start)
	must(t, err)
	w.take(r, start, b.record)
	must(t, o.Note(t.Context(), start))
	stale, _, err := r.Stale(t.Context())
	must(t, err)
	same(t, "stale", true, stale)
}

func TestErasedBytesAreGoneFromTheFile(t *testing.T) {
	w, directory := newWorld(t), t.TempDir()
	b := w.says(200)
	r := w.ring(directory)
	w.take(r, start, b.record)
	gone, stays := b.events[7], b.events[8]
	same(t, "wraps before", 4, isIn(raw(t, directory), wraps(b.record, gone.ID)))
	o := w.opener(r)
	same(t, "before", text(8, theCase), reads(t, o, gone, start)[0])
	next, err := seal.Erase(signer(t, "XA/police"), b.record, gone.ID)
	must(t, err)
	taken := w.take(r, start, next)
	same(t, "closed", []event.ID{gone.ID}, taken.Closed)
	same(t, "wraps after", 0, isIn(raw(t, directory), wraps(b.record, gone.ID)))
	same(t, "those of its neighbour", 4, isIn(raw(t, directory), wraps(b.record, stays.ID)))
	same(t, "it", []string{"erased", "erased"}, reads(t, o, gone, start))
	same(t, "its neighbour", text(9, theCase), reads(t, o, stays, start)[0])
	w.take(r, start, b.record) // the hub shows the old one again
	same(t, "after the old record", []string{"erased", "erased"}, reads(t, o, gone, start))
	same(t, "wraps after the old record", 0, isIn(raw(t, directory), wraps(b.record, gone.ID)))
	same(t, "refused", []seal.Reason{seal.OutdatedRecord}, refused(t, r))
}

func refused(t testing.TB, r *Ring) []seal.Reason {
	t.Helper()
	all, err := r.Refusals(t.Context())
	must(t, err)
	var reasons []seal.Reason
	for _, refusal := range all {
		reasons = append(reasons, refusal.Reason)
	}
	return reasons
}

// K05, at the ring: what has expired is deleted, and a replay brings nothing back.
func TestAdversary_K05_ExpiredRecordIsShownAgain(t *testing.T) {
	w, directory := newWorld(t), t.TempDir()
	b := w.says(20)
	r := w.ring(directory)
	w.take(r, start, b.record)
	o := w.opener(r)
	same(t, "before", text(1, theCase), reads(t, o, b.events[0], start)[0])
	over := start.AddDate(1, 0, 0)
	taken, err := r.Expire(t.Context(), over, nil)
	must(t, err)
	same(t, "events closed", 20, len(taken.Closed))
	same(t, "stale", true, taken.Stale)
	same(t, "wraps", 0, isIn(raw(t, directory), wraps(b.record, b.events[0].ID)))
	w.take(r, over, b.record)
	same(t, "shown again", []string{"expired", "expired"}, reads(t, o, b.events[0], over))
	same(t, "by a clock that was set back", []string{"expired", "expired"}, reads(t, o, b.events[0], start.AddDate(0, 6, 0))[:2])
	same(t, "wraps after that", 0, isIn(raw(t, directory), wraps(b.record, b.events[0].ID)))
	t.Run("to a ring that never had it", func(t *testing.T) {
		fresh := w.ring(t.TempDir())
		w.take(fresh, over, b.record)
		same(t, "it reads", []string{"expired", "expired"}, reads(t, w.opener(fresh), b.events[0], over))
	})
}

// An originator that writes a late expires into its record gets no more than the class has.
func TestContentLivesNoLongerThanItsClass(t *testing.T) {
	w := newWorld(t)
	b := w.saysUntil(start.AddDate(50, 0, 0), 2)
	r := w.ring(t.TempDir())
	w.take(r, start, b.record)
	o := w.opener(r)
	reads(t, o, b.events[0], start)
	for _, c := range []struct {
		days int
		want string
	}{{364, text(1, theCase)}, {365, "expired"}} {
		now := start.AddDate(0, 0, c.days)
		_, err := r.Expire(t.Context(), now, w.book.State.Retention())
		must(t, err)
		same(t, "what is read", c.want, reads(t, o, b.events[0], now)[0])
	}
}

func TestShutClosesWhatItsOriginatorSaidBefore(t *testing.T) {
	w, directory := newWorld(t), t.TempDir()
	b := w.says(3)
	r := w.ring(directory)
	w.take(r, start, b.record)
	o := w.opener(r)
	reads(t, o, b.events[0], start)
	shut := func(country string, index uint64, reason seal.Reason, e event.Verified) Taken {
		t.Helper()
		taken, err := r.Shut(t.Context(), Closure{Country: country, Agency: "police", Reason: reason, Index: index, Events: []event.ID{e.ID}}, true)
		must(t, err)
		return taken
	}
	shut("XC", 20, Recalled, b.events[0])
	same(t, "by another", text(1, theCase), reads(t, o, b.events[0], start)[0])
	shut("XA", 5, Recalled, b.events[1])
	same(t, "pieces went with a recall that came before", 0, isIn(raw(t, directory), wraps(b.record, b.events[1].ID)))
	same(t, "a recall from before it is none of it", "erased", reads(t, o, b.events[1], start)[0])
	taken := shut("XA", 20, Recalled, b.events[0])
	same(t, "closed", []event.ID{b.events[0].ID}, taken.Closed)
	same(t, "recalled", []string{"recalled", "recalled"}, reads(t, o, b.events[0], start))
	same(t, "wraps", 0, isIn(raw(t, directory), wraps(b.record, b.events[0].ID)))
	same(t, "again", Taken{}, shut("XA", 20, Recalled, b.events[0]))
	shut("XA", 21, seal.Erased, b.events[2])
	same(t, "erased", []string{"erased", "erased"}, reads(t, o, b.events[2], start))
	t.Run("before its record came", func(t *testing.T) {
		r := w.ring(t.TempDir())
		_, err := r.Shut(t.Context(), Closure{Country: "XA", Agency: "police", Reason: seal.Erased, Index: 20, Events: []event.ID{b.events[0].ID}}, false)
		must(t, err)
		w.take(r, start, b.record)
		same(t, "it", []string{"erased", "erased"}, reads(t, w.opener(r), b.events[0], start))
		same(t, "its neighbour", text(2, theCase), reads(t, w.opener(r), b.events[1], start)[0])
	})
	t.Run("and forgotten", func(t *testing.T) {
		must(t, r.Forget(t.Context(), 20))
		w.take(r, start, b.record) // the same record: nothing new
		same(t, "pieces are gone all the same", []string{"erased", "erased"}, reads(t, o, b.events[0], start))
	})
}

func TestReceiptsAreOwedUntilAnswered(t *testing.T) {
	r := newWorld(t).ring(t.TempDir())
	var id, other event.ID
	binary.BigEndian.PutUint64(id[8:], 1)
	owed := Receipt{Recall: "R-1", Country: "XA", Agency: "police", Audience: "pair", Retention: "case", Purpose: "rescue", Index: 7, Deadline: "2025-03-01T00:00:00Z", Events: []event.ID{id, other}}
	for range 2 {
		must(t, r.Owe(t.Context(), owed))
	}
	list := func() []Receipt {
		all, err := r.Owed(t.Context())
		must(t, err)
		return all
	}
	same(t, "owed", []Receipt{owed}, list())
	must(t, r.Destroyed(t.Context(), start, 6))
	same(t, "before its view stands", []Receipt{owed}, list())
	must(t, r.Destroyed(t.Context(), start, 7))
	owed.Destroyed = start
	same(t, "destroyed", []Receipt{owed}, list())
	for _, events := range [][]event.ID{{id, other}, {id}} {
		must(t, r.Exported(t.Context(), Export{Made: start, Person: "officer-4711", Form: "evidence", Events: events}))
	}
	for _, c := range []struct {
		events []event.ID
		want   uint64
	}{{[]event.ID{id, other}, 2}, {[]event.ID{other}, 1}, {nil, 0}} {
		files, err := r.Exports(t.Context(), c.events)
		must(t, err)
		same(t, "exports", c.want, files)
	}
	must(t, r.Answered(t.Context(), owed))
	must(t, r.Owe(t.Context(), owed))
	same(t, "answered", []Receipt(nil), list())
}

func TestRefusalsAreBounded(t *testing.T) {
	w := newWorld(t)
	r := w.ring(t.TempDir())
	var offered []Offered
	for i := range maxRefusals + 50 {
		offered = append(offered, Offered{Sequence: uint64(i + 1), Subject: "key.pair.XA.police." + string(rune('a'+i%26)) + time.Duration(i).String(), Data: []byte("no record")})
	}
	_, err := r.Take(t.Context(), w.known(start), append(offered, Offered{Sequence: 5000, Subject: string(slices.Repeat([]byte("\xff"), 1000))}))
	must(t, err)
	all, err := r.Refusals(t.Context())
	must(t, err)
	same(t, "refusals", maxRefusals, len(all))
	same(t, "the newest is malformed", seal.MalformedRecord, all[len(all)-1].Reason)
}

func BenchmarkTakeAndOpen(b *testing.B) {
	w := newWorld(b)
	r := w.ring(b.TempDir())
	for b.Loop() {
		b.StopTimer()
		batch := w.says(1000)
		o := w.opener(r)
		b.StartTimer()
		w.take(r, start, batch.record)
		for _, e := range batch.events {
			if _, err := o.Open(b.Context(), 10, e, start); err != nil {
				b.Fatal(err)
			}
		}
		must(b, o.Note(b.Context(), start))
	}
}
