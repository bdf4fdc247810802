package desk

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/stream"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// opening gives a desk the private keys of compartments; of none named, all four. Its clock stands
// where the events are recorded.
func opening(compartments ...uint32) func(*Config) {
	return func(c *Config) {
		c.OpeningKeys = registrytest.OpeningsOf(c.Country, compartments...)
		c.clock = func() time.Time { return spoken }
	}
}

var spoken = time.Unix(1_700_000_000, 0).UTC() // when drafts are recorded, give or take

// sealedBatch is a batch that is signed and not published.
type sealedBatch struct {
	record   seal.Record
	messages []stream.Message
	events   []event.Verified
	places   []uint64 // log indices, once published
}

// seal makes a sealed batch of drafts, which have sections in clear, after a chain's head.
func (w *world) seal(chain event.Chain, drafts ...event.Draft) sealedBatch {
	w.t.Helper()
	audience, ok := w.book.State.Audience(chain.Audience)
	if !ok {
		w.t.Fatalf("no audience %s", chain.Audience)
	}
	sealed, err := seal.Seal(chain, drafts, seal.Recipients(w.book.State, audience, uint64(len(w.messages))))
	must(w.t, err)
	key := keyOf(w.t, chain.Country, chain.Agency)
	signed, next, err := event.SignBatch(key, chain, w.agency[chain.String()], event.Seen{}, sealed.Drafts)
	must(w.t, err)
	w.agency[chain.String()] = next
	b := sealedBatch{}
	b.record, err = sealed.Record(key, signed, drafts[len(drafts)-1].Recorded.AddDate(0, 0, 365))
	must(w.t, err)
	for _, s := range signed {
		b.messages = append(b.messages, stream.Message{Subject: s.Subject, Data: s.Data})
		u, err := event.Decode(s.Data)
		must(w.t, err)
		v, err := u.Verify(registrytest.Public("publisher "+chain.Country+"/"+chain.Agency), nil, &event.Roots{})
		must(w.t, err)
		b.events = append(b.events, v)
	}
	return b
}

// tells is how a batch is published: its record, then its events.
func (w *world) tells(chain event.Chain, drafts ...event.Draft) sealedBatch {
	w.t.Helper()
	b := w.seal(chain, drafts...)
	w.keyRecord(b.record.Subject(), b.record.Data)
	w.events(&b)
	return b
}

func (w *world) events(b *sealedBatch) {
	w.t.Helper()
	for _, m := range b.messages {
		b.places = append(b.places, w.publish(m))
	}
}

func (w *world) keyRecord(subject string, data []byte) {
	w.t.Helper()
	_, err := w.js.Publish(w.t.Context(), subject, data)
	must(w.t, err)
}

// site is a draft about a site of its own, with words that are found wherever they lie.
func (w *world) site(site, words string) event.Draft {
	w.t.Helper()
	return w.drafted("site.reported", &caseworkv1.CaseSection{
		Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{SiteId: site, Name: words}}})
}

// drafted is a draft with a case section, and one of protection beside it.
func (w *world) drafted(kind string, said *caseworkv1.CaseSection) event.Draft {
	w.t.Helper()
	said.Occurred, said.Source = "2023-11-14", "invented, for a test"
	said.Marking = &caseworkv1.Marking{Purpose: "rescue", Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER}
	content, err := proto.Marshal(said)
	must(w.t, err)
	return w.draft(kind, event.Section{Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: content})
}

func (w *world) recalls(id string, events ...event.Verified) event.Draft {
	w.t.Helper()
	return w.drafted("control.recalled", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
		RecallId: id, EventIds: idTexts(idsOf(events)), Reason: "a mistake", Deadline: "2023-12-01T00:00:00Z"}}})
}

// erases is the next revision of a batch's record without events, and the event that says so.
func (w *world) erases(b sealedBatch, key event.SigningKey, events ...event.Verified) (seal.Record, event.Draft) {
	w.t.Helper()
	next, err := seal.Erase(key, b.record, idsOf(events)...)
	must(w.t, err)
	erased := &caseworkv1.ControlErased{Reason: "asked for by the person"}
	for _, e := range events {
		erased.Erasures = append(erased.Erasures, &caseworkv1.Erasure{EventId: e.ID.String(), Batch: next.Batch[:], Revision: next.Revision, RecordDigest: next.Digest[:]})
	}
	return next, w.drafted("control.erased", &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlErased{ControlErased: erased}})
}

