package auditor_test

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
)

var founders = []string{"root XA", "root XB", "root XC"}

// now is a chain at the address that an audience has now.
func (h *house) now(country, agency, audience string) event.Chain {
	h.t.Helper()
	a, ok := h.registry.State.Audience(audience)
	if !ok {
		h.t.Fatalf("no audience %s", audience)
	}
	return event.Chain{Country: country, Agency: agency, Audience: a.Address()}
}

// counts are what a desk's summary says of how much came to it.
func counts(d audit.Desk) [3]uint64 { return [3]uint64{d.LogIndex, d.Events, d.Sealed} }

// A country is admitted and joins, an agency's key is rotated, another country is
// suspended: through a hub that follows the registry by itself, under a notary that
// does too. The audit is judged by nothing but the charter.
func TestLogWhoseRegistryChanges(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	h.say(police, event.Seen{}, 2) // 1, 2
	h.witness(3)
	h.update(registrytest.Admit("XD"), append(founders, "root XD", "mirror XD")...) // 3
	h.update(registrytest.Enrol("XD", "police"), "root XD", "publisher XD/police")  // 4
	h.update(registrytest.Join("region", "XD"), append(founders, "root XD")...)     // 5
	h.admitted(stream.PublisherUser("XD", "police"))
	h.say(h.now("XD", "police", "region"), event.Seen{}, 1) // 6
	c := h.checkpoint(7)
	h.say(h.now("XA", "police", "region"), event.Seen{Size: c.Size, Root: event.Digest(c.Root)}, 1) // 7
	const successor = "next publisher XD/police"
	h.update(registrytest.RotateKey(registrytest.AgencyOwner("XD", "police"), successor), successor) // 8
	h.keys["XD/police"] = successor
	h.say(h.now("XD", "police", "region"), event.Seen{}, 1)              // 9
	h.update(registrytest.Suspend("XC"), append(founders, "root XD")...) // 10
	h.say(h.now("XA", "police", "region"), event.Seen{}, 1)              // 11
	newest := h.checkpoint(12)
	for _, country := range []string{"XA", "XB", "XD"} {
		h.cosign(country, newest)
	}
	summary := h.finds()
	same(t, "verdicts", map[string]uint64{"accepted": 12}, summary.Verdicts)
	same(t, "checkpoint", audit.CheckpointOf(newest), summary.Checkpoint)
	same(t, "witnessed", uint64(12), summary.WitnessedSize)
	same(t, "cosigned by", []string{"XA", "XB", "XD"}, summary.CosignedBy)
	for country, want := range map[string][3]uint64{"XA": {11, 12, 0}, "XB": {11, 12, 0}, "XC": {10, 11, 1}, "XD": {11, 10, 2}} {
		same(t, "index, events and sealed of "+country, want, counts(summary.Desks[country]))
	}
	same(t, "a second audit", summary, h.finds())
}

// What anybody may hand in, and what becomes of it: named where it does not
// apply, and harmless where it is there already.
func TestUpdatesThatDoNotApply(t *testing.T) {
	h := newHouse(t)
	h.notarise()
	hand := func(subject string, data []byte) {
		t.Helper()
		_, err := h.as(stream.RegistrarUser("XC")).Publish(t.Context(), subject, data)
		must(t, err)
		h.next++
	}
	hand(h.registry.Message(t, registrytest.Suspend("XA"), "root XC")) // 1: by too few
	hand("reg.agency.retired", []byte("\x00garbage"))                  // 2
	h.update(registrytest.Retire("XB", "border"), "root XB")           // 3
	last := h.registry.Entries[len(h.registry.Entries)-1]
	hand(last.GetSubject(), last.GetMessage()) // 4: again
	h.say(police, event.Seen{}, 1)             // 5
	h.witness(6)
	summary := h.finds(at("bad-update", 1), at("bad-update", 2))
	same(t, "verdicts", map[string]uint64{"accepted": 3, "duplicate": 1, "bad-update": 2}, summary.Verdicts)
	same(t, "witnessed", uint64(6), summary.WitnessedSize)
}
