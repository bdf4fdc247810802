package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// ledger is the registry as this hub's own stream tells it. Where messages were
// lost it goes on with what is left: desks and audits name what is missing.
type ledger struct {
	js    jetstream.JetStream
	state registry.State
	next  uint64 // stream sequence from which to read on
}

// lookAgain is how long the hub waits after a fault.
const lookAgain = 250 * time.Millisecond

// openLedger folds all that is there.
func openLedger(ctx context.Context, js jetstream.JetStream, charter registry.Charter) (*ledger, error) {
	state, err := charter.State()
	if err != nil {
		return nil, err
	}
	l := &ledger{js: js, state: state, next: 2} // the first message is the charter
	events, err := js.Stream(ctx, stream.Events)
	if err != nil {
		return nil, fmt.Errorf("opening stream %s: %w", stream.Events, err)
	}
	for {
		m, err := events.GetMsg(ctx, l.next, jetstream.WithGetMsgSubject("reg.>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return l, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the registry: %w", err)
		}
		l.take(m.Sequence, m.Subject, m.Data)
	}
}

// take folds one message and reports whether it changed anything. In the first
// epoch of a stream its sequence is its log index plus one.
func (l *ledger) take(sequence uint64, subject string, data []byte) bool {
	l.next = sequence + 1
	state, err := l.state.Apply(sequence-1, subject, data)
	if err != nil {
		return false
	}
	l.state = state
	return true
}

// follow holds the broker to the registry until ctx ends.
func (h *Hub) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.followRegistry(ctx); err != nil && ctx.Err() == nil {
			h.config.Logger.Error("following the registry", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// followRegistry begins with what is in force already, so that a change whose
// enforcement failed is enforced by the next try.
func (h *Hub) followRegistry(ctx context.Context) error {
	if err := h.gate.apply(ctx, h.js, tenancyOf(h.ledger.state)); err != nil {
		return err
	}
	reader, err := h.js.OrderedConsumer(ctx, stream.Events, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"reg.>"}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: h.ledger.next,
	})
	if err != nil {
		return err
	}
	messages, err := reader.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		place, err := m.Metadata()
		if err != nil {
			return err
		}
		before := tenancyOf(h.ledger.state)
		if place.Sequence.Stream < h.ledger.next || !h.ledger.take(place.Sequence.Stream, m.Subject(), m.Data()) {
			continue
		}
		if err := h.enforce(ctx, before, tenancyOf(h.ledger.state), place.NumPending == 0); err != nil {
			return err
		}
		h.config.Logger.Info("the registry has changed, and is enforced", "index", place.Sequence.Stream-1, "subject", m.Subject())
	}
}

// parting is how long those who are shut out may still read why. They can do
// nothing else from the first moment on.
const parting = 2 * time.Second

// enforce goes from one tenancy to the next. Where more updates wait, nobody is
// given time: they might shut somebody else out.
func (h *Hub) enforce(ctx context.Context, before, after tenancy, patient bool) error {
	if between, ok := farewell(before, after); ok && patient {
		if err := h.gate.apply(ctx, h.js, between); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(parting):
		}
	}
	return h.gate.apply(ctx, h.js, after)
}
