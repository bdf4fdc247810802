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
	case leaf.Hash != hash: // the journal takes in no such message
		return m.stop(ctx, AlarmDamaged, new(message.Index), fmt.Sprintf("This desk's journal is damaged: message %d is not the one that was written.", message.Index),
			string(message.Data), published)
	case leaf.Audience != label:
		if _, err := m.alarms.raise(ctx, journal.Alarm{
			Code: AlarmMislabelled, Index: new(message.Index),
			What: fmt.Sprintf("The log says that event %d is for audience %q; it lies here, and is for %q.", message.Index, leaf.Audience, label),
			Have: message.Data, Got: []byte(published),
		}); err != nil {
			return err
		}
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

// await returns once the journal fits the leaves: it has every message that they speak
// of and that this country may read, and no other one. The registry's are
// everybody's; what is addressed to the country is so as the newest registry has it:
// what came to a country that has left since is not waited for, it cannot get it any
// more. What waits in the mirror is stored and cosigned first: a message that is
// withheld holds back only what comes after it.
//
// What is withheld, or another one than the log's, is an alarm, and waited for: a
// message that still comes ends the alarm. It is asked for anew where the notary has
// signed the leaves. Labels are not signed: so the leaves are read again too.
func (m *mirror) await(ctx context.Context, leaves *logv1.Leaves, signed bool) error {
	if leaves.GetStart() != m.follower.Size() || len(leaves.GetLabels())*len(translog.Hash{}) != len(leaves.GetHashes()) {
		return nil // not the next leaves: for the follower to judge
	}
	if lacking, err := m.lacking(ctx, leaves, signed, false); err != nil {
		return err
	} else if lacking == nil {
		return m.come(ctx)
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	changed, cancel := m.journaled.Subscribe()
	defer cancel()
	patience := time.NewTimer(m.patience)
	defer patience.Stop()
	late, sought := 0, -1
	for {
		lacking, err := m.lacking(ctx, leaves, signed, late > 0)
		if err != nil {
			return err
		}
		if lacking == nil {
			return m.come(ctx)
		}
		if late > 0 || lacking.certain {
			if err := m.accuse(ctx, *lacking, leaves); err != nil {
				return err
			}
			if signed && sought < late {
				m.seek(wanted{lacking.index, leaves})
				sought = late
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-patience.C:
			// While the hub is away nothing can come: that is not its being withheld.
			if m.conn.Connected() {
				late++
			}
			if late > mostPatience {
				return &away{fmt.Errorf("message %d has not come", lacking.index)}
			}
			patience.Reset(m.patience)
		}
	}
}

// mostPatience is how often a desk's patience may end before the leaves are read again.
const mostPatience = 4

// come ends the alarms about messages that were waited for.
func (m *mirror) come(ctx context.Context) error {
	if err := m.alarms.end(ctx, AlarmWithheld, "The message has come."); err != nil {
		return err
	}
	return m.alarms.end(ctx, AlarmAltered, "The hub has delivered what the log has there.")
}

// gap is a message that this desk should have and has not, or has otherwise.
type gap struct {
	index   uint64
	label   string
	certain bool             // a later message is there, or another one in its place
	have    *journal.Message // in its place
	leaf    translog.Hash
}

// lacking is the first gap; nil where there is none. Gaps in the registry come first:
// it says what else this country may read. Whether the messages that are there are
// those of the leaves is looked at where all are there, or already while some are not;
// never where nobody may have signed the leaves, which accuse nobody then.
func (m *mirror) lacking(ctx context.Context, leaves *logv1.Leaves, signed, already bool) (*gap, error) {
	absent, err := m.absent(ctx, leaves)
	if err != nil || !signed || absent != nil && !absent.certain && !already {
		return absent, err
	}
	other, err := m.contrary(ctx, leaves)
	if err != nil || other != nil && (absent == nil || other.index < absent.index) {
		return other, err
	}
	return absent, nil
}

// contrary is the first message of the journal that is not that of its leaf.
func (m *mirror) contrary(ctx context.Context, leaves *logv1.Leaves) (*gap, error) {
	start, hashes := leaves.GetStart(), leaves.GetHashes()
	end := start + uint64(len(leaves.GetLabels()))
	for from := start; from < end; {
		messages, err := m.journal.Messages(ctx, from, compareAtOnce)
		if err != nil || len(messages) == 0 {
			return nil, err
		}
		for _, have := range messages {
			if have.Index >= end {
				return nil, nil
			}
			leaf := translog.Hash(hashes[(have.Index-start)*uint64(len(translog.Hash{})):])
			if translog.LeafHash(have.Index, have.Subject, have.Data) != leaf {
				return &gap{index: have.Index, certain: true, have: &have, leaf: leaf}, nil
			}
			from = have.Index + 1
		}
	}
	return nil, nil
}

// absent is the first message that is not here.
func (m *mirror) absent(ctx context.Context, leaves *logv1.Leaves) (*gap, error) {
	start, table := leaves.GetStart(), leaves.GetAudiences()
	// Last first: what is journaled between the two must not make what came with
	// it look skipped.
	last, any, err := m.journal.Last(ctx)
	if err != nil {
		return nil, err
	}
	present, err := m.journal.Indices(ctx, start, start+uint64(len(leaves.GetLabels())))
	if err != nil {
		return nil, err
	}
	state, err := m.book.read(ctx)
	if err != nil {
		return nil, err
	}
	for _, addresses := range [][]string{{""}, state.Reads(m.country)} {
		for i, label := range leaves.GetLabels() {
			at := start + uint64(i)
			if uint64(label) >= uint64(len(table)) || !slices.Contains(addresses, table[label]) || present[at] {
				continue
			}
			if m.book.isLost(at) {
				if err := m.missed(ctx, at); err != nil {
					return nil, err
				}
				continue
			}
			return &gap{index: at, label: table[label], certain: any && last.Index > at}, nil
		}
	}
	return nil, nil
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

// accuse raises the alarm about a gap. What lies there otherwise where a new epoch
// begins is none: the hub has lost what it had delivered, and says so.
func (m *mirror) accuse(ctx context.Context, lacking gap, leaves *logv1.Leaves) error {
	if have := lacking.have; have != nil {
		if leaves.GetEpoch() > m.follower.Epoch() {
			return nil
		}
		_, err := m.alarms.raise(ctx, journal.Alarm{
			Code: AlarmAltered, Index: &have.Index,
			What: fmt.Sprintf("The log has another content for event %d than the one that this desk was sent.", have.Index),
			Have: have.Data, Got: fmt.Appendf(nil, "leaf %d %s\n\n%s", have.Index, lacking.leaf, leaves.GetCheckpoint()),
		})
		return err
	}
	what := fmt.Sprintf("Event %d of the log is for this country, and the hub has not delivered it.", lacking.index)
	if lacking.label == "" {
		what = fmt.Sprintf("Message %d of the log is the registry's and for everybody, and the hub has not delivered it.", lacking.index)
	}
	_, err := m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmWithheld, Index: new(lacking.index), What: what, Got: leaves.GetCheckpoint(),
	})
	return err
}
