package notary

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// publication is where the published log stands.
type publication struct {
	size     uint64
	epoch    uint64 // of its last leaf
	note     []byte // the checkpoint of that size; agree verifies it
	sequence uint64 // of the newest message on log.leaves; 0: none
}

// published reads the newest message of a notary. Which key must have signed it
// depends on the registry at its size, which may lie ahead of the store.
func (n *Notary) published(ctx context.Context) (*publication, error) {
	newest, ok, err := n.conn.Newest(ctx, stream.Log, stream.LeavesSubject)
	if err != nil || !ok {
		return &publication{}, err
	}
	leaves := &logv1.Leaves{}
	if err := proto.Unmarshal(newest.Data, leaves); err != nil || leaves.GetStart() > translog.MaxSize {
		return nil, fmt.Errorf("%w: the newest message on %s is not one of a notary", ErrAltered, stream.LeavesSubject)
	}
	size := leaves.GetStart() + uint64(len(leaves.GetHashes())/hashSize)
	return &publication{size: size, epoch: leaves.GetEpoch(), note: leaves.GetCheckpoint(), sequence: newest.Sequence}, nil
}

// agree checks that the charter's notary signed what was published, and that the
// own tree, which reaches as far, has that root.
func (n *Notary) agree(p *publication) error {
	if p.sequence == 0 {
		return nil
	}
	checkpoint, err := n.trust.policies().OpenCheckpoint(p.note)
	if err != nil {
		return fmt.Errorf("%w: the newest checkpoint: %v", ErrAltered, err)
	}
	root, err := translog.TreeRoot(p.size, n.store)
	if err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if checkpoint.Size != p.size || checkpoint.Root != root {
		return fmt.Errorf("%w: the published root of %d leaves is another", ErrAltered, p.size)
	}
	return nil
}

// taken are consecutive leaves with their labels, stored and not published.
type taken struct {
	start  uint64
	hashes []translog.Hash
	labels []string
	epochs []uint64 // where one begins: the indices of restorations
}

func (t *taken) end() uint64 { return t.start + uint64(len(t.hashes)) }

// drop leaves out those below size.
func (t *taken) drop(size uint64) {
	k := size - t.start
	t.start, t.hashes, t.labels = size, t.hashes[k:], t.labels[k:]
	t.epochs = slices.DeleteFunc(t.epochs, func(index uint64) bool { return index < size })
}

// epoch is that of the first leaves, and where they end, after an epoch before them.
func (t *taken) epoch(before uint64) (epoch, end uint64) {
	epoch, end = before, t.end()
	for _, index := range t.epochs {
		if index > t.start {
			return epoch, index
		}
		epoch++
	}
	return epoch, end
}

// take puts the leaves of messages into the store.
func (n *Notary) take(t *taken, messages []stream.Message) error {
	fresh := len(t.hashes)
	for _, m := range messages {
		index := t.end()
		if m.Sequence != index+1 {
			return fmt.Errorf("%w: sequence %d follows where %d should", ErrAltered, m.Sequence, index+1)
		}
		t.hashes = append(t.hashes, translog.LeafHash(index, m.Subject, m.Data))
		t.labels = append(t.labels, verdict.Label(m.Subject))
		if _, err := translog.ParseRestoration(m.Data); err == nil && m.Subject == translog.RestoredSubject {
			t.epochs = append(t.epochs, index)
		}
		n.trust.take(index, m.Subject, m.Data)
	}
	if err := n.trust.save(t.end()); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if err := n.store.append(t.hashes[fresh:]); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	return nil
}

// publish signs and publishes what p does not have of t, as far as the keys go.
// Where the store was behind the published log, it first shows that it has caught
// up to the same root.
func (n *Notary) publish(ctx context.Context, p *publication, t *taken) error {
	if p.size > t.start {
		if p.size <= t.end() {
			if err := n.agree(p); err != nil {
				return err
			}
		}
		t.drop(min(p.size, t.end()))
	}
	for p.size < t.end() {
		epoch, end := t.epoch(p.epoch)
		size, signer := n.keys.largest(n.trust.policies(), p.size, end)
		if signer == nil {
			return n.lacking(t)
		}
		message, note, err := n.message(size, epoch, signer, t)
		if err != nil {
			return err
		}
		sequence, err := n.conn.PublishAfter(ctx, p.sequence, stream.LeavesSubject, message)
		if err != nil {
			return err
		}
		*p = publication{size: size, epoch: epoch, note: note, sequence: sequence}
		if err := n.store.publish(size); err != nil {
			return fmt.Errorf("%w: %v", errStore, err)
		}
		if err := n.shelve(p); err != nil {
			return err
		}
		t.drop(size)
	}
	return nil
}

// lacking decides about leaves that are read and that no key here may sign. They
// wait where an update further on may name one: somebody else's key was lost, say,
// and the charter named this one some time later.
func (n *Notary) lacking(t *taken) error {
	if len(t.hashes) == 0 || n.keys.unnamed(n.trust.policies()) && len(t.hashes) <= maxSpan-maxLeaves {
		return nil
	}
	return fmt.Errorf("%w from size %d on", ErrReplaced, t.start+1)
}

// message is the next one on log.leaves: the leaves of t below size.
func (n *Notary) message(size, epoch uint64, signer *translog.Notary, t *taken) (message, note []byte, err error) {
	root, err := translog.TreeRoot(size, n.store)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %v", errStore, err)
	}
	note, err = signer.Sign(translog.Checkpoint{Origin: n.origin, Size: size, Root: root})
	if err != nil {
		return nil, nil, fmt.Errorf("signing the checkpoint of %d leaves: %w", size, err)
	}
	leaves := &logv1.Leaves{Epoch: epoch, Start: t.start, Checkpoint: note}
	places := map[string]uint32{}
	for i, hash := range t.hashes[:size-t.start] {
		leaves.Hashes = append(leaves.Hashes, hash[:]...)
		place, ok := places[t.labels[i]]
		if !ok {
			place = uint32(len(leaves.Audiences))
			places[t.labels[i]] = place
			leaves.Audiences = append(leaves.Audiences, t.labels[i])
		}
		leaves.Labels = append(leaves.Labels, place)
	}
	message, err = proto.Marshal(leaves)
	return message, note, err
}
