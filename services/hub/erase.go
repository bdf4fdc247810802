package hub

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

const eraseRetry = time.Second

// eraser overwrites key records on disk that were replaced, or whose time (stream.Until) is over.
// Nobody else lets a record go: a server that drops a message leaves its bytes in the file until
// it happens to write that anew, and drops by itself what has expired while it was off. At each
// start, after a crash too, the eraser goes through all records again.
type eraser struct {
	keys   jetstream.Stream
	newest map[place]uint64 // sequence
	due    dues
}

// Erase overwrites the key records of a cluster that somebody else runs, as a hub does with its own, until
// ctx ends. Credentials are the administrator's, as WriteConfig has written them.
func Erase(ctx context.Context, url, credentials string, logger *slog.Logger) error {
	nc, err := nats.Connect(url, nats.UserCredentials(credentials), nats.MaxReconnects(-1), nats.CustomInboxPrefix(stream.InboxPrefix(hubUser)))
	if err != nil {
		return fmt.Errorf("hub: connecting to %s: %w", url, err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("hub: opening JetStream: %w", err)
	}
	erase(ctx, js, logger)
	return nil
}

// erase runs until ctx ends. The hub serves on whatever becomes of it.
func erase(ctx context.Context, js jetstream.JetStream, logger *slog.Logger) {
	for ctx.Err() == nil {
		err := eraseKeys(ctx, js)
		if ctx.Err() == nil {
			logger.Warn("old key records wait to be overwritten", "error", err)
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
	return watch(ctx, js, stream.Keys, &eraser{keys: keys, newest: map[place]uint64{}})
}

// take overwrites what a message takes the place of.
func (e *eraser) take(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	sequence, at := meta.Sequence.Stream, placeOf(m.Subject())
	before := e.newest[at]
	e.newest[at] = max(before, sequence)
	if end, err := stream.ParseUntil(m.Headers().Get(stream.Until)); err == nil {
		e.due.add(due{at: end, sequence: sequence, place: at}, func(d due) bool { return e.newest[d.place] == d.sequence })
	}
	if before == 0 || before == sequence {
		return nil
	}
	return e.overwrite(ctx, min(before, sequence))
}

func (e *eraser) expire(ctx context.Context, now time.Time) error {
	for len(e.due) > 0 && !now.Before(e.due[0].at) {
		over := heap.Pop(&e.due).(due)
		if e.newest[over.place] != over.sequence {
			continue // replaced since
		}
		if err := e.overwrite(ctx, over.sequence); err != nil {
			return err
		}
		delete(e.newest, over.place)
	}
	return nil
}

func (e *eraser) next() (at time.Time, ok bool) { return e.due.next() }

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
