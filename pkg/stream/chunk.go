package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// longestLife is as long as the server can count: its clock ends in the year 2262.
const longestLife = 200 * 365 * 24 * time.Hour

// ErrNoChunk says that nothing lies on a subject of Files.
var ErrNoChunk = errors.New("there is no such chunk")

// ErrNobody says that the hub has nobody who answers for Files to this user: not now, or never.
var ErrNobody = errors.New("nobody answers")

// ChunkSubject is where a chunk of an agency's attachment lies on Files. name is its
// digest in hexadecimal.
func ChunkSubject(address, country, agency, name string) string {
	return strings.Join([]string{"file", address, country, agency, name}, ".")
}

// PutChunk stores a chunk on its subject, in place of what is there, and returns once
// it is on disk. After life, in whole seconds and one at least, the hub deletes it by itself
// (NATS ADR-43). An empty one says that the chunk was erased.
func (c *Conn) PutChunk(ctx context.Context, subject string, chunk []byte, life time.Duration) error {
	ctx, done := c.whileConnected(ctx)
	defer done()
	life = min(max(life.Truncate(time.Second), time.Second), longestLife)
	if _, err := c.js.Publish(ctx, subject, chunk, jetstream.WithMsgTTL(life), jetstream.WithRetryAttempts(0)); err != nil {
		return fmt.Errorf("storing a chunk: %w", refusal(cause(ctx, err)))
	}
	return nil
}

// Chunk fetches what lies on one subject of Files: ErrNoChunk where the hub has
// nothing, and ErrNobody too where this user may not have it. It takes a connection in a member's account. What
// comes is anything: compare it with the name.
func (c *Conn) Chunk(ctx context.Context, subject string) ([]byte, error) {
	ctx, done := c.whileConnected(ctx)
	defer done()
	reply, err := c.nc.RequestWithContext(ctx, c.api+".DIRECT.GET."+Files+"."+subject, nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("fetching a chunk: %w, or not for this user: %w", ErrNoChunk, ErrNobody)
	}
	if err != nil {
		return nil, fmt.Errorf("fetching a chunk: %w", cause(ctx, err))
	}
	switch status := reply.Header.Get("Status"); {
	case status == "404":
		return nil, fmt.Errorf("fetching a chunk: %w", ErrNoChunk)
	case status != "":
		return nil, fmt.Errorf("fetching a chunk: the hub answers with status %.10q", status)
	}
	return reply.Data, nil
}

// chunkTime is for one chunk on a slow link: 2 KiB/s. It is not asked for again
// meanwhile, which would only make the link slower.
const chunkTime = time.Minute

// whileConnected ends ctx when the connection breaks: an answer that was under way never comes.
func (c *Conn) whileConnected(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, chunkTime)
	ctx, broken := context.WithCancelCause(ctx)
	changed := c.nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	go func() {
		select {
		case <-changed:
			broken(errAway)
		case <-ctx.Done():
		}
	}()
	if !c.nc.IsConnected() {
		broken(errAway)
	}
	return ctx, func() { c.nc.RemoveStatusListener(changed); broken(nil); cancel() }
}

// cause is why ctx ended, where that is why a request failed.
func cause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errAway) {
		return errAway
	}
	return err
}
