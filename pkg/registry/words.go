package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// The words in which an update is shown to those who sign it. before is the
// registry that it changes.

func (c founding) words(*book) []string {
	var members []string
	for _, m := range c.GetMembers() {
		members = append(members, m.GetCountry())
	}
	said := []string{
		fmt.Sprintf("Founds the log %s.", c.GetOrigin()),
		fmt.Sprintf("Its members are %s. A change of the charter takes %d of their roots, a witnessed checkpoint %d of their mirrors.",
			join(members), c.GetThreshold(), c.GetQuorum()),
		fmt.Sprintf("It begins with %d agencies and %d audiences.", len(c.GetAgencies()), len(c.GetAudiences())),
	}
	said = append(said, fmt.Sprintf("Its checkpoints are signed by the notary key %x.", c.GetNotaryKey()))
	for _, m := range c.GetMembers() {
		said = append(said, fmt.Sprintf("The root key of %s is %x, its mirror key %x.", m.GetCountry(), m.GetRootKey(), m.GetMirrorKey()))
		said = append(said, openingWords(m.GetCountry(), c.GetOpeningKeys())...)
	}
	for _, a := range c.GetAgencies() {
		said = append(said, fmt.Sprintf("%s/%s (%s) publishes under the key %x.", a.GetCountry(), a.GetAgency(), a.GetName(), a.GetPublisherKey()))
	}
	return said
}

// openingWords say by which keys content is sealed to a country's desk.
func openingWords(country string, keys []*registryv1.OpeningKey) []string {
	var said []string
	for _, key := range keys {
		if key.GetCountry() == country {
			name := event.CompartmentName(eventv1.Compartment(key.GetCompartment()))
			said = append(said, fmt.Sprintf("The desk of %s opens the compartment %s with the key whose SHA-256 is %s.", country, name, event.DigestOf(key.GetPublicKey())))
		}
	}
	if said == nil {
		said = append(said, fmt.Sprintf("The desk of %s begins without an opening key: nothing is sealed to it yet.", country))
	}
	return said
}

func (c charterAmended) words(before *book) []string {
	var said []string
	if c.Threshold != nil {
		said = append(said, fmt.Sprintf("A change of the charter will take the roots of %d members; it took %d.", c.GetThreshold(), before.threshold))
	}
	if c.Quorum != nil {
		said = append(said, fmt.Sprintf("A checkpoint will be witnessed by %d members; it was by %d.", c.GetQuorum(), before.quorum))
	}
	if len(c.GetNotaryKey()) > 0 {
		said = append(said, fmt.Sprintf("The log's checkpoints will be signed by the notary key %x; it was %x.", c.GetNotaryKey(), []byte(before.notary)))
	}
	switch secondKey := c.GetNotarySecondKey(); {
	case len(secondKey) > 0:
		said = append(said, fmt.Sprintf("They will need a second signature, by the ML-DSA-44 key %.32x….", secondKey))
	case len(c.GetNotaryKey()) > 0 && len(before.notarySecond) > 0:
		said = append(said, "They will have a second signature no more: the new notary key comes without a second key.")
	}
	return said
}

func (c retentionAmended) words(before *book) []string {
	var said []string
	for _, class := range c.GetRetentionClasses() {
		if had, ok := before.retention[class.GetRetention()]; ok {
			said = append(said, fmt.Sprintf("Content of the retention class %s will live for %d days at most; it was %d.", class.GetRetention(), class.GetDays(), had))
			continue
		}
		said = append(said, fmt.Sprintf("There will be a retention class %s: its content lives for %d days at most.", class.GetRetention(), class.GetDays()))
	}
	return said
}

func (c memberAdmitted) words(*book) []string {
	m := c.GetMember()
	return []string{
		fmt.Sprintf("%s becomes a member. Its root counts towards the threshold, its mirror towards the quorum.", m.GetCountry()),
		"It reads nothing yet: for that it has to join an audience, and then reads what is said from then on.",
		fmt.Sprintf("Its root key is %x, its mirror key %x.", m.GetRootKey(), m.GetMirrorKey()),
	}
}

func (c memberSuspended) words(before *book) []string {
	said := []string{fmt.Sprintf("%s is suspended: it publishes, reads and cosigns nothing until it is reinstated. The reason given: %s.", c.GetCountry(), strings.TrimRight(c.GetReason(), "."))}
	return append(said, seatsOf(before, c.GetCountry(), "It stops reading the audience %s.")...)
}

func (c memberReinstated) words(before *book) []string {
	said := []string{fmt.Sprintf("%s is reinstated. What was said while it was suspended stays closed to it.", c.GetCountry())}
	return append(said, seatsOf(before, c.GetCountry(), "It reads the audience %s again from then on.")...)
}

func (c memberLeft) words(before *book) []string {
	said := []string{fmt.Sprintf("%s leaves. All its keys end; its events stay in the log. It reads nothing more.", c.GetCountry())}
	return append(said, seatsOf(before, c.GetCountry(), "It leaves the audience %s.")...)
}

