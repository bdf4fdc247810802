package publisher

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
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

func releasedIn(s *caseworkv1.CaseSection) []string {
	if u, err := event.Decode(s.GetControlReleased().GetEnvelope()); err == nil {
		return []string{u.Claims().ID.String()}
	}
	return nil
}

// K07: whoever an event was released to is told in the log that it was erased, also where the
// publisher is killed between the two times that it says so.
func TestAdversary_K07_ErasureIsSaidWhereItWasReleased(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	if got := fmt.Sprint(w.told(gone, releasedIn), w.told(stays, releasedIn), w.told(gone, erasedIn)); got != "map[] map[region:1] map[pair:1]" {
		t.Errorf("said were %s", got)
	}
	w.noKeysOf(gone)
}

// Of one batch and country there is one record of a release, wherever the releases are announced: its
// revisions rise, so that its recipient knows an old one by itself. It moves where the recipient reads it no more.
func TestReleaseKeepsItsPlace(t *testing.T) {
	t.Parallel()
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

func recalledIn(s *caseworkv1.CaseSection) []string { return s.GetControlRecalled().GetEventIds() }

// recall is a report that recalls events, said to pair.
func recall(key string, ids ...string) *caseworkv1.Report {
	return report(key, to("pair"), func(r *caseworkv1.Report) {
		r.Case.Content = &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
			RecallId: "R-1", EventIds: ids, Reason: "the wrong person", Deadline: "2025-03-10T12:00:00Z"}}
	})
}

// K08: one recall reaches all who were given the event, those of a release too; and nothing of it is released any more.
func TestAdversary_K08_RecallIsSaidWhereItWasReleased(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := append(p.publish(reports("a", 2, to("pair"))...), p.publish(report("b"))...)
	p.untilStored(3)
	n.witness()
	p.untilWitnessed(3)
	first, second, third := promised[0].GetEventId(), promised[1].GetEventId(), promised[2].GetEventId()
	if _, err := p.client.Release(t.Context(), w.releaseTo("r-1", "region", first)); err != nil {
		t.Fatal(err)
	}
	p.until("the release is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 4 && s.GetWaiting() == 0 })
	n.witness()
	p.untilWitnessed(4)
	for _, repeated := range []bool{false, true} {
		if got := p.publish(recall("recall", first, second, third))[0]; got.GetRepeated() != repeated || !repeated && !slices.Equal(got.GetAlso(), []string{"region"}) {
			t.Errorf("the answer is %v", got)
		}
	}
	p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 6 && s.GetWaiting() == 0 })
	n.witness()
	p.untilWitnessed(6)
	for i, want := range []string{"map[pair:1 region:1]", "map[pair:1]", "map[pair:1 region:1]"} {
		if got := fmt.Sprint(w.told(promised[i].GetEventId(), recalledIn)); got != want {
			t.Errorf("event %d was recalled in %s, want %s", i, got, want)
		}
	}
	if _, err := p.client.Release(t.Context(), w.releaseTo("r-2", "region", first, second)); err == nil || !strings.Contains(err.Error(), "was recalled: it is released to nobody") {
		t.Errorf("a release of what was recalled: %v", err)
	}
	hand := report("by hand", func(r *caseworkv1.Report) {
		e := w.releasable(first)
		r.Case.Content = &caseworkv1.CaseSection_ControlReleased{ControlReleased: &caseworkv1.ControlReleased{
			To: "XC", Index: 1, Subject: e.GetSubject(), Envelope: e.GetEnvelope(), Compartments: []eventv1.Compartment{1}, RecordDigest: make([]byte, 32)}}
	})
	if _, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: []*caseworkv1.Report{hand}}); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("a release that is said without the publisher: %v", err)
	}
}

// A recall comes between a release and its notice: nobody is told of the release any more, so nobody is asked.
func TestAdversary_K06_ReleaseThatIsRecalledBeforeItIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	h := &halting{step: "record not sent", reached: make(chan struct{})}
	p := w.start(directory)
	promised := p.publish(reports("a", 2, to("pair"))...)
	p.untilStored(2)
	n.witness()
	p.untilWitnessed(2)
	gone, stays := promised[0].GetEventId(), promised[1].GetEventId()
	request, next := w.releaseTo("r-1", "region", gone, stays), w.releaseTo("r-2", "region", stays)
	p.stop()
	p = w.start(directory, h.in)
	if _, err := p.client.Release(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	<-h.reached
	p.publish(recall("recall", gone))
	killed := image(t, directory)
	p.stop()
	p = w.start(killed)
	p.until("all is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 4 && s.GetWaiting() == 0 })
	n.witness()
	p.untilWitnessed(4)
	if got := fmt.Sprint(w.told(gone, releasedIn), w.told(stays, releasedIn), w.told(gone, recalledIn)); got != "map[] map[region:1] map[pair:1]" {
		t.Errorf("said were %s", got)
	}
	id, _ := event.ParseID(gone)
	eventually(t, func() string {
		for subject, r := range w.keys() {
			if strings.HasSuffix(subject, "-XC") && r.Has(id) {
				return "the release's record has the recalled event"
			}
		}
		return ""
	})
	if _, err := p.client.Release(t.Context(), next); err != nil {
		t.Errorf("the next release out of the batch, without what was recalled: %v", err)
	}
}

// A recall in another audience is for a purpose and of a class that this one has.
func TestRecallInAnotherAudience(t *testing.T) {
	t.Parallel()
	founding := registrytest.Founding()
	founding.RetentionClasses = append(founding.RetentionClasses, &registryv1.RetentionClass{Retention: "brief", Days: 30}, &registryv1.RetentionClass{Retention: "short", Days: 60})
	founding.Audiences = append(founding.Audiences, &registryv1.Audience{Audience: "other", Members: []string{"XA", "XB"}, Purposes: []string{"statistics", "audit"}, RetentionClasses: []string{"brief", "short"}})
	state, err := registrytest.Sign(t, founding).State()
	if err != nil {
		t.Fatal(err)
	}
	id, err := event.ParseID("01890a5d-ac96-774b-bcce-b302099a8057")
	if err != nil {
		t.Fatal(err)
	}
	said := recall("key", id.String(), "01890a5d-ac96-774b-bcce-b302099a8058")
	said.Case.Attachments = []*caseworkv1.Attachment{{Name: "once"}}
	said.Identity = &caseworkv1.IdentitySection{}
	for audience, want := range map[string][]string{"region": {"rescue", "case"}, "other": {"statistics", "short"}} {
		there, _ := state.Audience(audience)
		got := recallIn(state, there, said, []event.ID{id})
		if s := got.GetCase(); s.GetMarking().GetPurpose() != want[0] || got.GetRetention() != want[1] || got.GetAudience() != audience ||
			!slices.Equal(s.GetControlRecalled().GetEventIds(), []string{id.String()}) || s.GetControlRecalled().GetRecallId() != "R-1" ||
			len(s.GetAttachments()) != 0 || got.GetIdentity() != nil || got.GetIdempotencyKey() != "tripoint recalled key in "+audience {
			t.Errorf("in %s it is %v", audience, got)
		}
	}
	if len(said.GetCase().GetControlRecalled().GetEventIds()) != 2 {
		t.Error("the recall itself was changed")
	}
}
