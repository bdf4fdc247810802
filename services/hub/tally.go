package hub

import (
	"container/heap"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// tally is how much of a stream is whose. It follows the headers of the stream, from its beginning at
// each start, and so needs nothing on disk: until it has come to the end, too little is counted.
type tally struct {
	stream string

	mu     sync.Mutex
	newest map[place]kept
	used   map[holder]uint64
	due    dues
}

// kept is the newest message on a subject.
type kept struct {
	sequence uint64
	cost     uint64
	holder   holder
}

func newTally(streamName string) *tally {
	return &tally{stream: streamName, newest: map[place]kept{}, used: map[holder]uint64{}}
}

// run follows the stream until ctx ends, or with an error.
func (t *tally) run(ctx context.Context, js jetstream.JetStream) error {
	t.mu.Lock()
	t.newest, t.used, t.due = map[place]kept{}, map[holder]uint64{}, nil
	t.mu.Unlock()
	return watch(ctx, js, t.stream, t)
}

// sizeHeader is where the server says the size of a message's data, where it leaves the data out.
const sizeHeader = "Nats-Msg-Size"

// costOf is what a message takes, by its headers; size is that of its data.
func costOf(subject string, headers nats.Header, size int) uint64 {
	cost := messageCost + len(subject) + size
	for name, values := range headers {
		for _, value := range values {
			cost += len(name) + len(value) + 4
		}
	}
	return uint64(cost)
}

func (t *tally) take(_ context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	h, ok := holderOf(m.Subject())
	if !ok {
		return nil // nobody may publish such
	}
	headers := m.Headers()
	size, err := strconv.ParseUint(headers.Get(sizeHeader), 10, 32)
	if err != nil {
		size = 0 // the server says it of every message
	}
	delete(headers, sizeHeader)
	t.mu.Lock()
	defer t.mu.Unlock()
	at := placeOf(m.Subject())
	t.letGo(at)
	t.newest[at] = kept{sequence: meta.Sequence.Stream, cost: costOf(m.Subject(), headers, int(size)), holder: h}
	t.used[h] += t.newest[at].cost
	t.used[holder{country: h.country}] += t.newest[at].cost
	if end, ok := endOf(t.stream, headers, meta.Timestamp); ok {
		t.due.add(due{at: end, sequence: meta.Sequence.Stream, place: at}, func(d due) bool { return t.newest[d.place].sequence == d.sequence })
	}
	return nil
}

// letGo takes what lies at a place out of the count.
func (t *tally) letGo(at place) {
	before, ok := t.newest[at]
	if !ok {
		return
	}
	for _, h := range []holder{before.holder, {country: before.holder.country}} {
		if t.used[h] -= before.cost; t.used[h] == 0 {
			delete(t.used, h)
		}
	}
	delete(t.newest, at)
}

func (t *tally) expire(_ context.Context, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.due) > 0 && !now.Before(t.due[0].at) {
		over := heap.Pop(&t.due).(due)
		if t.newest[over.place].sequence == over.sequence {
			t.letGo(over.place)
		}
	}
	return nil
}

func (t *tally) next() (at time.Time, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.due.next()
}

// endOf is when a message's time is over, by the header of its stream: that of the other ends nothing.
func endOf(streamName string, headers nats.Header, stored time.Time) (end time.Time, ok bool) {
	if streamName == stream.Keys {
		at, err := stream.ParseUntil(headers.Get(stream.Until))
		return at, err == nil
	}
	life, err := lifeOf(headers.Get(ttl))
	return stored.Add(life), err == nil && life > 0
}

// would be what a holder has if a message came, and what it has of that subject now.
func (t *tally) would(subject string, h holder, cost uint64) (after, before uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.newest[placeOf(subject)].cost
	return t.used[h] + cost - before, before
}

// standings are all holders' here.
func (t *tally) standings() map[holder]uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[holder]uint64, len(t.used))
	for h, used := range t.used {
		all[h] = used
	}
	return all
}
