package seal

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/second"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// Terms say which batch a record is for, and until when. Terms are comparable.
type Terms struct {
	Origin    event.Chain // without a renewal: a record does not say it
	Batch     event.Digest
	Revision  uint64 // from 1
	Retention string
	Expires   time.Time   // UTC, whole seconds
	Grantor   event.KeyID // whose signature stood under the wraps when they were made
	Recipient string      // the one country of a release; empty in the batch's own record
}

// Subject is the one NATS subject on which a batch's own record may lie. A later
// revision lies on the same one, and takes its place.
func (t Terms) Subject() string { return t.SubjectAt(t.Origin.Audience) }

// SubjectAt is the subject of a release that is told to another audience than the
// events were: one that the recipient reads.
func (t Terms) SubjectAt(address string) string {
	subject := "key." + address + "." + t.Origin.Country + "." + t.Origin.Agency + "." + hex.EncodeToString(t.Batch[:16])
	if t.Recipient != "" {
		subject += "-" + t.Recipient
	}
	return subject
}

// Unverified is a well-formed record that nobody has checked yet.
type Unverified struct {
	record           Record
	statement        []byte // what the signatures cover
	signature, other []byte // other is the second one, or empty
}

// Decode reads a record in its one form. Its errors wrap MalformedRecord.
func Decode(data []byte) (Unverified, error) {
	u, err := decode(data)
	if err != nil {
		return Unverified{}, fmt.Errorf("%w: %w", MalformedRecord, err)
	}
	return u, nil
}

// KeyID is the publisher key that the record claims to be signed with.
func (u Unverified) KeyID() event.KeyID { return u.record.KeyID }

// Terms is what the record says. Nothing of it is true before Verify.
func (u Unverified) Terms() Terms { return u.record.Terms }

// Verify checks that key, which the registry has under KeyID, is one of the origin's
// agency and signed the record, with its second key too where it has one. Its errors wrap NotOriginator. That the key
// was not revoked, or where it was, that it signed the events too, is the caller's to know.
func (u Unverified) Verify(key registry.Key) (Record, error) {
	r := u.record
	switch {
	case len(key.Public) != ed25519.PublicKeySize || event.KeyIDOf(event.RolePublisher, key.Public) != r.KeyID:
		return Record{}, fmt.Errorf("%w: the key is not the one that the record names", NotOriginator)
	case key.Country != r.Origin.Country || key.Agency != r.Origin.Agency:
		return Record{}, fmt.Errorf("%w: for events of %s/%s, with the key of %s/%s", NotOriginator, r.Origin.Country, r.Origin.Agency, key.Country, key.Agency)
	case !ed25519.Verify(key.Public, u.statement, u.signature):
		return Record{}, fmt.Errorf("%w: key %s did not sign it", NotOriginator, r.KeyID)
	case len(key.Second) == 0 && len(u.other) > 0:
		return Record{}, fmt.Errorf("%w: a second signature, and key %s has no second key beside it", NotOriginator, r.KeyID)
	case len(key.Second) > 0 && !second.Verify(key.Second, second.KeyRecord, u.statement, u.other):
		return Record{}, fmt.Errorf("%w: the second key beside %s did not sign it", NotOriginator, r.KeyID)
	}
	return r, nil
}

// Record is a key record whose signature was checked, or made here.
type Record struct {
	Terms
	KeyID   event.KeyID  // signed this revision
	Digest  event.Digest // of the record's bytes
	Data    []byte       // a serialised KeyRecord; these exact bytes are the record
	content *keyv1.Content
}

// Replaces says why the record does not take the place of the one with that revision
// and digest: it is older, or another of the same revision; nil where it does, or
// is the same. A reader remembers both for each subject, so that an old record that
// the hub shows again brings nothing back.
func (r Record) Replaces(revision uint64, digest event.Digest) error {
	switch {
	case r.Revision < revision:
		return fmt.Errorf("%w: revision %d after %d", OutdatedRecord, r.Revision, revision)
	case r.Revision == revision && r.Digest != digest:
		return fmt.Errorf("%w: revision %d is %s and %s", ConflictingRecord, revision, digest, r.Digest)
	}
	return nil
}

// Has reports whether the record has entries for the event.
func (r Record) Has(id event.ID) bool { return find(r.content, id) >= 0 }

// Events lists the events that the record has entries of.
func (r Record) Events() []event.ID {
	all := make([]event.ID, len(r.content.GetPlaces()))
	for i := range all {
		all[i] = event.ID(idAt(r.content, i))
	}
	return all
}

