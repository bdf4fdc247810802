package desk

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// resigned is a record with another content, signed by an owner's key.
func resigned(t testing.TB, owner string, data []byte, change func(*keyv1.Content)) []byte {
	t.Helper()
	record, content := &keyv1.KeyRecord{}, &keyv1.Content{}
	must(t, proto.Unmarshal(data, record))
	must(t, proto.Unmarshal(record.GetContent(), content))
	change(content)
	spelling := proto.MarshalOptions{Deterministic: true}
	var err error
	record.Content, err = spelling.Marshal(content)
	must(t, err)
	key := registrytest.Key(owner)
	id := event.KeyIDOf(event.RolePublisher, key.Public().(ed25519.PublicKey))
	record.KeyId = id[:]
	record.Signature = ed25519.Sign(key, pae.Encode(pae.KeyRecord, record.KeyId, record.Content))
	out, err := spelling.Marshal(record)
	must(t, err)
	return out
}

func noChange(*keyv1.Content) {}

// refusals are the reasons for which a desk does not use records, in their order.
func (r *running) refusals() []seal.Reason {
	r.w.t.Helper()
	all, err := r.ring.Refusals(context.Background())
	must(r.w.t, err)
	var reasons []seal.Reason
	for _, refusal := range all {
		reasons = append(reasons, refusal.Reason)
	}
	return reasons
}

// A desk is sent a record that is not its batch's, in each way in which somebody could
// make one, and says in the event's row why it does not open.
func TestAdversary_K01_GrantMoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB", opening())
	other := w.tells(police, w.site("S-other", "of another batch"))
	wrapOf := func(c *keyv1.CompartmentKeys, country string) *keyv1.Wrap {
		return c.Wraps[slices.IndexFunc(c.Wraps, func(w *keyv1.Wrap) bool { return w.Country == country })]
	}
	each := func(change func(*keyv1.CompartmentKeys)) func(*keyv1.Content) {
		return func(c *keyv1.Content) {
			for _, keys := range c.Compartments {
				change(keys)
			}
		}
	}
	for _, c := range []struct {
		name, by, want string
		change         func(*keyv1.Content)
	}{
		{"another recipient's wrap", "XA/police", "broken-wrap", each(func(c *keyv1.CompartmentKeys) { wrapOf(c, "XB").Wrapped = wrapOf(c, "XC").Wrapped })},
		{"for others alone", "XA/police", "not-granted", each(func(c *keyv1.CompartmentKeys) {
			c.Wraps = slices.DeleteFunc(c.Wraps, func(w *keyv1.Wrap) bool { return w.Country == "XB" })
		})},
		{"another epoch", "XA/police", "no-private-key", each(func(c *keyv1.CompartmentKeys) { wrapOf(c, "XB").Epoch = 2 })},
		{"another origin signs it", "XB/border", "not-originator", func(*keyv1.Content) {}},
		{"another agency of the country signs it", "XA/border", "not-originator", func(*keyv1.Content) {}},
		{"another batch's content", "XA/police", "other-record", func(c *keyv1.Content) { c.Batch = other.record.Batch[:] }},
		{"another place", "XA/police", "broken-entry", each(func(c *keyv1.CompartmentKeys) { c.Keys = append(c.Keys[48:], c.Keys[:48]...) })},
		{"another grantor", "XA/police", "broken-wrap", func(c *keyv1.Content) { c.Grantor = bytes.Repeat([]byte{7}, 32) }},
		{"another retention class", "XA/police", "other-record", func(c *keyv1.Content) { c.Retention = "short" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := w.seal(police, w.site("S-1", "moved"), w.site("S-2", "moved too"))
			w.keyRecord(b.record.Subject(), resigned(t, "publisher "+c.by, b.record.Data, c.change))
			w.events(&b)
			d.shows(b.places[0], c.want)
		})
	}
	honest := w.tells(police, w.site("S-9", "honest"))
	d.shows(honest.places[0], "")
	d.asRebuilt()
}

// The originator puts the ciphertext of one event under the header of another.
func TestAdversary_K02_CiphertextUnderAnotherHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB", opening())
	audience, _ := w.book.State.Audience("region")
	sealed, err := seal.Seal(police, []event.Draft{w.site("S-1", "one"), w.site("S-2", "two"), w.site("S-3", "three")},
		seal.Recipients(w.book.State, audience, 1))
	must(t, err)
	sections := [][]event.Section{sealed.Drafts[0].Sections, sealed.Drafts[1].Sections}
	sections[0][0].Content, sections[1][0].Content = sections[1][0].Content, sections[0][0].Content
	key := keyOf(t, "XA", "police")
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, sealed.Drafts)
	must(t, err)
	record, err := sealed.Record(key, signed, spoken.AddDate(1, 0, 0))
	must(t, err)
	w.keyRecord(record.Subject(), record.Data)
	b := sealedBatch{}
	for _, s := range signed {
		b.messages = append(b.messages, streamMessage(s))
	}
	w.events(&b)
	d.shows(b.places[0], "broken-content")
	d.shows(b.places[1], "broken-content")
	d.shows(b.places[2], "")
}

