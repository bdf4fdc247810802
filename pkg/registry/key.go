package registry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Key is a publisher's key and the agency that it speaks for.
type Key struct {
	Country, Agency string
	Public          ed25519.PublicKey
	Second          []byte       // its second key, see pkg/second: both sign; empty: it has none
	From            uint64       // the first log index at which it is valid
	Until           uint64       // the first at which it is not any more
	Revoked         bool         // its owner ended it, as one that others may have; a rotation does not
	DoubtedFrom     uint64       // its owner no longer vouches for what it signed from here on; 0: it does
	Renewal         int          // how many of the agency's keys were revoked before it; a rotation keeps it
	Next            event.Digest // commitment to its successor; zero: none
}

// ValidAt reports whether the key may sign the event at a log index.
func (k Key) ValidAt(index uint64) bool { return k.From <= index && index < k.Until }

// Opening is a key to which content of one compartment is sealed for one
// country's desk: HPKE with MLKEM768-X25519.
type Opening struct {
	Country     string
	Compartment uint32 // of event/v1 Compartment
	Epoch       uint32 // counts this compartment's keys from 1
	Public      []byte // 1216 bytes
	From, Until uint64 // as in Key
	Revoked     bool
	DoubtedFrom uint64
	Next        event.Digest
}

// ValidAt reports whether content may be sealed to the key at a log index.
func (o Opening) ValidAt(index uint64) bool { return o.From <= index && index < o.Until }

// CommitmentOf is what a key's enrolment says of the key that shall follow it:
// whoever steals the first cannot rotate to one of his own.
func CommitmentOf(next []byte) event.Digest { return CommitmentOfBoth(next, nil) }

// CommitmentOfBoth is CommitmentOf where the successor has a second key: whoever has
// but the one cannot rotate to it without the other, nor to it alone.
func CommitmentOfBoth(next, secondKey []byte) event.Digest {
	if len(secondKey) == 0 {
		return event.DigestOf(pae.Encode(pae.Next, next))
	}
	return event.DigestOf(pae.Encode(pae.Next, next, secondKey))
}

// commitment reads one; a founding may leave it out.
func commitment(owner string, data []byte, needed bool) (event.Digest, error) {
	switch {
	case len(data) == len(event.Digest{}):
		return event.Digest(data), nil
	case len(data) == 0 && !needed:
		return event.Digest{}, nil
	}
	return event.Digest{}, fmt.Errorf("the commitment to the next key of %s: %d bytes, want 32", owner, len(data))
}

// committedTo refuses a successor that the key's enrolment did not announce.
func committedTo(owner string, next event.Digest, key, secondKey []byte) error {
	switch {
	case next == event.Digest{}:
		return fmt.Errorf("the key of %s was enrolled without a successor: revoke it and enrol another", owner)
	case CommitmentOfBoth(key, secondKey) != next:
		return fmt.Errorf("not the successor that the key of %s was enrolled with: revoke it and enrol another", owner)
	}
	return nil
}

// Invalid says why a publisher's key may not sign at a log index; nil where it may.
func (s State) Invalid(key Key, index uint64) error {
	agency, _ := s.Agency(key.Country, key.Agency)
	member, _ := s.Member(key.Country)
	switch {
	case index < key.From:
		return fmt.Errorf("it is valid from index %d", key.From)
	case member.Status == Left:
		return fmt.Errorf("%s has left, at index %d", key.Country, member.Since)
	case agency.Retired != 0 && index >= agency.Retired:
		return fmt.Errorf("agency %s/%s was retired at index %d", key.Country, key.Agency, agency.Retired)
	case index >= key.Until:
		return fmt.Errorf("it was valid up to index %d, where it was rotated or revoked", key.Until)
	case member.Status == Suspended:
		return fmt.Errorf("%s is suspended since index %d: %s", key.Country, member.Since, member.Reason)
	}
	return nil
}

// Doubted reports whether an agency no longer vouches for what was signed in
// its name at a log index: the key was revoked since, and said to be lost before that.
func (s State) Doubted(country, agency string, index uint64) bool {
	if s.book == nil {
		return false
	}
	for _, key := range s.book.keys {
		if key.Country == country && key.Agency == agency && key.ValidAt(index) {
			return key.DoubtedFrom != 0 && key.DoubtedFrom <= index
		}
	}
	return false
}

// Openings are a country's opening keys of a compartment that there ever were, by epoch.
func (s State) Openings(country string, compartment uint32) []Opening {
	return slices.DeleteFunc(s.OpeningsOf(country), func(o Opening) bool { return o.Compartment != compartment })
}

// OpeningsOf are a country's opening keys of all compartments that there ever were, in
// the order in which they came.
func (s State) OpeningsOf(country string) []Opening {
	var found []Opening
	if s.book != nil {
		for _, o := range s.book.openings {
			if o.Country == country {
				found = append(found, o)
			}
		}
	}
	return found
}

// Opening finds a country's opening key by its bytes, valid or not.
func (s State) Opening(country string, public []byte) (Opening, bool) {
	if s.book == nil {
		return Opening{}, false
	}
	at := slices.IndexFunc(s.book.openings, func(o Opening) bool { return o.Country == country && bytes.Equal(o.Public, public) })
	if at < 0 {
		return Opening{}, false
	}
	return s.book.openings[at], true
}

