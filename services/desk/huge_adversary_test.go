package desk

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

const (
	between = 400 // messages of another audience before a checkpoint
	seldom  = 5   // checkpoints before a message of XC's
)

// crowd adds messages that are of another audience, and few of XC's, with
// checkpoints that XA cosigns.
func (w *world) crowd(n int) {
	w.t.Helper()
	for first := range n / between {
		var acks []jetstream.PubAckFuture
		for i := range between {
			m := stream.Message{Subject: "evt.pair.XA.police.site.reported", Data: fmt.Appendf(nil, "%d of %d", i, first)}
			ack, err := w.js.PublishAsync(m.Subject, m.Data)
			must(w.t, err)
			acks = append(acks, ack)
			w.messages = append(w.messages, m)
		}
		for _, ack := range acks {
			select {
			case <-ack.Ok():
			case err := <-ack.Err():
				w.t.Fatal(err)
			}
		}
		if first%seldom == seldom-1 {
			w.say(border)
		}
		w.cosign("XA", w.notarise())
	}
}

// inUse is how much of the heap is in use, in bytes.
func inUse() uint64 {
	runtime.GC()
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return now.HeapAlloc
}

// A desk that joins a log of 200,000 leaves, all but a few of them not for it:
// what it holds in memory does not grow with the log, and the last quarter takes it
// no longer than the first. Everything begins with its own charter.
func TestAdversary_L07_FirstContactWithAHugeTree(t *testing.T) {
	const leaves = 200_000
	w := newWorld(t)
	w.crowd(leaves)
	before, heap := inUse(), []uint64(nil)
	var parts [9]time.Time
	parts[0] = time.Now()
	var measuring sync.Mutex
	d := w.desk("XC", func(c *Config) {
		c.fault = func(at string) error {
			if at == "committing mirror" { // what was taken in is still here
				measuring.Lock()
				defer measuring.Unlock()
				heap = append(heap, inUse())
			}
			return nil
		}
	})
	for part := range 8 {
		within(t, 8*deadline, "an eighth of the log is mirrored", func() bool { return d.Status().LogSize >= uint64(part+1)*leaves/8 })
		parts[part+1] = time.Now()
	}
	within(t, 8*deadline, "all is witnessed", func() bool { return d.Status().WitnessedSize == w.checkpoint().Size })
	d.has(uint64(len(w.messages) - 1))
	same(t, "cosigned sizes", []uint64{w.checkpoint().Size}, w.cosigned("XC"))
	same(t, "entries: the charter and those of region", 1+leaves/between/seldom, len(d.verdicts()))
	same(t, "alarm", "", d.Status().Alarm)
	// The hub and this test run in the same process: their part is in this too.
	measuring.Lock()
	defer measuring.Unlock()
	peak := (int64(slices.Max(heap)) - int64(before)) >> 20
	grown := (int64(slices.Max(heap[len(heap)*3/4:])) - int64(slices.Max(heap[:len(heap)/4]))) >> 20
	first, last := parts[2].Sub(parts[0]), parts[8].Sub(parts[6])
	t.Logf("%d leaves in %v, the first quarter in %v, the last in %v; heap at most %d MiB above %d MiB, in the last quarter %d MiB more than in the first",
		len(w.messages), parts[8].Sub(parts[0]), first, last, peak, before>>20, grown)
	const bound, growth = 48, 4 // MiB; who kept the leaves would grow by 8
	if peak > bound || grown > growth {
		t.Errorf("the heap grew by %d MiB, and by %d on the way, want at most %d and %d", peak, grown, bound, growth)
	}
	if last > 4*first+time.Second {
		t.Errorf("the last quarter took %v and the first %v: the time is not linear", last, first)
	}
}
