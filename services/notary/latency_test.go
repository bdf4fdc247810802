package notary_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/stream"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// The promise is a checkpoint within 200 ms of the first new event. A machine that
// runs other tests beside this one may add so much to one of them.
const (
	promised = 200 * time.Millisecond
	margin   = 300 * time.Millisecond
)

// spoken is one message of the notary as it reached a member.
type spoken struct {
	size uint64
	at   time.Time
}

// listen hears what the notary publishes from now on.
func (h *house) listen(ctx context.Context) <-chan spoken {
	h.t.Helper()
	conn, err := stream.Dial(h.config(stream.AuditUser))
	must(h.t, err)
	h.t.Cleanup(conn.Close)
	reader, err := conn.Reader(ctx, stream.Log, stream.AuditUser)
	must(h.t, err)
	must(h.t, reader.Reset(ctx, 1))
	heard := make(chan spoken, 1000)
	go func() {
		defer close(heard)
		for ctx.Err() == nil {
			messages, err := reader.Fetch(ctx, 100, time.Second)
			if err != nil {
				return
			}
			for _, m := range messages {
				leaves := &logv1.Leaves{}
				if proto.Unmarshal(m.Data, leaves) == nil {
					heard <- spoken{leaves.GetStart() + uint64(len(leaves.GetHashes())/32), time.Now()}
				}
			}
		}
	}()
	return heard
}

// delays are how long after its commit each event was covered, and how far the
// checkpoints were apart.
func delays(t *testing.T, heard <-chan spoken, committed map[uint64]time.Time) (delays, apart []time.Duration) {
	t.Helper()
	last := uint64(0)
	for index := range committed {
		last = max(last, index)
	}
	var before spoken
	for before.size <= last {
		var now spoken
		select {
		case now = <-heard:
		case <-time.After(deadline):
			t.Fatalf("%d leaves are covered, and there is one at %d", before.size, last)
		}
		for index := before.size; index < now.size; index++ {
			if at, ok := committed[index]; ok {
				delays = append(delays, now.at.Sub(at))
			}
		}
		if !before.at.IsZero() {
			apart = append(apart, now.at.Sub(before.at))
		}
		before = now
	}
	slices.Sort(delays)
	slices.Sort(apart)
	return delays, apart
}

// Each event is covered by a checkpoint within 200 ms, also the first after a long
// silence, and there are not more checkpoints than that takes.
func TestCheckpointsComeInTime(t *testing.T) {
	h := newHouse(t)
	config := h.settings()
	config.Interval = 0 // as it is run
	stop := h.run(h.opened(config))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := h.listen(ctx)
	conn, err := stream.Dial(h.config(stream.PublisherUser("XA", "police")))
	must(t, err)
	defer conn.Close()
	messages := h.sign(130)
	commit := func(committed map[uint64]time.Time) {
		sequence, err := conn.Publish(t.Context(), messages[0].Subject, messages[0].Data)
		must(t, err)
		committed[sequence-1] = time.Now()
		messages = messages[1:]
		h.registry.Next++
	}

	silence := time.NewTicker(300 * time.Millisecond)
	defer silence.Stop()
	single := map[uint64]time.Time{}
	for range 10 {
		commit(single)
		<-silence.C
	}
	late, _ := delays(t, heard, single)
	t.Logf("single events: median %v, largest %v", late[len(late)/2], late[len(late)-1])
	judge(t, late, promised/2)

	trickle, began := map[uint64]time.Time{}, time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		commit(trickle)
	}
	took := time.Since(began)
	late, apart := delays(t, heard, trickle)
	t.Logf("an event every 20 ms for %v: median %v, largest %v; %d checkpoints, median %v apart",
		took, late[len(late)/2], late[len(late)-1], len(apart)+1, apart[len(apart)/2])
	judge(t, late, promised)
	if most := int(took/promised) + 2; len(apart)+1 > most {
		t.Errorf("%d checkpoints in %v, want at most %d", len(apart)+1, took, most)
	}
	must(t, stop())
	h.audits(h.registry.Next)
}

func judge(t *testing.T, late []time.Duration, median time.Duration) {
	t.Helper()
	if got := late[len(late)/2]; got > median {
		t.Errorf("the median is %v, want at most %v", got, median)
	}
	if got := late[len(late)-1]; got > promised+margin {
		t.Errorf("the largest is %v, want at most %v", got, promised+margin)
	}
}
