// Package auditor replays a hub's whole stream as a party that holds no secret,
// and says what it found. It signs nothing, opens nothing and keeps nothing.
package auditor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// Config says which log to replay.
type Config struct {
	Charter registry.Charter // the auditor's own copy: what everything is judged by
	Stream  stream.Config    // as stream.AuditUser
	// Progress, where set, is told after each portion how many messages have been
	// replayed and how many the notary's newest message so far speaks of.
	Progress func(replayed, known uint64)
}

const (
	portion = 1000
	// quiet is how long the hub may take to show the next message before the
	// replay holds that it has shown all.
	quiet = 400 * time.Millisecond
)

// Replay reads both streams from their beginning to where they end now. An error
// means that the log could not be read; what is wrong with it stands in the summary.
func Replay(ctx context.Context, config Config) (audit.Summary, error) {
	replay, err := audit.New(config.Charter)
	if err != nil {
		return audit.Summary{}, err
	}
	conn, err := stream.Dial(config.Stream)
	if err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	defer conn.Close()
	log, err := open(ctx, conn, stream.Log)
	if err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	events, err := open(ctx, conn, stream.Events)
	if err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	r := &reading{replay: replay, events: events, progress: config.Progress}
	if err := r.log(ctx, log); err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	if err := r.feed(ctx, ^uint64(0)); err != nil && !errors.Is(err, errEnd) {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	return replay.Finish()
}

func open(ctx context.Context, conn *stream.Conn, name string) (*stream.Reader, error) {
	reader, err := conn.Reader(ctx, name, stream.AuditUser)
	if err != nil {
		return nil, err
	}
	return reader, reader.Reset(ctx, 1)
}

// reading feeds a replay from two streams, the events as far as the log needs them.
type reading struct {
	replay   *audit.Replay
	events   *stream.Reader
	ahead    []stream.Message // fetched, not fed yet
	known    uint64
	progress func(replayed, known uint64)
}

func (r *reading) log(ctx context.Context, log *stream.Reader) error {
	for {
		messages, err := log.Fetch(ctx, portion, quiet)
		if err != nil || len(messages) == 0 {
			return err
		}
		for _, m := range messages {
			if err := r.take(ctx, m); err != nil {
				return err
			}
		}
		if err := log.Ack(); err != nil {
			return err
		}
	}
}

func (r *reading) take(ctx context.Context, m stream.Message) error {
	if country, ok := strings.CutPrefix(m.Subject, stream.CosignPrefix); ok {
		r.replay.Cosignature(country, m.Data)
		return nil
	}
	if m.Subject != stream.LeavesSubject {
		r.replay.Stray(m.Subject)
		return nil
	}
	r.known = max(r.known, r.replay.Needs(m.Data))
	if err := r.feed(ctx, r.replay.Needs(m.Data)); err != nil && !errors.Is(err, errEnd) {
		return err
	}
	r.replay.Leaves(m.Data)
	return nil
}

// errEnd says that the events stream ends here.
var errEnd = errors.New("end of the stream")

// feed replays events until so many have been taken in.
func (r *reading) feed(ctx context.Context, size uint64) error {
	for r.replay.Fed() < size {
		if len(r.ahead) == 0 {
			messages, err := r.events.Fetch(ctx, portion, quiet)
			if err != nil {
				return err
			}
			if len(messages) == 0 {
				return errEnd
			}
			if err := r.events.Ack(); err != nil {
				return err
			}
			r.ahead = messages
		}
		m := r.ahead[0]
		r.ahead = r.ahead[1:]
		if err := r.replay.Event(audit.Message{Sequence: m.Sequence, Subject: m.Subject, Data: m.Data}); err != nil {
			return err
		}
		if r.progress != nil && r.replay.Fed()%portion == 0 {
			r.progress(r.replay.Fed(), r.known)
		}
	}
	return nil
}
