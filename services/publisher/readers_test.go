package publisher

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// awaits has reports accepted, sealed and signed while the hub is away, and the registry
// change meanwhile; then the hub is back, for a publisher that has seen none of it.
func (w *world) awaits(n *notary, change func(), reports func(*running)) *running {
	w.t.Helper()
	n.checkpoint(1)
	l := weakLink(w.t, w.hub.address())
	config := w.config(w.t.TempDir())
	config.NextKey = registrytest.Key("next publisher XA/police")
	config.Stream = l.through(config.Stream)
	p := run(w.t, config)
	p.publish(report("first"))
	p.untilStored(1)
	l.down()
	reports(p)
	eventually(w.t, func() string {
		for _, audience := range []string{"region", "pair"} {
			sealed, err := p.outbox.Unsent(w.t.Context(), audience, outbox.Bounds{Events: 100, Bytes: 1 << 20})
			if err != nil {
				w.t.Fatal(err)
			}
			if len(sealed) > 0 {
				return ""
			}
		}
		return "they are not sealed yet"
	})
	change()
	n.checkpoint(uint64(w.registry.Next))
	l.goesUp()
	return p
}

// R06: while the hub is away an opening key is revoked, another rotated, and a country leaves the audience, and
// what was accepted is sealed to all of them. It goes out with no wrap to a revoked key or to who has left.
func TestAdversary_R06_OpeningKeyRevokedWhileTheOutboxWaits(t *testing.T) {
	w := newWorld(t)
	n := w.notary()
	var id string
	p := w.awaits(n, func() {
		w.change(registrytest.RevokeKey(registrytest.DeskOwner("XB", 1), 0), "root XB")
		w.change(registrytest.RotateOpening("XA", 1, "next opening XA/1"), "root XA")
		w.change(registrytest.Quit("region", "XC"), "root XC")
	}, func(p *running) { id = p.publish(report("a", person(planted)))[0].GetEventId() })
	p.untilStored(2)
	var granted []string
	for _, g := range w.record(id).Granted() {
		if g.Compartment < 3 {
			granted = append(granted, fmt.Sprintf("%s/%d", g.Country, g.Compartment))
		}
	}
	if diff := cmp.Diff([]string{"XA/1", "XA/2", "XB/2"}, granted); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
	for country, wants := range map[string][]string{"XA": {"", planted}, "XB": {"closed: not-granted", planted}, "XC": {"closed: not-granted", "closed: not-granted"}} {
		for i, got := range w.opensAs(country)[id] {
			if !strings.Contains(got, wants[i]) || wants[i] == "" && strings.HasPrefix(got, "closed") {
				t.Errorf("%s reads %q, want %q", country, got, wants[i])
			}
		}
	}
}

// Where a section would be left that nobody could open, nothing goes out. With another key of its
// agency's it is sealed anew.
func TestWhatNobodyCouldOpenAnyMoreWaits(t *testing.T) {
	w := newWorld(t)
	n := w.notary()
	var id string
	p := w.awaits(n, func() {
		w.change(registrytest.RevokeKey(registrytest.DeskOwner("XA", 1), 0), "root XA")
		w.change(registrytest.RevokeKey(registrytest.DeskOwner("XB", 1), 0), "root XB")
	}, func(p *running) { id = p.publish(report("a", to("pair")))[0].GetEventId() })
	p.until("it says what to do", halted("Rotate this agency's publisher key, and it is sealed anew"))
	if got := len(w.keys()); got != 1 {
		t.Errorf("%d records are on the hub, want that of the first event alone", got)
	}
	w.change(registrytest.EnrolOpening("XB", 1, "opening XB/1 anew"), "root XB")
	w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
	n.witness()
	p.untilStored(1)
	n.witness()
	p.untilWitnessed(2)
	var granted []string
	for _, g := range w.record(id).Granted() {
		if g.Compartment == 1 {
			granted = append(granted, fmt.Sprintf("%s/%d/%d", g.Country, g.Compartment, g.Epoch))
		}
	}
	if diff := cmp.Diff([]string{"XB/1/2"}, granted); diff != "" {
		t.Errorf("granted (-want +got):\n%s", diff)
	}
}
