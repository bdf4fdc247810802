package publisher

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// others puts n messages of another agency into the stream.
func (w *world) others(n int) {
	w.t.Helper()
	w.as(stream.PublisherUser("XA", "border"), func(conn *stream.Conn) {
		for i := range n {
			if _, err := conn.Publish(context.Background(), "evt.region.XA.border.site.reported", fmt.Append(nil, i)); err != nil {
				w.t.Fatal(err)
			}
		}
	})
}

func halted(words string) func(*publisherv1.GetStatusResponse) bool {
	return func(s *publisherv1.GetStatusResponse) bool { return strings.Contains(s.GetHalted(), words) }
}

// swallow is a hub that says of the first parcels that they lie at the given
// sequences, and stores nothing.
func swallow(ends ...uint64) func(*Publisher) {
	var calls atomic.Int32
	return withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		if at := int(calls.Add(1)) - 1; at < len(ends) {
			return ends[at], nil
		}
		return through.PublishBatch(ctx, messages)
	})
}

func TestSwallowedEventsArePublishedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir(), swallow(6))
	promised := p.publish(reports("a", 3)...)
	p.untilStored(3)
	w.others(8)
	n.checkpoint(9)
	p.until("it is noticed", halted("3 events were not in the log where the hub said"))
	p.untilStored(3)
	w.cosign(n.checkpoint(12), "XA", "XC")
	p.untilWitnessed(3)
	var got []string
	for _, v := range w.judge().accepted {
		got = append(got, v.ID.String())
	}
	if len(got) != 3 || got[0] != promised[0].GetEventId() || got[2] != promised[2].GetEventId() {
		t.Errorf("accepted are %v, promised were %v", got, promised)
	}
}

func TestWhatFollowsASwallowedEventIsPublishedAgainToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	w.others(1)
	p := w.start(t.TempDir(), swallow(2))
	p.publish(report("a"))
	p.untilStored(1)
	p.publish(report("b"))
	p.untilStored(2) // the stream has b without a: every reader sees a gap
	n.checkpoint(3)
	p.until("it is noticed", halted("2 events were not in the log"))
	p.untilStored(2)
	w.cosign(n.checkpoint(5), "XA", "XB")
	p.untilWitnessed(2)
	if j := w.judge(); j.codes[verdict.Gap] != 1 || len(j.accepted) != 2 {
		t.Errorf("verdicts are %v, want one gap and two accepted", j.codes)
	}
}

func TestSequenceThatGoesBackIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir(), swallow(5000))
	p.publish(report("a"))
	p.untilStored(1)
	promised := p.publish(report("a"), report("b"))
	p.untilStored(2)
	// b went out first without a, then both
	j := w.judge()
	if len(j.accepted) != 2 || j.accepted[0].ID.String() != promised[0].GetEventId() {
		t.Errorf("verdicts are %v", j.codes)
	}
	w.cosign(n.checkpoint(uint64(len(j.raw))+1), "XA", "XB")
	p.untilWitnessed(2)
}

func TestAdversary_L14_LeafWithAnotherAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	p.publish(report("a"))
	p.untilStored(1)
	n.Label = func(uint64, string) string { return "pair" }
	w.cosign(n.checkpoint(2), "XA", "XB")
	p.until("it is noticed", halted("the notary gives our event to another audience"))
}

func TestAdversary_L03_OneSizeTwoRootsSeenByThePublisher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	c := n.checkpoint(1)
	p := w.start(t.TempDir())
	p.until("it follows", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 1 })
	c.Root[0] ^= 1
	n.publish(&logv1.Leaves{Start: 1}, c)
	p.until("it is noticed", halted("the log contradicts itself: two roots for size 1"))
	// What is accepted goes out all the same, and is witnessed by what is sound.
	p.publish(report("a"))
	p.untilStored(1)
	w.cosign(n.checkpoint(2), "XA", "XB")
	p.until("it is witnessed", func(s *publisherv1.GetStatusResponse) bool { return s.GetWitnessed() == 1 })
}

func TestNoiseInTheLogIsPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	p.publish(report("a"))
	p.untilStored(1)
	n.send([]byte("not a protobuf message"))
	n.send(nil)
	w.as(stream.DeskUser("XC"), func(conn *stream.Conn) {
		if _, err := conn.Publish(t.Context(), stream.CosignPrefix+"XC", []byte("no note")); err != nil {
			t.Fatal(err)
		}
	})
	w.cosign(n.checkpoint(2), "XA", "XB")
	p.untilWitnessed(1)
}

func TestQuorumAndNoLessWitnesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	p.publish(report("a"))
	p.untilStored(1)
	c := n.checkpoint(2)
	w.cosign(c, "XB", "XB")
	other := c
	other.Root = translog.Hash{1}
	w.cosign(other, "XA")
	p.until("the lie is noticed", halted("the log contradicts itself"))
	if s := p.status(); s.GetWitnessed() != 0 || s.GetWitnessedSize() != 0 {
		t.Errorf("witnessed by one country and one lie: %v", s)
	}
	w.cosign(c, "XC")
	p.until("two are enough", func(s *publisherv1.GetStatusResponse) bool { return s.GetWitnessed() == 1 })
}

// The notary names another registry than the updates make: one may be withheld from
// this publisher, which then does not know by whom and to whom it may publish.
func TestAdversary_R05_NotarySignsAnotherRegistry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	promised := p.publish(report("a"))
	p.untilStored(1)
	n.Registry = func(head translog.Hash) translog.Hash { head[0] ^= 1; return head }
	c := n.checkpoint(2)
	for range 2 {
		p.until("the lie is noticed", halted("the log contradicts itself: the updates known below 2 make registry"))
		promised = append(promised, p.publish(report(fmt.Sprint("after ", len(promised))))...)
		w.cosign(c, "XA", "XB", "XC")
		p.stop()
		p = w.start(directory)
	}
	p.until("nothing more is published", func(s *publisherv1.GetStatusResponse) bool {
		return s.GetWaiting() == 2 && s.GetStored() == 1 && s.GetWitnessedSize() == 0
	})
	w.judge().checkAll(t, promised[:1], nil)
}

func TestRestartGoesOnWhereItWas(t *testing.T) {
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
	promised = append(promised, p.publish(reports("b", 2)...)...)
	p.untilStored(2)
	p.stop()
	w.cosign(n.checkpoint(6), "XA", "XB")

	p = w.start(directory)
	p.untilWitnessed(5)
	again := p.publish(reports("a", 3)...)
	for i, a := range again {
		if !a.GetRepeated() || a.GetEventId() != promised[i].GetEventId() {
			t.Errorf("after a restart %v is promised, before it was %v", a, promised[i])
		}
	}
	promised = append(promised, p.publish(report("c"))...)
	p.untilStored(1)
	w.judge().check(t, promised...)
}

// P01: killed at each step from acceptance to witnessed. A kill is played by
// going on with the outbox as it lay on disk at that moment.
func TestAdversary_P01_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"accepted", "signed", "published", "stored", "found", "witnessed"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			n := w.notary()
			directory := t.TempDir()
			reached, killed := make(chan struct{}), errors.New("killed")
			p := w.start(directory, withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
				if step == "signed" {
					close(reached)
					<-ctx.Done()
					return 0, killed
				}
				last, err := through.PublishBatch(ctx, messages)
				if err == nil && step == "published" {
					close(reached)
					<-ctx.Done()
					return 0, killed
				}
				return last, err
			}))
			promised := p.publish(append(reports("a", 3), reports("b", 2, keep("brief"))...)...)
			if step != "accepted" {
				n.checkpoint(1)
			}
			switch step {
			case "signed", "published":
				<-reached
			case "stored":
				p.untilStored(5)
			case "found", "witnessed":
				p.untilStored(5)
				c := n.checkpoint(6)
				p.until("they are found", func(s *publisherv1.GetStatusResponse) bool { return s.GetLogSize() == 6 })
				if step == "witnessed" {
					w.cosign(c, "XA", "XB")
					p.untilWitnessed(5)
				}
			}
			left := image(t, directory)
			p.stop()

			if step == "accepted" {
				n.checkpoint(1)
			}
			p = w.start(left)
			p.until("they are in the stream", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
			w.cosign(n.checkpoint(6), "XA", "XB")
			p.untilWitnessed(5)
			for i, a := range p.publish(append(reports("a", 3), reports("b", 2, keep("brief"))...)...) {
				if !a.GetRepeated() || a.GetEventId() != promised[i].GetEventId() {
					t.Errorf("after the kill %v is promised, before it was %v", a, promised[i])
				}
			}
			j := w.judge()
			j.check(t, promised...)
			if again := j.codes[verdict.Duplicate] > 0; again != (step == "published") {
				t.Errorf("verdicts are %v: only what was published without an answer is published twice", j.codes)
			}
		})
	}
}

func TestAdversary_P03_TwoRelaysOnOneOutbox(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	directory := t.TempDir()
	p := w.start(directory)
	if _, err := New(t.Context(), w.config(directory)); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second publisher in the directory: %v", err)
	}
	p.stop()
	w.start(directory).status()
}
