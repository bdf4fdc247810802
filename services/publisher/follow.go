package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

const (
	fetchMessages = 500             // of the log stream, at a time
	fetchWait     = 2 * time.Second // for the first of them
)

// pursuit is the log as this process follows it, ahead of the disk by at most
// the messages of one fetch. After a fault it is read from the disk again.
type pursuit struct {
	follower *translog.Follower
	read     uint64 // sequence of the last message looked at
	cursor   uint64 // of the last one after which nothing needs to be read again
	founded  bool
	unsaved  bool
	fault    error // why cursor is behind read; nil where it is not
}

// resume reads how far the log was followed.
func (p *Publisher) resume(ctx context.Context) (*pursuit, error) {
	followed, ok, err := p.outbox.Followed(ctx)
	if err != nil {
		return nil, err
	}
	u := &pursuit{read: followed.Cursor, cursor: followed.Cursor, founded: followed.Founded}
	if ok {
		u.follower, err = translog.NewFollowerAt(p.policy.Always(), followed.Snapshot)
	} else {
		u.follower, err = translog.NewFollower(p.policy.Always())
	}
	if err != nil {
		return nil, fmt.Errorf("following the log: %w", err)
	}
	p.show(u)
	return u, nil
}

// show tells the lanes and the status how far the log is.
func (p *Publisher) show(u *pursuit) {
	before := p.log.Load()
	now := &logView{size: u.follower.Size(), founded: u.founded}
	if c, _, ok := u.follower.Witnessed(); ok {
		now.witnessed, now.seen = c.Size, event.Seen{Size: c.Size, Root: event.Digest(c.Root)}
	}
	p.log.Store(now)
	if now.founded && !before.founded {
		p.signalAll()
	}
}

func (p *Publisher) signalAll() {
	for _, l := range p.lanes {
		l.signal()
	}
}

// follow follows the log until ctx ends. No fault ends it.
func (p *Publisher) follow(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := p.pursue(ctx)
		if ctx.Err() != nil {
			return
		}
		p.troubles.note("following the log", err.Error())
		if time.Since(began) > longestWait {
			wait = firstWait
		}
		pause(ctx, wait)
		wait = min(2*wait, longestWait)
	}
}

// pursue goes on from the disk until there is a fault.
func (p *Publisher) pursue(ctx context.Context) error {
	u, err := p.resume(ctx)
	if err != nil {
		return err
	}
	reader, err := p.hub.Log(ctx)
	if err != nil {
		return err
	}
	if err := reader.Reset(ctx, u.cursor+1); err != nil {
		return err
	}
	for {
		messages, err := reader.Fetch(ctx, fetchMessages, fetchWait)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Sequence <= u.read {
				continue // delivered twice
			}
			// The log stream has no gaps, but the hub may have handed a message to a
			// connection of ours that is dead. What is missing twice is not there.
			if expected := u.read + 1; m.Sequence != expected && p.missed != expected {
				p.missed = expected
				return fmt.Errorf("messages %d to %d did not arrive", expected, m.Sequence-1)
			}
			if err := p.take(ctx, u, m); err != nil {
				return err
			}
		}
		if u.unsaved {
			if err := p.save(ctx, u, nil, nil); err != nil {
				return err
			}
		}
		if err := reader.Ack(); err != nil {
			return err
		}
		if len(messages) == 0 {
			if u.fault != nil {
				return u.fault // nothing sound came after it: read again
			}
			// In silence, ask anew: a message may have gone to a connection of ours
			// that is dead, and the hub would keep it back until that one's time is out.
			if err := reader.Reset(ctx, u.read+1); err != nil {
				return err
			}
		}
		if u.fault != nil {
			continue
		}
		p.troubles.note("following the log", "")
	}
}

