package salvage

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// climber follows the leaves of one source, as every reader of the log does, and
// adds to the log what it does not have yet.
type climber struct {
	log      *Log
	from     string
	damaged  bool
	follower *translog.Follower
	state    registry.State
	adopted  bool          // the follower's terms are those of state
	waiting  *logv1.Leaves // leaves that no checkpoint has come for yet; nil: none
}

// maxWaiting bounds leaves without a checkpoint: a tree of 64 million.
const maxWaiting = 64 << 20 * 32

// climb takes in the leaves of one source.
func (l *Log) climb(ctx context.Context, from Source) error {
	founded, err := l.charter.State()
	if err != nil {
		return err
	}
	policies, err := founded.Policies()
	if err != nil {
		return err
	}
	follower, err := translog.NewFollower(policies)
	if err != nil {
		return err
	}
	c := &climber{log: l, from: from.Name, damaged: from.Damaged, follower: follower, state: registry.New(l.charter.Digest), adopted: true}
	err = from.each(ctx, func(r holding.Record) error {
		if r.Leaves == nil || len(r.Leaves.GetHashes()) == 0 {
			return nil
		}
		err := c.take(r.Leaves)
		if fork := (*Fork)(nil); err != nil && from.Damaged && !errors.As(err, &fork) {
			c.pass(r.Leaves, err)
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if c.waiting != nil {
		l.leftOut["leaves of "+from.Name+" that no checkpoint covers"]++
	}
	return nil
}

// pass goes on behind leaves of a damaged source that do not hold, or that lie behind a
// gap which nobody else can fill. Their checkpoint still says how far the log went.
func (c *climber) pass(leaves *logv1.Leaves, why error) {
	c.waiting = nil
	c.log.leftOut["leaves of "+c.from+" that do not hold: "+reason(why)]++
	if note := leaves.GetCheckpoint(); len(note) > 0 {
		c.log.passed = append(c.log.passed, claim{c.from, note})
	}
}

// reason is what makes one line of many like errors.
func reason(why error) string {
	if gap := (*translog.Gap)(nil); errors.As(why, &gap) {
		return "leaves before them are missing"
	}
	return why.Error()
}

// bridge goes up to where the leaves of a damaged source go on, over the leaves that
// others have brought. What it gives back has them before its own as far as no
// checkpoint is known between the two.
func (c *climber) bridge(leaves *logv1.Leaves) (*logv1.Leaves, error) {
	l, end := c.log, leaves.GetStart()
	if !c.damaged || end <= c.follower.Size() || end > l.Size() {
		return leaves, nil
	}
	for from := c.follower.Size(); from < end; from = c.follower.Size() {
		proof := l.covering(from + 1)
		if proof.Checkpoint.Size == 0 || proof.Checkpoint.Size > end {
			break
		}
		if err := c.follow(l.message(0, from, proof.Checkpoint.Size, proof.Note)); err != nil {
			return nil, err
		}
	}
	if c.follower.Size() == end {
		return leaves, nil
	}
	return join(l.message(0, c.follower.Size(), end, nil), leaves)
}

// take joins leaves up to the next checkpoint.
func (c *climber) take(leaves *logv1.Leaves) error {
	if c.waiting != nil {
		next := c.waiting.GetStart() + uint64(len(c.waiting.GetHashes())/len(translog.Hash{}))
		if leaves.GetStart() != next || len(c.waiting.GetHashes()) > maxWaiting {
			return fmt.Errorf("its leaves go on at %d, not at %d", leaves.GetStart(), next)
		}
		joined, err := join(c.waiting, leaves)
		if err != nil {
			return err
		}
		leaves = joined
	}
	if len(leaves.GetCheckpoint()) == 0 {
		c.waiting = proto.CloneOf(leaves)
		return nil
	}
	c.waiting = nil
	leaves, err := c.bridge(leaves)
	if err != nil {
		return err
	}
	return c.follow(leaves)
}

// join appends leaves to others, whose table of audiences it shares where it is the same.
func join(first, then *logv1.Leaves) (*logv1.Leaves, error) {
	places := map[string]uint32{}
	for at, audience := range first.GetAudiences() {
		places[audience] = uint32(at)
	}
	first.Hashes = append(first.Hashes, then.GetHashes()...)
	for _, label := range then.GetLabels() {
		if uint64(label) >= uint64(len(then.GetAudiences())) {
			return nil, fmt.Errorf("label %d is not in a table of %d", label, len(then.GetAudiences()))
		}
		audience := then.GetAudiences()[label]
		place, ok := places[audience]
		if !ok {
			place = uint32(len(first.Audiences))
			places[audience] = place
			first.Audiences = append(first.Audiences, audience)
		}
		first.Labels = append(first.Labels, place)
	}
	first.Checkpoint = then.GetCheckpoint()
	return first, nil
}

// follow verifies leaves under the registry as it was below them, and compares
// them with what others have brought.
func (c *climber) follow(leaves *logv1.Leaves) error {
	leaves = proto.CloneOf(leaves)
	leaves.Epoch = 0 // of whoever holds them; where epochs begin, the messages say
	state, changed, err := c.registry(leaves)
	if err != nil {
		return err
	}
	if changed || !c.adopted {
		c.adopted = false // until the leaves are found to be the signed ones
		policies, err := c.log.policiesOf(state)
		if err == nil {
			err = c.follower.Adopt(policies)
		}
		if err != nil {
			return fmt.Errorf("its leaves from %d: %w", leaves.GetStart(), err)
		}
	}
	batch, err := c.follower.Leaves(leaves)
	if err != nil {
		return fmt.Errorf("its leaves from %d: %w", leaves.GetStart(), err)
	}
	c.state, c.adopted = state, true
	return c.add(batch, Proof{By: c.from, Checkpoint: batch.Checkpoint, Note: leaves.GetCheckpoint()})
}

// registry folds the updates that stand among leaves.
func (c *climber) registry(leaves *logv1.Leaves) (state registry.State, changed bool, err error) {
	state = c.state
	for at, hashes := uint64(0), leaves.GetHashes(); len(hashes) >= len(translog.Hash{}); at++ {
		hash := translog.Hash(hashes[:len(translog.Hash{})])
		hashes = hashes[len(hash):]
		m, ok := c.log.updateAt(leaves.GetStart()+at, hash)
		if !ok {
			continue
		}
		if next, err := state.Apply(leaves.GetStart()+at, m.Subject, m.Data); err == nil {
			state, changed = next, true
		}
	}
	return state, changed, nil
}

// turn keeps where an epoch begins: with the message that says so.
func (l *Log) turn(index uint64, hash translog.Hash) {
	m, ok := l.updateAt(index, hash)
	if !ok || m.Subject != translog.RestoredSubject {
		return
	}
	if _, err := translog.ParseRestoration(index, m.Data); err == nil {
		l.epochs = append(l.epochs, index)
	}
}

// add compares verified leaves with those that are there, and appends the rest.
func (c *climber) add(batch translog.Batch, proof Proof) error {
	l := c.log
	for i, hash := range batch.Hashes {
		index, label := batch.Start+uint64(i), l.place(batch.Labels[i])
		if index == l.Size() {
			l.leaves = append(l.leaves, leaf{hash, label})
			l.turn(index, hash)
			continue
		}
		have := &l.leaves[index]
		if have.hash != hash {
			return &Fork{Have: l.covering(index + 1), Got: proof}
		}
		switch {
		case have.label == disputed || l.labels[label] == holding.Unknown:
		case l.labels[have.label] == holding.Unknown:
			have.label = label
		case have.label != label:
			have.label = disputed
		}
	}
	if proof.Checkpoint.Size == l.Size() {
		l.state = c.state
	}
	l.prove(proof)
	return nil
}
