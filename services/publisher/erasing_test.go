package publisher

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

func (r *running) erase(reason string, ids ...string) *publisherv1.EraseResponse {
	r.t.Helper()
	response, err := r.client.Erase(context.Background(), &publisherv1.EraseRequest{EventIds: ids, Reason: reason})
	if err != nil {
		r.t.Fatal(err)
	}
	return response
}

func (r *running) untilErased() {
	r.t.Helper()
	r.until("what is to be erased is", func(s *publisherv1.GetStatusResponse) bool { return s.GetErasing() == 0 })
}

// witness has a quorum cosign all that there is.
func (n *notary) witness() {
	n.w.t.Helper()
	n.w.cosign(n.checkpoint(0), "XA", "XB")
}

// erasures are the erasures that were said, by event.
func (w *world) erasures() map[string]*caseworkv1.ControlErased {
	w.t.Helper()
	all := map[string]*caseworkv1.ControlErased{}
	for id, sections := range w.opensAs("XB") {
		if strings.HasPrefix(sections[0], "closed") {
			continue
		}
		if erased := said(w.t, sections[0]).GetControlErased(); erased != nil {
			for _, e := range erased.GetErasures() {
				if all[e.GetEventId()] != nil {
					w.t.Errorf("the erasure of %s is said again, by %s", e.GetEventId(), id)
				}
				all[e.GetEventId()] = erased
			}
		}
	}
	return all
}

// Erased is: the record on the hub has no entry, its bytes are not in the outbox's files
// any more, and the log says so with the record's digest. Others of the batch stay readable.
func TestAdversary_K07_ErasedKeysAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(reports("a", 3, person(planted))...)
	p.untilStored(3)
	n.witness()
	p.untilWitnessed(3)
	gone := promised[1].GetEventId()
	before := w.record(gone)
	wrap := wrapOf(t, before, gone)
	if onDisk(t, directory, wrap) == nil || onDisk(t, w.directory, wrap) == nil {
		t.Fatal("the wrapped key is on neither disk, where this test looks for it later")
	}
	if p.erase("she asked for it", gone).GetErasing()[0].GetRepeated() {
		t.Error("it was never asked for")
	}
	p.untilErased()
	after := w.record(gone)
	id, err := event.ParseID(gone)
	if err != nil || after.Has(id) || after.Revision != 2 {
		t.Fatalf("the record on the hub has revision %d, and the entry: %v (%v)", after.Revision, after.Has(id), err)
	}
	for i, says := range promised {
		got := w.opensAs("XC")[says.GetEventId()]
		if closed := got[0] == "closed: erased" && got[1] == "closed: erased"; closed != (i == 1) {
			t.Errorf("XC reads event %d as %q", i, got)
		}
	}
	eventually(t, func() string { return fmt.Sprint(strings.Join(onDisk(t, directory, wrap), " ")) })
	p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 4 && s.GetWaiting() == 0 })
	erased := w.erasures()[gone]
	if erased.GetReason() != "she asked for it" || len(erased.GetErasures()) != 1 {
		t.Fatalf("it is said as %v", erased)
	}
	if e := erased.GetErasures()[0]; e.GetRevision() != 2 || string(e.GetRecordDigest()) != string(after.Digest[:]) || string(e.GetBatch()) != string(after.Batch[:]) {
		t.Errorf("it is said as %v, the record is %s of %s", e, after.Digest, after.Batch)
	}
	if !p.erase("again", gone).GetErasing()[0].GetRepeated() {
		t.Error("it was asked for before")
	}
	p.untilErased()
	if status := p.status(); status.GetAccepted() != 4 {
		t.Errorf("%d events were said", status.GetAccepted())
	}
}