// take looks at one message of the log stream. A message that proves nothing is
// passed over: but the cursor on disk stays before it until the next sound one,
// so that what was altered on the way is read again.
func (p *Publisher) take(ctx context.Context, u *pursuit, m stream.Message) error {
	u.read = m.Sequence
	if m.Subject != stream.LeavesSubject {
		p.takeCosignature(u, m)
		if u.fault == nil {
			u.cursor, u.unsaved = m.Sequence, true
		}
		return nil
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(m.Data, leaves); err != nil {
		u.fault = fmt.Errorf("message %d is unreadable", m.Sequence)
		return nil
	}
	return p.takeLeaves(ctx, u, m.Sequence, leaves)
}

func (p *Publisher) takeCosignature(u *pursuit, m stream.Message) {
	_, err := u.follower.Cosignature(m.Data)
	switch fork := (*translog.Fork)(nil); {
	case err == nil:
		p.show(u)
	case errors.As(err, &fork):
		p.accuse(err, fork.Have, fork.Got)
	case !errors.Is(err, translog.ErrStale):
		p.config.Logger.Warn("a cosignature is passed over", "sequence", m.Sequence, "subject", m.Subject, "error", err)
	}
}

// takeLeaves takes in what the notary published and compares it with the outbox.
func (p *Publisher) takeLeaves(ctx context.Context, u *pursuit, sequence uint64, leaves *logv1.Leaves) error {
	p.flight.Lock()
	defer p.flight.Unlock()
	batch, err := u.follower.Leaves(leaves)
	if err != nil {
		p.refuse(u, sequence, err)
		return nil
	}
	for _, refused := range batch.Refused {
		if fork := (*translog.Fork)(nil); errors.As(refused, &fork) {
			p.accuse(refused, fork.Have, fork.Got)
		}
	}
	if batch.Start == 0 && len(batch.Hashes) > 0 {
		u.founded = batch.Hashes[0] == translog.LeafHash(0, registry.FoundingSubject, p.config.Charter.Message)
	}
	u.cursor, u.unsaved, u.fault = sequence, true, nil
	found, lost, err := p.compare(ctx, batch)
	if err != nil {
		return err
	}
	if len(found)+len(lost) > 0 {
		if err := p.save(ctx, u, found, lost); err != nil {
			return err
		}
	}
	for _, l := range lost {
		p.config.Logger.Error("events are not in the log where the hub said, and are published again", "audience", l.Audience)
		p.lanes[l.Audience].signal()
	}
	p.show(u)
	return nil
}

// compare looks for the outbox's envelopes among new leaves. In one epoch the
// log index goes with the stream's sequence. A leaf binds index, subject and
// bytes: where it is another one, the event is not there.
func (p *Publisher) compare(ctx context.Context, batch translog.Batch) (found []outbox.Found, lost []outbox.Lost, err error) {
	n := uint64(len(batch.Hashes))
	if n == 0 {
		return nil, nil, nil
	}
	given := map[string]bool{} // audiences with a loss: what follows it is lost as well
	err = p.outbox.EachUnfound(ctx, batch.FirstSequence+n, func(e outbox.Unfound) error {
		if given[e.Audience] {
			return nil
		}
		if e.Cursor >= batch.FirstSequence {
			at := e.Cursor - batch.FirstSequence
			index := batch.Start + at
			if batch.Hashes[at] == translog.LeafHash(index, e.Subject, e.Data) {
				found = append(found, outbox.Found{Sequence: e.Sequence, Index: index})
				if batch.Labels[at] != e.Audience {
					p.troubles.note("leaf "+fmt.Sprint(index),
						"the notary gives our event to another audience than it was sent to: its readers cannot know that it is theirs")
				}
				return nil
			}
		}
		given[e.Audience] = true
		lost = append(lost, outbox.Lost{Audience: e.Audience, Sequence: e.Sequence})
		return nil
	})
	return found, lost, err
}

func (p *Publisher) save(ctx context.Context, u *pursuit, found []outbox.Found, lost []outbox.Lost) error {
	witnessed, _, _ := u.follower.Witnessed()
	u.unsaved = false
	return p.outbox.PutLog(ctx, outbox.News{
		Followed:  outbox.Followed{Cursor: u.cursor, Snapshot: u.follower.Snapshot(), Founded: u.founded},
		Found:     found,
		Lost:      lost,
		Witnessed: witnessed.Size,
	})
}

// refuse passes over leaves that do not fit. Where they contradict what the notary
// signed before, that is proof, and kept.
func (p *Publisher) refuse(u *pursuit, sequence uint64, err error) {
	u.fault = fmt.Errorf("message %d: %w", sequence, err)
	var fork *translog.Fork
	var rollback *translog.Rollback
	switch {
	case errors.As(err, &fork):
		p.accuse(err, fork.Have, fork.Got)
	case errors.As(err, &rollback):
		p.accuse(err, rollback.Have, rollback.Got)
	}
}

// accuse keeps the proof of two statements that cannot both be true. It stands
// until the publisher is started again: it is for people to settle.
func (p *Publisher) accuse(err error, have, got translog.Signed) {
	if p.troubles.note("the log contradicts itself", err.Error()) {
		p.config.Logger.Error("proof", "error", err, "have", string(have.Note), "got", string(got.Note))
	}
}
