package hub

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// watcher is shown a stream's messages, without their data, and the time.
type watcher interface {
	take(ctx context.Context, m jetstream.Msg) error
	expire(ctx context.Context, now time.Time) error
	next() (at time.Time, ok bool) // when something expires
}

// watch shows a stream from its beginning until ctx ends, or with an error.
func watch(ctx context.Context, js jetstream.JetStream, streamName string, w watcher) error {
	// It ends with an error where the stream was made anew under it.
	consumer, err := js.OrderedConsumer(ctx, streamName, jetstream.OrderedConsumerConfig{HeadersOnly: true, MaxResetAttempts: 3})
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", streamName, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", streamName, err)
	}
	defer messages.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, idle(w))
		m, err := messages.Next(jetstream.NextContext(bounded))
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			return fmt.Errorf("reading stream %s: %w", streamName, err)
		default:
			if err := w.take(ctx, m); err != nil {
				return err
			}
		}
		if err := w.expire(ctx, time.Now()); err != nil {
			return err
		}
	}
}

// idle is how long nothing expires.
func idle(w watcher) time.Duration {
	at, ok := w.next()
	if !ok {
		return time.Minute
	}
	return min(max(time.Until(at), time.Millisecond), time.Minute)
}

// place is a subject: what a message on it replaces is the one before it there. Its
// digest stands for it, for there may be a million chunks.
type place [16]byte

func placeOf(subject string) place {
	digest := sha256.Sum256([]byte(subject))
	return place(digest[:16])
}

// due is when a message's time is over.
type due struct {
	at       time.Time
	sequence uint64
	place    place
}

// dues are a heap, the next one first.
type dues []due

// add enters one. Those that are not current any more go where they are most: a message that
// is replaced again and again takes no more room than one.
func (d *dues) add(one due, current func(due) bool) {
	if len(*d) == cap(*d) {
		*d = slices.DeleteFunc(*d, func(d due) bool { return !current(d) })
		*d = slices.Grow(*d, len(*d)+64)
		heap.Init(d)
	}
	heap.Push(d, one)
}

func (d dues) next() (at time.Time, ok bool) {
	if len(d) == 0 {
		return time.Time{}, false
	}
	return d[0].at, true
}

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
