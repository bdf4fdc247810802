package seal_test

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

var update = flag.Bool("update", false, "write the known answers anew")

const vectorFile = "../../proto/testdata/seal.json"

// vectors is proto/testdata/seal.json. All bytes are hexadecimal. proto/README.md says how to
// use it. Encapsulation is random and not repeated: what is compared is that it opens.
type vectors struct {
	Publishers []publisherVector `json:"publishers"` // the first one is the originator
	Openings   []openingVector   `json:"openings"`
	Events     []eventVector     `json:"events"`  // one batch
	Records    []recordVector    `json:"records"` // of it: the batch's own, an erasure, a release
	Opens      []openVector      `json:"opens"`
	Bad        []badVector       `json:"bad"`
}

type publisherVector struct {
	Country string `json:"country"`
	Agency  string `json:"agency"`
	Seed    string `json:"seed"` // Ed25519 private key seed
	KeyID   string `json:"key_id"`
}

type openingVector struct {
	Country     string              `json:"country"`
	Compartment eventv1.Compartment `json:"compartment"`
	Epoch       uint32              `json:"epoch"`
	Private     string              `json:"private"` // HPKE private key, 32 bytes
	Public      string              `json:"public"`
}

type eventVector struct {
	Envelope string          `json:"envelope"`
	Batch    string          `json:"batch"` // root
	Place    uint64          `json:"place"`
	Parts    string          `json:"parts"` // the header's
	Sections []sectionVector `json:"sections"`
}

type sectionVector struct {
	Compartment eventv1.Compartment `json:"compartment"`
	ContentKey  string              `json:"content_key"`
	Commitment  string              `json:"commitment"`
	Data        string              `json:"data"`  // additional data
	Frame       string              `json:"frame"` // what stands before the text: the blind, and the compartments
	Text        string              `json:"text"`
	Content     string              `json:"content"` // the section's
}

type recordVector struct {
	What         string              `json:"what"`
	Record       string              `json:"record"`
	Subject      string              `json:"subject"`
	Statement    string              `json:"statement"` // what the signature covers
	Compartments []compartmentVector `json:"compartments"`
}

type compartmentVector struct {
	Compartment eventv1.Compartment `json:"compartment"`
	BatchKey    string              `json:"batch_key"`
	Wraps       []wrapVector        `json:"wraps"`
	Entries     []entryVector       `json:"entries"`
}

type wrapVector struct {
	Country string `json:"country"`
	Epoch   uint32 `json:"epoch"`
	Info    string `json:"info"`
}

type entryVector struct {
	Place uint32 `json:"place"`
	Nonce string `json:"nonce"`
	Data  string `json:"data"`  // additional data
	Entry string `json:"entry"` // as it lies in the record
	Key   string `json:"key"`   // what it opens to: a content key, or zero
}

type openVector struct {
	What     string   `json:"what"`
	Country  string   `json:"country"`
	Now      int64    `json:"now"` // seconds since 1970
	Event    int      `json:"event"`
	Records  []int    `json:"records"`
	Sections []string `json:"sections"` // by rising compartment, those of none last: each one's text, or "closed: " and the reason
}

type badVector struct {
	What   string      `json:"what"`
	Record string      `json:"record"`
	Reason seal.Reason `json:"reason"`
	Field  string      `json:"field"` // where malformed: what is wrong, as the error names it
}

// world is what the vectors are made of.
type world struct {
	batch
	data    [][]byte // envelopes
	records [][]byte
}