// What is still on its way is erased once it is witnessed: it may have to be sealed again.
func TestErasureWaitsForTheWitnesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 2)...)
	p.untilStored(2)
	p.erase("a mistake", promised[0].GetEventId(), promised[1].GetEventId())
	if status := p.status(); status.GetErasing() != 2 {
		t.Errorf("%d erasures wait", status.GetErasing())
	}
	n.witness()
	p.untilErased()
	for _, says := range promised {
		if got := w.opensAs("XB")[says.GetEventId()]; got[0] != "closed: erased" {
			t.Errorf("XB reads %q", got)
		}
	}
}

func TestEraseRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.notary().checkpoint(1)
	p := w.start(t.TempDir())
	mine := p.publish(report("a"))[0].GetEventId()
	const other = "01890a5d-ac96-774b-bcce-b302099a8057"
	for name, test := range map[string]struct {
		request *publisherv1.EraseRequest
		code    connect.Code
		words   string
	}{
		"another's":    {&publisherv1.EraseRequest{EventIds: []string{mine, other}, Reason: "x"}, connect.CodeNotFound, "event_ids[1]: " + other + " is not one that this publisher has accepted"},
		"no reason":    {&publisherv1.EraseRequest{EventIds: []string{mine}}, connect.CodeInvalidArgument, "reason"},
		"no event":     {&publisherv1.EraseRequest{Reason: "x"}, connect.CodeInvalidArgument, "event_ids"},
		"one twice":    {&publisherv1.EraseRequest{EventIds: []string{mine, mine}, Reason: "x"}, connect.CodeInvalidArgument, "event_ids"},
		"not an event": {&publisherv1.EraseRequest{EventIds: []string{"all"}, Reason: "x"}, connect.CodeInvalidArgument, "event_ids"},
	} {
		_, err := p.client.Erase(t.Context(), test.request)
		if connect.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if status := p.status(); status.GetErasing() != 0 {
		t.Errorf("%d erasures were decided", status.GetErasing())
	}
}

// halting is a hub that stops answering at a step, as it would for a process that is killed there.
type halting struct {
	step    string
	reached chan struct{} // closed there
	once    sync.Once
	batches atomic.Int64
}

func (h *halting) in(p *Publisher) { p.hub = faulty{hub: p.hub, record: h.record, publish: h.publish} }

func (h *halting) halt(ctx context.Context) error {
	h.once.Do(func() { close(h.reached) })
	<-ctx.Done()
	return fmt.Errorf("killed at %q", h.step)
}

func (h *halting) record(ctx context.Context, through hub, r hubRecord) (uint64, error) {
	what := "record"
	if r.after > 0 {
		what = "erasing record"
	}
	if h.step == what+" not sent" {
		return 0, h.halt(ctx)
	}
	sequence, err := through.PutRecord(ctx, r.subject, r.data, r.after, r.life)
	if h.step == what+" not answered" {
		return 0, h.halt(ctx)
	}
	return sequence, err
}

func (h *halting) publish(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
	last, err := through.PublishBatch(ctx, messages)
	if n := h.batches.Add(1); h.step == "events not answered" || h.step == "erasure said and not answered" && n == 2 {
		return 0, h.halt(ctx)
	}
	return last, err
}

