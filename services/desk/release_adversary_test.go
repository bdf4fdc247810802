package desk

import (
	"crypto/hpke"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/view"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// release is a batch's first event released to a country: its record, signed by an agency, and the
// notice of it, in an event of a chain.
func (w *world) release(by string, b sealedBatch, index uint64, to string, envelope []byte) (seal.Record, event.Draft) {
	w.t.Helper()
	origin := b.record.Origin
	opener := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey {
		return registrytest.OpeningOf(origin.Country, uint32(c))
	})
	sections := opener.Open(b.events[0], spoken, b.record.Portion(origin.Country))
	country, agency, _ := strings.Cut(by, "/")
	record, err := seal.Release(keyOf(w.t, country, agency), w.book.State.Openings(to, uint32(theCase)), 1, b.record.Expires,
		[]seal.Released{{Event: b.events[0], Compartment: theCase, Key: sections[0].Key}})
	must(w.t, err)
	return record, w.drafted("control.released", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReleased{ControlReleased: &caseworkv1.ControlReleased{
		To: to, Index: index, Subject: b.messages[0].Subject, Envelope: envelope, Compartments: []eventv1.Compartment{theCase}, RecordDigest: record.Digest[:]}}})
}

// inRegion is where a release's record lies for readers of the region.
func inRegion(r seal.Record) string {
	return "key.region" + strings.TrimPrefix(r.Subject(), "key.pair")
}

func (r *running) entryAt(index uint64) (view.Entry, bool) {
	r.w.t.Helper()
	for _, e := range r.entries() {
		if e.Index == index {
			return e, true
		}
	}
	return view.Entry{}, false
}

func TestAdversary_K06_ReleaseByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC", opening())
	b := w.tells(pair, w.site("S-1", "for the pair alone"))
	w.notarise()
	nothing := func(what string, index uint64) {
		t.Helper()
		d.shows(index, "")
		if e, ok := d.entryAt(b.places[0]); ok {
			t.Errorf("after %s the event is there: %+v", what, e)
		}
		if _, ok := d.siteDocument("S-1"); ok {
			t.Errorf("after %s its entity is there", what)
		}
	}
	t.Run("XB, which reads it", func(t *testing.T) {
		_, notice := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
		honest, _ := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
		w.keyRecord(inRegion(honest), resigned(t, "publisher XB/border", honest.Data, noChange))
		said := w.tells(border, notice)
		nothing("a release by another", said.places[0])
		entry, _ := d.entryAt(said.places[0])
		if len(entry.Breaches) == 0 || entry.Breaches[0].Code != casework.BreachAuthority {
			t.Errorf("the notice has no breach: %+v", entry)
		}
		same(t, "refused records", []seal.Reason{seal.NotOriginator}, d.refusals())
	})
	t.Run("XA, of what is not in the log", func(t *testing.T) {
		other := w.seal(pair, w.site("S-1", "never published"))
		w.agency[pair.String()] = event.Head{Counter: 1, Digest: b.events[0].HeaderDigest, LastID: b.events[0].ID}
		_, notice := w.release("XA/police", b, b.places[0], "XC", other.messages[0].Data)
		said := w.tells(police, notice)
		nothing("a release of other bytes", said.places[0])
		entry, _ := d.entryAt(said.places[0])
		if len(entry.Breaches) != 1 || entry.Breaches[0].Code != BreachRelease {
			t.Errorf("the notice has no breach: %+v", entry.Breaches)
		}
	})
	t.Run("XA, to another country", func(t *testing.T) {
		record, notice := w.release("XA/police", b, b.places[0], "XB", b.messages[0].Data)
		w.keyRecord(inRegion(record), record.Data)
		nothing("a release to XB", w.tells(police, notice).places[0])
	})
	t.Run("XA itself", func(t *testing.T) {
		record, notice := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
		w.keyRecord(inRegion(record), record.Data)
		said := w.tells(police, notice)
		d.shows(said.places[0], "")
		entry, ok := d.entryAt(b.places[0])
		if !ok || entry.Released != said.places[0] || len(entry.Closed) > 0 {
			t.Fatalf("what was released is not there: %+v", entry)
		}
		document, _ := d.siteDocument("S-1")
		if !strings.Contains(document, "for the pair alone") {
			t.Errorf("the entity is %s", document)
		}
		// Said again, it changes nothing.
		_, again := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
		d.shows(w.tells(police, again).places[0], "")
		d.asRebuilt()
	})
}

// The notice comes before the mirror has the leaf of what is released.
func TestReleaseWaitsForTheLeaf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XC", opening())
	b := w.tells(pair, w.site("S-1", "awaited"))
	record, notice := w.release("XA/police", b, b.places[0], "XC", b.messages[0].Data)
	w.keyRecord(inRegion(record), record.Data)
	said := w.tells(police, notice)
	d.has(said.places[0])
	if _, ok := d.entryAt(b.places[0]); ok {
		t.Error("it is there before its leaf")
	}
	w.notarise()
	until(t, "the released event is there", func() bool {
		_, ok := d.entryAt(b.places[0])
		return ok && d.settled()
	})
	d.asRebuilt()
}
