package desk

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

const (
	between = 100 // messages of another audience before a checkpoint
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

// sampled is one allocation in so many bytes, while a test measures: none of a desk's
// that grow with the log escapes it.
const sampled = 512

// inUse is how many bytes are in use that this project's code has allocated, itself or
// through what it calls. The broker's part, which runs in the same process and keeps
// caches for some time, is not in it, nor is that of other tests' servers.
func inUse() int64 {
	runtime.GC() // the profile is that of the last collection but one
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 1024)
	for {
		n, ok := runtime.MemProfile(records, false)
		if ok {
			records = records[:n]
			break
		}
		records = make([]runtime.MemProfileRecord, n+1024)
	}
	total := 0.0
	for _, r := range records {
		if ours(r.Stack()) {
			bytes := float64(r.InUseBytes())
			total += bytes / (1 - math.Exp(-bytes/float64(r.InUseObjects())/sampled))
		}
	}
	return int64(total)
}

func ours(stack []uintptr) bool {
	for frames := runtime.CallersFrames(stack); ; {
		frame, more := frames.Next()
		if strings.HasPrefix(frame.Function, "github.com/tripoint/tripoint/") {
			return !strings.Contains(frame.Function, "desk.(*world)")
		}
		if !more {
			return false
		}
	}
}

// worked is the processor's time that this process has taken: others on the machine do
// not lengthen it.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// A desk that joins a log of 80,000 leaves, all but a few of them not for it: what it
// holds in memory does not grow with the log, and the last quarter is no more work
// than the first. Everything begins with its own charter.
func TestAdversary_L07_FirstContactWithAHugeTree(t *testing.T) {
	const leaves = 80_000
	w := newWorld(t)
	w.crowd(leaves)
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = sampled
	defer func() { runtime.MemProfileRate = rate }()
	before, heap := inUse(), []int64(nil)
	var measuring sync.Mutex
	d := w.desk("XC", func(c *Config) {
		c.fault = func(at string) error {
			if at == "committing mirror" { // what was taken in is still here
				measuring.Lock()
				defer measuring.Unlock()
				heap = append(heap, inUse()-before)
			}
			return nil
		}
	})
	var parts [5]time.Duration
	parts[0] = worked(t)
	for part := range uint64(4) {
		within(t, 12*deadline, "a quarter of the log is mirrored", func() bool { return d.Status().LogSize >= (part+1)*leaves/4 })
		parts[part+1] = worked(t)
	}
	within(t, 12*deadline, "all is witnessed", func() bool { return d.Status().WitnessedSize == w.checkpoint().Size })
	d.has(uint64(len(w.messages) - 1))
	same(t, "cosigned sizes", []uint64{w.checkpoint().Size}, w.cosigned("XC"))
	same(t, "entries: the charter and those of region", 1+leaves/between/seldom, len(d.verdicts()))
	same(t, "alarm", "", d.Status().Alarm)
	measuring.Lock()
	defer measuring.Unlock()
	if len(heap) < 8 {
		t.Fatalf("the log was taken in in %d parts: too few to see anything grow", len(heap))
	}
	peak, grown := slices.Max(heap)>>10, (slices.Max(heap[len(heap)*3/4:])-slices.Max(heap[:len(heap)/4]))>>10
	first, last := parts[1]-parts[0], parts[4]-parts[3]
	t.Logf("%d leaves in %v of the processor, the first quarter %v, the last %v; at most %d KiB held at %d commits, in the last quarter %d more than in the first",
		len(w.messages), parts[4]-parts[0], first, last, peak, len(heap), grown)
	const bound, growth = 16 << 10, 1 << 10 // KiB; who kept the leaves would grow by 1,900
	if peak > bound || grown > growth {
		t.Errorf("the desk held %d KiB, and %d more on the way, want at most %d and %d", peak, grown, bound, growth)
	}
	if last > 3*first+500*time.Millisecond {
		t.Errorf("the last quarter took %v and the first %v: the work is not linear", last, first)
	}
}
