package publisher

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// releaseTo is a request to release an event of pair to XC, by way of an audience.
func (w *world) releaseTo(key, audience string, ids ...string) *publisherv1.ReleaseRequest {
	w.t.Helper()
	r := &publisherv1.ReleaseRequest{
		IdempotencyKey: key, To: "XC", Audience: audience,
		Marking: &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_GREEN, Purpose: "rescue"},
	}
	for _, id := range ids {
		r.Events = append(r.Events, w.releasable(id))
	}
	return r
}

// told is what of a kind of control each audience was told of an event: how often.
func (w *world) told(id string, speaks func(*caseworkv1.CaseSection) []string) map[string]int {
	w.t.Helper()
	times := map[string]int{}
	opened := w.opensAs("XA")
	for _, e := range w.judge().accepted {
		content := opened[e.ID.String()][0]
		if !strings.HasPrefix(content, "closed") && slices.Contains(speaks(said(w.t, content)), id) {
			times[e.Chain.Audience]++
		}
	}
	return times
}

func erasedIn(s *caseworkv1.CaseSection) (ids []string) {
	for _, e := range s.GetControlErased().GetErasures() {
		ids = append(ids, e.GetEventId())
	}
	return ids
}

// K07: whoever an event was released to is told in the log that it was erased, also where the
// publisher is killed between the two times that it says so.
func TestAdversary_K07_ErasureIsSaidWhereItWasReleased(t *testing.T) {
	for _, step := range []string{"", "erasing record not answered", "erasure said and not answered"} {
		t.Run("killed at "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			directory := t.TempDir()
			p := w.start(directory)
			promised := p.publish(reports("a", 2, to("pair"))...)
			p.untilStored(2)
			n.witness()
			p.untilWitnessed(2)
			id := promised[0].GetEventId()
			if _, err := p.client.Release(t.Context(), w.releaseTo("r-1", "region", id)); err != nil {
				t.Fatal(err)
			}
			p.until("the release is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 3 && s.GetWaiting() == 0 })
			n.witness()
			p.untilWitnessed(3)
			if step != "" {
				p.stop()
				h := &halting{step: step, reached: make(chan struct{})}
				h.batches.Store(1) // the first parcel of this run says an erasure
				p = w.start(directory, h.in)
				p.erase("a mistake", id)
				<-h.reached
				killed := image(t, directory)
				p.stop()
				p = w.start(killed)
			} else {
				p.erase("a mistake", id)
			}
			p.untilErased()
			p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 5 && s.GetWaiting() == 0 })
			n.witness()
			p.untilWitnessed(5)
			if got, want := fmt.Sprint(w.told(id, erasedIn)), "map[pair:1 region:1]"; got != want {
				t.Errorf("the erasure was said %s times, want %s", got, want)
			}
			if _, err := p.client.Release(t.Context(), w.releaseTo("r-2", "region", promised[1].GetEventId())); err != nil {
				t.Errorf("another event of the batch: %v", err)
			}
		})
	}
}

// K06: what was erased is released to nobody, and a release that was decided and not said yet
// names nothing that was erased meanwhile.
func TestAdversary_K06_ReleaseAfterTheErasure(t *testing.T) {
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	h := &halting{step: "record not sent", reached: make(chan struct{})}
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(reports("a", 2, to("pair"))...)
	p.untilStored(2)
	n.witness()
	p.untilWitnessed(2)
	gone, stays := promised[0].GetEventId(), promised[1].GetEventId()
	request, late := w.releaseTo("r-1", "region", gone, stays), w.releaseTo("r-2", "region", gone, stays)
	p.stop()

	p = w.start(directory, h.in)
	if _, err := p.client.Release(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	<-h.reached // it is decided, and its record is on no hub
	p.erase("a mistake", gone)
	if _, err := p.client.Release(t.Context(), late); err == nil || !strings.Contains(err.Error(), gone+" is erased, or will be") {
		t.Errorf("a release of what is being erased: %v", err)
	}
	killed := image(t, directory)
	p.stop()
	p = w.start(killed)
	p.untilErased()
	p.until("all is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 4 && s.GetWaiting() == 0 })
	n.witness()
	p.untilWitnessed(4)
	released := func(s *caseworkv1.CaseSection) []string {
		if u, err := event.Decode(s.GetControlReleased().GetEnvelope()); err == nil {
			return []string{u.Claims().ID.String()}
		}
		return nil
	}
	if got := fmt.Sprint(w.told(gone, released), w.told(stays, released), w.told(gone, erasedIn)); got != "map[] map[region:1] map[pair:1]" {
		t.Errorf("said were %s", got)
	}
	for subject, r := range w.keys() {
		if id, _ := event.ParseID(gone); r.Has(id) {
			t.Errorf("the record on %s has the erased event", subject)
		}
	}
}

// Of one batch and country there is one record of a release, wherever the releases are announced: its
// revisions rise, so that its recipient knows an old one by itself. It moves where the recipient reads it no more.
func TestReleaseKeepsItsPlace(t *testing.T) {
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 2, to("pair"))...)
	p.untilStored(2)
	n.witness()
	p.untilWitnessed(2)
	index := w.change(registrytest.Form("trio", "XA", "XB", "XC"), roots...)
	n.witness()
	p.until("the registry is known", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() > index })
	first, second := promised[0].GetEventId(), promised[1].GetEventId()
	var subjects []string
	var revisions []uint64
	release := func(key, audience string, ids ...string) {
		t.Helper()
		response, err := p.client.Release(t.Context(), w.releaseTo(key, audience, ids...))
		if err != nil {
			t.Fatal(err)
		}
		subjects, revisions = append(subjects, response.GetRecordSubject()), append(revisions, response.GetRevision())
	}
	release("r-1", "region", first)
	if _, err := p.client.Release(t.Context(), w.releaseTo("r-2", "trio", second)); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("a release elsewhere that would take back the one before: %v", err)
	}
	release("r-2", "trio", second, first)
	index = w.change(registrytest.Quit("region", "XC"), "root XC")
	n.witness()
	p.until("the registry is known", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() > index })
	release("r-3", "trio", second, first)
	if subjects[0] != subjects[1] || !strings.HasPrefix(subjects[0], "key.region.") || !strings.HasPrefix(subjects[2], "key.trio_") || !slices.Equal(revisions, []uint64{1, 2, 3}) {
		t.Errorf("the records lie on %v, revisions %v", subjects, revisions)
	}
	p.erase("a mistake", first)
	p.untilErased()
	id, _ := event.ParseID(first)
	for subject, r := range w.keys() {
		if r.Has(id) {
			t.Errorf("the record on %s has the erased event", subject)
		}
	}
}
