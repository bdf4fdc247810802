package publisher

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/verdict"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// thief signs with XA/police's key, and has read what the agency said.
type thief struct {
	w    *world
	said int
}

// after publishes n events after a head of region's chain, and returns the head of
// the last and its log index.
func (s *thief) after(head event.Head, n int) (event.Head, uint64) {
	s.w.t.Helper()
	key, err := event.NewSigningKey(registrytest.Key("publisher XA/police"))
	if err != nil {
		s.w.t.Fatal(err)
	}
	var drafts []event.Draft
	last := head.LastID
	for range n {
		s.said++
		last = event.NextID(time.Now(), [10]byte{9: byte(s.said)}, last)
		drafts = append(drafts, event.Draft{ID: last, Kind: "site.reported", Retention: "case", Recorded: time.Now(), Sections: []event.Section{{
			Compartment: eventv1.Compartment_COMPARTMENT_CASE, Form: eventv1.SectionForm_SECTION_FORM_CLEAR, Content: fmt.Append(nil, "a lie ", s.said),
		}}})
	}
	chain := event.Chain{Country: "XA", Agency: "police", Audience: "region"}
	signed, next, err := event.SignBatch(key, chain, head, event.Seen{}, drafts)
	if err != nil {
		s.w.t.Fatal(err)
	}
	var index uint64
	for _, e := range signed {
		index = s.w.hub.submit(e.Subject, e.Data)
	}
	return next, index
}

// head is where region's chain of XA/police stands for every reader.
func (j judged) head() event.Head {
	var head event.Head
	for _, v := range j.accepted {
		if v.Chain.Agency == "police" && v.Chain.Audience == "region" {
			head = event.Head{Counter: v.Counter, Digest: v.HeaderDigest, LastID: v.ID}
		}
	}
	return head
}

// mine asserts that what was promised is accepted by every reader, each event once.
func (j judged) mine(t testing.TB, promised []*publisherv1.Accepted) {
	t.Helper()
	count := map[string]int{}
	for _, v := range j.accepted {
		count[v.ID.String()]++
	}
	for i, p := range promised {
		if n := count[p.GetEventId()]; n != 1 {
			t.Errorf("promised event %d, %s, is accepted %d times", i, p.GetEventId(), n)
		}
	}
}

// R06: somebody has the key and says something before the revocation. The report that
// the agency made meanwhile is not lost, and the agency speaks on with another key.
func TestAdversary_R06_StolenKeySaysSomethingBetween(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before it is signed", "while it is on its way"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			n.checkpoint(1)
			directory := t.TempDir()
			p := w.start(directory)
			promised := p.publish(reports("before", 2)...)
			p.untilStored(2)
			thief := &thief{w: w}
			_, stolen := thief.after(w.judge().head(), 1) // 3
			refused := map[verdict.Code]int{}
			if when == "while it is on its way" {
				promised = append(promised, p.publish(reports("meanwhile", 2)...)...) // 4, 5
				p.untilStored(4)
				// The first has the thief's counter; what follows it has not the thief's header before it.
				refused[verdict.Equivocation], refused[verdict.Broken] = 1, 1
			}
			w.cosign(n.checkpoint(stolen+1), "XB", "XC")
			p.until("it is noticed", halted(fmt.Sprintf("somebody else signs as XA/police, or this outbox was restored from an old backup: event %s at log index %d",
				w.judge().accepted[2].ID, stolen)))
			p.until("it says what to do", halted(fmt.Sprintf("Have the root of XA revoke the key, with --doubted-from %d", stolen)))
			if when == "before it is signed" {
				promised = append(promised, p.publish(reports("meanwhile", 2)...)...)
			}
			// The audience that the thief left alone goes on.
			promised = append(promised, p.publish(report("elsewhere", to("pair")))...)
			p.until("pair goes on", func(s *publisherv1.GetStatusResponse) bool {
				return s.GetWaiting()+s.GetStored() == 3 && s.GetStored() > 0
			})
			w.judge().checkCodes(t, refused)
			p.stop()
			p = w.start(directory)
			p.until("it is known after a restart", halted("somebody else signs as XA/police"))

			w.change(registrytest.RevokeKey(police, stolen), "root XA")
			size := uint64(len(w.judge().raw)) + 2 // the founding, the revocation
			w.cosign(n.checkpoint(size), "XB", "XC")
			p.until("it waits for a key", halted("have the root of XA enrol one"))
			p.stop()
			config := w.config(directory)
			config.Key = registrytest.Key("the key after the loss")
			p = restarted(w, config)
			w.change(registrytest.EnrolKey(police, "the key after the loss"), "root XA", "the key after the loss")
			n.checkpoint(size + 1)
			p.until("all is stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
			promised = append(promised, p.publish(report("on"))...)
			p.until("all is stored", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
			j := w.judge()
			w.cosign(n.checkpoint(uint64(len(j.raw))+3), "XA", "XC")
			p.untilWitnessed(6)
			j = w.judge()
			j.mine(t, promised)
			j.checkCodes(t, refused)
			if len(j.accepted) != len(promised)+1 {
				t.Errorf("%d events are accepted, want those promised and the thief's", len(j.accepted))
			}
			if last := j.head(); last.Counter != 3 {
				t.Errorf("the new chain stands at %d, want 3", last.Counter)
			}
			if view := p.log.Load(); !view.state.Doubted("XA", "police", stolen) || view.state.Doubted("XA", "police", stolen-1) {
				t.Error("the thief's event is not doubted, or the agency's own is")
			}
		})
	}
}

