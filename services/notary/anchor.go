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

// looks is how often the hub has to leave a message out before it is missing: another
// process that reads as this user takes messages away, and is no loss.
const looks = 4

// found is what the stream has where it must go on.
type found int

const (
	fits    found = iota
	leftOut       // what follows has come, which is returned, and this has not
	wrong         // something else, or it ends before
)

// anchor begins reading at the last leaf that is stored, and goes on only where the
// stream still has it: a stream that was set back, or set back and regrown, would
// have other messages signed under indices that are taken. It returns what the
// stream has after that leaf, as far as it is read.
func (n *Notary) anchor(ctx context.Context, reader *stream.Reader, p *publication, t *taken) ([]stream.Message, error) {
	size := t.frontier.Size()
	for look := 1; ; look++ {
		messages, found, err := n.after(ctx, reader, size)
		switch {
		case err != nil || found == fits:
			return messages, err
		case found == leftOut && look < looks:
			pause(ctx, retryAfter)
			continue
		case found == leftOut && p.size > size && messages[0].Sequence-1 <= p.size:
			n.looked[translog.Range{From: size, To: messages[0].Sequence - 1}] = looks
			return messages, nil
		}
		if _, ok := n.vouched(); p.size > size && !ok && !n.whole { // the store's edge is not known to be right
			return nil, n.contradicted(fmt.Errorf("the stream has another message at index %d", size-1))
		}
		return nil, n.altered(ctx, reader, size)
	}
}

// after reads on from the last of size leaves.
func (n *Notary) after(ctx context.Context, reader *stream.Reader, size uint64) ([]stream.Message, found, error) {
	// A message's sequence is its index plus one.
	if err := reader.Reset(ctx, size); err != nil {
		return nil, fits, err
	}
	messages, err := reader.Fetch(ctx, maxLeaves, n.wait())
	if err != nil {
		return nil, fits, err
	}
	if len(messages) == 0 {
		standing, err := n.conn.Standing(ctx, stream.Events, 1)
		if err == nil && standing.Last < size {
			return nil, wrong, nil
		}
		return nil, fits, err
	}
	if size > 0 && !lost(messages[0], size-1) {
		if messages[0].Sequence != size {
			return messages, leftOut, nil
		}
		if same, err := n.same(messages[0], size-1); err != nil || !same {
			return nil, wrong, err
		}
		messages = messages[1:]
	}
	if len(messages) > 0 && messages[0].Sequence != size+1 {
		return messages, leftOut, nil
	}
	return messages, fits, nil
}

// lost reports whether m is the restoration that follows on a leaf whose message is
// lost for good.
func lost(m stream.Message, index uint64) bool {
	restored, err := translog.ParseRestoration(m.Sequence-1, m.Data)
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
// leaves says, or where it goes on. It looks as if all before it were good and all
// after it not, which holds for a stream that was set back, in a few looks whatever
// the size is.
func (n *Notary) altered(ctx context.Context, reader *stream.Reader, size uint64) error {
	var failed error
	index := sort.Search(int(size), func(i int) bool {
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
	if standing, err := n.conn.Standing(ctx, stream.Events, 1); err != nil || standing.Last <= index {
		return false, err
	}
	if err := reader.Reset(ctx, index+1); err != nil {
		return false, err
	}
	messages, err := reader.Fetch(ctx, 1, time.Second)
	if err != nil || len(messages) == 0 {
		return false, err
	}
	return n.same(messages[0], index)
}

// ended is for when the stream seems to end below what is published.
func (n *Notary) ended(ctx context.Context, p *publication, t *taken) error {
	if standing, err := n.conn.Standing(ctx, stream.Events, 1); err != nil || standing.Last > t.end() {
		return err
	}
	return fmt.Errorf("%w: it ends before index %d, and %d leaves were published: run tripoint hub restore, with what each party holds",
		ErrAltered, t.end(), p.size)
}