func makeWorld(t *testing.T) world {
	t.Helper()
	cryptotest.SetGlobalRandom(t, 5)
	key, registered := signer(t, "XA", "police")
	to := append(openings(theCase, "XA", "XB", "XC"), openingsAt(2, identity, "XA", "XB")...)
	sealed, err := seal.Seal(police, drafts(3, theCase, identity), to)
	if err != nil {
		t.Fatal(err)
	}
	signed, _, err := event.SignBatch(key, police, event.Head{}, event.Seen{}, sealed.Drafts)
	if err != nil {
		t.Fatal(err)
	}
	record, err := sealed.Record(key, signed, expires)
	if err != nil {
		t.Fatal(err)
	}
	w := world{}
	for _, s := range signed {
		w.events, w.data = append(w.events, verified(t, s, registered)), append(w.data, s.Data)
	}
	erased, err := seal.Erase(key, record, w.events[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	s := byCompartment(desk("XA").Open(w.events[2], start, record.Portion("XA")))[1]
	released, err := seal.Release(key, openings(identity, "XC"), 1, expires, []seal.Released{{Event: w.events[2], Compartment: identity, Key: s.Key}})
	if err != nil {
		t.Fatal(err)
	}
	w.records = [][]byte{record.Data, erased.Data, released.Data}
	return w
}

func computeVectors(t *testing.T) vectors {
	t.Helper()
	w := makeWorld(t)
	v := vectors{Opens: opens()}
	for _, country := range []string{"XA", "XB"} {
		key, _ := signer(t, country, "police")
		v.Publishers = append(v.Publishers, publisherVector{country, "police", hex.EncodeToString(Key("publisher " + country + "/police").Seed()), key.ID.String()})
	}
	for _, o := range append(append(openings(theCase, "XA", "XB", "XC"), openingsAt(2, identity, "XA", "XB")...), openings(identity, "XC")...) {
		private, err := Opening(openingName(o.Country, eventv1.Compartment(o.Compartment), o.Epoch)).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		v.Openings = append(v.Openings, openingVector{o.Country, eventv1.Compartment(o.Compartment), o.Epoch, hex.EncodeToString(private), hex.EncodeToString(o.Public)})
	}
	for i, what := range []string{"the batch's own", "after event 1 was erased", "compartment 2 of event 2, released to XC"} {
		v.Records = append(v.Records, describeRecord(t, v, what, w.records[i], w.events))
	}
	for i, e := range w.events {
		v.Events = append(v.Events, describeEvent(t, v.Records[0], w.data[i], e))
	}
	v.Bad = badRecords(t, w.records[0])
	return v
}

// describeRecord opens a record by the specification alone, as does describeEvent.
func describeRecord(t *testing.T, v vectors, what string, data []byte, events []event.Verified) recordVector {
	t.Helper()
	record := &keyv1.KeyRecord{}
	if err := proto.Unmarshal(data, record); err != nil {
		t.Fatal(err)
	}
	content := contentOf(t, data)
	r := recordVector{
		What: what, Record: hex.EncodeToString(data), Statement: hex.EncodeToString(statement(record.GetKeyId(), record.GetContent())),
		Subject: "key." + content.GetAudience() + "." + content.GetCountry() + "." + content.GetAgency() + "." + hex.EncodeToString(content.GetBatch()[:16]),
	}
	if content.GetRecipient() != "" {
		r.Subject += "-" + content.GetRecipient()
	}
	for _, keys := range content.GetCompartments() {
		c := compartmentVector{Compartment: keys.GetCompartment()}
		for _, wrap := range keys.GetWraps() {
			private := v.private(t, wrap.GetCountry(), keys.GetCompartment(), wrap.GetEpoch())
			bound := info(content, wrap.GetCountry(), keys.GetCompartment(), private.PublicKey().Bytes())
			batchKey, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), bound, wrap.GetWrapped())
			if err != nil || c.BatchKey != "" && c.BatchKey != hex.EncodeToString(batchKey) {
				t.Errorf("%s: the wrap to %s for compartment %d does not open, or to another batch key (%v)", what, wrap.GetCountry(), keys.GetCompartment(), err)
			}
			c.BatchKey = hex.EncodeToString(batchKey)
			c.Wraps = append(c.Wraps, wrapVector{wrap.GetCountry(), wrap.GetEpoch(), hex.EncodeToString(bound)})
		}
		for i, index := range content.GetPlaces() {
			p, entry := placeOf(events[index], keys.GetCompartment()), keys.GetKeys()[entrySize*i:][:entrySize]
			text, err := gcm(unhex(t, c.BatchKey)).Open(nil, p.nonce(), entry, p.entryData())
			if err != nil {
				t.Fatal(err)
			}
			c.Entries = append(c.Entries, entryVector{index, hex.EncodeToString(p.nonce()), hex.EncodeToString(p.entryData()), hex.EncodeToString(entry), hex.EncodeToString(text)})
		}
		r.Compartments = append(r.Compartments, c)
	}
	return r
}

