package seal_test

import (
	"crypto/hpke"
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/second"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// sameKey opens everything with one private key, whatever epoch, compartment or country it
// is said to be of: nothing but what the wraps are bound to keeps them apart.
func sameKey(private hpke.PrivateKey) *seal.Opener {
	return seal.NewOpener(func(eventv1.Compartment, uint32) hpke.PrivateKey { return private })
}

// A grant is put beside another event, batch, origin or recipient, by somebody who can
// make all that is not cryptography agree.
func TestAdversary_K01_MovedGrantOpensNothing(t *testing.T) {
	b := publish(t, event.Head{}, drafts(3, theCase), openings(theCase, "XB")...)
	private := Opening(openingName("XB", theCase, 1))
	for _, test := range []struct {
		name string
		move func(p *seal.Portion, e *event.Verified)
		want seal.Reason
	}{
		{"where it was made for", func(*seal.Portion, *event.Verified) {}, ""},
		{"another country's", func(p *seal.Portion, e *event.Verified) { p.Origin.Country, e.Chain.Country = "XC", "XC" }, seal.BrokenWrap},
		{"another agency's", func(p *seal.Portion, e *event.Verified) { p.Origin.Agency, e.Chain.Agency = "border", "border" }, seal.BrokenWrap},
		{"another audience's", func(p *seal.Portion, e *event.Verified) { p.Origin.Audience, e.Chain.Audience = "pair", "pair" }, seal.BrokenWrap},
		{"another batch's", func(p *seal.Portion, e *event.Verified) { p.Batch[3]++; e.Place.Batch[3]++ }, seal.BrokenWrap},
		{"another recipient's", func(p *seal.Portion, _ *event.Verified) { p.Country = "XC" }, seal.BrokenWrap},
		{"another grantor's", func(p *seal.Portion, _ *event.Verified) { p.Grantor[0]++ }, seal.BrokenWrap},
		{"another wrap's", func(p *seal.Portion, _ *event.Verified) { p.Grants[0].Wrapped[1100] ^= 1 }, seal.BrokenWrap},
		{"a release's", func(p *seal.Portion, _ *event.Verified) { p.Recipient = "XB" }, seal.BrokenWrap},
		{"another event's", func(p *seal.Portion, e *event.Verified) { p.Grants[0].Pieces[1].Event[15]++; e.ID[15]++ }, seal.BrokenEntry},
		{"another place's", func(_ *seal.Portion, e *event.Verified) { e.Place.Index++ }, seal.BrokenEntry},
		{"another event's of the batch", func(p *seal.Portion, _ *event.Verified) {
			p.Grants[0].Pieces[1].Wrapped = p.Grants[0].Pieces[2].Wrapped
		}, seal.BrokenEntry},
		{"a batch that the event is not of", func(p *seal.Portion, _ *event.Verified) { p.Batch[3]++ }, seal.OtherRecord},
		{"an origin that the event is not of", func(p *seal.Portion, _ *event.Verified) { p.Origin.Agency = "border" }, seal.OtherRecord},
		{"a retention that the event has not", func(p *seal.Portion, _ *event.Verified) { p.Retention = "long" }, seal.OtherRecord},
	} {
		opener := sameKey(private)
		if got := reasons(t, 1, opener.Open(b.events[1], start, b.record.Portion("XB"))); got != "" {
			t.Fatalf("before the attack: %q", got) // and its batch key is remembered
		}
		portion, e := b.record.Portion("XB"), b.events[1]
		test.move(&portion, &e)
		if got := reasons(t, 1, opener.Open(e, start, portion)); got != string(test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// The same with signed records: an originator that mixes up its own, and an agency
// that takes another's grants for its own.
func TestAdversary_K01_MovedGrantInASignedRecord(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase, identity), twoCompartments()...)
	for _, test := range []struct {
		name string
		move func(c *keyv1.Content)
		want string
	}{
		{"wraps of the other compartment", func(c *keyv1.Content) { c.Compartments[1].Wraps = c.Compartments[0].Wraps }, ",broken-wrap"},
		{"keys of the other compartment", func(c *keyv1.Content) { c.Compartments[1].Keys = c.Compartments[0].Keys }, ",broken-entry"},
		{"another epoch", func(c *keyv1.Content) { c.Compartments[0].Wraps[1].Epoch = 2 }, "broken-wrap,"},
		{"another desk's wrap", func(c *keyv1.Content) { c.Compartments[0].Wraps[1].Wrapped = c.Compartments[0].Wraps[0].Wrapped }, "broken-wrap,"},
		{"two events' keys exchanged", func(c *keyv1.Content) {
			k := c.Compartments[0].Keys
			c.Compartments[0].Keys = append(append([]byte{}, k[entrySize:]...), k[:entrySize]...)
		}, "broken-entry,"},
		{"two events exchanged", func(c *keyv1.Content) { // the second is gone from the record
			c.Places, c.EventIds = []uint32{0}, b.events[0].ID[:]
			for _, keys := range c.Compartments {
				keys.Keys = keys.Keys[entrySize:]
			}
		}, "broken-entry,broken-entry"},
	} {
		content := contentOf(t, b.record.Data)
		test.move(content)
		moved := b
		_, registered := signer(t, "XA", "police")
		moved.record = arrive(t, signRecord(t, "publisher XA/police", content), registered)
		if got := moved.openAs(t, "XB", 0); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}

	stolen := contentOf(t, b.record.Data) // XB's police says that these are the keys of events of its own
	stolen.Country = "XB"
	record := arrive(t, signRecord(t, "publisher XB/police", stolen), registry.Key{Country: "XB", Agency: "police", Public: Public("publisher XB/police")})
	if got := reasons(t, 0, desk("XB").Open(b.events[0], start, record.Portion("XB"))); got != "other-record,other-record" {
		t.Errorf("a record of another's: %q", got)
	}
	if _, err := decoded(t, signRecord(t, "publisher XB/police", contentOf(t, b.record.Data))).Verify(registry.Key{
		Country: "XB", Agency: "police", Public: Public("publisher XB/police")}); !errors.Is(err, seal.NotOriginator) {
		t.Errorf("XA's record, signed by XB: %v", err)
	}
}

func decoded(t testing.TB, data []byte) seal.Unverified {
	t.Helper()
	u, err := seal.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// An agency that may read a section says it again as its own, or at another place, with a
// grant of its own making. It knows the content key.
func TestAdversary_K02_CiphertextUnderAnotherHeader(t *testing.T) {
	b := publish(t, event.Head{}, drafts(1, theCase), openings(theCase, "XB")...)
	original := b.events[0]
	sections := desk("XB").Open(original, start, b.record.Portion("XB"))
	said := slices.IndexFunc(sections, func(s seal.Section) bool { return s.Compartment == theCase })
	for _, test := range []struct {
		name        string
		chain       event.Chain
		draft       int                 // 0: the id of the original
		compartment eventv1.Compartment // said to be of
		commits     bool                // to the key, for the place where it is now
		want        string
	}{
		{"its own event, the commitment copied", event.Chain{Country: "XB", Agency: "police", Audience: "region"}, 1, theCase, false, "wrong-key"},
		{"its own event, with its own commitment", event.Chain{Country: "XB", Agency: "police", Audience: "region"}, 1, theCase, true, "broken-content"},
		{"the very id, under another agency", event.Chain{Country: "XB", Agency: "police", Audience: "region"}, 0, theCase, true, "broken-content"},
		{"the very id, to another audience", event.Chain{Country: "XA", Agency: "police", Audience: "pair"}, 0, theCase, true, "broken-content"},
		{"the very id, in another compartment", police, 0, identity, true, "broken-content"},
		{"another event of the originator", police, 1, theCase, true, "broken-content"},
		{"all as it was", police, 0, theCase, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			draft := drafts(2, test.compartment)[test.draft]
			copied := original.Sections()[said]
			at := place{chain: test.chain, id: draft.ID, compartment: test.compartment}
			commitment := copied.Commitment
			if test.commits {
				commitment = at.commitment(sectionKey(sections[said]))
			}
			draft.Sections[0] = event.Section{Form: isSealed, Commitment: commitment, Content: copied.Content}
			draft.Parts = original.Parts[:]
			key, registered := signer(t, test.chain.Country, test.chain.Agency)
			signed, _, err := event.SignBatch(key, test.chain, event.Head{}, event.Seen{}, []event.Draft{draft})
			if err != nil {
				t.Fatal(err)
			}
			e := verified(t, signed[0], registered)
			at = placeOf(e, test.compartment)
			content := fill(t, contentFor(e, ""), openings(test.compartment, "XC"), handed{at, sectionKey(sections[said])})
			record := arrive(t, signRecord(t, "publisher "+test.chain.Country+"/"+test.chain.Agency, content), registered)
			if got := reasons(t, 0, desk("XC").Open(e, start, record.Portion("XC"))); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func sectionKey(s seal.Section) []byte { return s.Key[:] }

// The originator makes a ciphertext that opens under two keys, and gives each country
// another: one reads that the man was released, the other that he was arrested.
func TestAdversary_K03_OneCiphertextTwoKeys(t *testing.T) {
	draft := drafts(1, theCase)[0]
	at := place{chain: police, id: draft.ID, compartment: theCase}
	one, two := make([]byte, 32), make([]byte, 32)
	one[0], two[0] = 1, 2
	commitment := at.commitment(one)
	framed := frame("a blind", theCase)
	sealed := twoFaced(one, two, at.contentData(commitment), append(framed, "He was released."...), "He was arrested.")
	var texts [2]string
	for i, key := range [][]byte{one, two} { // AES-GCM itself is satisfied with both
		text, err := gcm(key).Open(nil, make([]byte, 12), sealed, at.contentData(commitment))
		if err != nil {
			t.Fatalf("the ciphertext does not open under key %d: %v", i, err)
		}
		texts[i] = string(text)
	}
	if texts[0][frameSize:][:16] != "He was released." || texts[1][frameSize+16:][:16] != "He was arrested." {
		t.Fatalf("the two texts are %q", texts)
	}

	draft.Sections[0] = event.Section{Form: isSealed, Commitment: commitment, Content: sealed}
	draft.Parts = at.parts(framed)
	key, registered := signer(t, "XA", "police")
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, []event.Draft{draft})
	if err != nil {
		t.Fatal(err)
	}
	e := verified(t, signed[0], registered)
	give := func(country string, ck []byte) seal.Section {
		content := fill(t, contentFor(e, country), openings(theCase, country), handed{placeOf(e, theCase), ck})
		record := arrive(t, signRecord(t, "publisher XA/police", content), registered)
		return desk(country).Open(e, start, record.Portion(country))[0]
	}
	if s := give("XB", one); s.Err != nil || string(s.Content) != texts[0][frameSize:] {
		t.Errorf("XB, with the key that the header commits to: %q (%v)", s.Content, s.Err)
	}
	if s := give("XC", two); !errors.Is(s.Err, seal.WrongKey) || s.Content != nil {
		t.Errorf("XC, with the other key: %q (%v), want %q", s.Content, s.Err, seal.WrongKey)
	}
	if _, err := seal.Release(key, openings(theCase, "XC"), 1, expires, []seal.Released{{Event: e, Compartment: theCase, Key: seal.ContentKey(two)}}); !errors.Is(err, seal.WrongKey) {
		t.Errorf("the other key was released: %v", err)
	}
}

// The hub puts a key of its own where a recipient's should be.
func TestAdversary_K04_HubsKeyInPlaceOfARecipients(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase), openings(theCase, "XB", "XC")...)
	hub := Opening("the hub's own")
	_, registered := signer(t, "XA", "police")

	// It has records and events, and opens nothing of them, as whomever.
	for _, country := range []string{"XA", "XB", "XC"} {
		portion := b.record.Portion("XB")
		portion.Country = country
		if got := reasons(t, 0, sameKey(hub).Open(b.events[0], start, portion)); got != "broken-wrap" {
			t.Errorf("the hub as %s: %q", country, got)
		}
	}

	// It alters what passes through it, under its own signature or the old one.
	content := contentOf(t, b.record.Data)
	own := registry.Opening{Country: "XB", Compartment: 1, Epoch: 1, Public: hub.PublicKey().Bytes()}
	forged := fill(t, proto.CloneOf(content), []registry.Opening{own}, handed{placeOf(b.events[0], theCase), make([]byte, 32)})
	content.Compartments[0].Wraps[0].Wrapped = forged.Compartments[1].Wraps[0].Wrapped
	record := &keyv1.KeyRecord{}
	if err := proto.Unmarshal(b.record.Data, record); err != nil {
		t.Fatal(err)
	}
	record.Content = canonical(t, content)
	for name, attack := range map[string]struct {
		data []byte
		key  registry.Key
	}{
		"the old signature":                       {canonical(t, record), registered},
		"its own key, which is nobody's":          {signRecord(t, "the hub", content), registry.Key{Country: "XA", Agency: "police", Public: Public("the hub")}},
		"its own key, taken for the originator's": {signRecord(t, "the hub", content), registered},
		"the originator's name, with its own key": {signAs(t, "publisher XA/police", "the hub", canonical(t, content)), registry.Key{Country: "XA", Agency: "police", Public: Public("the hub")}},
		"a friend's key":                          {signRecord(t, "publisher XC/police", content), registry.Key{Country: "XC", Agency: "police", Public: Public("publisher XC/police")}},
	} {
		_, err := decoded(t, attack.data).Verify(attack.key)
		if name == "its own key, which is nobody's" { // such a key is in no registry: this shows that nothing else is wrong with the record
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, seal.NotOriginator) {
			t.Errorf("%s: %v, want %q", name, err, seal.NotOriginator)
		}
	}

	// It tells the publisher that its own key is XB's: the registry knows better.
	log := NewLogOf(t, Bare())
	log.Apply(t, EnrolOpening("XB", 1, "XB's own"), "root XB")
	subject, message := log.Message(t, EnrolOpening("XB", 2, "the hub's own"), "root XC")
	if _, err := log.State.Apply(log.Next, subject, message); err == nil {
		t.Error("a root of another country enrolled an opening key for XB")
	}
	region, _ := log.State.Audience("region")
	for _, o := range seal.Recipients(log.State, region, log.Next) {
		if string(o.Public) != string(Opening("XB's own").PublicKey().Bytes()) {
			t.Errorf("a recipient of %s that XB never enrolled", o.Country)
		}
	}
}

// Where the registry names a second key, neither key alone makes a record, nor does a
// second signature given for something else.
func TestAdversary_K04_RecordUnderOneOfTwoKeys(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase), openings(theCase, "XB")...)
	key, registered := signer(t, "XA", "police")
	key.Second, registered.Second = Second("publisher XA/police"), Second("publisher XA/police").Public()
	good, err := seal.Erase(key, b.record, b.events[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	arrive(t, good.Data, registered)
	record := &keyv1.KeyRecord{}
	if err := proto.Unmarshal(good.Data, record); err != nil {
		t.Fatal(err)
	}
	signed := statement(record.GetKeyId(), record.GetContent())
	for name, change := range map[string]func(r *keyv1.KeyRecord) error{
		"the first alone":     func(r *keyv1.KeyRecord) error { r.SecondSignature = nil; return nil },
		"the second alone":    func(r *keyv1.KeyRecord) error { r.Signature[7] ^= 1; return nil },
		"a bit of the second": func(r *keyv1.KeyRecord) error { r.SecondSignature[7] ^= 1; return nil },
		"another's second": func(r *keyv1.KeyRecord) (err error) {
			r.SecondSignature, err = Second("the hub").Sign(second.KeyRecord, signed)
			return err
		},
		"a second for a batch": func(r *keyv1.KeyRecord) (err error) {
			r.SecondSignature, err = key.Second.Sign(second.Batch, signed)
			return err
		},
		"a second of elsewhere": func(r *keyv1.KeyRecord) (err error) {
			r.SecondSignature, err = key.Second.Sign(second.KeyRecord, signed[1:])
			return err
		},
	} {
		altered := proto.CloneOf(record)
		if err := change(altered); err != nil {
			t.Fatal(err)
		}
		if _, err := decoded(t, canonical(t, altered)).Verify(registered); !errors.Is(err, seal.NotOriginator) {
			t.Errorf("%s: %v, want %q", name, err, seal.NotOriginator)
		}
	}
}

// The hub shows what has been taken back again: an expired record, an older revision.
func TestAdversary_K05_ExpiredAndOlderRecordsAgain(t *testing.T) {
	b := publish(t, event.Head{}, drafts(2, theCase), openings(theCase, "XB")...)
	key, registered := signer(t, "XA", "police")
	opener, portion := desk("XB"), b.record.Portion("XB")
	for _, test := range []struct {
		now  time.Time
		want string
	}{
		{start, ""}, {expires.Add(-time.Nanosecond), ""}, {expires, "expired"}, {expires.AddDate(10, 0, 0), "expired"}, {start, ""},
	} {
		if got := reasons(t, 0, opener.Open(b.events[0], test.now, portion)); got != test.want {
			t.Errorf("at %s: %q, want %q", test.now, got, test.want)
		}
	}
	longer := contentOf(t, b.record.Data)
	longer.Expires += 1000
	record := &keyv1.KeyRecord{}
	if err := proto.Unmarshal(b.record.Data, record); err != nil {
		t.Fatal(err)
	}
	record.Content = canonical(t, longer)
	if _, err := decoded(t, canonical(t, record)).Verify(registered); !errors.Is(err, seal.NotOriginator) {
		t.Errorf("a record whose life the hub has prolonged: %v", err)
	}

	erased, err := seal.Erase(key, b.record, b.events[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.Erase(key, b.record, b.events[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := erased.Replaces(b.record.Revision, b.record.Digest); err != nil {
		t.Errorf("the erasure: %v", err)
	}
	if err := erased.Replaces(erased.Revision, erased.Digest); err != nil {
		t.Errorf("the erasure again: %v", err)
	}
	if err := b.record.Replaces(erased.Revision, erased.Digest); !errors.Is(err, seal.OutdatedRecord) {
		t.Errorf("the record from before the erasure: %v", err)
	}
	if err := other.Replaces(erased.Revision, erased.Digest); !errors.Is(err, seal.ConflictingRecord) {
		t.Errorf("another record with the same revision: %v", err)
	}
}
