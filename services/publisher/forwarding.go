package publisher

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// forward brings the next chunk of a released file to the address of its release: the same ciphertext,
// read back from the hub, since nothing of a witnessed event's files is kept here. How much is there is on
// disk, so that a crash costs one chunk at most. The release is said once all of it is.
func (s *shipper) forward(ctx context.Context, view *logView, open map[string]bool) (moved bool, err error) {
	p := s.publisher
	read := map[string]bool{}
	for _, address := range view.state.Reads(p.config.Country) {
		read[address] = true
	}
	f, ok, err := p.outbox.Forward(ctx, read, open)
	if err != nil || !ok {
		return false, err
	}
	if f.Stored >= f.Chunks || !f.Expires.After(p.outbox.Clock()) {
		return true, s.forwarded(ctx, f)
	}
	if f.Stored == 0 {
		if err := p.outbox.PutShipped(ctx, f.ID, f.To, 0); err != nil {
			return false, err
		}
	}
	name, chunk, err := p.outbox.Chunk(ctx, f.ID, f.Stored)
	if err != nil {
		return false, err
	}
	if chunk == nil {
		if chunk, err = s.hub.Chunk(ctx, s.chunkAt(f.From, name)); errors.Is(err, stream.ErrNobody) || err != nil && !errors.Is(err, stream.ErrNoChunk) {
			return false, fmt.Errorf("a file of a release waits to be read back: %w", err)
		}
	}
	if err != nil || attachment.NameOf(chunk) != name {
		// Nobody can bring it any more: who opens the section is told that the file is missing.
		p.config.Logger.Warn("the hub does not have a file of a released event any more: it is released without it", "chunk", f.Stored)
		return true, s.forwarded(ctx, f)
	}
	if err := s.hub.PutChunk(ctx, s.chunkAt(f.To, name), chunk, f.Expires.Sub(p.outbox.Clock())); err != nil {
		return false, fmt.Errorf("a chunk of a released file waits to be stored again: %w", err)
	}
	// The answer is kept even where the publisher is being stopped.
	return true, p.outbox.PutShipped(context.WithoutCancel(ctx), f.ID, f.To, f.Stored+1)
}

func (s *shipper) forwarded(ctx context.Context, f outbox.Forward) error {
	err := s.publisher.outbox.PutForwarded(context.WithoutCancel(ctx), f.ID, f.To)
	s.publisher.tender.signal()
	return err
}

func (s *shipper) chunkAt(address string, name event.Digest) string {
	return stream.ChunkSubject(address, s.publisher.config.Country, s.publisher.config.Agency, name.String())
}
