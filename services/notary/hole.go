package notary

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// A stream that was restored with a loss has holes. A notary that catches up over one,
// from an empty directory or as a standby that was away, takes the leaves of it from
// what was published. They are compared with the signed root like all others; and
// nothing is signed on them before a later message has said that they are lost.

// gap decides about leaves whose messages were left out before the one at index: they
// are asked for again, and in the end, where they are published, bridged.
func (n *Notary) gap(ctx context.Context, p *publication, t *taken, index uint64) error {
	hole := translog.Range{From: t.end(), To: index}
	if n.looked[hole]++; hole.From > index || index > p.size || n.looked[hole] < looks {
		return fmt.Errorf("sequence %d comes where %d should: %w", index+1, hole.From+1, stream.ErrMissed)
	}
	if err := n.bridge(ctx, p, t, index); err != nil {
		return fmt.Errorf("taking the leaves %d to %d from the log stream: %w", hole.From, index-1, err)
	}
	n.missing = append(n.missing, hole)
	return nil
}

// bridge takes the leaves below index from the log stream.
func (n *Notary) bridge(ctx context.Context, p *publication, t *taken, index uint64) error {
	sequence, err := n.publishedWith(ctx, p, t.end())
	for ; err == nil && t.end() < index; sequence++ {
		var leaves *logv1.Leaves
		if leaves, sequence, err = n.publishedAt(ctx, sequence); err == nil {
			err = t.borrow(leaves, index)
		}
	}
	return err
}

// publishedWith is a sequence from which on the first message of a notary has the leaf
// at an index.
func (n *Notary) publishedWith(ctx context.Context, p *publication, index uint64) (uint64, error) {
	var failed error
	behind := sort.Search(int(p.sequence), func(i int) bool {
		if failed != nil {
			return true
		}
		leaves, _, err := n.publishedAt(ctx, uint64(i)+1)
		failed = err
		return err != nil || leaves.GetStart()+uint64(len(leaves.GetHashes())/hashSize) > index
	})
	return uint64(behind) + 1, failed
}

// publishedAt is the first message of a notary from a sequence on, and its own.
func (n *Notary) publishedAt(ctx context.Context, sequence uint64) (*logv1.Leaves, uint64, error) {
	m, ok, err := n.conn.Next(ctx, stream.Log, stream.LeavesSubject, sequence)
	if err != nil {
		return nil, 0, err
	}
	leaves := &logv1.Leaves{}
	if !ok || proto.Unmarshal(m.Data, leaves) != nil || leaves.GetStart() > translog.MaxSize {
		return nil, 0, fmt.Errorf("%w: from sequence %d on the log stream has no message of a notary", ErrAltered, sequence)
	}
	return leaves, m.Sequence, nil
}

// borrow appends published leaves below index.
func (t *taken) borrow(leaves *logv1.Leaves, index uint64) error {
	at := t.end() - leaves.GetStart()
	hashes, labels, audiences := leaves.GetHashes(), leaves.GetLabels(), leaves.GetAudiences()
	if leaves.GetStart() > t.end() || len(labels) != len(hashes)/hashSize {
		return fmt.Errorf("%w: the leaf %d is not in it", ErrAltered, t.end())
	}
	for ; at < uint64(len(labels)) && t.end() < index; at++ {
		if uint64(labels[at]) >= uint64(len(audiences)) {
			return fmt.Errorf("%w: the leaf %d has no label", ErrAltered, t.end())
		}
		t.hashes = append(t.hashes, translog.Hash(hashes[at*hashSize:(at+1)*hashSize]))
		t.labels = append(t.labels, audiences[labels[at]])
	}
	return nil
}

// declared forgets what a restoration at an index says is lost for good.
func (n *Notary) declared(index uint64, restored translog.Restoration) {
	n.missing = slices.DeleteFunc(n.missing, func(hole translog.Range) bool {
		return hole.To <= index && slices.ContainsFunc(restored.Lost, func(lost translog.Range) bool {
			return lost.From <= hole.From && hole.To <= lost.To
		})
	})
}

// undeclared refuses to go on where the stream has lost messages and does not say so.
func (n *Notary) undeclared() error {
	if len(n.missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: it has no messages %d to %d, and nothing after them says that they are lost: run tripoint hub restore, with what each party holds",
		ErrAltered, n.missing[0].From, n.missing[0].To-1)
}
