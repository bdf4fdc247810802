package registry

import (
	"fmt"
	"math"

	"github.com/tripoint/tripoint/pkg/event"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Agency is one agency of a member.
type Agency struct {
	Country, ID, Name string
	Key               event.KeyID // its valid key; zero: none
	Retired           uint64      // log index; 0: it is not
	KeysRevoked       int         // how many of its keys were revoked so far, or ended as its country left
}

const (
	maxName     = 200 // bytes
	maxAgencies = 100 // of one country, ever: every reader and the broker keep them all
)

func (b *book) agenciesOf(country string) int {
	n := 0
	for _, a := range b.agencies {
		if a.Country == country {
			n++
		}
	}
	return n
}

func (b *book) enrol(index uint64, a *registryv1.Agency, committed bool) error {
	country, id := a.GetCountry(), a.GetAgency()
	if err := event.CheckToken("agency", id); err != nil {
		return err
	}
	if b.agency(country, id) >= 0 {
		return fmt.Errorf("agency %s of %s stands twice: an identifier is used once", id, country)
	}
	if b.agenciesOf(country) >= maxAgencies {
		return fmt.Errorf("%s has %d agencies, retired ones counted, and a country may have %d", country, b.agenciesOf(country), maxAgencies)
	}
	if err := checkText("name of agency "+id, a.GetName(), maxName); err != nil {
		return err
	}
	next, err := commitment(country+"/"+id, a.GetPublisherNext(), committed)
	if err != nil {
		return err
	}
	b.agencies = append(b.agencies, Agency{Country: country, ID: id, Name: a.GetName()})
	return agencySlot{country, id}.put(b, index, a.GetPublisherKey(), a.GetPublisherSecondKey(), next)
}

// endKey ends an agency's valid key, if there is one.
func (b *book) endKey(a Agency, index uint64) Agency {
	if key, ok := b.keys[a.Key]; ok {
		key.Until = index
		b.keys[a.Key] = key
	}
	a.Key = event.KeyID{}
	return a
}

type agencySlot struct{ country, id string }

func (s agencySlot) owner() string { return s.country + "/" + s.id }
func (s agencySlot) signs() bool   { return true }

func (s agencySlot) current(b *book) (event.Digest, bool) {
	key, ok := b.keys[b.agencies[b.agency(s.country, s.id)].Key]
	return key.Next, ok
}

func (s agencySlot) put(b *book, index uint64, key, secondKey []byte, next event.Digest) error {
	if err := b.takeKeys(s.owner(), key, secondKey); err != nil {
		return err
	}
	at := b.agency(s.country, s.id)
	a := b.endKey(b.agencies[at], index)
	a.Key = event.KeyIDOf(event.RolePublisher, key)
	b.agencies[at] = a
	b.keys[a.Key] = Key{
		Country: s.country, Agency: s.id, Public: key, Second: secondKey,
		From: index + 1, Until: math.MaxUint64, Next: next, Renewal: a.KeysRevoked,
	}
	return nil
}

func (s agencySlot) end(b *book, index, doubtedFrom uint64) error {
	at := b.agency(s.country, s.id)
	a := b.agencies[at]
	key := b.keys[a.Key]
	if doubtedFrom != 0 && doubtedFrom < key.From {
		return fmt.Errorf("doubted from index %d, and the key of %s was valid from %d only", doubtedFrom, s.owner(), key.From)
	}
	key.Revoked, key.DoubtedFrom = true, doubtedFrom
	b.keys[a.Key] = key
	a = b.endKey(a, index)
	a.KeysRevoked++
	b.agencies[at] = a
	return nil
}

type agencyEnrolled struct{ *registryv1.AgencyEnrolled }

func (c agencyEnrolled) scope() scope { return countryScope(c.GetAgency().GetCountry()) }

func (c agencyEnrolled) enact(b *book, index uint64) error {
	if _, err := b.member(c.GetAgency().GetCountry()); err != nil {
		return err
	}
	return b.enrol(index, c.GetAgency(), true)
}

func (c agencyEnrolled) consents(_, _ *book) []consent {
	return []consent{rootConsent(c.GetAgency().GetCountry())}
}

func (c agencyEnrolled) keys() [][]byte {
	return keysOf(c.GetAgency().GetPublisherKey(), c.GetAgency().GetPublisherSecondKey())
}

type agencyRetired struct{ *registryv1.AgencyRetired }

func (c agencyRetired) scope() scope   { return countryScope(c.GetCountry()) }
func (c agencyRetired) keys() [][]byte { return nil }

func (c agencyRetired) enact(b *book, index uint64) error {
	if _, err := b.member(c.GetCountry()); err != nil {
		return err
	}
	if _, err := b.agencySlot(c.GetCountry(), c.GetAgency()); err != nil {
		return err
	}
	at := b.agency(c.GetCountry(), c.GetAgency())
	a := b.endKey(b.agencies[at], index)
	a.Retired = index
	b.agencies[at] = a
	return nil
}

func (c agencyRetired) consents(_, _ *book) []consent {
	return []consent{rootConsent(c.GetCountry())}
}