// checkCodes asserts which verdicts refuse how many events.
func (j judged) checkCodes(t testing.TB, refusals map[verdict.Code]int) {
	t.Helper()
	for code, n := range j.codes {
		if code.Refused() && refusals[code] != n {
			t.Errorf("%d events are judged %s, want %d", n, code, refusals[code])
		}
	}
}

// R06: a thief that every reader refuses has the key all the same.
func TestAdversary_R06_StolenKeyIsNoticedFromWhatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 2)...)
	p.untilStored(2)
	_, index := (&thief{w: w}).after(event.Head{Counter: 7}, 1)
	w.cosign(n.checkpoint(4), "XA", "XB")
	p.until("it is noticed", halted(fmt.Sprintf("at log index %d (gap) bears the signature of this agency's key", index)))
	promised = append(promised, p.publish(report("b"))...) // it harms nobody
	p.untilStored(1)
	w.judge().checkAll(t, promised, map[verdict.Code]int{verdict.Gap: 1})
}

// P02: an outbox is restored from a copy that is older than what was said since.
func TestAdversary_P02_RestoredFromAnOldBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(reports("a", 3)...)
	p.untilStored(3)
	w.cosign(n.checkpoint(4), "XA", "XB")
	p.untilWitnessed(3)
	backup := image(t, directory)
	lost := p.publish(reports("since", 2)...)
	p.untilStored(2)
	p.stop()

	p = w.start(backup)
	again := p.publish(report("b"))
	p.until("it is noticed at the start, before the tree has it", halted("nothing is signed before the log says what it is"))
	if j := w.judge(); len(j.raw) != 5 {
		t.Fatalf("%d messages are in the stream, want 5: a counter was signed twice", len(j.raw))
	}
	w.cosign(n.checkpoint(6), "XA", "XB")
	for i, l := range lost {
		p.until("it says what was lost", halted(fmt.Sprintf("event %s at log index %d", l.GetEventId(), 4+i)))
	}
	w.judge().check(t, append(promised, lost...)...)
	p.until("nothing is signed", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 1 })

	w.change(registrytest.RevokeKey(police, 0), "root XA")
	w.change(registrytest.EnrolKey(police, "the key after the loss"), "root XA", "the key after the loss")
	w.cosign(n.checkpoint(8), "XA", "XB")
	p.until("the old key has ended", halted("configure its key file"))
	p.stop()
	config := w.config(backup)
	config.Key = registrytest.Key("the key after the loss")
	p = restarted(w, config)
	p.untilStored(1)
	w.judge().check(t, append(append(promised, lost...), again...)...)
	w.cosign(n.checkpoint(9), "XA", "XB")
	p.untilWitnessed(4)
}

// P02: the backup was made of reports that were accepted, and signed, since then
// published by the outbox that was lost. They are not published again.
func TestAdversary_P02_BackupOfReportsThatWerePublishedSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(reports("a", 3)...) // not signed: no checkpoint yet
	backup := image(t, directory)
	n.checkpoint(1)
	p.untilStored(3)
	p.stop()
	w.cosign(n.checkpoint(4), "XA", "XB")

	p = w.start(backup)
	p.untilWitnessed(3)
	promised = append(promised, p.publish(report("b"))...)
	p.untilStored(1)
	j := w.judge()
	j.check(t, promised...)
	if len(j.raw) != 4 {
		t.Errorf("%d messages are in the stream, want 4", len(j.raw))
	}
	w.cosign(n.checkpoint(5), "XA", "XB")
	p.untilWitnessed(4)
}

// P02: the disk was lost, and there is no backup.
func TestAdversary_P02_NewOutboxOfAnAgencyThatHasSpoken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	promised := p.publish(reports("a", 12)...)
	p.untilStored(12)
	p.stop()
	n.checkpoint(13)
	p = w.start(t.TempDir())
	p.publish(report("b"))
	p.until("it is noticed", func(s *publisherv1.GetStatusResponse) bool {
		return strings.Contains(s.GetHalted(), "and 2 more, not handed in here") && strings.Contains(s.GetHalted(), "--doubted-from 1 ") && s.GetWaiting() == 1
	})
	w.judge().check(t, promised...)
}
