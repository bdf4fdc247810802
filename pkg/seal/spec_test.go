package seal_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// What follows is the specification of proto/README.md written a second time, so that the
// tests do not rest on the code that they test, and attackers have tools of their own.

func encoded(label string, parts ...[]byte) []byte {
	out := u64(len(parts) + 1)
	for _, part := range append([][]byte{[]byte(label)}, parts...) {
		out = append(append(out, u64(len(part))...), part...)
	}
	return out
}

func u64[n int | uint64 | eventv1.Compartment](number n) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(number))
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// place is a section's, as the specification speaks of it.
type place struct {
	chain       event.Chain
	id          event.ID
	compartment eventv1.Compartment
	batch       event.Digest
	index       uint64
}

func (p place) commitment(ck []byte) []byte {
	digest := sha256.Sum256(encoded("tripoint/v1/commitment", p.id[:], u64(p.compartment), ck))
	return digest[:]
}

func (p place) contentData(commitment []byte) []byte {
	return encoded("tripoint/v1/section", p.id[:], []byte(p.chain.Country), []byte(p.chain.Agency), []byte(p.chain.Audience), u64(p.compartment), commitment)
}

func (p place) entryData() []byte {
	return encoded("tripoint/v1/contentkey", p.batch[:], u64(p.index), p.id[:], u64(p.compartment))
}

// sectionFor is the one section that commits to a key for the place's compartment; -1 where none does.
func (p place) sectionFor(e event.Verified, ck []byte) int {
	return slices.IndexFunc(e.Sections(), func(s event.Section) bool { return string(s.Commitment) == string(p.commitment(ck)) })
}

const (
	entrySize = 32 + 16 // a key and a tag
	frameSize = 32 + 16 // a blind, and the compartments of an event's sealed sections
)

// frame is what stands before the text of each sealed section of an event.
func frame(blind string, of ...eventv1.Compartment) []byte {
	framed := make([]byte, frameSize)
	copy(framed, blind)
	for i, c := range of {
		framed[32+i] = byte(c)
	}
	return framed
}

// parts is the header's commitment to a frame.
func (p place) parts(frame []byte) []byte {
	digest := sha256.Sum256(encoded("tripoint/v1/parts", p.id[:], frame[:32], frame[32:frameSize]))
	return digest[:]
}

func (p place) nonce() []byte { return append(make([]byte, 4), u64(p.index)...) }

// info is what the wrap in a record's content is bound to.
func info(c *keyv1.Content, country string, compartment eventv1.Compartment, public []byte) []byte {
	label, digest := "tripoint/v1/grant", sha256.Sum256(public)
	if c.GetRecipient() != "" {
		label = "tripoint/v1/release"
	}
	return encoded(label, []byte(c.GetCountry()), []byte(c.GetAgency()), []byte(c.GetAudience()), c.GetBatch(),
		[]byte(country), u64(compartment), digest[:], c.GetGrantor())
}

func statement(keyID, content []byte) []byte { return encoded("tripoint/v1/keyrecord", keyID, content) }

// signRecord signs any content, whoever it is of, with the key of owner.
func signRecord(t testing.TB, owner string, content *keyv1.Content) []byte {
	t.Helper()
	return signBytes(t, owner, canonical(t, content))
}

func signBytes(t testing.TB, owner string, content []byte) []byte {
	t.Helper()
	return signAs(t, owner, owner, content)
}

// signAs signs in the name of one key with another.
func signAs(t testing.TB, name, owner string, content []byte) []byte {
	t.Helper()
	id := event.KeyIDOf(event.RolePublisher, Public(name))
	return canonical(t, &keyv1.KeyRecord{Content: content, KeyId: id[:], Signature: ed25519.Sign(Key(owner), statement(id[:], content))})
}

func canonical(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// contentOf takes a record apart.
func contentOf(t testing.TB, data []byte) *keyv1.Content {
	t.Helper()
	record, content := &keyv1.KeyRecord{}, &keyv1.Content{}
	for _, err := range []error{proto.Unmarshal(data, record), proto.Unmarshal(record.GetContent(), content)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return content
}

// handed is a content key for the section at a place, as an attacker hands it out.
type handed struct {
	place
	key []byte
}

// fill gives a content one compartment's keys: a batch key of its own making, for whom it likes.
func fill(t testing.TB, content *keyv1.Content, to []registry.Opening, keys ...handed) *keyv1.Content {
	t.Helper()
	compartment := keys[0].compartment
	batchKey := sha256.Sum256([]byte("a batch key that everybody knows"))
	made := &keyv1.CompartmentKeys{Compartment: compartment}
	first := len(content.Compartments) == 0
	for _, k := range keys {
		if first {
			content.Places, content.EventIds = append(content.Places, uint32(k.index)), append(content.EventIds, k.id[:]...)
		}
		made.Keys = gcm(batchKey[:]).Seal(made.Keys, k.nonce(), k.key, k.entryData())
	}
	for _, o := range to {
		public, err := hpke.MLKEM768X25519().NewPublicKey(o.Public)
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), info(content, o.Country, compartment, o.Public), batchKey[:])
		if err != nil {
			t.Fatal(err)
		}
		made.Wraps = append(made.Wraps, &keyv1.Wrap{Country: o.Country, Epoch: o.Epoch, Wrapped: wrapped})
	}
	content.Compartments = append(content.Compartments, made)
	return content
}

