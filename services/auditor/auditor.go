// Package auditor replays a hub's whole stream as a party that holds no secret,
// and says what it found. It signs nothing, opens nothing and keeps nothing.
package auditor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/audit"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// Config says which log to replay.
type Config struct {
	Charter  registry.Charter // the auditor's own copy: what everything is judged by
	Stream   stream.Config    // as stream.AuditUser
	Patience time.Duration    // how long the hub may show nothing of what it has; 0: 30 s

	// Openers, by country, open events as those countries' desks do; none: only what
	// lies in clear is folded.
	Openers map[string]audit.Opener

	// Progress, where set, is told after each portion how many messages have been
	// replayed and how many the notary's newest message so far speaks of.
	Progress func(replayed, known uint64)
}

// maxPeeks bounds how often an audit looks past the end that the hub counted.
const maxPeeks = 3

// defaultPatience is far above what a hub under load takes to answer.
const defaultPatience = 30 * time.Second

// Replay reads both streams from their beginning to where they end now. An error
// means that the log could not be read; what is wrong with it stands in the summary.
func Replay(ctx context.Context, config Config) (audit.Summary, error) {
	replay, err := audit.New(config.Charter)
	if err != nil {
		return audit.Summary{}, err
	}
	for country, opener := range config.Openers {
		replay.Open(country, opener)
	}
	conn, err := stream.Dial(config.Stream)
	if err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	defer conn.Close()
	r := &reading{replay: replay, progress: config.Progress}
	if err := r.open(ctx, conn, cmp.Or(config.Patience, defaultPatience)); err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	if err := r.readLog(ctx); err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	if err := r.feed(ctx, func() bool { return r.events.taken < r.tail }); err != nil {
		return audit.Summary{}, fmt.Errorf("audit: %w", err)
	}
	return replay.Finish()
}

// reading feeds a replay from two streams, the events as far as the log needs
// them, and then those that the log does not cover yet.
type reading struct {
	replay      *audit.Replay
	events, log *tape
	tail        uint64 // events that are read whether the log needs them or not
	known       uint64
	progress    func(replayed, known uint64)
}

// open looks where both streams end. While they grow, the order matters: what the
// publisher of an event had seen must be on the part of the log that is read, and
// what that part covers on the part of the events. So: events, log, events again.
func (r *reading) open(ctx context.Context, conn *stream.Conn, patience time.Duration) error {
	var err error
	if r.events, err = openTape(ctx, conn, stream.Events, patience); err != nil {
		return err
	}
	r.tail = r.events.left
	if r.log, err = openTape(ctx, conn, stream.Log, patience); err != nil {
		return err
	}
	r.events.left, err = r.events.reader.Pending(ctx)
	return err
}

func (r *reading) readLog(ctx context.Context) error {
	for peeks := 0; ; {
		m, ok, err := r.log.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			// A log that grows all the while ends after a few looks.
			if err := r.log.peek(ctx); err != nil || r.log.silent || peeks == maxPeeks {
				return err
			}
			peeks++
			continue
		}
		if err := r.take(ctx, m); err != nil {
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
	needs := r.replay.Needs(m.Data)
	r.known = max(r.known, needs)
	if err := r.feed(ctx, func() bool { return r.replay.Fed() < needs }); err != nil {
		return err
	}
	r.replay.Leaves(m.Data)
	return nil
}

// feed replays events while they are wanted and there are some.
func (r *reading) feed(ctx context.Context, wanted func() bool) error {
	for wanted() {
		m, ok, err := r.events.next(ctx)
		if err != nil {
			return err
		}
		if !ok {
			if err := r.events.peek(ctx); err != nil || r.events.silent {
				return err
			}
			continue
		}
		if err := r.replay.Event(audit.Message{Sequence: m.Sequence, Subject: m.Subject, Data: m.Data}); err != nil {
			return err
		}
		if r.progress != nil && r.events.taken%portion == 0 {
			r.progress(r.events.taken, r.known)
		}
	}
	return nil
}