func describeEvent(t *testing.T, record recordVector, data []byte, e event.Verified) eventVector {
	t.Helper()
	v := eventVector{Envelope: hex.EncodeToString(data), Batch: e.Place.Batch.String(), Place: e.Place.Index, Parts: e.Parts.String()}
	v.Sections = make([]sectionVector, len(e.Sections()))
	for _, c := range record.Compartments {
		p, ck := placeOf(e, c.Compartment), unhex(t, c.Entries[e.Place.Index].Key)
		at := p.sectionFor(e, ck)
		if at < 0 {
			continue // it has none of this compartment
		}
		section := e.Sections()[at]
		text, err := gcm(ck).Open(nil, make([]byte, 12), section.Content, p.contentData(section.Commitment))
		if err != nil {
			t.Fatal(err)
		}
		v.Sections[at] = sectionVector{
			c.Compartment, hex.EncodeToString(ck), hex.EncodeToString(p.commitment(ck)), hex.EncodeToString(p.contentData(section.Commitment)),
			hex.EncodeToString(text[:frameSize]), string(text[frameSize:]), hex.EncodeToString(section.Content),
		}
	}
	return v
}

func opens() []openVector {
	now, late := start.Unix(), expires.Unix()
	one := func(what, country string, now int64, e int, records []int, sections ...string) openVector {
		return openVector{what, country, now, e, records, sections}
	}
	return []openVector{
		one("a recipient of both compartments", "XB", now, 0, []int{0}, text(0, theCase), text(0, identity)),
		one("of one compartment", "XC", now, 2, []int{0}, text(2, theCase), "closed: not-granted"),
		one("with what was released to it", "XC", now, 2, []int{0, 2}, text(2, theCase), text(2, identity)),
		one("another event than the one released", "XC", now, 0, []int{0, 2}, text(0, theCase), "closed: erased"),
		one("of none", "XD", now, 0, []int{0, 2}, "closed: not-granted", "closed: not-granted"),
		one("without a record", "XB", now, 0, nil, "closed: no-record", "closed: no-record"),
		one("after the erasure", "XB", now, 1, []int{1}, "closed: erased", "closed: erased"),
		one("after the erasure of another", "XB", now, 0, []int{1}, text(0, theCase), text(0, identity)),
		one("in the last second", "XA", late-1, 0, []int{0}, text(0, theCase), text(0, identity)),
		one("after that", "XA", late, 0, []int{0}, "closed: expired", "closed: expired"),
	}
}

// badRecords are signed as they should be, and have one fault.
func badRecords(t *testing.T, good []byte) []badVector {
	t.Helper()
	var list []badVector
	raw := func(what string, reason seal.Reason, field string, data []byte) {
		list = append(list, badVector{what, hex.EncodeToString(data), reason, field})
	}
	small := func() *keyv1.Content {
		c := contentOf(t, good)
		keys := c.Compartments[0]
		c.Compartments = c.Compartments[:1]
		c.Places, c.EventIds = c.Places[:1], c.EventIds[:16]
		keys.Wraps, keys.Keys = keys.Wraps[1:2], keys.Keys[:entrySize]
		return c
	}
	add := func(what, field string, change func(c *keyv1.Content, keys *keyv1.CompartmentKeys)) {
		c := small()
		change(c, c.Compartments[0])
		raw(what, seal.MalformedRecord, field, signRecord(t, "publisher XA/police", c))
	}
	add("country in lower case", "country", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Country = "xa" })
	add("no agency", "agency", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Agency = "" })
	add("an audience of two tokens", "audience", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Audience = "a.b" })
	add("batch of 31 bytes", "batch", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Batch = c.Batch[1:] })
	add("revision 0", "revision", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Revision = 0 })
	add("no retention", "retention", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Retention = "" })
	add("no expiry", "expires", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Expires = 0 })
	add("expiry in the year 10000", "expires", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Expires = 253402300800 })
	add("no grantor", "grantor", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Grantor = nil })
	add("a recipient that is no country", "recipient", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Recipient = "everybody" })
	add("no compartments", "compartments: 0", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Compartments = nil })
	add("17 compartments", "compartments: 17", func(c *keyv1.Content, k *keyv1.CompartmentKeys) {
		for n := eventv1.Compartment(2); n <= 17; n++ {
			c.Compartments = append(c.Compartments, &keyv1.CompartmentKeys{Compartment: n})
		}
	})
	add("compartment 0", "compartments[0]", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Compartment = 0 })
	add("compartment 65", "compartments[0]", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Compartment = 65 })
	add("a compartment twice", "compartments[1]", func(c *keyv1.Content, k *keyv1.CompartmentKeys) { c.Compartments = append(c.Compartments, k) })
	add("wrapped to nobody", "wraps: 0", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Wraps = nil })
	add("two wraps of one country", "wraps[1]", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Wraps = append(k.Wraps, k.Wraps[0]) })
	add("a wrap to no country", "wraps[0]", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Wraps[0].Country = "" })
	add("a release with another's wrap", "wraps[0]: for XB", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Recipient = "XC" })
	add("epoch 0", "wraps[0]: epoch", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Wraps[0].Epoch = 0 })
	add("wrap of 1167 bytes", "wraps[0]: 1167", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Wraps[0].Wrapped = k.Wraps[0].Wrapped[1:] })
	add("no entries in revision 1", "places: 0", func(c *keyv1.Content, k *keyv1.CompartmentKeys) { c.Places, c.EventIds, k.Keys = nil, nil, nil })
	add("place 1000", "places[0]", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Places[0] = 1000 })
	double := func(c *keyv1.Content, k *keyv1.CompartmentKeys) {
		c.Places, c.EventIds, k.Keys = append(c.Places, 1), append(c.EventIds, c.EventIds...), append(k.Keys, k.Keys...)
		c.EventIds[31]++
	}
	add("a place twice", "places[1]", func(c *keyv1.Content, k *keyv1.CompartmentKeys) { double(c, k); c.Places[1] = 0 })
	add("an event twice", "event_ids[1]", func(c *keyv1.Content, k *keyv1.CompartmentKeys) { double(c, k); c.EventIds[31]-- })
	add("an event too many", "event_ids: 32", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.EventIds = append(c.EventIds, c.EventIds...) })
	add("a place without an entry", "keys: 48", func(c *keyv1.Content, _ *keyv1.CompartmentKeys) { c.Places = append(c.Places, 1) })
	add("keys of 47 bytes", "keys: 47", func(_ *keyv1.Content, k *keyv1.CompartmentKeys) { k.Keys = k.Keys[1:] })
	badSpellings(t, small(), raw)
	return list
}

