package registry

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// Audience is a set of members and what they may use its events for.
//
// Who is in it changes, and nobody reads what was said before it came in. So
// each time that somebody comes in, a new circle begins, with an address of its
// own; publishers address the newest one, and each member reads those since its own.
type Audience struct {
	ID        string
	Members   []string // country codes of those who read it now, sorted
	Purposes  []string
	Retention []string // retention classes that its events may have; none: all
	circles   []uint64 // log indices at which one began, rising; 0 for a founding's
	seats     map[string]uint64
}

// Has reports whether a country is in the audience.
func (a Audience) Has(country string) bool { return slices.Contains(a.Members, country) }

// Keeps reports whether the audience's events may have a retention class.
func (a Audience) Keeps(class string) bool {
	return len(a.Retention) == 0 || slices.Contains(a.Retention, class)
}

// Address is what an event to the newest circle names as its audience: the
// identifier, and where the circle began after the founding, "_" and that log index.
func (a Audience) Address() string { return a.address(a.circles[len(a.circles)-1]) }

func (a Audience) address(circle uint64) string {
	if circle == 0 {
		return a.ID
	}
	return a.ID + "_" + strconv.FormatUint(circle, 10)
}

// AudienceOf is the identifier in an address.
func AudienceOf(address string) string {
	id, _, _ := strings.Cut(address, "_")
	return id
}

// maxAudiences bounds what every reader and the broker keep. That anybody who has
// used up his share of them harms the others is what the threshold is for.
const maxAudiences = 256

// seat gives a country a seat in a new circle.
func (a Audience) seat(country string, index uint64) Audience {
	a.seats = maps.Clone(a.seats)
	a.seats[country] = index
	if a.circles[len(a.circles)-1] != index {
		a.circles = append(slices.Clone(a.circles), index)
	}
	return a
}

func (a Audience) unseat(country string) Audience {
	a.seats = maps.Clone(a.seats)
	delete(a.seats, country)
	return a
}

// Audience finds an audience by its identifier.
func (s State) Audience(id string) (Audience, bool) {
	if s.book == nil {
		return Audience{}, false
	}
	audience, ok := s.book.audiences[id]
	return audience, ok
}

// Audiences lists all audiences, by identifier.
func (s State) Audiences() []Audience {
	if s.book == nil {
		return nil
	}
	var all []Audience
	for _, id := range slices.Sorted(maps.Keys(s.book.audiences)) {
		all = append(all, s.book.audiences[id])
	}
	return all
}

// AudiencesOf lists the identifiers of the audiences that a country is in, sorted.
func (s State) AudiencesOf(country string) []string {
	var open []string
	for _, audience := range s.Audiences() {
		if audience.Has(country) {
			open = append(open, audience.ID)
		}
	}
	return open
}

// Open finds the audience that an address is of, and says why a country may not
// publish to it; nil where it may.
func (s State) Open(country, address string) (Audience, error) {
	a, ok := s.Audience(AudienceOf(address))
	switch {
	case !ok:
		return a, fmt.Errorf("there is no audience %.64q", AudienceOf(address))
	case !a.Has(country):
		return a, fmt.Errorf("audience %s is not open to %s", a.ID, country)
	case a.Address() != address:
		return a, fmt.Errorf("addressed to %.64q, and those who read audience %s now are %s: somebody has come in since", address, a.ID, a.Address())
	}
	return a, nil
}

// Reads lists the addresses that a country may read, sorted.
func (s State) Reads(country string) []string {
	var open []string
	for _, a := range s.Audiences() {
		if !a.Has(country) {
			continue
		}
		for _, circle := range a.circles {
			if circle >= a.seats[country] {
				open = append(open, a.address(circle))
			}
		}
	}
	slices.Sort(open)
	return open
}

// form makes an audience whose first circle begins at an index, or for a
// founding at 0.
func (b *book) form(circle uint64, a *registryv1.Audience) error {
	id := a.GetAudience()
	if err := event.CheckToken("audience", id); err != nil {
		return err
	}
	if _, ok := b.audiences[id]; ok {
		return fmt.Errorf("audience %s stands twice", id)
	}
	if len(a.GetMembers()) == 0 {
		return fmt.Errorf("audience %s: no members", id)
	}
	if len(b.audiences) >= maxAudiences {
		return fmt.Errorf("audience %s: there are %d already, as many as there may be", id, maxAudiences)
	}
	formed := Audience{ID: id, circles: []uint64{circle}, seats: map[string]uint64{}}
	for _, country := range a.GetMembers() {
		if _, err := b.activeMember(country); err != nil {
			return fmt.Errorf("audience %s: %w", id, err)
		}
		if _, ok := formed.seats[country]; ok {
			return fmt.Errorf("audience %s has %s twice", id, country)
		}
		formed.seats[country] = circle
	}
	b.audiences[id] = formed
	return b.describe(id, a.GetPurposes(), a.GetRetentionClasses())
}

