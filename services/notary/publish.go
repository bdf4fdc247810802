package notary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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

// known holds what is published against what this notary knows to have been: a log
// stream that was set back would have it sign other roots for sizes that it has signed.
func (n *Notary) known(p *publication) error {
	note, err := n.store.published()
	if err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	size, _ := n.tiles.Newest()
	if c, err := claimed(note); err == nil {
		size = max(size, c.Size)
	}
	if p.size < size {
		return fmt.Errorf("%w: the log stream ends at %d leaves, and %d were published: "+
			"run tripoint hub restore, with what each party holds", ErrAltered, p.size, size)
	}
	return nil
}

// claimed is what a note says, whoever signed it.
func claimed(note []byte) (translog.Checkpoint, error) {
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	return translog.ParseCheckpoint(string(text) + "\n")
}

// agree checks that the charter's notary signed what was published, and that the
// own registry and tree, which reach as far, are what it names.
func (n *Notary) agree(p *publication, root translog.Hash) error {
	if p.sequence == 0 {
		return nil
	}
	checkpoint, err := n.trust.policies().OpenCheckpoint(p.note)
	if err == nil && (checkpoint.Size != p.size || checkpoint.Root != root) {
		err = fmt.Errorf("the published root of %d leaves is another", p.size)
	}
	if err == nil {
		return nil
	}
	return n.contradicted(err)
}

// contradicted decides who is wrong where the store and what is published, or the
// store and the stream, cannot both be right.
func (n *Notary) contradicted(err error) error {
	// Either the store is damaged or the stream is. Where the store has what was
	// published from it, or was read from the stream by this process, it is the stream.
	if _, ok := n.vouched(); ok || n.whole {
		return fmt.Errorf("%w: %v", ErrAltered, err)
	}
	if err := n.again(err); err != nil {
		return err
	}
	return errAgain
}

// vouched is the size of the checkpoint that was last published from the store, where
// the store still leads to it.
func (n *Notary) vouched() (size uint64, ok bool) {
	note, err := n.store.published()
	if err != nil || note == nil {
		return 0, false
	}
	checkpoint, err := n.trust.policies().OpenCheckpoint(note)
	if err != nil {
		return 0, false
	}
	frontier, err := n.store.frontier(checkpoint.Size)
	return checkpoint.Size, err == nil && frontier.Root() == checkpoint.Root
}

// settle brings t up to p, which somebody has published, and keeps p once the own
// tree reaches as far and has the same root.
func (n *Notary) settle(p *publication, t *taken) error {
	if p.size <= t.frontier.Size() {
		return nil
	}
	if p.size > t.end() {
		return t.drop(t.end())
	}
	root, err := t.root(p.size)
	if err != nil {
		return err
	}
	if err := n.agree(p, root); err != nil {
		return err
	}
	if err := t.drop(p.size); err != nil {
		return err
	}
	return n.keep(p)
}

// keep notes what is published and agreed with, and writes its tiles.
func (n *Notary) keep(p *publication) error {
	if p.sequence == 0 {
		return nil
	}
	if note, err := n.store.published(); err != nil || !bytes.Equal(note, p.note) {
		if err := n.store.note(p.note); err != nil {
			return fmt.Errorf("%w: %v", errStore, err)
		}
	}
	if err := n.step("noted"); err != nil {
		return err
	}
	if err := n.stands(p); err != nil {
		return err
	}
	if err := n.shelve(p); err != nil {
		return err
	}
	return n.step("tiles")
}

// taken are consecutive leaves with their labels, stored and not published, after
// the tree that frontier is the edge of. What is signed is computed from them in
// memory, and the store has to have the same.
type taken struct {
	frontier translog.Frontier
	hashes   []translog.Hash
	labels   []string
	epochs   []uint64 // where one begins: the indices of restorations
}

func (t *taken) end() uint64 { return t.frontier.Size() + uint64(len(t.hashes)) }