func idsOf(events []event.Verified) []event.ID {
	var ids []event.ID
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// closed is why the first section of the event at an index is closed at a desk; empty where it is open.
func (r *running) closed(index uint64) string {
	r.w.t.Helper()
	for _, e := range r.entries() {
		if e.Index == index && len(e.Closed) > 0 {
			return e.Closed[0].Reason
		}
	}
	return ""
}

// shows waits until the first section of the event at an index is closed for a reason, or open.
func (r *running) shows(index uint64, reason string) {
	r.w.t.Helper()
	r.has(index)
	last := ""
	defer func() {
		if r.w.t.Failed() {
			r.w.t.Logf("event %d at %s was %q, refused records: %v", index, r.config.Country, last, r.refusals())
		}
	}()
	until(r.w.t, fmt.Sprintf("event %d at %s is %q", index, r.config.Country, reason), func() bool {
		last = r.closed(index)
		return last == reason && r.settled()
	})
}

// settled reports whether the view is a fold of all that the desk has.
func (r *running) settled() bool {
	caughtUp, err := r.CaughtUp(context.Background())
	must(r.w.t, err)
	return caughtUp
}

// asRebuilt checks that a view from zero is the one that grew.
func (r *running) asRebuilt() {
	r.w.t.Helper()
	digest := r.digest()
	must(r.w.t, r.Rebuild(context.Background()))
	same(r.w.t, "digest of a view that was built again", digest, r.digest())
}

func (r *running) siteDocument(id string) (string, bool) {
	r.w.t.Helper()
	d, ok, err := r.Reader().Document(context.Background(), casework.Ref{Type: casework.TypeSite, ID: id})
	must(r.w.t, err)
	return string(d.Data), ok
}

// holds counts the files below directories in which any of the texts lies.
func holds(t testing.TB, directory string, texts ...[]byte) (found []string) {
	t.Helper()
	must(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // it may be gone by now
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, text := range texts {
			if bytes.Contains(data, text) {
				found = append(found, filepath.Base(path))
				break
			}
		}
		return nil
	}))
	return found
}

func TestSealedSectionsAreReadByThoseWhoHaveTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	reads := w.start("XB", directory, opening())
	noKeys := w.desk("XC", opening(uint32(eventv1.Compartment_COMPARTMENT_INTELLIGENCE)))
	elsewhere := w.desk("XA", opening(uint32(eventv1.Compartment_COMPARTMENT_PROTECTION)))
	b := w.tells(police, w.site("S-1", "planted words"), w.site("S-2", "others"))
	reads.shows(b.places[1], "")
	document, _ := reads.siteDocument("S-1")
	if !bytes.Contains([]byte(document), []byte("planted words")) {
		t.Errorf("the document is %s", document)
	}
	noKeys.shows(b.places[1], "no-private-key")
	elsewhere.shows(b.places[1], "no-private-key")
	reads.asRebuilt()
	noKeys.asRebuilt()
	must(t, reads.stop())
	reads = w.start("XB", directory, opening())
	reads.shows(b.places[0], "")
	same(t, "files of the journal with what was planted", []string(nil), holds(t, directory+"/journal.db", []byte("planted words")))
}

func TestLateRecordOpensWhatWasFolded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB", opening())
	b := w.seal(police, w.site("S-1", "late"))
	w.events(&b)
	d.shows(b.places[0], "no-record")
	if _, ok := d.siteDocument("S-1"); ok {
		t.Error("there is a document of what is closed")
	}
	w.keyRecord(b.record.Subject(), b.record.Data)
	d.shows(b.places[0], "")
	d.asRebuilt()
}

// A record under a key that the registry brings later is read again then.
func TestHubWithoutKeysHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.js.DeleteStream(t.Context(), stream.Keys))
	d := w.desk("XB", opening())
	b := w.seal(police, w.site("S-1", "closed"))
	w.events(&b)
	d.shows(b.places[0], "no-record")
}