// describe sets what an audience is for.
func (b *book) describe(id string, purposes, retention []string) error {
	if len(purposes) == 0 {
		return fmt.Errorf("audience %s has no purpose", id)
	}
	if err := checkNames("purpose", purposes); err != nil {
		return fmt.Errorf("audience %s: %w", id, err)
	}
	if err := checkNames("retention class", retention); err != nil {
		return fmt.Errorf("audience %s: %w", id, err)
	}
	for _, class := range retention {
		if _, ok := b.retention[class]; !ok {
			return fmt.Errorf("audience %s: there is no retention class %s", id, class)
		}
	}
	a := b.audiences[id]
	a.Purposes, a.Retention = slices.Clone(purposes), slices.Clone(retention)
	b.audiences[id] = a
	return nil
}

// audience finds one that somebody is in.
func (b *book) audience(id string) (Audience, error) {
	a, ok := b.audiences[id]
	switch {
	case !ok:
		return a, fmt.Errorf("there is no audience %.32q", id)
	case len(a.Members) == 0:
		return a, fmt.Errorf("nobody is in audience %s any more: form another", id)
	}
	return a, nil
}

type audienceFormed struct{ *registryv1.AudienceFormed }

func (c audienceFormed) scope() scope   { return audienceScope(c.GetAudience().GetAudience()) }
func (c audienceFormed) keys() [][]byte { return nil }

func (c audienceFormed) enact(b *book, index uint64) error { return b.form(index, c.GetAudience()) }

func (c audienceFormed) consents(_, _ *book) []consent {
	return []consent{allConsent("the consent of everybody in it", slices.Sorted(slices.Values(c.GetAudience().GetMembers())))}
}

type audienceJoined struct{ *registryv1.AudienceJoined }

func (c audienceJoined) scope() scope   { return audienceScope(c.GetAudience()) }
func (c audienceJoined) keys() [][]byte { return nil }

func (c audienceJoined) enact(b *book, index uint64) error {
	a, err := b.audience(c.GetAudience())
	if err != nil {
		return err
	}
	if _, err := b.activeMember(c.GetCountry()); err != nil {
		return err
	}
	if a.Has(c.GetCountry()) {
		return fmt.Errorf("%s is in it already", c.GetCountry())
	}
	b.audiences[a.ID] = a.seat(c.GetCountry(), index)
	return nil
}

func (c audienceJoined) consents(before, _ *book) []consent {
	return []consent{
		allConsent("the consent of everybody in it", before.audiences[c.GetAudience()].Members),
		rootConsent(c.GetCountry()),
	}
}

type audienceLeft struct{ *registryv1.AudienceLeft }

func (c audienceLeft) scope() scope   { return audienceScope(c.GetAudience()) }
func (c audienceLeft) keys() [][]byte { return nil }

func (c audienceLeft) enact(b *book, _ uint64) error {
	a, ok := b.audiences[c.GetAudience()]
	if !ok {
		return fmt.Errorf("there is no audience %.32q", c.GetAudience())
	}
	if _, ok := a.seats[c.GetCountry()]; !ok {
		return fmt.Errorf("%.2q is not in it", c.GetCountry())
	}
	b.audiences[a.ID] = a.unseat(c.GetCountry())
	return nil
}

func (c audienceLeft) consents(_, _ *book) []consent {
	return []consent{rootConsent(c.GetCountry())}
}

type audienceAmended struct{ *registryv1.AudienceAmended }

func (c audienceAmended) scope() scope   { return audienceScope(c.GetAudience()) }
func (c audienceAmended) keys() [][]byte { return nil }

func (c audienceAmended) enact(b *book, _ uint64) error {
	a, err := b.audience(c.GetAudience())
	if err != nil {
		return err
	}
	return b.describe(a.ID, c.GetPurposes(), c.GetRetentionClasses())
}

func (c audienceAmended) consents(before, _ *book) []consent {
	return []consent{allConsent("the consent of everybody in it", before.audiences[c.GetAudience()].Members)}
}
