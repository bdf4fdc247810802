package evidence_test

import (
	"crypto/hpke"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

const (
	theCase    = eventv1.Compartment_COMPARTMENT_CASE
	identity   = eventv1.Compartment_COMPARTMENT_IDENTITY
	protection = eventv1.Compartment_COMPARTMENT_PROTECTION
)

// seals stores a sealed event of police about an invented person, with the compartments case and
// identity. It returns what a desk of XB that has both keys can open of it.
func (w *world) seals() (index uint64, opened []evidence.Opened) {
	w.t.Helper()
	draft := w.draft()
	person, err := proto.Marshal(&caseworkv1.IdentitySection{Persons: []*caseworkv1.Identity{{PersonId: "P-1", Name: "Invented Person"}}})
	must(w.t, err)
	draft.Kind = "event.sealed"
	draft.Sections = append(draft.Sections, event.Section{Compartment: identity, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: person})
	var to []registry.Opening
	for _, c := range []eventv1.Compartment{theCase, identity} {
		public := registrytest.OpeningOf("XB", uint32(c)).PublicKey().Bytes()
		to = append(to, registry.Opening{Country: "XB", Compartment: uint32(c), Epoch: 1, Public: public, From: 1, Until: 1 << 40})
	}
	sealed, err := seal.Seal(police, []event.Draft{draft}, to)
	must(w.t, err)
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	must(w.t, err)
	signed, head, err := event.SignBatch(key, police, w.heads[police], event.Seen{}, sealed.Drafts)
	must(w.t, err)
	w.heads[police] = head
	record, err := sealed.Record(key, signed, began.AddDate(1, 0, 0))
	must(w.t, err)
	unverified, err := event.Decode(signed[0].Data)
	must(w.t, err)
	verified, err := unverified.Verify(registrytest.Public("publisher XA/police"), nil, &event.Roots{})
	must(w.t, err)
	opener := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey { return registrytest.OpeningOf("XB", uint32(c)) })
	for i, s := range opener.Open(verified, began, record.Portion("XB")) {
		must(w.t, s.Err)
		opened = append(opened, evidence.Opened{Section: i, Compartment: s.Compartment, Key: s.Key})
	}
	return w.store(signed[0].Subject, signed[0].Data), opened
}

// only leaves the keys of some compartments.
func only(opened []evidence.Opened, compartments ...eventv1.Compartment) []evidence.Opened {
	return slices.DeleteFunc(slices.Clone(opened), func(o evidence.Opened) bool { return !slices.Contains(compartments, o.Compartment) })
}

// A sealed event: nothing of it, a part of it, or all of it can be read in the file.
func TestSealedEventIsOpened(t *testing.T) {
	w := newWorld(t)
	index, opened := w.seals()
	const name, place = "Invented Person", `"siteId":"S-1"`
	for _, test := range []struct {
		compartments []eventv1.Compartment
		says, hides  []string
	}{
		{nil, []string{"of a kind that its sealed content alone says", "What sealed part 1 says", "What sealed part 2 says"}, []string{name, place, "event.sealed", "case,", "identity"}},
		{[]eventv1.Compartment{theCase}, []string{place, "What is shown of the part case"}, []string{name, "identity"}},
		{[]eventv1.Compartment{identity}, []string{name, "What is shown of the part identity"}, []string{place}},
		{[]eventv1.Compartment{theCase, identity}, []string{name, place}, []string{"only ciphertext"}},
	} {
		file := w.writes(w.parts(index, index+1, func(p *evidence.Parts) { p.Opened = only(opened, test.compartments...) }))
		text := w.holds(file).String()
		for _, words := range test.says {
			if !strings.Contains(text, words) {
				t.Errorf("opened for %v, the report does not say %q:\n%s", test.compartments, words, text)
			}
		}
		for _, words := range test.hides {
			if strings.Contains(text, words) {
				t.Errorf("opened for %v, the report says %q:\n%s", test.compartments, words, text)
			}
		}
	}
}

// misreadings are files that open something else than what was sealed.
func misreadings(t testing.TB) (all []attack) {
	w := newWorld(t)
	clear := w.say(border)
	index, opened := w.seals()
	_, others := w.seals()
	add := func(what string, at uint64, because string, opened ...evidence.Opened) {
		parts := w.parts(at, index+1, func(p *evidence.Parts) { p.Opened = opened })
		file, err := evidence.Build(w.charter(), parts, w.leaves())
		must(t, err)
		all = append(all, attack{what, w.charter(), file, because})
	}
	first, second := opened[0], opened[1]
	swapped, moved, other, past, unknown := first, first, first, first, first
	swapped.Key, moved.Compartment, other.Key, past.Section, unknown.Compartment = second.Key, protection, others[0].Key, 2, 5
	add("another section's key", index, "the content key is not the one", swapped)
	add("another event's key", index, "the content key is not the one", other)
	add("a key for another compartment", index, "the content key is not the one", moved)
	add("a section that is not there", index, "section 2, and the event has 2", past)
	add("a compartment that is not there", index, "no compartment 5", unknown)
	add("a section twice", index, "sections rise", first, first)
	add("sections in another order", index, "sections rise", second, first)
	add("a section in clear", clear, "section 0 is not sealed", first)
	return all
}

// One ciphertext that two countries read two ways (K03), shown to a court: the header commits to one key.
func TestAdversary_K03_EvidenceOpensNothingElse(t *testing.T) { judgeAttacks(t, misreadings(t)) }