// slot is what a key can be for.
type slot interface {
	owner() string
	// current finds the commitment of the valid key; ok is false where there is none.
	current(b *book) (next event.Digest, ok bool)
	put(b *book, index uint64, key, secondKey []byte, next event.Digest) error
	end(b *book, index, doubtedFrom uint64) error
	signs() bool
}

// slotOf finds the purpose that an owner names in the book.
func (b *book) slotOf(owner *registryv1.KeyOwner) (slot, error) {
	country := owner.GetCountry()
	if _, err := b.member(country); err != nil {
		return nil, err
	}
	switch purpose := owner.GetPurpose().(type) {
	case *registryv1.KeyOwner_Agency:
		return b.agencySlot(country, purpose.Agency)
	case *registryv1.KeyOwner_Mirror:
		return mirrorSlot{country}, nil
	case *registryv1.KeyOwner_Compartment:
		if purpose.Compartment == 0 || purpose.Compartment > maxCompartment {
			return nil, fmt.Errorf("compartment %d, want 1 to %d", purpose.Compartment, maxCompartment)
		}
		return openingSlot{country, purpose.Compartment}, nil
	}
	return nil, errors.New("the key's owner has no purpose: an agency, the mirror or a compartment")
}

// maxCompartment is far above the compartments that there are.
const maxCompartment = 64

func (b *book) agencySlot(country, id string) (slot, error) {
	at := b.agency(country, id)
	if at < 0 {
		return nil, fmt.Errorf("%s has no agency %.32q", country, id)
	}
	if retired := b.agencies[at].Retired; retired != 0 {
		return nil, fmt.Errorf("agency %s/%s was retired at index %d", country, id, retired)
	}
	return agencySlot{country, id}, nil
}

// noSecond refuses a second key where version 1 has none: roots, mirrors, opening keys.
func noSecond(owner string, secondKey []byte) error {
	if len(secondKey) > 0 {
		return fmt.Errorf("a second key for %s: only publishers and the notary have one", owner)
	}
	return nil
}

type mirrorSlot struct{ country string }

func (s mirrorSlot) owner() string { return s.country + "'s mirror" }
func (s mirrorSlot) signs() bool   { return true }

func (s mirrorSlot) current(b *book) (event.Digest, bool) {
	m := b.members[s.country]
	return m.MirrorNext, m.Mirror != nil
}

func (s mirrorSlot) put(b *book, _ uint64, key, secondKey []byte, next event.Digest) error {
	if err := noSecond(s.owner(), secondKey); err != nil {
		return err
	}
	m := b.members[s.country]
	m.Mirror, m.MirrorNext = key, next
	b.members[s.country] = m
	return b.takeKey(s.owner(), key)
}

func (s mirrorSlot) end(b *book, _, doubtedFrom uint64) error {
	if doubtedFrom != 0 {
		return fmt.Errorf("the key of %s signs no events: it cannot be doubted, only revoked", s.owner())
	}
	m := b.members[s.country]
	m.Mirror, m.MirrorNext = nil, event.Digest{}
	m.MirrorsRevoked++
	b.members[s.country] = m
	return nil
}

type openingSlot struct {
	country     string
	compartment uint32
}

func (s openingSlot) owner() string {
	return fmt.Sprintf("%s's desk for compartment %d", s.country, s.compartment)
}
func (s openingSlot) signs() bool { return false }

// last is the place of the newest key, valid or not; -1: there was none.
func (s openingSlot) last(b *book) int {
	for i := len(b.openings) - 1; i >= 0; i-- {
		if o := b.openings[i]; o.Country == s.country && o.Compartment == s.compartment {
			return i
		}
	}
	return -1
}

func (s openingSlot) current(b *book) (event.Digest, bool) {
	at := s.last(b)
	if at < 0 || b.openings[at].Until != math.MaxUint64 {
		return event.Digest{}, false
	}
	return b.openings[at].Next, true
}

func (s openingSlot) put(b *book, index uint64, key, secondKey []byte, next event.Digest) error {
	if err := noSecond(s.owner(), secondKey); err != nil {
		return err
	}
	if _, err := hpke.MLKEM768X25519().NewPublicKey(key); err != nil {
		return fmt.Errorf("the key of %s is not one of HPKE MLKEM768-X25519 (1216 bytes)", s.owner())
	}
	epoch := uint32(1)
	if at := s.last(b); at >= 0 {
		epoch = b.openings[at].Epoch + 1
		b.openings[at].Until = min(b.openings[at].Until, index)
	}
	b.openings = append(b.openings, Opening{
		Country: s.country, Compartment: s.compartment, Epoch: epoch, Public: key, From: index + 1, Until: math.MaxUint64, Next: next,
	})
	// It shows no possession: were it unique among all, whoever saw a proposal
	// could enrol another's key first and keep its owner from it.
	if _, ok := b.owners[s.country+string(key)]; ok {
		return fmt.Errorf("the key of %s was one of %s's before", s.owner(), s.country)
	}
	b.owners[s.country+string(key)] = s.owner()
	return nil
}

func (s openingSlot) end(b *book, index, doubtedFrom uint64) error {
	at := s.last(b)
	b.openings[at].Until, b.openings[at].Revoked, b.openings[at].DoubtedFrom = index, true, doubtedFrom
	return nil
}
