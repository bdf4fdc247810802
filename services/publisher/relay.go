package publisher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// parcel bounds what is signed, and published in one commit, at a time.
var parcel = outbox.Bounds{Events: stream.MaxBatch, Bytes: 8 << 20}

// Waiting after a fault: doubled each time.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 15 * time.Second
)

// lane carries one audience's events to the hub, in the order of their chain, to
// the newest address that the audience has.
// Audiences have a lane each: one that the hub refuses does not hold up the others.
type lane struct {
	publisher *Publisher
	audience  string
	wake      chan struct{}
	limit     int // events in the next parcel: halved by a fault, so that a bad link still gets something through
	running   bool
}

// signal says that there may be something to do.
func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends. No fault ends it.
func (l *lane) run(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		moved, err := l.step(ctx)
		if errors.Is(err, errSuperseded) {
			continue // step waits until the news are taken in
		}
		if err != nil && ctx.Err() == nil {
			l.publisher.troubles.note("audience "+l.audience, err.Error())
			l.limit = max(l.limit/2, 1)
			pause(ctx, wait)
			wait = min(2*wait, longestWait)
			continue
		}
		wait = firstWait
		l.publisher.troubles.note("audience "+l.audience, "")
		if moved {
			l.limit = min(2*l.limit, parcel.Events)
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
		}
	}
}

// pause waits about as long as said: not all publishers shall come back at once.
func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait/2 + rand.N(wait))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// step publishes one parcel. What was signed before goes first, be it never
// published, published without an answer, or not found in the log. What no
// reader would accept is not sent, nor what would follow somebody else's event, and nothing is signed past it: it is signed
// again first, with the same identifiers, which must rise along the chain.
func (l *lane) step(ctx context.Context) (moved bool, err error) {
	p := l.publisher
	p.flight.RLock()
	defer p.flight.RUnlock()
	view := p.log.Load()
	if !p.ready(view) {
		return false, nil // follow signals when that changes
	}
	oldest, ok, err := p.outbox.Oldest(ctx, l.audience)
	if err != nil || ok && (view.ended(oldest.Key, oldest.Address) != nil || view.strange[p.chain(oldest.Address, oldest.Renewal)].count > 0) {
		return false, err
	}
	bounds := outbox.Bounds{Events: l.limit, Bytes: parcel.Bytes}
	envelopes, err := p.outbox.Unsent(ctx, l.audience, bounds)
	if err != nil {
		return false, err
	}
	if len(envelopes) == 0 {
		if envelopes, err = l.sign(ctx, view, bounds); err != nil || len(envelopes) == 0 {
			return false, err
		}
	}
	// The shipper signals when the hub has stored what they name.
	if envelopes, err = p.outbox.Ready(ctx, l.audience, envelopes); err != nil || len(envelopes) == 0 {
		return false, err
	}
	return true, l.publish(ctx, envelopes)
}

// sign seals and signs the oldest drafts and stores the result before anybody sees it: a
// crash later publishes the same bytes, never others with the same counter.
func (l *lane) sign(ctx context.Context, view *logView, bounds outbox.Bounds) ([]outbox.Envelope, error) {
	p := l.publisher
	audience, ok := view.state.Audience(l.audience)
	if !ok || !audience.Has(p.config.Country) {
		return nil, nil // the status says so
	}
	key, err := p.signingKey(view)
	if err != nil {
		return nil, nil // likewise
	}
	enrolled, _ := view.state.Key(key.ID)
	chain := p.chain(audience.Address(), enrolled.Renewal)
	if view.strange[chain].count > 0 {
		return nil, nil // likewise
	}
	drafts, head, err := p.outbox.Drafts(ctx, l.audience, chain, bounds)
	if err != nil || len(drafts) == 0 {
		return nil, err
	}
	s := &sealer{
		key: key, chain: chain, seen: view.seen, head: head, clear: p.clear,
		to: seal.Recipients(view.state, audience, view.size), days: view.state.Retention(),
	}
	blocked, err := s.batches(drafts)
	if err != nil {
		return nil, err
	}
	if blocked != 0 && len(s.envelopes) == 0 {
		p.troubles.note("sealing for "+l.audience, unopened(audience, blocked))
		return nil, nil
	}
	p.troubles.note("sealing for "+l.audience, "")
	if err := p.outbox.PutSigned(ctx, l.audience, chain, head, s.head, s.envelopes, s.records...); err != nil {
		return nil, err
	}
	return s.envelopes, nil
}

// publish commits a parcel on the hub and keeps the hub's word on where it lies.
// After a crash between the two it is published again: a duplicate, which every
// reader recognises by its header.
func (l *lane) publish(ctx context.Context, envelopes []outbox.Envelope) error {
	p := l.publisher
	messages := make([]stream.Message, len(envelopes))
	size := 0
	for i, e := range envelopes {
		messages[i] = stream.Message{Subject: e.Subject, Data: e.Data}
		size += len(e.Data)
	}
	// Time for a slow link: 30 s, and a second for every 16 KiB.
	bounded, cancel := context.WithTimeout(ctx, 30*time.Second+time.Duration(size>>14)*time.Second)
	defer cancel()
	relay := p.lanes.relay
	defer context.AfterFunc(relay, cancel)()
	err := l.publishRecords(bounded, envelopes)
	var last uint64
	if err == nil {
		last, err = p.hub.PublishBatch(bounded, messages)
	}
	if err != nil {
		if relay.Err() != nil {
			return context.Cause(relay)
		}
		return fmt.Errorf("%d events wait to be published again: %w", len(envelopes), err)
	}
	n := uint64(len(envelopes))
	if last < n {
		return fmt.Errorf("the hub says that %d events end at sequence %d: %w", n, last, outbox.ErrMisplaced)
	}
	// The answer is kept even where the publisher is being stopped.
	return p.outbox.PutStored(context.WithoutCancel(ctx), l.audience, envelopes, last-n+1)
}
