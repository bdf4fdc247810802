package seal_test

import (
	"crypto/hpke"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// What is sealed opens to the same for every recipient that holds the private key of that
// compartment, and for nobody else, also not with another's private keys; erased, for nobody.
func TestSealedForRecipientsAndNobodyElse(t *testing.T) {
	countries := []string{"XA", "XB", "XC", "XD"}
	private := map[string]hpke.PrivateKey{}
	for _, country := range countries {
		for c := theCase; c <= 4; c++ {
			private[openingName(country, c, 1)] = Opening(openingName(country, c, 1))
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		var to []registry.Opening
		granted := map[eventv1.Compartment][]string{}
		compartments := distinct(r, "compartments", []eventv1.Compartment{1, 2, 3, 4})
		for _, c := range compartments {
			granted[c] = distinct(r, "recipients", countries)
			to = append(to, openings(c, granted[c]...)...)
		}
		list := drafts(rapid.IntRange(1, 4).Draw(r, "events"), compartments...)
		for i := range list {
			some := distinct(r, "sections", list[i].Sections)
			slices.SortFunc(some, func(a, b event.Section) int { return int(a.Compartment - b.Compartment) })
			list[i].Sections = some
		}
		b := publish(t, event.Head{}, list, rapid.Permutation(to).Draw(r, "order")...)
		erased := -1
		if rapid.Bool().Draw(r, "erase") {
			erased = rapid.IntRange(0, len(list)-1).Draw(r, "erased")
			key, _ := signer(t, "XA", "police")
			next, err := seal.Erase(key, b.record, list[erased].ID)
			if err != nil {
				r.Fatal(err)
			}
			b.record = next
		}
		holder := rapid.SampledFrom(countries).Draw(r, "whose private keys")
		reader := rapid.SampledFrom(countries).Draw(r, "whose portion")
		opener := seal.NewOpener(func(c eventv1.Compartment, epoch uint32) hpke.PrivateKey {
			return private[openingName(holder, c, epoch)]
		})
		for i, e := range b.events {
			told := slices.ContainsFunc(compartments, func(c eventv1.Compartment) bool { return slices.Contains(granted[c], reader) })
			// Where one section opens, it says of which compartments the others are.
			named := i != erased && holder == reader && slices.ContainsFunc(list[i].Sections, func(s event.Section) bool { return slices.Contains(granted[s.Compartment], reader) })
			for n, s := range byCompartment(opener.Open(e, start, b.record.Portion(reader))) {
				want := seal.Reason("")
				switch {
				case !told:
					want = seal.NotGranted
				case i == erased:
					want = seal.Erased
				case holder != reader:
					want = seal.BrokenWrap
				case !slices.Contains(granted[list[i].Sections[n].Compartment], reader):
					want = seal.NotGranted
				}
				if got := seal.ReasonOf(s.Err); got != want || (want == "") != (string(s.Content) == string(list[i].Sections[n].Content)) {
					r.Fatalf("event %d, %s, by %s with the keys of %s: %q (%v), want %q", i, s.Compartment, reader, holder, s.Content, s.Err, want)
				}
				if named && s.Compartment != list[i].Sections[n].Compartment || !named && s.Compartment != 0 {
					r.Fatalf("event %d, by %s with the keys of %s: section of %s is said to be of %s", i, reader, holder, list[i].Sections[n].Compartment, s.Compartment)
				}
			}
		}
	})
}

// distinct draws at least one of a list, in any order.
func distinct[T any](r *rapid.T, label string, all []T) []T {
	order := rapid.Permutation(all).Draw(r, label)
	return slices.Clone(order[:rapid.IntRange(1, len(all)).Draw(r, label)])
}
