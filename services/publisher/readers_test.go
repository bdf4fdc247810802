package publisher

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
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
	t.Parallel()
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
	t.Parallel()
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

// A release is decided while the hub is away, and its recipient's opening key is revoked meanwhile: it goes
// to nobody, nothing is said of it, and it holds up nothing else. Decided again, it goes to the new key.
func TestAdversary_R06_ReleaseToARevokedOpeningKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	l := weakLink(t, w.hub.address())
	config := w.config(t.TempDir())
	config.Stream = l.through(config.Stream)
	p := run(t, config)
	id := p.publish(report("a", to("pair")))[0].GetEventId()
	p.untilStored(1)
	n.witness()
	p.untilWitnessed(1)
	request := &publisherv1.ReleaseRequest{
		IdempotencyKey: "r-1", To: "XC", Audience: "region", Events: []*publisherv1.ReleasedEvent{w.releasable(id)},
		Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
	}
	l.down()
	eventually(t, func() string {
		if p.hub.Away() == nil {
			return "the publisher has not noticed that the hub is away"
		}
		return ""
	})
	before, err := p.client.Release(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	w.change(registrytest.RevokeKey(registrytest.DeskOwner("XC", 1), 0), "root XC")
	n.checkpoint(w.registry.Next)
	l.goesUp()
	p.until("it says what to do", halted("a release is to be decided again"))
	p.publish(report("b"))
	p.until("another goes out", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetStored() == 1 && s.GetWaiting() == 0 && s.GetAccepted() == 2
	})
	if _, ok := w.keys()[before.GetRecordSubject()]; ok {
		t.Error("it was released to a key that is revoked")
	}
	w.change(registrytest.EnrolOpening("XC", 1, "opening XC/1 anew"), "root XC")
	n.checkpoint(w.registry.Next)
	var after *publisherv1.ReleaseResponse
	eventually(t, func() string { // once it has the update
		request.IdempotencyKey += "x"
		if after, err = p.client.Release(t.Context(), request); err != nil {
			return err.Error()
		}
		return ""
	})
	p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() >= 3 && s.GetHalted() == "" })
	if got := w.keys()[after.GetRecordSubject()].Granted(); len(got) == 0 || got[0].Epoch != 2 {
		t.Errorf("it was released to %v", got)
	}
}
