package hub

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// reel reads a stream of an own server from its first message to where it ended when
// it was opened, past what the server cannot read. The server says nothing of a
// message that is damaged: it is silent there, or goes on behind it.
type reel struct {
	js       jetstream.JetStream
	stream   jetstream.Stream
	last     uint64                    // sequence of the newest message read
	end      uint64                    // of the last there is
	done     bool                      // the server says that it has no more; it may be wrong
	messages jetstream.MessagesContext // nil: to be opened, after last
}

// stored is one message as the server keeps it.
type stored struct {
	stream.Message
	header nats.Header
	since  time.Time
}

// silence is how long a server in this process takes at most to show a message that
// it can read.
const silence = 2 * time.Second

func openReel(ctx context.Context, js jetstream.JetStream, name string) (*reel, error) {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	state := s.CachedInfo().State
	r := &reel{js: js, stream: s, end: state.LastSeq}
	if state.Msgs == 0 {
		r.end = 0
	}
	return r, nil
}

func (r *reel) close() {
	if r.messages != nil {
		r.messages.Stop()
		r.messages = nil
	}
}

// next is the next message; ok is false at the end.
func (r *reel) next(ctx context.Context) (m stored, ok bool, err error) {
	if r.last >= r.end {
		return m, false, nil
	}
	if r.done {
		return r.search(ctx)
	}
	if r.messages == nil {
		reader, err := r.js.OrderedConsumer(ctx, r.stream.CachedInfo().Config.Name, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.last + 1,
		})
		if err == nil {
			r.messages, err = reader.Messages(jetstream.PullMaxBytes(8 << 20))
		}
		if err != nil {
			return m, false, err
		}
	}
	raw, err := r.messages.Next(jetstream.NextMaxWait(silence))
	if err != nil {
		r.close()
		if ctx.Err() != nil {
			return m, false, ctx.Err()
		}
		return r.search(ctx)
	}
	place, err := raw.Metadata()
	if err != nil {
		return m, false, err
	}
	m = stored{stream.Message{Subject: raw.Subject(), Sequence: place.Sequence.Stream, Data: raw.Data()}, raw.Headers(), place.Timestamp}
	if m.Sequence == 0 || m.Sequence > r.end {
		r.last = r.end
		return m, false, nil
	}
	r.last, r.done = m.Sequence, place.NumPending == 0
	return m, true, nil
}

// search asks for one message after the other until the server has one.
func (r *reel) search(ctx context.Context) (m stored, ok bool, err error) {
	for r.last < r.end {
		raw, err := r.stream.GetMsg(ctx, r.last+1)
		if refused := (*jetstream.APIError)(nil); errors.As(err, &refused) {
			r.last++ // damaged, or deleted
			continue
		}
		if err != nil {
			return m, false, err
		}
		r.last, r.done = raw.Sequence, false
		return stored{stream.Message{Subject: raw.Subject, Sequence: raw.Sequence, Data: raw.Data}, raw.Header, raw.Time}, true, nil
	}
	return m, false, nil
}
