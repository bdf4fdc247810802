package keyring

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
)

// K01, K04, K06 at the ring: a record that is not its originator's, or not where it belongs,
// is refused with a reason, and the section says that reason.
func TestAdversary_K01_RecordElsewhereOrByAnother(t *testing.T) {
	w := newWorld(t)
	b, other := w.says(2), w.says(1)
	altered := func(at int) []byte {
		data := append([]byte{}, b.record.Data...)
		data[at] ^= 1
		return data
	}
	for _, c := range []struct {
		name    string
		subject string
		data    []byte
		want    seal.Reason
		reads   string
	}{
		{"on another batch's subject", other.record.Subject(), b.record.Data, seal.OtherRecord, "no-record"},
		{"on another audience's subject", "key.region" + b.record.Subject()[len("key.pair"):], b.record.Data, seal.OtherRecord, "no-record"},
		{"as a release", b.record.Subject() + "-XB", b.record.Data, seal.OtherRecord, "no-record"},
		{"a byte of a wrap is the hub's", b.record.Subject(), altered(900), seal.NotOriginator, "not-originator"},
		{"a byte of its form", b.record.Subject(), altered(0), seal.MalformedRecord, "malformed-record"},
		{"no record at all", b.record.Subject(), nil, seal.MalformedRecord, "malformed-record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.ring(t.TempDir())
			_, err := r.Take(t.Context(), w.known(start), []Offered{{Sequence: 9, Subject: c.subject, Data: c.data}})
			must(t, err)
			same(t, "refused", []seal.Reason{c.want}, refused(t, r))
			same(t, "read", []string{c.reads, c.reads}, reads(t, w.opener(r), b.events[0], start))
			w.take(r, start, b.record)
			same(t, "once the true one is here", text(int(b.events[0].Counter), theCase), reads(t, w.opener(r), b.events[0], start)[0])
		})
	}
}

func TestAdversary_K03_TwoRecordsOfOneRevision(t *testing.T) {
	w := newWorld(t)
	b := w.says(3)
	key := signer(t, "XA/police")
	one, err := seal.Erase(key, b.record, b.events[0].ID)
	must(t, err)
	two, err := seal.Erase(key, b.record, b.events[1].ID)
	must(t, err)
	r := w.ring(t.TempDir())
	w.take(r, start, one, two)
	same(t, "refused", []seal.Reason{seal.ConflictingRecord}, refused(t, r))
	o := w.opener(r)
	same(t, "the first counts", "erased", reads(t, o, b.events[0], start)[0])
	same(t, "and the second does not", text(2, theCase), reads(t, o, b.events[1], start)[0])
}

// A key that was revoked counts for the batches that it signed itself, and for nothing else.
func TestAdversary_K06_RecordUnderARevokedKey(t *testing.T) {
	w := newWorld(t)
	b := w.says(2)
	w.book.Apply(t, RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")
	r := w.ring(t.TempDir())
	w.take(r, start, b.record)
	same(t, "its own batch", text(1, theCase), reads(t, w.opener(r), b.events[0], start)[0])

	t.Run("in place of one under a valid key", func(t *testing.T) {
		w := newWorld(t)
		b := w.says(2)
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		stolen, err := seal.Erase(signer(t, "XA/police"), b.record, b.events[0].ID)
		must(t, err)
		w.book.Apply(t, RevokeKey(AgencyOwner("XA", "police"), 0), "root XA")
		w.take(r, start, stolen)
		same(t, "refused", []seal.Reason{seal.NotOriginator}, refused(t, r))
		same(t, "nothing is erased", text(1, theCase), reads(t, w.opener(r), b.events[0], start)[0])
	})
	t.Run("for events under another key", func(t *testing.T) {
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		e := b.events[0]
		e.KeyID = event.KeyID{1}
		same(t, "it", []string{"not-originator", "not-originator"}, reads(t, w.opener(r), e, start))
	})
}

// A record can come before the update that brought the key under it.
func TestRecordUnderAKeyThatIsNotKnownYet(t *testing.T) {
	w := newWorld(t)
	b := w.says(1)
	before := Known{State: registry.New(w.book.Charter.Digest), Now: start}
	r := w.ring(t.TempDir())
	taken, err := r.Take(t.Context(), before, []Offered{{Sequence: 4, Subject: b.record.Subject(), Data: b.record.Data}})
	must(t, err)
	same(t, "unknown from", uint64(4), taken.Unknown)
	same(t, "meanwhile", "not-originator", reads(t, w.opener(r), b.events[0], start)[0])
	w.take(r, start, b.record)
	same(t, "then", text(1, theCase), reads(t, w.opener(r), b.events[0], start)[0])
	same(t, "refused", []seal.Reason(nil), refused(t, r))
}

func TestAdversary_K01_ReleaseToAnotherCountry(t *testing.T) {
	w := newWorld(t)
	b := w.says(1)
	sections := openedBy(t, w, b)
	key := signer(t, "XA/police")
	release, err := seal.Release(key, w.book.State.Openings("XB", uint32(theCase))[:1], 1, start.AddDate(1, 0, 0), sections)
	must(t, err)
	r := w.ring(t.TempDir())
	offer := func(subject string) {
		_, err := r.Take(t.Context(), w.known(start), []Offered{{Sequence: 4, Subject: subject, Data: release.Data}})
		must(t, err)
	}
	offer("key.region" + release.Subject()[len("key.pair"):]) // of an address that XB reads
	same(t, "released", text(1, theCase), reads(t, w.opener(r), b.events[0], start)[0])
	other, err := Open(t.Context(), t.TempDir()+"/keys.db", "XC")
	must(t, err)
	defer other.Close()
	_, err = other.Take(t.Context(), w.known(start), []Offered{{Sequence: 4, Subject: release.Subject(), Data: release.Data}})
	must(t, err)
	same(t, "to XC", "no-record", reads(t, w.opener(other), b.events[0], start)[0])
	same(t, "nothing is refused", []seal.Reason(nil), refused(t, other))
}

// openedBy is the case section of a batch's event, as XA's own desk can release it.
func openedBy(t testing.TB, w *world, b batch) []seal.Released {
	t.Helper()
	own, err := Open(t.Context(), t.TempDir()+"/keys.db", "XB")
	must(t, err)
	defer own.Close()
	w.take(own, start, b.record)
	sections, err := w.opener(own).Open(t.Context(), 10, b.events[0], start)
	must(t, err)
	return []seal.Released{{Event: b.events[0], Compartment: theCase, Key: caseKey(sections)}}
}
