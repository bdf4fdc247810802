package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// shipper brings files to the hub, chunk by chunk, each once the one before is
// acknowledged; and empties those of erased events. What was acknowledged is on disk, so after a
// break, or a crash, one chunk at most is sent again. An event waits for its files (outbox.Ready).
type shipper struct {
	publisher *Publisher
	hub       courier
	wake      chan struct{}

	// The next files, as they were when they were looked up: looking goes through all that are here. After so many
	// chunks, with a new view of the registry, or after a fault they are looked up again.
	queue []outbox.Shipment
	of    *logView
	sent  int // chunks since
}

// shipAtOnce is how many chunks are sent between two looks at what there is to do. An erasure waits for so many at most.
const shipAtOnce = 100

// courier is what the shipper needs of a stream.Conn.
type courier interface {
	Chunk(ctx context.Context, subject string) ([]byte, error)
	PutChunk(ctx context.Context, subject string, chunk []byte, life time.Duration) error
}

// lookAgain is how long to wait while there is something that may be settled or sent.
const lookAgain = time.Second

// signal says that there may be something to do.
func (s *shipper) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends. No fault ends it.
func (s *shipper) run(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		moved, err := s.step(ctx)
		if err == nil && !moved {
			err = s.publisher.outbox.Settle(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.publisher.troubles.note("files", err.Error())
			pause(ctx, wait)
			wait = min(2*wait, longestWait)
			continue
		}
		wait = firstWait
		s.publisher.troubles.note("files", "")
		if !moved {
			s.sleep(ctx)
		}
	}
}

// sleep waits for a signal, and looks by itself while a file is here.
func (s *shipper) sleep(ctx context.Context) {
	var again <-chan time.Time
	if open, err := s.publisher.outbox.Unsettled(ctx); err != nil || open {
		timer := time.NewTimer(lookAgain)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-s.wake:
	case <-again:
	case <-ctx.Done():
	}
}

// step moves one chunk, or empties one file.
func (s *shipper) step(ctx context.Context) (moved bool, err error) {
	p := s.publisher
	view := p.log.Load()
	if !p.ready(view) || p.hub.Away() != nil {
		return false, nil
	}
	if len(s.queue) > 0 && s.of == view && s.sent < shipAtOnce {
		return true, s.ship(ctx, view, s.queue[0])
	}
	s.queue, s.of, s.sent = nil, view, 0
	addresses, open := map[string]string{}, map[string]bool{}
	for _, id := range view.state.AudiencesOf(p.config.Country) {
		audience, _ := view.state.Audience(id)
		addresses[id], open[audience.Address()] = audience.Address(), true
	}
	if wiping, ok, err := p.outbox.Wiping(ctx); err != nil || ok {
		if err == nil && !open[wiping.Address] {
			return true, p.outbox.PutWiped(ctx, wiping.ID, wiping.Address) // closed to this country: it expires there
		}
		return true, errors.Join(err, s.wipe(ctx, view, wiping))
	}
	if s.queue, err = p.outbox.Shipments(ctx, addresses, shipAtOnce); err != nil {
		return false, err
	}
	if len(s.queue) > 0 {
		return true, s.ship(ctx, view, s.queue[0])
	}
	return s.forward(ctx, view, open)
}

// ship sends the next chunk of the first in the queue. That it is under way is on disk before.
func (s *shipper) ship(ctx context.Context, view *logView, f outbox.Shipment) (err error) {
	p := s.publisher
	defer func() {
		if err != nil {
			s.queue = nil
		}
	}()
	if f.Stored == 0 {
		if err := p.outbox.PutShipped(ctx, f.ID, f.Address, 0); err != nil {
			return err
		}
	}
	name, chunk, err := p.outbox.Chunk(ctx, f.ID, f.Stored)
	if err != nil || chunk == nil { // let go meanwhile
		s.queue = s.queue[1:]
		return err
	}
	if err := s.put(ctx, view, f, name.String(), chunk); err != nil {
		return fmt.Errorf("a chunk waits to be stored again: %w", err)
	}
	// The answer is kept even where the publisher is being stopped.
	if err := p.outbox.PutShipped(context.WithoutCancel(ctx), f.ID, f.Address, f.Stored+1); err != nil {
		return err
	}
	s.queue[0].Stored, s.sent = f.Stored+1, s.sent+1
	if f.Stored+1 == f.Chunks {
		s.queue = s.queue[1:]
		p.lanes.of(f.Audience).signal()
	}
	return nil
}

// wipe empties what the hub has of a file, from the end on: also the chunk whose
// answer may have been lost.
func (s *shipper) wipe(ctx context.Context, view *logView, f outbox.Shipment) error {
	p := s.publisher
	for n := min(f.Stored, f.Chunks-1); n >= 0; n-- {
		name, _, err := p.outbox.Chunk(ctx, f.ID, n)
		if err != nil {
			return err
		}
		if err := s.put(ctx, view, f, name.String(), nil); err != nil {
			return fmt.Errorf("a chunk of an erased file waits to be emptied: %w", err)
		}
		if err := p.outbox.PutShipped(context.WithoutCancel(ctx), f.ID, f.Address, n); err != nil {
			return err
		}
	}
	return p.outbox.PutWiped(context.WithoutCancel(ctx), f.ID, f.Address)
}

// put stores a chunk for as long as the event's class is kept, and as long as a file may wait for its report.
func (s *shipper) put(ctx context.Context, view *logView, f outbox.Shipment, name string, chunk []byte) error {
	config := s.publisher.config
	life := time.Duration(view.state.Retention()[f.Retention])*24*time.Hour + outbox.Unnamed
	return s.hub.PutChunk(ctx, stream.ChunkSubject(f.Address, config.Country, config.Agency, name), chunk, life)
}
