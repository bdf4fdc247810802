package publisher

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// lossy is a hub that hands one message of the log to nobody, once.
type lossy struct {
	hub
	lose    uint64
	lost    *atomic.Bool
	silence bool // after the loss, say that nothing came
}

func (l lossy) Reader(ctx context.Context, name string) (logReader, error) {
	reader, err := l.hub.Reader(ctx, name)
	if name != stream.Log {
		return reader, err
	}
	return lossyReader{logReader: reader, lossy: l}, err
}

type lossyReader struct {
	logReader
	lossy lossy
}

// Fetch waits for the next message after the loss, unless there shall be silence:
// that is a reason to ask anew.
func (r lossyReader) Fetch(ctx context.Context, limit int, wait time.Duration) ([]stream.Message, error) {
	for {
		messages, err := r.logReader.Fetch(ctx, limit, wait)
		var kept []stream.Message
		for _, m := range messages {
			if m.Sequence == r.lossy.lose && r.lossy.lost.CompareAndSwap(false, true) {
				continue
			}
			kept = append(kept, m)
		}
		if err != nil || len(kept) > 0 || !r.lossy.lost.Load() || r.lossy.silence {
			return kept, err
		}
	}
}

// resets is a hub that keeps where its log was first asked for.
type resets struct {
	hub
	first *atomic.Uint64
}

func (r resets) Reader(ctx context.Context, name string) (logReader, error) {
	reader, err := r.hub.Reader(ctx, name)
	if name != stream.Log {
		return reader, err
	}
	return resetsReader{logReader: reader, first: r.first}, err
}

type resetsReader struct {
	logReader
	first *atomic.Uint64
}

func (r resetsReader) Reset(ctx context.Context, sequence uint64) error {
	r.first.CompareAndSwap(0, sequence)
	return r.logReader.Reset(ctx, sequence)
}

func TestRestartReadsTheLogFromWhereItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	directory := t.TempDir()
	p := w.start(directory)
	p.publish(report("a"))
	p.untilStored(1)
	w.cosign(n.checkpoint(2), "XA", "XB") // messages 2 to 4
	p.untilWitnessed(1)
	p.stop()
	var first atomic.Uint64
	w.start(directory, func(p *Publisher) { p.hub = resets{hub: p.hub, first: &first} })
	eventually(t, func() string {
		if first.Load() == 0 {
			return "waiting until the log is asked for"
		}
		return ""
	})
	if first.Load() != 4 { // to see that it is still the one that was read last
		t.Errorf("the log is read from message %d on, want 4", first.Load())
	}
}

// The lost message is a cosignature: no leaf is missing, so that nothing but the
// stream's own sequence tells of it.
func TestCosignatureThatDidNotArriveIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	var lost atomic.Bool
	p := w.start(t.TempDir(), func(p *Publisher) { p.hub = lossy{hub: p.hub, lose: 3, lost: &lost} })
	p.publish(report("a"))
	p.untilStored(1)
	c := n.checkpoint(2) // message 2 of the log
	w.cosign(c, "XA")    // message 3
	eventually(t, func() string {
		if !lost.Load() {
			return "waiting until the message is lost"
		}
		return ""
	})
	w.cosign(c, "XB")
	p.untilWitnessed(1)
}

// Leaves can arrive before the hub's answer to the publication that they are of.
// They wait for it: compared too early, they would find nothing, and the event
// would be published a second time.
func TestLeavesWaitForTheAnswerThatTheyBelongTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	stored, answer := make(chan struct{}), make(chan struct{})
	p := w.start(t.TempDir(), withHub(func(ctx context.Context, through hub, messages []stream.Message) (uint64, error) {
		last, err := through.PublishBatch(ctx, messages)
		select {
		case stored <- struct{}{}:
		case <-answer: // published again
		case <-ctx.Done():
		}
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return last, err
	}))
	p.publish(report("a"))
	<-stored
	c := n.checkpoint(2)
	eventually(t, func() string {
		if p.log.Load().size == 2 {
			t.Fatal("leaves were compared while the answer was on its way")
		}
		if p.flight.TryRLock() { // refused as soon as the follower waits
			p.flight.RUnlock()
			return "waiting until the follower has the leaves"
		}
		return ""
	})
	close(answer)
	w.cosign(c, "XA", "XB")
	p.untilWitnessed(1)
	if j := w.judge(); j.codes[verdict.Duplicate] != 0 || len(j.accepted) != 1 {
		t.Errorf("verdicts are %v, want one accepted", j.codes)
	}
}

// As above, but nothing comes after the lost message.
func TestLastMessageThatDidNotArriveIsAskedForAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	var lost atomic.Bool
	p := w.start(t.TempDir(), func(p *Publisher) { p.hub = lossy{hub: p.hub, lose: 4, lost: &lost, silence: true} })
	p.publish(report("a"))
	p.untilStored(1)
	w.cosign(n.checkpoint(2), "XA", "XB") // messages 2 to 4
	p.untilWitnessed(1)
	if !lost.Load() {
		t.Error("nothing was lost")
	}
}