// The originator commits to one key and hands out another.
func TestAdversary_K03_AnotherKeyThanTheHeaderCommitsTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, other := w.desk("XB", opening()), w.desk("XC", opening())
	b := w.seal(police, w.site("S-1", "two faces"))
	w.keyRecord(b.record.Subject(), resigned(t, "publisher XA/police", b.record.Data, func(c *keyv1.Content) {
		c.Compartments[0] = otherKey(t, b, c)
	}))
	w.events(&b)
	d.shows(b.places[0], "wrong-key")
	other.shows(b.places[0], "wrong-key")
}

// otherKey are a compartment's keys in which everything is right but the content key itself.
func otherKey(t testing.TB, b sealedBatch, c *keyv1.Content) *keyv1.CompartmentKeys {
	t.Helper()
	e, batchKey, contentKey := b.events[0], sha256.Sum256([]byte("a batch key")), sha256.Sum256([]byte("another content key"))
	compartment, place := u64(uint64(theCase)), u64(e.Place.Index)
	data := pae.Encode(pae.ContentKey, e.Place.Batch[:], place, e.ID[:], compartment)
	keys := proto.Clone(c.Compartments[0]).(*keyv1.CompartmentKeys)
	keys.Keys = gcm(t, batchKey[:]).Seal(nil, append(make([]byte, 4), place...), contentKey[:], data)
	for _, wrap := range keys.Wraps {
		public := registrytest.OpeningOf(wrap.Country, uint32(theCase)).PublicKey()
		digest := sha256.Sum256(public.Bytes())
		wrap.Wrapped = hpkeSeal(t, public, pae.Encode(pae.Grant, []byte(c.Country), []byte(c.Agency), []byte(c.Audience), c.Batch,
			[]byte(wrap.Country), compartment, digest[:], c.Grantor), batchKey[:])
	}
	return keys
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// The hub wraps a batch key of its own to each recipient, and puts its own country's key in. It
// cannot sign that, and whoever it gives it to does not use it.
func TestAdversary_K04_HubSubstitutesKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.desk("XB", opening())
	b := w.seal(police, w.site("S-1", "for XB"))
	record := &keyv1.KeyRecord{}
	must(t, proto.Unmarshal(b.record.Data, record))
	own := registrytest.Opening("the hub's own")
	wrapped := hpkeSeal(t, own.PublicKey(), nil, make([]byte, 32))
	content := &keyv1.Content{}
	must(t, proto.Unmarshal(record.Content, content))
	content.Compartments[0].Wraps[1].Wrapped = wrapped
	var err error
	record.Content, err = proto.MarshalOptions{Deterministic: true}.Marshal(content)
	must(t, err)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	must(t, err)
	w.keyRecord(b.record.Subject(), data)
	w.events(&b)
	d.shows(b.places[0], "not-originator")
	same(t, "refused", []seal.Reason{seal.NotOriginator}, d.refusals())
	w.keyRecord(b.record.Subject(), b.record.Data)
	d.shows(b.places[0], "")
}

// movable is a clock that a test moves.
type movable struct{ at atomic.Int64 }

func (m *movable) set(t time.Time) { m.at.Store(t.Unix()) }

func (m *movable) on(c *Config) {
	c.clock = func() time.Time { return time.Unix(m.at.Load(), 0) }
}

func TestAdversary_K05_ExpiredGrantIsShownAgain(t *testing.T) {
	t.Parallel()
	w, directory, clock := newWorld(t), t.TempDir(), &movable{}
	clock.set(spoken)
	d := w.start("XB", directory, opening(), clock.on)
	planted := []byte("planted words that expire")
	b := w.tells(police, w.site("S-1", string(planted)), w.site("S-2", "beside it"))
	d.shows(b.places[0], "")
	if len(holds(t, directory, planted)) == 0 {
		t.Fatal("the words are in no file: the test would find nothing")
	}
	clock.set(b.record.Expires)
	d.shows(b.places[0], "expired")
	gone := func(when string) {
		t.Helper()
		same(t, "files with the words "+when, []string(nil), holds(t, directory, planted))
		same(t, "files with the keys "+when, []string(nil), holds(t, directory, wrapsOf(b.record, "XB", b.events[0].ID)...))
		if _, ok := d.siteDocument("S-1"); ok {
			t.Error("the entity is still there " + when)
		}
	}
	gone("after its time")
	w.keyRecord(b.record.Subject(), b.record.Data)
	last := w.tells(police, w.site("S-3", "later"))
	_ = last
	d.has(last.places[0])
	d.shows(b.places[0], "expired")
	gone("after the hub has shown the record again")
	must(t, d.stop())
	clock.set(spoken) // set back
	d = w.start("XB", directory, opening(), clock.on)
	d.shows(b.places[0], "expired")
	gone("after a restart with the clock set back")
	d.asRebuilt()
}

// wrapsOf are the content keys of an event for a country, as they lie in a record.
func wrapsOf(r seal.Record, country string, id event.ID) (found [][]byte) {
	for _, g := range r.Portion(country).Grants {
		for _, p := range g.Pieces {
			if p.Event == id {
				found = append(found, p.Wrapped)
			}
		}
	}
	return found
}

// theCase is the compartment of most of what these tests say.
const theCase = eventv1.Compartment_COMPARTMENT_CASE
