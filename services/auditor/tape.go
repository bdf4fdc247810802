package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

const (
	portion = 1000        // messages that are fetched at once
	answer  = time.Second // until the hub is asked again
	glance  = 250 * time.Millisecond
)

// tape is one stream from its beginning to where it ended when the hub was asked.
// That end is counted, never guessed from silence: a hub that is slow is waited
// for, and what is lost on the way is read again. The hub's count may lag a little
// behind what it has just stored, so peek looks once past it.
type tape struct {
	name     string
	reader   *stream.Reader
	patience time.Duration
	ahead    []stream.Message // fetched, not taken yet
	left     uint64           // messages not fetched yet
	sequence uint64           // where to go on: after the newest message fetched
	taken    uint64
	silent   bool // peek found nothing
}

func openTape(ctx context.Context, conn *stream.Conn, name string, patience time.Duration) (*tape, error) {
	reader, err := conn.Reader(ctx, name, stream.AuditUser)
	if err != nil {
		return nil, err
	}
	t := &tape{name: name, reader: reader, patience: patience, left: ^uint64(0), sequence: 1}
	return t, t.recount(ctx)
}

// recount goes back to after the newest message fetched. The hub may by now have
// less for us than it counted before, never more: the end stays where it was.
func (t *tape) recount(ctx context.Context) error {
	if err := t.reader.Reset(ctx, t.sequence); err != nil {
		return err
	}
	pending, err := t.reader.Pending(ctx)
	t.left = min(t.left, pending)
	return err
}

// next is the next message; ok is false at the end.
func (t *tape) next(ctx context.Context) (m stream.Message, ok bool, err error) {
	if len(t.ahead) == 0 {
		if err := t.fetch(ctx); err != nil {
			return m, false, err
		}
	}
	if len(t.ahead) == 0 {
		return m, false, nil
	}
	m, t.ahead = t.ahead[0], t.ahead[1:]
	t.taken++
	return m, true, nil
}

// peek looks for messages past the counted end, until there were none once. Also
// a slow hub shows nothing at first: where nothing comes, it is asked what there is.
func (t *tape) peek(ctx context.Context) error {
	if t.silent || len(t.ahead) > 0 || t.left > 0 {
		return nil
	}
	messages, err := t.reader.Fetch(ctx, portion, glance)
	if errors.Is(err, stream.ErrMissed) || err == nil && len(messages) == 0 {
		patient, cancel := context.WithTimeout(ctx, t.patience)
		defer cancel()
		t.left = ^uint64(0)
		err = t.recount(patient)
		t.silent = t.left == 0
		if patient.Err() != nil && ctx.Err() == nil {
			return t.mute()
		}
		return err
	}
	if err != nil {
		return err
	}
	t.ahead, t.sequence = messages, messages[len(messages)-1].Sequence+1
	return t.reader.Ack()
}

func (t *tape) mute() error {
	return fmt.Errorf("for %s the hub has shown no more of %s, nor said that it ends at sequence %d", t.patience, t.name, t.sequence-1)
}

func (t *tape) fetch(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	for t.left > 0 && len(t.ahead) == 0 {
		err := t.ask(patient)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case patient.Err() != nil && len(t.ahead) == 0:
			return t.mute()
		case err != nil:
			return err
		}
	}
	return nil
}

// ask fetches once. Where nothing comes, or not all, or the hub has no more
// although it counted more, it is asked what there is.
func (t *tape) ask(ctx context.Context) error {
	messages, err := t.reader.Fetch(ctx, int(min(portion, t.left)), answer)
	switch {
	case errors.Is(err, stream.ErrMissed):
		return t.recount(ctx)
	case err != nil:
		return err
	case len(messages) == 0:
		return t.recount(ctx)
	}
	last := messages[len(messages)-1]
	t.ahead, t.sequence = messages, last.Sequence+1
	t.left -= min(t.left, uint64(len(messages)))
	// At once: what is not acknowledged in time is sent again, while a long replay
	// goes on. Nothing depends on it: every replay begins with a reset.
	if err := t.reader.Ack(); err != nil {
		return err
	}
	if last.Pending == 0 && t.left > 0 {
		return t.recount(ctx)
	}
	return nil
}
