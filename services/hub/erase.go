package hub

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

const (
	// eraseAhead is how long before its time a key record goes: the server itself would let it
	// go then, and leave its bytes in the file.
	eraseAhead = 5 * time.Second
	eraseRetry = time.Second
)

// eraser overwrites key records on disk that were replaced, or whose time is over. A server
// that drops a message leaves its bytes in the file until it happens to write that anew.
// After a crash it goes through all records again.
type eraser struct {
	keys   jetstream.Stream
	newest map[string]uint64 // sequence by subject
	due    dues
}

// erase runs until ctx ends. The hub serves on whatever becomes of it.
func (h *Hub) erase(ctx context.Context) {
	for ctx.Err() == nil {
		err := eraseKeys(ctx, h.js)
		if ctx.Err() == nil {
			h.config.Logger.Warn("old key records wait to be overwritten", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(eraseRetry):
		}
	}
}

func eraseKeys(ctx context.Context, js jetstream.JetStream) error {
	keys, err := js.Stream(ctx, stream.Keys)
	if err != nil {
		return fmt.Errorf("opening stream %s: %w", stream.Keys, err)
	}
	// It ends with an error where the stream was made anew under it.
	consumer, err := keys.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{HeadersOnly: true, MaxResetAttempts: 3})
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", stream.Keys, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", stream.Keys, err)
	}
	defer messages.Stop()
	e := &eraser{keys: keys, newest: map[string]uint64{}}
	for {
		bounded, cancel := context.WithTimeout(ctx, e.wait())
		m, err := messages.Next(jetstream.NextContext(bounded))
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			return fmt.Errorf("reading stream %s: %w", stream.Keys, err)
		default:
			if err := e.take(ctx, m); err != nil {
				return err
			}
		}
		if err := e.expire(ctx, time.Now()); err != nil {
			return err
		}
	}
}

// wait is how long there is nothing to do.
func (e *eraser) wait() time.Duration {
	if len(e.due) == 0 {
		return time.Minute
	}
	return min(max(time.Until(e.due[0].at), time.Millisecond), time.Minute)
}

// take overwrites what a message takes the place of.
func (e *eraser) take(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	sequence := meta.Sequence.Stream
	before := e.newest[m.Subject()]
	e.newest[m.Subject()] = max(before, sequence)
	if life, err := time.ParseDuration(m.Headers().Get(jetstream.MsgTTLHeader)); err == nil {
		heap.Push(&e.due, due{at: meta.Timestamp.Add(life - eraseAhead), sequence: sequence, subject: m.Subject()})
	}
	if before == 0 || before == sequence {
		return nil
	}
	return e.overwrite(ctx, min(before, sequence))
}

func (e *eraser) expire(ctx context.Context, now time.Time) error {
	for len(e.due) > 0 && !now.Before(e.due[0].at) {
		over := heap.Pop(&e.due).(due)
		if e.newest[over.subject] != over.sequence {
			continue // replaced since
		}
		if err := e.overwrite(ctx, over.sequence); err != nil {
			return err
		}
		delete(e.newest, over.subject)
	}
	return nil
}

func (e *eraser) overwrite(ctx context.Context, sequence uint64) error {
	err := e.keys.SecureDeleteMsg(ctx, sequence)
	if wrong := (*jetstream.APIError)(nil); errors.As(err, &wrong) && wrong.ErrorCode == jetstream.JSErrCodeMessageNotFound {
		return nil
	}
	if _, gone := e.keys.GetMsg(ctx, sequence); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("overwriting key record %d: %w", sequence, err)
	}
	return nil
}

// due is when a record's time is over.
type due struct {
	at       time.Time
	sequence uint64
	subject  string
}

// dues are a heap, the next one first.
type dues []due

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)        { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}