// badSpellings are of another form than deterministic serialisation, or of another signer.
func badSpellings(t *testing.T, small *keyv1.Content, raw func(what string, reason seal.Reason, field string, data []byte)) {
	t.Helper()
	const owner = "publisher XA/police"
	content := canonical(t, small)
	good := signBytes(t, owner, content)
	record := &keyv1.KeyRecord{}
	if err := proto.Unmarshal(good, record); err != nil {
		t.Fatal(err)
	}
	altered := func(change func(r *keyv1.KeyRecord)) []byte {
		r := proto.CloneOf(record)
		change(r)
		return canonical(t, r)
	}
	raw("an unknown field in the record", seal.MalformedRecord, "record: a field", append(good[:len(good):len(good)], 0x20, 1))
	raw("an unknown field in the content", seal.MalformedRecord, "content: a field", signBytes(t, owner, append(content[:len(content):len(content)], 0x68, 1)))
	raw("a field twice", seal.MalformedRecord, "content: another spelling", signBytes(t, owner, append(content[:4:4], content...)))
	raw("a number longer than needed", seal.MalformedRecord, "content: another spelling", signBytes(t, owner, []byte(strings.Replace(string(content), "\x28\x01\x32", "\x28\x81\x00\x32", 1))))
	raw("not protobuf", seal.MalformedRecord, "record: not", []byte{0xff})
	raw("content that is not protobuf", seal.MalformedRecord, "content: not", signBytes(t, owner, []byte{0xff}))
	raw("nothing", seal.MalformedRecord, "key_id", nil)
	raw("key_id of 31 bytes", seal.MalformedRecord, "key_id", altered(func(r *keyv1.KeyRecord) { r.KeyId = r.KeyId[1:] }))
	raw("signature of 63 bytes", seal.MalformedRecord, "signature", altered(func(r *keyv1.KeyRecord) { r.Signature = r.Signature[1:] }))
	raw("second signature of 3 bytes", seal.MalformedRecord, "second_signature", altered(func(r *keyv1.KeyRecord) { r.SecondSignature = []byte("abc") }))
	raw("a second signature where there is no second key", seal.NotOriginator, "second", altered(func(r *keyv1.KeyRecord) { r.SecondSignature = make([]byte, 2420) }))
	raw("a signature of something else", seal.NotOriginator, "", altered(func(r *keyv1.KeyRecord) { r.Signature[5] ^= 1 }))
	raw("another agency's key", seal.NotOriginator, "", signBytes(t, "publisher XB/police", content))
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (v vectors) private(t testing.TB, country string, compartment eventv1.Compartment, epoch uint32) hpke.PrivateKey {
	t.Helper()
	for _, o := range v.Openings {
		if o.Country == country && o.Compartment == compartment && o.Epoch == epoch {
			private, err := hpke.MLKEM768X25519().NewPrivateKey(unhex(t, o.Private))
			if err != nil || hex.EncodeToString(private.PublicKey().Bytes()) != o.Public {
				t.Fatalf("the opening key of %s for %d: %v", country, compartment, err)
			}
			return private
		}
	}
	return nil
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(vectorFile))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// publisher is what the registry has of the key that a record names.
func (v vectors) publisher(t testing.TB, id event.KeyID) registry.Key {
	t.Helper()
	for _, p := range v.Publishers {
		if p.KeyID == id.String() {
			return registry.Key{Country: p.Country, Agency: p.Agency, Public: ed25519.NewKeyFromSeed(unhex(t, p.Seed)).Public().(ed25519.PublicKey)}
		}
	}
	return registry.Key{}
}

// The file is opened by the specification alone, and comes to what it says; then by the package.
func TestKnownAnswers(t *testing.T) {
	if *update {
		data, err := json.MarshalIndent(computeVectors(t), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.FromSlash(vectorFile), append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v := readVectors(t)
	var events []event.Verified
	for _, e := range v.Events {
		u, err := event.Decode(unhex(t, e.Envelope))
		if err != nil {
			t.Fatal(err)
		}
		verified, err := u.Verify(v.publisher(t, u.KeyID()).Public, nil, &event.Roots{})
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, verified)
	}
	var records []seal.Record
	for i, r := range v.Records {
		if diff := cmp.Diff(r, describeRecord(t, v, r.What, unhex(t, r.Record), events)); diff != "" {
			t.Errorf("record %d (-file +computed):\n%s", i, diff)
		}
		u := decoded(t, unhex(t, r.Record))
		record := arrive(t, unhex(t, r.Record), v.publisher(t, u.KeyID()))
		if record.Subject() != r.Subject || u.Terms() != record.Terms {
			t.Errorf("record %d is for %s, want %s", i, record.Subject(), r.Subject)
		}
		records = append(records, record)
	}
	for i, e := range v.Events {
		if diff := cmp.Diff(e, describeEvent(t, v.Records[0], unhex(t, e.Envelope), events[i])); diff != "" {
			t.Errorf("event %d (-file +computed):\n%s", i, diff)
		}
	}
	for _, o := range v.Opens {
		if diff := cmp.Diff(o.Sections, v.open(t, o, events[o.Event], records)); diff != "" {
			t.Errorf("%s (-file +computed):\n%s", o.What, diff)
		}
	}
}

func (v vectors) open(t *testing.T, o openVector, e event.Verified, records []seal.Record) []string {
	t.Helper()
	var portions []seal.Portion
	for _, r := range o.Records {
		portions = append(portions, records[r].Portion(o.Country))
	}
	opener := seal.NewOpener(func(compartment eventv1.Compartment, epoch uint32) hpke.PrivateKey {
		return v.private(t, o.Country, compartment, epoch)
	})
	var got []string
	for _, s := range byCompartment(opener.Open(e, time.Unix(o.Now, 0), portions...)) {
		if s.Err != nil {
			got = append(got, "closed: "+string(seal.ReasonOf(s.Err)))
		} else {
			got = append(got, string(s.Content))
		}
	}
	return got
}

func TestKnownBadRecords(t *testing.T) {
	v := readVectors(t)
	if len(v.Bad) < 30 {
		t.Fatalf("%d bad records", len(v.Bad))
	}
	for _, bad := range v.Bad {
		u, err := seal.Decode(unhex(t, bad.Record))
		if err == nil {
			_, err = u.Verify(v.publisher(t, u.KeyID()))
		}
		if seal.ReasonOf(err) != bad.Reason || !strings.Contains(err.Error(), bad.Field) {
			t.Errorf("%s: %v, want %s about %q", bad.What, err, bad.Reason, bad.Field)
		}
	}
	if _, err := seal.Decode(make([]byte, seal.MaxRecord+1)); seal.ReasonOf(err) != seal.MalformedRecord || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a record above the limit: %v", err)
	}
}
