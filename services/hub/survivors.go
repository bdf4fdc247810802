package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/stream"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// silence is how long a server may take to show the next message of what it has.
const silence = 20 * time.Second

// holds is what a server's streams hold of the log, as a holding. The log stream
// comes first. Where damaged is set, a stream that cannot be read on ends there.
func (h *Hub) holds(name string, damaged bool) salvage.Source {
	return salvage.Source{Name: name, Damaged: damaged, Open: func(ctx context.Context) (salvage.Records, error) {
		return &survivors{ctx: ctx, js: h.js, left: []string{stream.Log, stream.Events}, damaged: damaged, warn: h.config.Logger.Warn}, nil
	}}
}

// survivors reads streams one after the other, to their ends.
type survivors struct {
	ctx     context.Context // of the whole reading
	js      jetstream.JetStream
	left    []string // streams not begun
	damaged bool
	warn    func(string, ...any)

	messages jetstream.MessagesContext // of the stream that is being read; nil: none
}

func (s *survivors) Close() error {
	if s.messages != nil {
		s.messages.Stop()
		s.messages = nil
	}
	return nil
}

// Next passes over what is not a record of a holding: the log stream of a damaged
// hub may hold anything.
func (s *survivors) Next() (holding.Record, error) {
	for {
		m, err := s.next()
		if err != nil {
			return holding.Record{}, err
		}
		if record, ok := recordOf(m); ok {
			return record, nil
		}
	}
}

func recordOf(m stream.Message) (record holding.Record, ok bool) {
	switch {
	case m.Subject == stream.LeavesSubject:
		leaves := &logv1.Leaves{}
		err := proto.Unmarshal(m.Data, leaves)
		return holding.Record{Leaves: leaves}, err == nil && len(leaves.GetHashes()) > 0 && len(leaves.GetCheckpoint()) > 0
	case strings.HasPrefix(m.Subject, "log."):
		return holding.Record{Cosignature: m.Data}, strings.HasPrefix(m.Subject, stream.CosignPrefix) && len(m.Data) > 0
	}
	return holding.Record{Message: &holding.Message{Index: m.Sequence - 1, Known: true, Subject: m.Subject, Data: m.Data}}, true
}

func (s *survivors) next() (stream.Message, error) {
	for {
		if s.messages == nil {
			if len(s.left) == 0 {
				return stream.Message{}, io.EOF
			}
			name := s.left[0]
			s.left = s.left[1:]
			var err error
			if s.messages, err = tape(s.ctx, s.js, name); err != nil {
				if err := s.fault(fmt.Errorf("opening stream %s: %w", name, err)); err != nil {
					return stream.Message{}, err
				}
			}
			continue
		}
		m, last, err := nextOf(s.messages)
		if err == nil {
			if last {
				s.Close()
			}
			return m, nil
		}
		s.Close()
		if err := s.fault(fmt.Errorf("reading on: %w", err)); err != nil {
			return stream.Message{}, err
		}
	}
}

// fault decides whether a stream that cannot be read is an error.
func (s *survivors) fault(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if !s.damaged {
		return err
	}
	s.warn("a damaged stream cannot be read on", "error", err)
	return nil
}

// tape reads a stream from its first message to where it ends now; nil: it is empty.
func tape(ctx context.Context, js jetstream.JetStream, name string) (jetstream.MessagesContext, error) {
	s, err := js.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	if s.CachedInfo().State.Msgs == 0 {
		return nil, nil
	}
	reader, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, err
	}
	return reader.Messages(jetstream.PullMaxMessagesWithBytesLimit(256, 8<<20))
}

// nextOf is the next message, and whether it is the last.
func nextOf(messages jetstream.MessagesContext) (m stream.Message, last bool, err error) {
	raw, err := messages.Next(jetstream.NextMaxWait(silence))
	if err != nil {
		return m, false, err
	}
	place, err := raw.Metadata()
	if err != nil {
		return m, false, err
	}
	if place.Sequence.Stream == 0 {
		return m, false, errors.New("a message without a place")
	}
	return stream.Message{Subject: raw.Subject(), Sequence: place.Sequence.Stream, Data: raw.Data()}, place.NumPending == 0, nil
}