func seatsOf(b *book, country, words string) []string {
	var said []string
	for id, a := range b.audiences {
		if _, ok := a.seats[country]; ok {
			said = append(said, fmt.Sprintf(words, id))
		}
	}
	slices.Sort(said)
	return said
}

func (c rootRotated) words(*book) []string {
	return []string{fmt.Sprintf("The root of %s is exchanged for the one that it was committed to: %x. The old one counts no more.", c.GetCountry(), c.GetRootKey())}
}

func (c rootReplaced) words(*book) []string {
	return []string{fmt.Sprintf("%s, which has lost its root, gets another by the others' consent: %x. The old one counts no more.", c.GetCountry(), c.GetRootKey())}
}

func (c agencyEnrolled) words(before *book) []string {
	a := c.GetAgency()
	said := []string{
		fmt.Sprintf("%s enrols the agency %s (%s). It may publish to what %s is in: %s.", a.GetCountry(), a.GetAgency(), a.GetName(), a.GetCountry(), audiencesOf(before, a.GetCountry())),
		fmt.Sprintf("Its key is %x.", a.GetPublisherKey()),
	}
	return append(said, secondWords(a.GetPublisherSecondKey(), nil)...)
}

func audiencesOf(b *book, country string) string {
	var in []string
	for id, a := range b.audiences {
		if a.Has(country) {
			in = append(in, id)
		}
	}
	slices.Sort(in)
	return join(in)
}

func (c agencyRetired) words(*book) []string {
	return []string{fmt.Sprintf("%s retires its agency %s. It publishes nothing more, and its name is not used again.", c.GetCountry(), c.GetAgency())}
}

func (c keyEnrolled) words(*book) []string {
	said := []string{fmt.Sprintf("%s gets the key %.32x.", ownerWords(c.GetOwner()), c.GetPublicKey())}
	return append(said, secondWords(c.GetSecondKey(), nil)...)
}

func (c keyRotated) words(before *book) []string {
	said := []string{fmt.Sprintf("The key of %s is exchanged for the one that it was committed to: %.32x.", ownerWords(c.GetOwner()), c.GetPublicKey())}
	return append(said, secondWords(c.GetSecondKey(), before.secondOf(c.GetOwner()))...)
}

// secondWords say what becomes of the second signature.
func secondWords(secondKey, had []byte) []string {
	switch {
	case len(secondKey) > 0:
		return []string{fmt.Sprintf("What it signs needs a second signature, by the ML-DSA-44 key %.32x….", secondKey)}
	case len(had) > 0:
		return []string{"What it signs has a second signature no more: the new key comes without a second key."}
	}
	return nil
}

// secondOf is the second key that an agency has now.
func (b *book) secondOf(owner *registryv1.KeyOwner) []byte {
	if b == nil {
		return nil
	}
	at := b.agency(owner.GetCountry(), owner.GetAgency())
	if at < 0 {
		return nil
	}
	return b.keys[b.agencies[at].Key].Second
}

func (c keyRevoked) words(*book) []string {
	said := []string{fmt.Sprintf("The key of %s ends, and there is none until another is enrolled.", ownerWords(c.GetOwner()))}
	if c.GetDoubtedFrom() > 0 {
		said = append(said, fmt.Sprintf("Its owner no longer vouches for what it signed from log index %d on.", c.GetDoubtedFrom()))
	}
	return said
}

func ownerWords(o *registryv1.KeyOwner) string {
	switch p := o.GetPurpose().(type) {
	case *registryv1.KeyOwner_Agency:
		return "the agency " + o.GetCountry() + "/" + p.Agency
	case *registryv1.KeyOwner_Mirror:
		return o.GetCountry() + "'s mirror"
	}
	return fmt.Sprintf("%s's desk for compartment %d", o.GetCountry(), o.GetCompartment())
}

func (c audienceFormed) words(*book) []string {
	a := c.GetAudience()
	return []string{fmt.Sprintf("%s form the audience %s. What is addressed to it may be used for: %s. %s",
		join(a.GetMembers()), a.GetAudience(), join(a.GetPurposes()), retentionWords(a.GetRetentionClasses()))}
}

func (c audienceJoined) words(before *book) []string {
	return []string{
		fmt.Sprintf("%s joins the audience %s, where %s are.", c.GetCountry(), c.GetAudience(), join(before.audiences[c.GetAudience()].Members)),
		"It reads what is said there from then on, and nothing from before. Its agencies may publish there.",
	}
}

func (c audienceLeft) words(*book) []string {
	return []string{fmt.Sprintf("%s leaves the audience %s. It reads nothing more of it; what it said there stays.", c.GetCountry(), c.GetAudience())}
}

func (c audienceAmended) words(before *book) []string {
	return []string{fmt.Sprintf("What is addressed to the audience %s may be used for: %s (it was: %s). %s",
		c.GetAudience(), join(c.GetPurposes()), join(before.audiences[c.GetAudience()].Purposes), retentionWords(c.GetRetentionClasses()))}
}

func retentionWords(classes []string) string {
	if len(classes) == 0 {
		return "Its events may have any retention class."
	}
	return "Its events may have the retention classes " + join(classes) + "."
}

func join(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
