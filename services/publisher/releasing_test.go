package publisher

import (
	"context"
	"crypto/hpke"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/seal"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// releasable is an accepted event as XA's own desk would release it, all sections opened.
func (w *world) releasable(id string) *publisherv1.ReleasedEvent {
	w.t.Helper()
	portion := w.record(id).Portion("XA")
	opener := seal.NewOpener(func(c eventv1.Compartment, _ uint32) hpke.PrivateKey { return registrytest.OpeningOf("XA", uint32(c)) })
	j := w.judge()
	for _, raw := range j.raw {
		u, err := event.Decode(raw)
		if err != nil || u.Claims().ID.String() != id {
			continue
		}
		for _, e := range j.accepted {
			if e.ID != u.Claims().ID {
				continue
			}
			out := &publisherv1.ReleasedEvent{Index: 1, Subject: e.Subject(), Envelope: raw}
			for _, s := range opener.Open(e, time.Now(), portion) {
				if s.Err != nil {
					w.t.Fatal(s.Err)
				}
				out.Sections = append(out.Sections, &publisherv1.ReleasedSection{Compartment: s.Compartment, ContentKey: s.Key[:]})
			}
			slices.SortFunc(out.Sections, func(a, b *publisherv1.ReleasedSection) int { return int(a.Compartment - b.Compartment) }) // theirs is chance
			return out
		}
	}
	w.t.Fatalf("event %s is not accepted", id)
	return nil
}

// What was said to XA and XB is released to XC, by way of an audience that XC reads; an
// erasure afterwards reaches the release too.
func TestReleaseGivesSectionsToOneMoreCountry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 2, to("pair"), person(planted))...)
	p.untilStored(2)
	n.witness()
	p.untilWitnessed(2)
	id := promised[0].GetEventId()
	request := &publisherv1.ReleaseRequest{
		IdempotencyKey: "r-1", To: "XC", Audience: "region", Events: []*publisherv1.ReleasedEvent{w.releasable(id)},
		Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
	}
	response, err := p.client.Release(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 3 && s.GetWaiting() == 0 })
	if record := w.keys()[response.GetRecordSubject()]; string(record.Digest[:]) != string(response.GetRecordDigest()) ||
		!strings.HasPrefix(response.GetRecordSubject(), "key.region.XA.police.") || !strings.HasSuffix(response.GetRecordSubject(), "-XC") {
		t.Errorf("the release's record, on %s, is not the one that was promised", response.GetRecordSubject())
	}
	opened := w.opensAs("XC")
	if got := opened[id]; !strings.Contains(got[1], planted) {
		t.Errorf("XC reads what was released as %q", got)
	}
	if got := opened[promised[1].GetEventId()]; strings.Contains(strings.Join(got, ""), planted) {
		t.Errorf("XC reads what was not released: %q", got)
	}
	if again, err := p.client.Release(t.Context(), request); err != nil || !again.GetRepeated() {
		t.Errorf("the same request: %v, %v", again, err)
	}
	p.erase("a mistake", id)
	p.untilErased()
	for _, country := range []string{"XA", "XB", "XC"} {
		if got := w.opensAs(country)[id]; !strings.HasPrefix(got[0], "closed: ") {
			t.Errorf("%s reads the erased event as %q", country, got)
		}
	}
	w.noKeysOf(id)
}

// K06: who releases is its originator, what the log has, with keys that it commits to.
func TestAdversary_K06_ReleaseThatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 2, to("pair"))...)
	p.untilStored(2)
	n.witness()
	p.untilWitnessed(2)
	good := func() *publisherv1.ReleaseRequest {
		return &publisherv1.ReleaseRequest{
			IdempotencyKey: "r", To: "XC", Audience: "region", Events: []*publisherv1.ReleasedEvent{w.releasable(promised[0].GetEventId())},
			Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
		}
	}
	for name, test := range map[string]struct {
		change func(*publisherv1.ReleaseRequest)
		words  string
	}{
		"another agency's":                 {func(r *publisherv1.ReleaseRequest) { r.Events[0].Subject = "evt.pair.XB.police.site.reported" }, "only its originator"},
		"another key":                      {func(r *publisherv1.ReleaseRequest) { r.Events[0].Sections[0].ContentKey[3] ^= 1 }, "commits to"},
		"altered":                          {func(r *publisherv1.ReleaseRequest) { r.Events[0].Envelope[len(r.Events[0].Envelope)-70] ^= 1 }, "envelope"},
		"to an audience that XC is not in": {func(r *publisherv1.ReleaseRequest) { r.Audience = "pair" }, "not one that both"},
		"to nobody":                        {func(r *publisherv1.ReleaseRequest) { r.To = "XZ" }, "not one that both"},
		"for a purpose of another":         {func(r *publisherv1.ReleaseRequest) { r.Marking.Purpose = "gossip" }, "purpose"},
	} {
		r := good()
		test.change(r)
		if _, err := p.client.Release(context.Background(), r); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.keys()) != 1 {
		t.Errorf("there are %d records, want the batch's own", len(w.keys()))
	}
	if _, err := p.client.Release(context.Background(), good()); err != nil {
		t.Fatal(err)
	}
	other := good()
	other.To = "XB"
	if _, err := p.client.Release(context.Background(), other); connect.CodeOf(err) != connect.CodeAlreadyExists {
		t.Errorf("the key of another release: %v", err)
	}
	other = good()
	other.IdempotencyKey, other.Events = "r-2", []*publisherv1.ReleasedEvent{w.releasable(promised[1].GetEventId())}
	if _, err := p.client.Release(context.Background(), other); err == nil || !strings.Contains(err.Error(), promised[0].GetEventId()) {
		t.Errorf("a release that would take back the one before: %v", err)
	}
}
