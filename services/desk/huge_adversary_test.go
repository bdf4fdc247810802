package desk

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// crowd adds messages that are of another audience, and one of XC's in a thousand,
// with a checkpoint that XA cosigns every few hundred.
func (w *world) crowd(n int) {
	w.t.Helper()
	const between = 400
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
		w.say(border)
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
	before, peak := inUse(), uint64(0)
	var quarters [5]time.Time
	quarters[0] = time.Now()
	var measuring sync.Mutex
	d := w.desk("XC", func(c *Config) {
		c.fault = func(at string) error {
			if at == "committing mirror" { // what was taken in is still here
				measuring.Lock()
				defer measuring.Unlock()
				peak = max(peak, inUse())
			}
			return nil
		}
	})
	for quarter := range 4 {
		until(t, "a quarter of the log is mirrored", func() bool { return d.Status().LogSize >= uint64(quarter+1)*leaves/4 })
		quarters[quarter+1] = time.Now()
	}
	d.hasCosigned(w.checkpoint().Size)
	same(t, "cosigned sizes", []uint64{w.checkpoint().Size}, w.cosigned("XC"))
	until(t, "all is witnessed", func() bool { return d.Status().WitnessedSize == w.checkpoint().Size })
	d.has(uint64(len(w.messages) - 1))
	same(t, "entries: the charter and those of region", 1+leaves/400, len(d.verdicts()))
	same(t, "alarm", "", d.Status().Alarm)
	// The hub and this test run in the same process: their part is in this too.
	measuring.Lock()
	defer measuring.Unlock()
	grown := (int64(peak) - int64(before)) >> 20
	first, last := quarters[1].Sub(quarters[0]), quarters[4].Sub(quarters[3])
	t.Logf("%d leaves in %v, the first quarter in %v, the last in %v; heap at most %d MiB above %d MiB",
		len(w.messages), quarters[4].Sub(quarters[0]), first, last, grown, before>>20)
	const bound = 20 // MiB; the leaves with their labels take more than what is left of that
	if grown > bound {
		t.Errorf("the heap grew by %d MiB, want at most %d", grown, bound)
	}
	if last > 4*first+time.Second {
		t.Errorf("the last quarter took %v and the first %v: the time is not linear", last, first)
	}
}