// Granted is an opening key of the registry to which a record is wrapped.
type Granted struct {
	Country     string
	Compartment eventv1.Compartment
	Epoch       uint32
}

// Granted lists whom the record is for, by compartment and country. It is the originator's
// word: only whoever has the private key sees whether the wrap opens.
func (r Record) Granted() []Granted {
	var all []Granted
	for _, c := range r.content.GetCompartments() {
		for _, w := range c.GetWraps() {
			all = append(all, Granted{w.GetCountry(), c.GetCompartment(), w.GetEpoch()})
		}
	}
	return all
}

var spelling = proto.MarshalOptions{Deterministic: true}

// sign makes a record. What readers would refuse is not signed.
func sign(key event.SigningKey, content *keyv1.Content) (Record, error) {
	if err := checkContent(content); err != nil {
		return Record{}, err
	}
	signed, err := spelling.Marshal(content)
	if err != nil {
		return Record{}, err
	}
	record := &keyv1.KeyRecord{Content: signed, KeyId: key.ID[:]}
	statement := pae.Encode(pae.KeyRecord, key.ID[:], signed)
	if record.Signature, err = key.Signer.Sign(nil, statement, crypto.Hash(0)); err != nil {
		return Record{}, err
	}
	if key.Second != nil {
		if record.SecondSignature, err = key.Second.Sign(second.KeyRecord, statement); err != nil {
			return Record{}, err
		}
	}
	data, err := spelling.Marshal(record)
	if err != nil {
		return Record{}, err
	}
	if len(data) > MaxRecord {
		return Record{}, fmt.Errorf("%d bytes, at most %d", len(data), MaxRecord)
	}
	return Record{Terms: terms(content), KeyID: key.ID, Digest: event.DigestOf(data), Data: data, content: content}, nil
}

func decode(data []byte) (Unverified, error) {
	if len(data) > MaxRecord {
		return Unverified{}, fmt.Errorf("%d bytes, at most %d", len(data), MaxRecord)
	}
	record, content := &keyv1.KeyRecord{}, &keyv1.Content{}
	if err := read("record", data, record); err != nil {
		return Unverified{}, err
	}
	if err := read("content", record.GetContent(), content); err != nil {
		return Unverified{}, err
	}
	switch other := len(record.GetSecondSignature()); {
	case len(record.GetKeyId()) != len(event.KeyID{}):
		return Unverified{}, fmt.Errorf("key_id: %d bytes, want 32", len(record.GetKeyId()))
	case len(record.GetSignature()) != ed25519.SignatureSize:
		return Unverified{}, fmt.Errorf("signature: %d bytes, want 64", len(record.GetSignature()))
	case other != 0 && other != second.SignatureSize:
		return Unverified{}, fmt.Errorf("second_signature: %d bytes, want none or %d", other, second.SignatureSize)
	}
	if err := checkContent(content); err != nil {
		return Unverified{}, err
	}
	return Unverified{
		record: Record{
			Terms: terms(content), KeyID: event.KeyID(record.GetKeyId()), Digest: event.DigestOf(data), Data: bytes.Clone(data), content: content,
		},
		statement: pae.Encode(pae.KeyRecord, record.GetKeyId(), record.GetContent()),
		signature: record.GetSignature(), other: record.GetSecondSignature(),
	}, nil
}

// read accepts what deterministic serialisation writes, and nothing else.
func read(what string, data []byte, m proto.Message) error {
	if err := proto.Unmarshal(data, m); err != nil {
		return fmt.Errorf("%s: not a protobuf message of that type", what)
	}
	if event.HasUnknown(m) {
		return fmt.Errorf("%s: a field that version 1 does not have", what)
	}
	again, err := spelling.Marshal(m)
	if err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("%s: another spelling than the one of deterministic serialisation", what)
	}
	return nil
}

// terms reads a content that was checked.
func terms(c *keyv1.Content) Terms {
	return Terms{
		Origin: event.Chain{Country: c.GetCountry(), Agency: c.GetAgency(), Audience: c.GetAudience()},
		Batch:  event.Digest(c.GetBatch()), Revision: c.GetRevision(), Retention: c.GetRetention(),
		Expires: time.Unix(int64(c.GetExpires()), 0).UTC(), Grantor: event.KeyID(c.GetGrantor()), Recipient: c.GetRecipient(),
	}
}
