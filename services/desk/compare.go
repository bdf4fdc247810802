package desk

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/pkg/verdict"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// compareAtOnce is how many messages are read from the journal in one go.
const compareAtOnce = 64

// compare compares the messages that the journal has below the mirror's size,
// and that were not compared before, with their leaves. Messages come in the
// order of their indices, so one mark says how far that is.
func (m *mirror) compare(ctx context.Context) error {
	for {
		messages, err := m.journal.Messages(ctx, m.place.Compared, compareAtOnce)
		if err != nil {
			return err
		}
		for _, message := range messages {
			if message.Index >= m.follower.Size() {
				return nil
			}
			leaf, ok, err := m.leaf(ctx, message.Index)
			if err != nil {
				return err
			}
			if !ok {
				return m.stop(ctx, AlarmDamaged, new(message.Index), fmt.Sprintf("The mirror in this desk's journal is damaged: leaf %d is missing.", message.Index), "", "")
			}
			if err := m.agree(ctx, message, leaf); err != nil {
				return err
			}
			m.place.Compared, m.dirty = message.Index+1, true
		}
		if len(messages) < compareAtOnce {
			return nil
		}
	}
}

// leaf finds a leaf among those not stored yet, else in the journal.
func (m *mirror) leaf(ctx context.Context, index uint64) (journal.Leaf, bool, error) {
	if n := uint64(len(m.leaves)); n > 0 && index >= m.leaves[0].Index && index-m.leaves[0].Index < n {
		return m.leaves[index-m.leaves[0].Index], true, nil
	}
	return m.journal.Leaf(ctx, index)
}

// agree holds a leaf against the message that this desk has at its index.
func (m *mirror) agree(ctx context.Context, message journal.Message, leaf journal.Leaf) error {
	label := verdict.Label(message.Subject)
	hash := translog.LeafHash(message.Index, message.Subject, message.Data)
	newest, _ := m.follower.Checkpoint()
	published := fmt.Sprintf("leaf %d %s audience %q\n\n%s", leaf.Index, leaf.Hash, leaf.Audience, newest.Text())
	switch {
	case leaf.Hash != hash:
		return m.stop(ctx, AlarmAltered, new(message.Index), fmt.Sprintf("The log has another content for event %d than the one that this desk was sent.", message.Index),
			string(message.Data), published)
	case leaf.Audience != label:
		return m.stop(ctx, AlarmMislabelled, new(message.Index), fmt.Sprintf("The log says that event %d is for audience %q; it lies here, and is for %q.", message.Index, leaf.Audience, label),
			string(message.Data), published)
	}
	if m.foreign(message) {
		return m.stopForeign(ctx, message)
	}
	return m.heard(ctx, message)
}

// foreign reports whether a message is a beginning of the log that is not this desk's charter.
func (m *mirror) foreign(message journal.Message) bool {
	state, _ := m.book.known()
	return message.Index == 0 && !state.Founded()
}

func (m *mirror) stopForeign(ctx context.Context, message journal.Message) error {
	return m.stop(ctx, AlarmForeign, new(message.Index), "The log begins with another charter than the one that this desk was given.", string(m.charter), string(message.Data))
}

// await returns once the journal has every message that the leaves speak of and
// that this country may read: the registry's, which are everybody's, and those
// addressed to it as the newest registry has it. What came to a country that has
// left since is not waited for: it cannot get it any more. What waits in the mirror is stored and cosigned
// first: a message that is withheld holds back only what comes after it.
//
// After the desk's patience it raises an alarm and waits on: a message that still
// comes ends the alarm. It raises it at once where a later message has come, since
// the stream is read in order.
func (m *mirror) await(ctx context.Context, leaves *logv1.Leaves) error {
	if leaves.GetStart() != m.follower.Size() || len(leaves.GetLabels())*len(translog.Hash{}) != len(leaves.GetHashes()) {
		return nil // not the next leaves: for the follower to judge
	}
	if lacking, _, err := m.lacking(ctx, leaves); err != nil || lacking == nil {
		return err
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	changed, cancel := m.journaled.Subscribe()
	defer cancel()
	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	late := false
	for {
		lacking, certain, err := m.lacking(ctx, leaves)
		if err != nil {
			return err
		}
		if lacking == nil {
			return m.alarms.end(ctx, AlarmWithheld, "The message has come.")
		}
		if late || certain {
			if err := m.withheld(ctx, *lacking, leaves); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-patience.C:
			// While the hub is away nothing can come: that is not its being withheld.
			late = m.conn.Connected()
			patience.Reset(m.patience)
		}
	}
}

// gap is a message that this desk should have and has not.
type gap struct {
	index uint64
	label string
}

// lacking is the first gap; nil where there is none. It is certain not to come
// when a later message is there. Gaps in the registry come first: it says what
// else this country may read.
func (m *mirror) lacking(ctx context.Context, leaves *logv1.Leaves) (first *gap, certain bool, err error) {
	start, table := leaves.GetStart(), leaves.GetAudiences()
	// Last first: what is journaled between the two must not make what came with
	// it look skipped.
	last, any, err := m.journal.Last(ctx)
	if err != nil {
		return nil, false, err
	}
	present, err := m.journal.Indices(ctx, start, start+uint64(len(leaves.GetLabels())))
	if err != nil {
		return nil, false, err
	}
	state, err := m.book.read(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, addresses := range [][]string{{""}, state.Reads(m.country)} {
		for i, label := range leaves.GetLabels() {
			at := start + uint64(i)
			if uint64(label) >= uint64(len(table)) || !slices.Contains(addresses, table[label]) || present[at] {
				continue
			}
			if m.book.isLost(at) {
				if err := m.missed(ctx, at); err != nil {
					return nil, false, err
				}
				continue
			}
			return &gap{at, table[label]}, any && last.Index > at, nil
		}
	}
	return nil, false, nil
}

// missed says that a message will not come: it is in the tree, and by the hub's word
// nobody has it. What came after it is cosigned all the same.
func (m *mirror) missed(ctx context.Context, index uint64) error {
	_, err := m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmLost, Index: new(index),
		What: fmt.Sprintf("Event %d of the log is for this country, and the hub has lost it. Whoever has said it can say it again.", index),
	})
	return err
}

func (m *mirror) withheld(ctx context.Context, lacking gap, leaves *logv1.Leaves) error {
	what := fmt.Sprintf("Event %d of the log is for this country, and the hub has not delivered it.", lacking.index)
	if lacking.label == "" {
		what = fmt.Sprintf("Message %d of the log is the registry's and for everybody, and the hub has not delivered it.", lacking.index)
	}
	_, err := m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmWithheld, Index: new(lacking.index), What: what, Got: leaves.GetCheckpoint(),
	})
	return err
}