// until is the edge of the tree of size leaves.
func (t *taken) until(size uint64) (translog.Frontier, error) {
	f := t.frontier.Clone()
	for _, hash := range t.hashes[:size-f.Size()] {
		if err := f.Append(hash); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (t *taken) root(size uint64) (translog.Hash, error) {
	f, err := t.until(size)
	return f.Root(), err
}

// drop leaves out those below size.
func (t *taken) drop(size uint64) error {
	f, err := t.until(size)
	if err != nil {
		return err
	}
	k := size - t.frontier.Size()
	t.frontier, t.hashes, t.labels = f, t.hashes[k:], t.labels[k:]
	t.epochs = slices.DeleteFunc(t.epochs, func(index uint64) bool { return index < size })
	return nil
}

// epoch is that of the first leaves, and where they end, after an epoch before them.
func (t *taken) epoch(before uint64) (epoch, end uint64) {
	epoch, end = before, t.end()
	for _, index := range t.epochs {
		if index > t.frontier.Size() {
			return epoch, index
		}
		epoch++
	}
	return epoch, end
}

// take puts the leaves of messages into the store.
func (n *Notary) take(ctx context.Context, p *publication, t *taken, messages []stream.Message) error {
	fresh := len(t.hashes)
	for _, m := range messages {
		index := m.Sequence - 1
		if index != t.end() {
			if err := n.gap(ctx, p, t, index); err != nil {
				return err
			}
		}
		t.hashes = append(t.hashes, translog.LeafHash(index, m.Subject, m.Data))
		t.labels = append(t.labels, verdict.Label(m.Subject))
		if restored, err := translog.ParseRestoration(index, m.Data); err == nil && m.Subject == translog.RestoredSubject {
			n.declared(index, restored)
			t.epochs = append(t.epochs, index)
		}
		n.trust.take(index, m.Subject, m.Data)
	}
	if err := n.trust.save(t.end()); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if err := n.step("registry"); err != nil {
		return err
	}
	if err := n.store.append(t.hashes[fresh:]); err != nil {
		return fmt.Errorf("%w: %v", errStore, err)
	}
	if err := n.step("leaves"); err != nil {
		return err
	}
	return nil
}

// publish signs and publishes what p does not have of t, as far as the keys go. Who
// has lost the race takes in what the other has published, and goes on from there.
func (n *Notary) publish(ctx context.Context, w *watch, p *publication, t *taken) error {
	for p.size < t.end() {
		if err := n.undeclared(); err != nil {
			return err
		}
		epoch, end := t.epoch(p.epoch)
		size, signer := n.keys.largest(n.trust.policies(), p.size, end)
		if signer == nil {
			return n.lacking(t)
		}
		message, note, err := n.message(size, epoch, signer, t)
		if err != nil {
			return err
		}
		if err := n.step("signed"); err != nil {
			return err
		}
		sequence, err := n.send(ctx, p.sequence, message)
		if errors.Is(err, stream.ErrConflict) {
			return n.overtaken(ctx, w, p, t)
		}
		if err != nil {
			return err
		}
		if err := n.step("published"); err != nil {
			return err
		}
		*p = publication{size: size, epoch: epoch, note: note, sequence: sequence}
		w.moved = time.Now()
		if err := t.drop(size); err != nil {
			return err
		}
		if err := n.keep(p); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notary) send(ctx context.Context, last uint64, message []byte) (sequence uint64, err error) {
	publish := func() (err error) {
		sequence, err = n.conn.PublishAfter(ctx, last, stream.LeavesSubject, message)
		return err
	}
	if n.config.faults.publish != nil {
		err = n.config.faults.publish(publish)
	} else {
		err = publish()
	}
	return sequence, err
}

// lacking decides about leaves that are read and that no key here may sign. They
// wait where an update further on may name one: somebody else's key was lost, say,
// and the charter named this one some time later.
func (n *Notary) lacking(t *taken) error {
	if len(t.hashes) == 0 || n.keys.unnamed(n.trust.policies()) && len(t.hashes) <= maxSpan-maxLeaves {
		return nil
	}
	return fmt.Errorf("%w from size %d on", ErrReplaced, t.frontier.Size()+1)
}

// message is the next one on log.leaves: the leaves of t below size.
func (n *Notary) message(size, epoch uint64, signer *translog.Notary, t *taken) (message, note []byte, err error) {
	root, err := t.root(size)
	if err != nil {
		return nil, nil, err
	}
	if stored, err := translog.TreeRoot(size, n.store); err != nil || stored != root {
		return nil, nil, fmt.Errorf("%w: of %d leaves it has the root %s, which should be %s, error %v", errStore, size, stored, root, err)
	}
	registry := n.trust.policies().At(size).Registry // at the size that is signed: what was read may go further
	note, err = signer.Sign(translog.Checkpoint{Origin: n.origin, Size: size, Root: root, Registry: registry})
	if err != nil {
		return nil, nil, fmt.Errorf("signing the checkpoint of %d leaves: %w", size, err)
	}
	start := t.frontier.Size()
	leaves := &logv1.Leaves{Epoch: epoch, Start: start, Checkpoint: note}
	places := map[string]uint32{}
	for i, hash := range t.hashes[:size-start] {
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
