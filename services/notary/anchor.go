package notary

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// anchor begins reading at the last leaf that is stored, and goes on only where the
// stream still has it: a stream that was set back, or set back and regrown, would
// have other messages signed under indices that are taken. It returns what the
// stream has after that leaf, as far as it is read.
func (n *Notary) anchor(ctx context.Context, reader *stream.Reader, p *publication, t *taken) ([]stream.Message, error) {
	size := t.frontier.Size()
	// A message's sequence is its index plus one.
	if err := reader.Reset(ctx, size); err != nil {
		return nil, err
	}
	for {
		messages, err := reader.Fetch(ctx, maxLeaves, n.wait())
		if err != nil || size == 0 {
			return messages, err
		}
		if len(messages) == 0 {
			if err := reader.Reset(ctx, size); err != nil {
				return nil, err
			}
			left, err := reader.Pending(ctx)
			if err != nil {
				return nil, err
			}
			if left > 0 {
				continue
			}
		} else if same, err := n.same(messages[0], size-1); err != nil {
			return nil, err
		} else if same {
			return messages[1:], nil
		} else if lost(messages[0], size-1) {
			return messages, nil
		}
		if _, ok := n.vouched(); p.size > size && !ok && !n.whole { // the store's edge is not known to be right
			return nil, n.contradicted(fmt.Errorf("the stream has another message at index %d", size-1))
		}
		return nil, n.altered(ctx, reader, size)
	}
}

// lost reports whether m is the restoration that follows on a leaf whose message is
// lost for good.
func lost(m stream.Message, index uint64) bool {
	restored, err := translog.ParseRestoration(m.Data)
	return err == nil && m.Subject == translog.RestoredSubject && m.Sequence == index+2 &&
		slices.ContainsFunc(restored.Lost, func(r translog.Range) bool { return r.Has(index) })
}

// same reports whether a message is the one of a stored leaf.
func (n *Notary) same(m stream.Message, index uint64) (bool, error) {
	stored, err := n.store.leaf(index)
	if err != nil {
		return false, fmt.Errorf("%w: %v", errStore, err)
	}
	return m.Sequence == index+1 && translog.LeafHash(index, m.Subject, m.Data) == stored, nil
}

// altered names the first index at which the stream is not what the tree of size
// leaves says. It looks as if all before it were good and all after it not, which
// holds for a stream that was set back, in a few looks whatever the size is.
func (n *Notary) altered(ctx context.Context, reader *stream.Reader, size uint64) error {
	var failed error
	index := sort.Search(int(size-1), func(i int) bool {
		holds, err := n.holds(ctx, reader, uint64(i))
		failed = err
		return failed != nil || !holds
	})
	if failed != nil {
		return failed
	}
	return fmt.Errorf("%w: from index %d on, of %d leaves: run tripoint hub restore, with what each party holds", ErrAltered, index, size)
}

// holds reports whether the stream has the message of a stored leaf.
func (n *Notary) holds(ctx context.Context, reader *stream.Reader, index uint64) (bool, error) {
	if err := reader.Reset(ctx, index+1); err != nil {
		return false, err
	}
	if left, err := reader.Pending(ctx); err != nil || left == 0 {
		return false, err
	}
	messages, err := reader.Fetch(ctx, 1, time.Second)
	if err != nil || len(messages) == 0 {
		return false, err
	}
	return n.same(messages[0], index)
}

// ended is for when the stream seems to end below what is published: it looks again,
// from the last leaf on.
func (n *Notary) ended(ctx context.Context, reader *stream.Reader, p *publication, t *taken) error {
	if err := reader.Reset(ctx, t.end()+1); err != nil {
		return err
	}
	if left, err := reader.Pending(ctx); err != nil || left > 0 {
		return err
	}
	return fmt.Errorf("%w: it ends before index %d, and %d leaves were published: run tripoint hub restore, with what each party holds",
		ErrAltered, t.end(), p.size)
}
