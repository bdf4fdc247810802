package publisher

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// fetchOwn is how many messages on the agency's subjects are asked for at a time,
// and heldOwn how many are held ahead of the tree: they can be of 1 MiB.
const (
	fetchOwn = 256
	heldOwn  = 1024
)

// errSilent says that the hub announces messages and does not deliver them.
var errSilent = errors.New("the hub does not deliver what lies on this agency's subjects")

// readBack sees to it that all messages on the agency's own subjects among new
// leaves are here, whoever has signed them, and that they are those leaves.
// Errors: *contrary, errSilent, those of the hub.
func (p *Publisher) readBack(ctx context.Context, u *pursuit, leaves *logv1.Leaves) error {
	n := uint64(len(leaves.GetHashes()) / len(translog.Hash{}))
	first := leaves.GetStart() + 1
	if n == 0 || leaves.GetStart() != u.follower.Size() {
		return nil // the follower's to refuse
	}
	if leaves.GetEpoch() != u.epoch {
		clear(u.held) // the stream was restored: other messages may lie there now
		u.epoch, u.covered = leaves.GetEpoch(), 0
	}
	if err := p.reach(ctx, u, first, first+n-1); err != nil {
		return err
	}
	for at := range n {
		m, ok := u.held[first+at]
		leaf := translog.Hash(leaves.GetHashes()[at*32:])
		if index := leaves.GetStart() + at; ok && translog.LeafHash(index, m.Subject, m.Data) != leaf {
			return &contrary{delivered: outbox.Update{Index: index, Subject: m.Subject, Data: m.Data}, leaf: leaf}
		}
	}
	return nil
}

// reach reads what is this publisher's to read, from a sequence on, until it has
// all up to another. What follows comes along, so that a long log is not asked for
// leaf by leaf.
func (p *Publisher) reach(ctx context.Context, u *pursuit, from, to uint64) error {
	if u.covered >= to {
		return nil
	}
	from = max(from, u.covered+1)
	left, err := p.seek(ctx, u, from)
	if err != nil {
		return err
	}
	for held := 0; left > 0 && (u.covered < to || held < heldOwn && u.covered < u.announced); {
		messages, err := p.more(ctx, u, &left)
		if err != nil {
			return err
		}
		for _, m := range messages {
			u.held[m.Sequence] = m
			u.covered = m.Sequence
		}
		held += len(messages)
	}
	if left == 0 { // asked after the notary had seen all these
		u.covered = max(u.covered, to, u.announced)
	}
	return nil
}

// seek makes a sequence the next to be read, and is how many there are from there on.
func (p *Publisher) seek(ctx context.Context, u *pursuit, sequence uint64) (left uint64, err error) {
	if u.registry == nil {
		if u.registry, err = p.hub.Reader(ctx, stream.Events); err != nil {
			return 0, err
		}
	}
	u.passed = 0
	if err := u.registry.Reset(ctx, sequence); err != nil {
		return 0, err
	}
	return u.registry.Pending(ctx)
}

// more reads some of the messages that are left.
func (p *Publisher) more(ctx context.Context, u *pursuit, left *uint64) ([]stream.Message, error) {
	messages, err := u.registry.Fetch(ctx, fetchOwn, p.patience)
	if err != nil {
		return nil, err
	}
	if len(messages) == 0 {
		return nil, errSilent
	}
	*left -= min(*left, uint64(len(messages)))
	return messages, u.registry.Ack()
}

// awaken lets signing begin after a start: once the log was followed to where it was
// then, and nothing lies behind it on the agency's subjects that is not this
// outbox's. An outbox restored from an old backup would else sign counters again.
func (p *Publisher) awaken(ctx context.Context, u *pursuit) error {
	if p.awake.Load() || u.follower.Size() == 0 || u.follower.Rewound() {
		return nil
	}
	if !u.looked {
		left, err := p.seek(ctx, u, u.next())
		if err != nil {
			return err
		}
		for left > 0 {
			messages, err := p.more(ctx, u, &left)
			if err != nil {
				return err
			}
			for _, m := range messages {
				foreign, err := p.foreign(ctx, u, m)
				if err != nil {
					return err
				}
				if foreign {
					u.foreign = m.Sequence
				}
			}
		}
		u.looked = true
	}
	if u.foreign >= u.next() {
		p.troubles.note("start", fmt.Sprintf("message %d on this agency's subjects is not of this outbox: "+
			"nothing is signed before the log says what it is", u.foreign))
		return nil
	}
	p.troubles.note("start", "")
	p.awake.Store(true)
	p.lanes.signal()
	return nil
}

// foreign reports whether a message that is not in the tree yet may be an event
// that this outbox does not know.
func (p *Publisher) foreign(ctx context.Context, u *pursuit, m stream.Message) (bool, error) {
	if !p.owns(m.Subject) {
		return false, nil
	}
	envelope, err := event.Decode(m.Data)
	if err != nil {
		return false, nil // nor is it an event to anybody else
	}
	claims := envelope.Claims()
	held, err := p.outbox.Holds(ctx, "", envelope.KeyID(), claims, envelope.HeaderDigest(), nil)
	if err != nil || held.Signed {
		return false, err
	}
	if key, ok := u.known.last().state.Key(envelope.KeyID()); ok {
		claims.Chain.Renewal = key.Renewal
	}
	head, err := p.outbox.Head(ctx, claims.Chain)
	if err != nil || claims.Counter > head.Counter {
		return true, err
	}
	accepted, err := p.outbox.HeaderAt(ctx, claims.Chain, claims.Counter)
	return accepted != envelope.HeaderDigest(), err
}
