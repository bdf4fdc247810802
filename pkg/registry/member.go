package registry

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Status is how a member stands.
type Status string

// The standings of a member.
const (
	Active    Status = "active"
	Suspended Status = "suspended" // may manage its own keys and read the registry, nothing else
	Left      Status = "left"
)

// Member is a country under the charter.
type Member struct {
	Country        string
	Status         Status
	Since          uint64 // log index of the update that made it so
	Reason         string // of a suspension
	Root           ed25519.PublicKey
	Mirror         ed25519.PublicKey // nil: none is valid
	RootNext       event.Digest      // commitment to the next root; zero: none
	MirrorNext     event.Digest      // likewise
	MirrorsRevoked int               // how many mirror keys were revoked so far, or ended as it left

}

const maxReason = 500 // bytes

func (b *book) admit(index uint64, m *registryv1.Member, committed bool) error {
	country := m.GetCountry()
	if err := event.CheckCountry(country); err != nil {
		return err
	}
	rootNext, err := commitment(country+"'s root", m.GetRootNext(), committed)
	if err != nil {
		return err
	}
	mirrorNext, err := commitment(country+"'s mirror", m.GetMirrorNext(), committed)
	if err != nil {
		return err
	}
	if err := errors.Join(
		b.takeKey(country+"'s root", m.GetRootKey()),
		b.takeKey(country+"'s mirror", m.GetMirrorKey()),
	); err != nil {
		return err
	}
	b.members[country] = Member{
		Country: country, Status: Active, Since: index, Root: m.GetRootKey(), Mirror: m.GetMirrorKey(),
		RootNext: rootNext, MirrorNext: mirrorNext, MirrorsRevoked: b.members[country].MirrorsRevoked,
	}
	return nil
}

type memberAdmitted struct{ *registryv1.MemberAdmitted }

func (c memberAdmitted) scope() scope { return charterScope }

func (c memberAdmitted) enact(b *book, index uint64) error {
	country := c.GetMember().GetCountry()
	if m, ok := b.members[country]; ok && m.Status != Left {
		return fmt.Errorf("%s is a member already", country)
	}
	return b.admit(index, c.GetMember(), true)
}

func (c memberAdmitted) consents(before, after *book) []consent {
	return append(charterConsents(before, after), rootConsent(c.GetMember().GetCountry()))
}

func (c memberAdmitted) keys() [][]byte { return [][]byte{c.GetMember().GetMirrorKey()} }

type memberSuspended struct{ *registryv1.MemberSuspended }

func (c memberSuspended) scope() scope   { return charterScope }
func (c memberSuspended) keys() [][]byte { return nil }

func (c memberSuspended) enact(b *book, index uint64) error {
	m, err := b.activeMember(c.GetCountry())
	if err != nil {
		return err
	}
	if err := checkText("reason", c.GetReason(), maxReason); err != nil {
		return err
	}
	m.Status, m.Since, m.Reason = Suspended, index, c.GetReason()
	b.members[m.Country] = m
	return nil
}

func (c memberSuspended) consents(before, after *book) []consent {
	return charterConsents(before, after)
}

type memberReinstated struct{ *registryv1.MemberReinstated }

func (c memberReinstated) scope() scope   { return charterScope }
func (c memberReinstated) keys() [][]byte { return nil }

// enact gives the member its seats again, each in a new circle: what was said
// meanwhile stays closed to it.
func (c memberReinstated) enact(b *book, index uint64) error {
	m, err := b.member(c.GetCountry())
	if err != nil {
		return err
	}
	if m.Status != Suspended {
		return fmt.Errorf("%s is not suspended", m.Country)
	}
	m.Status, m.Since, m.Reason = Active, index, ""
	b.members[m.Country] = m
	for id, a := range b.audiences {
		if _, ok := a.seats[m.Country]; ok {
			b.audiences[id] = a.seat(m.Country, index)
		}
	}
	return nil
}

func (c memberReinstated) consents(before, after *book) []consent {
	return charterConsents(before, after)
}

type memberLeft struct {
	*registryv1.MemberLeft
}

func (c memberLeft) scope() scope   { return countryScope(c.GetCountry()) }
func (c memberLeft) keys() [][]byte { return nil }

// enact ends all that the country has: should it come back, it enrols new keys,
// and its users get new credentials.
func (c memberLeft) enact(b *book, index uint64) error {
	m, err := b.member(c.GetCountry())
	if err != nil {
		return err
	}
	m.Status, m.Since, m.Reason, m.Mirror = Left, index, "", nil
	m.MirrorsRevoked++
	b.members[m.Country] = m
	for i, a := range b.agencies {
		if _, ok := b.keys[a.Key]; ok && a.Country == m.Country {
			a.KeysRevoked++
			b.agencies[i] = b.endKey(a, index)
		}
	}
	for i, o := range b.openings {
		if o.Country == m.Country && o.Until > index {
			b.openings[i].Until = index
		}
	}
	for id, a := range b.audiences {
		b.audiences[id] = a.unseat(m.Country)
	}
	return nil
}

func (c memberLeft) consents(before, _ *book) []consent {
	return []consent{rootConsent(c.GetCountry())}
}

type rootRotated struct{ *registryv1.RootRotated }

func (c rootRotated) scope() scope   { return countryScope(c.GetCountry()) }
func (c rootRotated) keys() [][]byte { return [][]byte{c.GetRootKey()} }

func (c rootRotated) enact(b *book, _ uint64) error {
	m, err := b.member(c.GetCountry())
	if err != nil {
		return err
	}
	if err := committedTo(m.Country+"'s root", m.RootNext, c.GetRootKey(), nil); err != nil {
		return err
	}
	return b.exchangeRoot(m, c.GetRootKey(), c.GetRootNext())
}

// consents are none: that the new root signs is shown by possession.
func (c rootRotated) consents(_, _ *book) []consent { return nil }

type rootReplaced struct{ *registryv1.RootReplaced }

func (c rootReplaced) scope() scope   { return charterScope }
func (c rootReplaced) keys() [][]byte { return [][]byte{c.GetRootKey()} }

func (c rootReplaced) enact(b *book, _ uint64) error {
	m, err := b.member(c.GetCountry())
	if err != nil {
		return err
	}
	if others := len(c.others(b)); others < b.required() {
		return fmt.Errorf("takes %d roots other than that of %s, and there are %d: where all must agree, a root can only be rotated", b.required(), m.Country, others)
	}
	return b.exchangeRoot(m, c.GetRootKey(), c.GetRootNext())
}

// others are those who decide: the country's old root may be in other hands.
func (c rootReplaced) others(b *book) []string {
	return b.countries(func(m Member) bool { return m.Status == Active && m.Country != c.GetCountry() })
}

func (c rootReplaced) consents(before, _ *book) []consent {
	return []consent{{of: c.others(before), need: before.required(), why: "the charter's threshold, without " + c.GetCountry()}}
}

func (b *book) exchangeRoot(m Member, key, next []byte) error {
	var err error
	if m.RootNext, err = commitment(m.Country+"'s root", next, true); err != nil {
		return err
	}
	m.Root = key
	b.members[m.Country] = m
	return b.takeKey(m.Country+"'s root", key)
}