// Killed at each step from the signature to the erasure, and going on with the outbox as it lay on
// disk at that moment: every event is said once, its record is there or its key is gone,
// and what is erased is said once.
func TestKilledAtEveryStepOfErasing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{
		"record not sent", "record not answered", "events not answered",
		"decided", "erasing record not sent", "erasing record not answered", "erasure said and not answered", "done",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			directory := t.TempDir()
			h := &halting{step: step, reached: make(chan struct{})}
			p := w.start(directory, h.in)
			promised := p.publish(reports("a", 3, person(planted))...)
			gone := promised[1].GetEventId()
			early := strings.HasPrefix(step, "record") || strings.HasPrefix(step, "events")
			if !early {
				p.untilStored(3)
				if step != "decided" {
					n.witness()
					p.untilWitnessed(3)
				}
				p.erase("a mistake", gone)
				if step == "done" {
					p.untilErased()
					p.until("it is said", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
				}
			}
			if step != "decided" && step != "done" {
				<-h.reached
			}
			killed := image(t, directory)
			p.stop()

			p = w.start(killed)
			p.until("all is stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
			n.witness()
			if early {
				p.untilWitnessed(3)
				p.erase("a mistake", gone)
			}
			p.untilErased()
			p.until("all is stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetAccepted() == 4 && s.GetWaiting() == 0 })
			n.witness()
			p.untilWitnessed(4)
			w.judge().mine(t, promised)
			if all := w.erasures(); len(all) != 1 || all[gone] == nil {
				t.Errorf("said are %v", all)
			}
			opened := w.opensAs("XC")
			for i, says := range promised {
				if got := opened[says.GetEventId()]; (got[0] == "closed: erased") != (i == 1) {
					t.Errorf("XC reads event %d as %q", i, got)
				}
			}
			eventually(t, func() string { return strings.Join(onDisk(t, killed, []byte(planted)), " ") })
		})
	}
}

// An envelope that no reader accepts is sealed and signed again. The keys that it was
// sealed with are withdrawn, so that erasing the event later leaves nothing that opens.
func TestRefusedEnvelopesLoseTheirKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	config := w.config(t.TempDir())
	config.NextKey = registrytest.Key("next publisher XA/police")
	p := run(t, config)
	w.change(registrytest.RotateKey(police, "next publisher XA/police"), "next publisher XA/police")
	promised := p.publish(reports("a", 3, person(planted))...) // under the key that has ended
	p.untilStored(3)
	before := w.events()
	n.witness()
	p.until("they are signed again and stored", func(s *publisherv1.GetStatusResponse) bool { return w.events() == before+3 && s.GetStored() == 3 })
	n.witness()
	p.untilWitnessed(3)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.KeyNotValid: 3})
	eventually(t, func() string {
		empty := 0
		for _, r := range w.keys() {
			if len(r.Events()) == 0 {
				empty++
			}
		}
		if empty != 1 {
			return fmt.Sprintf("%d of %d records are empty", empty, len(w.keys()))
		}
		return ""
	})
	for i, says := range promised {
		if got := w.opensAs("XB")[says.GetEventId()]; !strings.Contains(got[1], planted) {
			t.Errorf("XB reads event %d as %q", i, got)
		}
	}
}

// K05: a record that has expired is not on the hub, not in the outbox, and not published
// again, whatever is published.
func TestAdversary_K05_ExpiredRecordIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	clock := &testClock{}
	clock.wrong.Store(int64(8*time.Second - 365*24*time.Hour))
	p := w.start(directory, func(p *Publisher) { p.outbox.Clock = clock.Now })
	promised := p.publish(report("a"))
	clock.wrong.Store(0) // 365 days later, less 8 seconds
	p.untilStored(1)
	wrap := wrapOf(t, w.record(promised[0].GetEventId()), promised[0].GetEventId())
	backup := image(t, directory) // its record is stored, and its event not found
	eventually(t, func() string {
		if left := w.keys(); len(left) > 0 {
			return "the hub has the record still"
		}
		return strings.Join(onDisk(t, directory, wrap), " ")
	})
	p.stop()
	p = w.start(backup, func(p *Publisher) {
		p.outbox.Clock = clock.Now
		p.hub = faulty{hub: p.hub, record: func(context.Context, hub, hubRecord) (uint64, error) {
			t.Error("an expired record is published again")
			return 0, nil
		}}
	})
	n.witness()
	p.untilWitnessed(1)
	w.judge().check(t, promised...)
	eventually(t, func() string { return strings.Join(onDisk(t, backup, wrap), " ") })
}

// testClock is a clock that goes wrong by what a test sets.
type testClock struct{ wrong atomic.Int64 }

func (c *testClock) Now() time.Time { return time.Now().Add(time.Duration(c.wrong.Load())) }
