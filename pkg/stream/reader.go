package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Reader pulls a stream in order through a durable consumer that the hub made.
// Messages that were fetched and not acknowledged come again; the owner keeps
// its own cursor and begins with Reset, so nothing depends on the consumer's.
// It is not for concurrent use.
type Reader struct {
	conn             *Conn
	stream, consumer string
	handle           jetstream.Consumer
	last             jetstream.Msg // fetched, not acknowledged
	expect           uint64        // consumer sequence of the next message; 0: unknown
	failed           error         // met after messages that were still good; for the next Fetch
}

// ErrMissed says that messages were lost between hub and reader. Reset to the
// last one that was taken in, and go on.
var ErrMissed = errors.New("messages were lost on the way")

// Reader opens a consumer. It fails while the hub is away.
func (c *Conn) Reader(ctx context.Context, stream, consumer string) (*Reader, error) {
	var handle jetstream.Consumer
	err := insist(ctx, func(ctx context.Context) (err error) {
		handle, err = c.js.Consumer(ctx, stream, consumer)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening consumer %s of %s: %w", consumer, stream, err)
	}
	return &Reader{conn: c, stream: stream, consumer: consumer, handle: handle}, nil
}

// Reset makes the next message the first one whose sequence is not below the given one.
func (r *Reader) Reset(ctx context.Context, sequence uint64) error {
	request, err := json.Marshal(map[string]uint64{"seq": max(sequence, 1)})
	if err != nil {
		return fmt.Errorf("resetting consumer %s: %w", r.consumer, err)
	}
	subject := r.conn.api + ".CONSUMER.RESET." + r.stream + "." + r.consumer
	var reply *nats.Msg
	err = insist(ctx, func(ctx context.Context) (err error) {
		reply, err = r.conn.nc.RequestWithContext(ctx, subject, request)
		return err
	})
	if err != nil {
		return fmt.Errorf("resetting consumer %s of %s: %w", r.consumer, r.stream, err)
	}
	var answer struct {
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("resetting consumer %s of %s: unreadable answer", r.consumer, r.stream)
	}
	if answer.Error != nil {
		return fmt.Errorf("resetting consumer %s of %s: %s", r.consumer, r.stream, answer.Error.Description)
	}
	// The hub counts from 1 again: a first message that went elsewhere is missed too.
	r.last, r.expect, r.failed = nil, 1, nil
	return nil
}

// Pending asks the hub how many messages it has not sent to this reader yet. Right
// after Reset that is all from there to the end of the stream; later it does not
// count what was sent and lost on the way.
func (r *Reader) Pending(ctx context.Context) (uint64, error) {
	var info *jetstream.ConsumerInfo
	err := insist(ctx, func(ctx context.Context) (err error) {
		info, err = r.handle.Info(ctx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("asking for the end of %s: %w", r.stream, err)
	}
	return info.NumPending, nil
}

// Fetch returns up to limit messages in stream order. It waits for the first, at
// most as long as said, and returns none when there was none. After an error
// only Reset makes the reader usable again.
func (r *Reader) Fetch(ctx context.Context, limit int, wait time.Duration) ([]Message, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	messages, err := r.take(r.handle.FetchNoWait(limit))
	if err != nil || len(messages) > 0 {
		return messages, err
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	messages, err = r.take(r.handle.Fetch(1, jetstream.FetchContext(bounded)))
	if err != nil || len(messages) == 0 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	more, err := r.take(r.handle.FetchNoWait(limit))
	r.failed = err
	return append(messages, more...), nil
}

// Poll returns up to limit messages in stream order that the hub has now, and does not wait
// for any. Otherwise it is like Fetch.
func (r *Reader) Poll(limit int) ([]Message, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	return r.take(r.handle.FetchNoWait(limit))
}

func (r *Reader) take(batch jetstream.MessageBatch, err error) ([]Message, error) {
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.stream, err)
	}
	var messages []Message
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", r.stream, err)
		}
		if r.expect != 0 && meta.Sequence.Consumer != r.expect {
			r.expect = 0
			return nil, fmt.Errorf("reading %s: %w", r.stream, ErrMissed)
		}
		r.expect = meta.Sequence.Consumer + 1
		r.last = m
		messages = append(messages, Message{Subject: m.Subject(), Sequence: meta.Sequence.Stream, Data: m.Data(), Pending: meta.NumPending})
	}
	if err := batch.Error(); err != nil && !ended(err) {
		return nil, fmt.Errorf("reading %s: %w", r.stream, err)
	}
	return messages, nil
}

// ended reports the ways in which a fetch finishes without a fault.
func ended(err error) bool {
	return errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled) || errors.Is(err, jetstream.ErrNoMessages)
}

// Ack tells the hub that everything fetched so far is safe with the owner.
func (r *Reader) Ack() error {
	if r.last == nil {
		return nil
	}
	if err := r.last.Ack(); err != nil {
		return fmt.Errorf("acknowledging on %s: %w", r.stream, err)
	}
	r.last = nil
	return nil
}
