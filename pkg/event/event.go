// Package event is the envelope: how one agency says one thing so that anybody
// can check who said it, and that it was not altered, moved or left out.
//
// Bytes arrive as an Unverified. Only Verify makes a Verified of it, and only a
// Verified gives up its sections: code that wants a verified event cannot be
// handed a raw one. The wire format is specified in proto/README.md.
package event

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Unverified is a well-formed envelope that nobody has checked yet.
type Unverified struct {
	envelope *eventv1.Envelope
	header   *eventv1.Header
}

// Decode reads an envelope. It checks form and bounds, and no signature.
func Decode(data []byte) (Unverified, error) {
	if len(data) > MaxMessage {
		return Unverified{}, fmt.Errorf("envelope of %d bytes, at most %d", len(data), MaxMessage)
	}
	envelope, header := &eventv1.Envelope{}, &eventv1.Header{}
	if err := proto.Unmarshal(data, envelope); err != nil {
		return Unverified{}, errors.New("envelope: not a protobuf message of that type")
	}
	if err := proto.Unmarshal(envelope.GetHeader(), header); err != nil {
		return Unverified{}, errors.New("header: not a protobuf message of that type")
	}
	if err := CheckGroups(envelope); err != nil {
		return Unverified{}, fmt.Errorf("envelope: %w", err)
	}
	if err := CheckGroups(header); err != nil {
		return Unverified{}, fmt.Errorf("header: %w", err)
	}
	if err := checkHeader(header); err != nil {
		return Unverified{}, fmt.Errorf("header: %w", err)
	}
	if err := checkProof(envelope.GetProof()); err != nil {
		return Unverified{}, fmt.Errorf("proof: %w", err)
	}
	return Unverified{envelope: envelope, header: header}, nil
}

// KeyID is the key that the envelope claims to be signed with.
func (u Unverified) KeyID() KeyID { return KeyID(u.envelope.GetProof().GetKeyId()) }

// Claims is what the header says. Nothing of it is true before Verify.
func (u Unverified) Claims() Claims { return claims(u.header) }

// HeaderDigest identifies the header: its exact bytes, hashed.
func (u Unverified) HeaderDigest() Digest { return DigestOf(u.envelope.GetHeader()) }

// Claims are the header's fields in typed form.
type Claims struct {
	ID        ID
	Chain     Chain
	Kind      string
	Counter   uint64
	Previous  Digest // zero where Counter is 1
	Recorded  time.Time
	Retention string
	Seen      Seen
	Parts     Digest // a commitment to the compartments of the sealed sections, in their order; zero where none is sealed
}

func claims(h *eventv1.Header) Claims {
	c := Claims{
		ID:        ID(h.GetEventId()),
		Chain:     Chain{Country: h.GetCountry(), Agency: h.GetAgency(), Audience: h.GetAudience()},
		Kind:      h.GetKind(),
		Counter:   h.GetCounter(),
		Recorded:  h.GetRecorded().AsTime(),
		Retention: h.GetRetention(),
	}
	copy(c.Previous[:], h.GetPrevious())
	copy(c.Parts[:], h.GetParts())
	if h.GetSeen() != nil {
		c.Seen = Seen{Size: h.GetSeen().GetSize(), Root: Digest(h.GetSeen().GetRoot())}
	}
	return c
}

// Subject is the NATS subject that the header calls for.
func (c Claims) Subject() string { return Subject(c.Chain, c.Kind) }

// Verified is an event whose signature, path and body were checked.
type Verified struct {
	Claims
	HeaderDigest Digest
	KeyID        KeyID
	Place        Place
	sections     []Section
}

// Sections are the event's sections in the header's order. A sealed one holds ciphertext.
func (v Verified) Sections() []Section { return v.sections }