// contentFor is a record's content without keys, for the batch of an event.
func contentFor(e event.Verified, recipient string) *keyv1.Content {
	return &keyv1.Content{
		Country: e.Chain.Country, Agency: e.Chain.Agency, Audience: e.Chain.Audience, Batch: e.Place.Batch[:], Revision: 1,
		Retention: e.Retention, Expires: uint64(expires.Unix()), Grantor: e.KeyID[:], Recipient: recipient,
	}
}

func placeOf(e event.Verified, compartment eventv1.Compartment) place {
	return place{chain: e.Chain, id: e.ID, compartment: compartment, batch: e.Place.Batch, index: e.Place.Index}
}

// What the package seals is opened by the specification alone.
func TestSealedAsSpecified(t *testing.T) {
	list := drafts(7, theCase, identity)
	b := publish(t, event.Head{}, list, append(twoCompartments(), openings(protection, "XB")...)...)
	content := contentOf(t, b.record.Data)
	if string(content.GetGrantor()) != string(b.record.KeyID[:]) || string(content.GetBatch()) != string(b.events[0].Place.Batch[:]) {
		t.Error("the record is of another batch or key")
	}
	for _, keys := range content.GetCompartments() {
		for _, wrap := range keys.GetWraps() {
			private := Opening(openingName(wrap.GetCountry(), keys.GetCompartment(), wrap.GetEpoch()))
			batchKey, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(),
				info(content, wrap.GetCountry(), keys.GetCompartment(), private.PublicKey().Bytes()), wrap.GetWrapped())
			if err != nil {
				t.Fatalf("%s, compartment %d: %v", wrap.GetCountry(), keys.GetCompartment(), err)
			}
			for i, e := range b.events {
				p := placeOf(e, keys.GetCompartment())
				ck, err := gcm(batchKey).Open(nil, p.nonce(), keys.GetKeys()[entrySize*i:][:entrySize], p.entryData())
				if err != nil {
					t.Fatalf("entry %d: %v", i, err)
				}
				if p.compartment == protection {
					if string(ck) != string(make([]byte, 32)) {
						t.Errorf("entry %d: a key where there is no section", i)
					}
					continue
				}
				at := p.sectionFor(e, ck)
				if at < 0 {
					t.Fatalf("entry %d: no section commits to its key", i)
				}
				section := e.Sections()[at]
				text, err := gcm(ck).Open(nil, make([]byte, 12), section.Content, p.contentData(section.Commitment))
				if len(text) < frameSize || string(p.parts(text)) != string(e.Parts[:]) || text[32+at] != byte(p.compartment) || text[32]+text[33] != 3 {
					t.Fatalf("event %d: its sections are said to be of the compartments %x", i, text)
				}
				if err != nil || string(text[frameSize:]) != string(list[i].Sections[p.compartment-1].Content) {
					t.Errorf("event %d opens to %q (%v)", i, text, err)
				}
			}
		}
	}
}

// All keys differ: of sections, and of batches from compartment to compartment.
func TestKeysAreUsedOnce(t *testing.T) {
	seen := map[seal.ContentKey]bool{{}: true}
	var head event.Head
	list := drafts(6, theCase, identity)
	for n := range 2 {
		b := publish(t, head, list[3*n:3*n+3], append(openings(theCase, "XB"), openings(identity, "XB")...)...)
		head = b.head
		content := contentOf(t, b.record.Data)
		for _, keys := range content.GetCompartments() {
			private := Opening(openingName("XB", keys.GetCompartment(), 1))
			batchKey, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(),
				info(content, "XB", keys.GetCompartment(), private.PublicKey().Bytes()), keys.GetWraps()[0].GetWrapped())
			if err != nil || seen[seal.ContentKey(batchKey)] {
				t.Errorf("batch %d, compartment %d: a batch key that was there before (%v)", n, keys.GetCompartment(), err)
			}
			seen[seal.ContentKey(batchKey)] = true
		}
		for _, e := range b.events {
			for _, s := range desk("XB").Open(e, start, b.record.Portion("XB")) {
				if s.Err != nil || seen[s.Key] {
					t.Errorf("event %s, %s: a key that was there before, or none (%v)", e.ID, s.Compartment, s.Err)
				}
				seen[s.Key] = true
			}
		}
	}
}
