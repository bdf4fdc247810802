package desk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// examineOpenings holds the opening keys that are here against those that the registry
// has for this country. That one is not here is no fault: a desk has those of the
// compartments that its officers work in.
func (d *Desk) examineOpenings() []checkup.Check {
	state, next := d.book.known()
	if !state.Founded() {
		state = d.founded
	}
	registered := state.OpeningsOf(d.config.Country)
	var checks []checkup.Check
	here := map[string]bool{}
	for _, key := range d.config.OpeningKeys {
		public := key.PublicKey().Bytes()
		here[string(public)] = true
		checks = append(checks, d.examineOpening(registered, public, max(next, 1)))
	}
	var opened, closed []string
	for _, o := range registered {
		switch {
		case !o.ValidAt(max(next, 1)):
		case here[string(o.Public)]:
			opened = append(opened, openingWords(o))
		default:
			closed = append(closed, openingWords(o))
		}
	}
	return append(checks, checkup.Good("compartments", "what is sealed for %s opens here; closed stays %s", orNone(opened), orNone(closed)))
}

// examineOpening says what the registry has of a key before the message at a log index.
func (d *Desk) examineOpening(registered []registry.Opening, public []byte, index uint64) checkup.Check {
	digest := event.DigestOf(public).String()
	name := "opening key " + digest[:16]
	for _, o := range registered {
		switch {
		case string(o.Public) == string(public) && o.ValidAt(index):
			return checkup.Good(name, "%s, valid from index %d", openingWords(o), o.From)
		case string(o.Public) == string(public):
			return checkup.Good(name, "%s, ended at index %d: destroy it once all that was sealed to it has expired", openingWords(o), o.Until)
		case o.ValidAt(index) && o.Next == registry.CommitmentOf(public):
			return checkup.Good(name, "the successor of %s; nothing is sealed to it yet", openingWords(o))
		}
	}
	return checkup.Bad(name, fmt.Sprintf("let the registry have it (tripoint registry propose enrol-key %s:COMPARTMENT), or take its file away", d.config.Country),
		"the registry, as this desk has it up to index %d, has it for no compartment of %s: nothing is sealed to it", index-1, d.config.Country)
}

func openingWords(o registry.Opening) string {
	return fmt.Sprintf("%s (epoch %d)", event.CompartmentName(eventv1.Compartment(o.Compartment)), o.Epoch)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
