package keyring

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
)

// The keys of XA's police, one after the other.
const (
	firstKey  = "publisher XA/police"
	secondKey = "next " + firstKey
	thirdKey  = "next " + secondKey
)

func (w *world) rotate(name string) {
	w.t.Helper()
	w.book.Apply(w.t, RotateKey(AgencyOwner("XA", "police"), name), name)
}

// erased is the next revision of a record without an event, under a key of that name.
func (w *world) erased(name string, r seal.Record, e event.Verified) seal.Record {
	w.t.Helper()
	next, err := seal.Erase(keyOf(w.t, name), r, e.ID)
	must(w.t, err)
	return next
}

// firsts is what the case section of each of a batch's events reads.
func firsts(t testing.TB, o *Opener, b batch) (all []string) {
	t.Helper()
	for _, e := range b.events {
		all = append(all, reads(t, o, e, start)[0])
	}
	return all
}

// An agency erases under its second key, and goes on to a third. A desk that begins later, and one that was
// away all that time, do what it says; a thief of an older key can take away, and bring nothing back.
func TestAdversary_K07_ErasedUnderAKeyThatWasRotatedSince(t *testing.T) {
	w := newWorld(t)
	b := w.says(3)
	away, thieves := w.ring(t.TempDir()), w.ring(t.TempDir())
	w.take(away, start, b.record)
	w.take(thieves, start, b.record)
	early := w.known(start)
	w.rotate(secondKey)
	once := w.erased(secondKey, b.record, b.events[0])
	w.rotate(thirdKey)
	want := []string{"erased", text(2, theCase), text(3, theCase)}

	t.Run("a desk that begins now", func(t *testing.T) {
		r := w.ring(t.TempDir())
		w.take(r, start, once)
		same(t, "reads", want, firsts(t, w.opener(r), b))
		w.take(r, start, b.record)
		same(t, "once the hub shows the record from before", want, firsts(t, w.opener(r), b))
		// A thief of the second key signs the old entries again.
		again := w.erased(secondKey, b.record, b.events[2])
		w.take(r, start, w.erased(secondKey, again, b.events[1]))
		same(t, "once a thief has taken away", []string{"erased", "erased", "erased"}, firsts(t, w.opener(r), b))
		w.take(r, start, w.erased(thirdKey, once, b.events[1]))
		same(t, "once its originator has said something", []string{"erased", "erased", text(3, theCase)}, firsts(t, w.opener(r), b))
	})
	t.Run("a desk that was away", func(t *testing.T) {
		directory := t.TempDir()
		r := w.ring(directory)
		_, err := r.Take(t.Context(), early, []Offered{{Sequence: 1, Subject: b.record.Subject(), Data: b.record.Data}})
		must(t, err)
		o := w.opener(r)
		firsts(t, o, b)
		taken := w.take(r, start, once)
		same(t, "closed", []any{true, 1}, []any{taken.Stale, len(taken.Closed)})
		same(t, "reads", want, firsts(t, o, b))
		same(t, "pieces in the file", 0, isIn(raw(t, directory), wraps(b.record, b.events[0].ID)))
		for _, shown := range []seal.Record{once, b.record, w.erased(firstKey, w.erased(firstKey, b.record, b.events[2]), b.events[1])} {
			w.take(r, start, shown)
			same(t, "the first is erased", "erased", firsts(t, o, b)[0])
		}
		w.take(r, start, w.erased(thirdKey, once, b.events[1]))
		same(t, "once its originator has said something", []string{"erased", "erased", text(3, theCase)}, firsts(t, o, b))
	})
	t.Run("a thief of the first key counts too far", func(t *testing.T) {
		for _, r := range []*Ring{thieves, w.ring(t.TempDir())} {
			stolen, err := seal.Decode(underRevision(t, w.erased(firstKey, b.record, b.events[2]), 1<<53-1))
			must(t, err)
			key, _ := w.book.State.Key(stolen.KeyID())
			record, err := stolen.Verify(key)
			must(t, err)
			w.take(r, start, record, once, w.erased(thirdKey, once, b.events[1]))
			same(t, "reads", []string{"erased", "erased", text(3, theCase)}, firsts(t, w.opener(r), b))
		}
	})
}

// What may not count, counts for nothing: a key that was revoked, one from before the batch,
// a record of another batch on the same subject.
func TestAdversary_K07_ErasedByWhoeverHasAKey(t *testing.T) {
	t.Run("a key that was revoked", func(t *testing.T) {
		w := newWorld(t)
		b := w.says(2)
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		w.rotate(secondKey)
		w.book.Apply(t, RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")
		w.take(r, start, w.erased(secondKey, b.record, b.events[0]))
		same(t, "reads", text(1, theCase), firsts(t, w.opener(r), b)[0])
		same(t, "refused", []seal.Reason{seal.NotOriginator}, refused(t, r))
		fresh := w.ring(t.TempDir())
		w.take(fresh, start, w.erased(secondKey, b.record, b.events[0]))
		same(t, "a new desk reads", "not-originator", firsts(t, w.opener(fresh), b)[1])
	})
	t.Run("a key from before the batch", func(t *testing.T) {
		w := newWorld(t)
		w.rotate(secondKey)
		w.signer = secondKey
		b := w.says(2)
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		w.take(r, start, w.erased(firstKey, b.record, b.events[0]))
		same(t, "reads", text(1, theCase), firsts(t, w.opener(r), b)[0])
		same(t, "refused", []seal.Reason{seal.NotOriginator}, refused(t, r))
	})
	t.Run("a country that is suspended", func(t *testing.T) {
		w := newWorld(t)
		b := w.says(2)
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		w.book.Apply(t, Suspend("XA"), "root XA", "root XB", "root XC")
		w.take(r, start, w.erased(firstKey, b.record, b.events[0]))
		same(t, "reads", "erased", firsts(t, w.opener(r), b)[0])
	})
}
