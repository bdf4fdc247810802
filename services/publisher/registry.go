package publisher

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// fetchUpdates is how many messages of the registry are asked for at a time.
const fetchUpdates = 256

// withheld is a message of the registry, or of this publisher's own, that the log has
// and the hub does not deliver. Until it does, nothing is published: nobody here knows by whom and to
// whom it may be.
type withheld struct {
	index uint64
	own   bool
	cause error // nil: silence
}

func (e *withheld) Error() string {
	text := fmt.Sprintf("the hub withholds message %d of the registry: nothing is published before it is here", e.index)
	if e.own {
		text = fmt.Sprintf("the hub withholds message %d, which this publisher has sent: nothing is published before it is here", e.index)
	}
	if e.cause != nil {
		text += fmt.Sprintf(" (%v)", e.cause)
	}
	return text
}

// contrary is a message that the hub delivered in place of the one that the log has.
type contrary struct {
	delivered outbox.Update
	leaf      translog.Hash
}

func (e *contrary) Error() string {
	if e.delivered.Index == 0 {
		return "the log does not begin with this charter: nothing is published to it. Compare the charter with the hub's"
	}
	what := "another registry"
	if !registry.IsSubject(e.delivered.Subject) {
		what = "another event of its own"
	}
	return fmt.Sprintf("the hub shows this publisher %s than the log has, at index %d: nothing is published. "+
		"What it showed is kept in the outbox, table contrary; show it to the other members", what, e.delivered.Index)
}

// recall is the registry that the outbox holds, from the founding on.
func (p *Publisher) recall(ctx context.Context) (history, error) {
	state, err := p.config.Charter.State()
	if err != nil {
		return nil, err
	}
	known := history{{from: 1, state: state}}
	updates, err := p.outbox.Registry(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range updates {
		if state, err = state.Apply(u.Index, u.Subject, u.Data); err != nil {
			return nil, fmt.Errorf("the registry in the outbox is damaged at index %d: %w", u.Index, err)
		}
		known = append(known, chapter{from: u.Index + 1, state: state})
	}
	return known, nil
}

// learn is the registry after the leaves that a message of the notary announces,
// and the updates that brought it there. Every leaf of the registry must be that
// of a message which is here. Errors: *withheld, *contrary, those of the hub. Leaves
// that cannot be read are the follower's to refuse.
func (p *Publisher) learn(ctx context.Context, u *pursuit, leaves *logv1.Leaves) (history, []outbox.Update, error) {
	known := u.known
	places, ok := u.registryLeaves(leaves)
	if !ok {
		return known, nil, nil
	}
	if err := p.gather(ctx, u, leaves, places); err != nil {
		return nil, nil, err
	}
	var updates []outbox.Update
	state := known.last().state
	for _, at := range places {
		index := leaves.GetStart() + at
		m := stream.Message{Subject: registry.FoundingSubject, Data: p.config.Charter.Message}
		if index > 0 {
			m = u.held[index+1]
		}
		update := outbox.Update{Index: index, Subject: m.Subject, Data: m.Data}
		leaf := translog.Hash(leaves.GetHashes()[at*32:])
		if translog.LeafHash(index, m.Subject, m.Data) != leaf {
			return nil, nil, &contrary{delivered: update, leaf: leaf}
		}
		if index == 0 || !registry.IsSubject(m.Subject) {
			continue
		}
		next, err := state.Apply(index, m.Subject, m.Data)
		if err != nil {
			continue // every reader refuses it likewise
		}
		state = next
		updates = append(updates, update)
		known = append(known[:len(known):len(known)], chapter{from: index + 1, state: state})
	}
	return known, updates, nil
}

// registryLeaves are the places of the registry's leaves in a message of the notary:
// those labelled so, and those that are known to be.
func (u *pursuit) registryLeaves(leaves *logv1.Leaves) (places []uint64, ok bool) {
	n := uint64(len(leaves.GetHashes()) / len(translog.Hash{}))
	if leaves.GetStart() != u.follower.Size() || uint64(len(leaves.GetLabels())) != n {
		return nil, false
	}
	for at, label := range leaves.GetLabels() {
		if uint64(label) >= uint64(len(leaves.GetAudiences())) {
			return nil, false
		}
		_, held := u.held[leaves.GetStart()+uint64(at)+1]
		if leaves.GetAudiences()[label] == "" || held || leaves.GetStart() == 0 && at == 0 {
			places = append(places, uint64(at))
		}
	}
	return places, true
}

// turns reports whether the epoch of the next leaves is that of their messages, which
// are held: all read the hub's word that it has restored the stream.
func (u *pursuit) turns(leaves *logv1.Leaves) bool {
	start := leaves.GetStart()
	if start != u.follower.Size() || len(leaves.GetLabels()) == 0 {
		return true // for the follower to judge
	}
	var restored []uint64
	for index := start; index < start+uint64(len(leaves.GetLabels())); index++ {
		m := u.held[index+1]
		if _, err := translog.ParseRestoration(index, m.Data); err == nil && m.Subject == translog.RestoredSubject {
			restored = append(restored, index)
		}
	}
	return u.follower.Turns(leaves, restored...)
}

// gather waits until the registry's messages at these places are here. It asks for
// what is missing only, and again where the hub may have handed it to a connection
// of ours that is dead.
func (p *Publisher) gather(ctx context.Context, u *pursuit, leaves *logv1.Leaves, places []uint64) error {
	for _, at := range places {
		sequence := leaves.GetStart() + at + 1
		if _, held := u.held[sequence]; held || leaves.GetStart()+at == 0 {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, p.patience)
		err := p.await(bounded, u, sequence)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if away := p.hub.Away(); away != nil {
				return away
			}
			if errors.Is(err, context.DeadlineExceeded) {
				err = nil
			}
			return &withheld{index: leaves.GetStart() + at, cause: err}
		}
	}
	return nil
}

// await reads the registry until the message with a sequence is here. Its error
// says why it is not, nil apart from the hub's silence.
func (p *Publisher) await(ctx context.Context, u *pursuit, sequence uint64) (err error) {
	if u.registry == nil {
		if u.registry, err = p.hub.Reader(ctx, stream.Events); err != nil {
			return err
		}
		u.passed = 0
	}
	for tries := 0; tries < 3; {
		if u.passed == 0 || u.passed >= sequence || tries > 0 {
			if err := u.registry.Reset(ctx, sequence); err != nil {
				return err
			}
			u.passed = 0
		}
		messages, err := u.registry.Fetch(ctx, fetchUpdates, fetchWait)
		if err != nil {
			return err
		}
		for _, m := range messages {
			u.held[m.Sequence] = m
			u.passed = m.Sequence
		}
		if err := u.registry.Ack(); err != nil {
			return err
		}
		switch _, here := u.held[sequence]; {
		case here:
			return nil
		case len(messages) == 0:
			tries = 1 // silence: ask anew, as long as ctx lasts
		case u.passed >= sequence:
			tries++
		default:
			tries = 0
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.New("it delivers later ones")
}
