package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// mirror follows the log stream, compares the tree with the bytes that the desk
// holds, and cosigns. Order: compare, store (fsynced), record the cosignature
// (fsynced), publish it. If we crash before the record, nobody has seen a
// cosignature; after it, the same bytes are published by the next start.
//
// Invariants: a cosigned size only grows; nothing is cosigned that is not in the
// journal, or below which a message that this country may read is missing, or
// that disagrees with a message held here; nothing is cosigned under another key
// than the one that the registry names for the size; after a final alarm nothing
// is cosigned at all.
type mirror struct {
	country string
	keys    keys
	founded registry.State // the charter's
	charter []byte         // the message that the log must begin with
	book    *chronicle     // the registry: who may read and cosign what

	journal   *journal.Journal
	alarms    *alarms
	conn      *stream.Conn
	journaled *Live
	standing  *standing
	patience  time.Duration
	log       *slog.Logger
	at        func(step string) error                      // see Desk.at
	setAside  func(ctx context.Context, from uint64) error // see Desk.forget

	doubted   int  // see doubts
	checked   bool // the stored leaves were seen to have the verified root
	follower  *translog.Follower
	terms     translog.Policies // those that follower has adopted
	read      stream.Mark       // the last message of the log stream that was looked at
	place     journal.Place     // runs ahead of the stored one
	cosigned  journal.Cosigned
	published bool   // the newest cosignature is on the log stream
	end       uint64 // where the log stream ended when this run began to follow it

	// Taken in and not stored yet.
	dirty       bool
	leaves      []journal.Leaf
	checkpoints []journal.Checkpoint
}

const (
	logFetchLimit = 256
	logFetchWait  = 500 * time.Millisecond

	// mostUnreadable is how much is kept of what cannot be read, in bytes: anybody
	// may have made it, again and again.
	mostUnreadable = 64 << 10
)

// load goes back to what is stored. After errStopped there is no follower.
func (m *mirror) load(ctx context.Context) error {
	var err error
	if m.place, err = m.journal.Place(ctx); err != nil {
		return err
	}
	if m.cosigned, err = m.journal.Cosigned(ctx); err != nil {
		return err
	}
	if m.terms, err = m.policies(ctx); err != nil {
		return err
	}
	if len(m.place.Snapshot) == 0 {
		m.follower, err = translog.NewFollower(m.terms)
	} else {
		m.follower, err = translog.NewFollowerAt(m.terms, m.place.Snapshot)
	}
	if err != nil {
		return m.stop(ctx, AlarmDamaged, nil, "The mirror in this desk's journal is damaged: "+err.Error()+".", string(m.place.Snapshot), "")
	}
	m.read = stream.Mark{Sequence: m.place.Sequence, Digest: m.place.Digest}
	m.dirty, m.leaves, m.checkpoints, m.published = false, nil, nil, false
	m.standing.log(m.follower)
	return nil
}

// policies are those of the registry as it is journaled now. Before its founding
// they are the charter's, which says the same.
func (m *mirror) policies(ctx context.Context) (translog.Policies, error) {
	state, err := m.book.read(ctx)
	if err != nil {
		return nil, err
	}
	if !state.Founded() {
		state = m.founded
	}
	return state.Policies()
}

// adopt judges what comes by the registry as it is journaled now: all updates
// below the leaves that come next are.
func (m *mirror) adopt(ctx context.Context) error {
	terms, err := m.policies(ctx)
	if err != nil {
		return err
	}
	if n := len(terms); n > 0 && n == len(m.terms) && terms[n-1].From == m.terms[n-1].From {
		return nil // terms are only ever added
	}
	if err := m.follower.Adopt(terms); err != nil {
		// An update came after its leaf, under another label: compare says which.
		if err := m.compare(ctx); err != nil {
			return err
		}
		return m.stop(ctx, AlarmDamaged, nil, "The registry in this desk's journal does not fit its mirror: "+err.Error()+".", "", "")
	}
	m.terms = terms
	return nil
}

// run mirrors until ctx ends or a final alarm stands.
func (m *mirror) run(ctx context.Context) error {
	return retrying(ctx, m.log, "mirroring", func(ctx context.Context) error {
		if m.alarms.stopped() {
			return errStopped
		}
		if !m.checked {
			if err := m.check(ctx); err != nil {
				return err
			}
			m.checked = true
		}
		return m.followLog(ctx)
	})
}

// check computes the tree from the leaves that are stored: a flipped bit in
// them, or a cosigned size that they do not reach, is a damaged journal.
func (m *mirror) check(ctx context.Context) error {
	tree, err := m.journal.Tree(ctx)
	newest, _ := m.follower.Checkpoint()
	what := ""
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		what = err.Error()
	case tree.Size() != newest.Size || tree.Size() > 0 && tree.Root() != newest.Root:
		what = fmt.Sprintf("its %d leaves are not those of the verified checkpoint of %d", tree.Size(), newest.Size)
	case m.cosigned.Size > newest.Size:
		what = fmt.Sprintf("size %d is cosigned, and only %d leaves are there", m.cosigned.Size, newest.Size)
	default:
		return nil
	}
	return m.stop(ctx, AlarmDamaged, nil, "The mirror in this desk's journal is damaged: "+what+".", tree.Root().String(), newest.Text())
}

// stop raises a final alarm about a log index, if there is one. It returns nil
// where people have settled this very alarm: the mirror passes over what caused it.
func (m *mirror) stop(ctx context.Context, code string, index *uint64, what, have, got string) error {
	stands, err := m.alarms.raise(ctx, journal.Alarm{Code: code, Index: index, What: what, Have: []byte(have), Got: []byte(got)})
	if err != nil || !stands {
		return err
	}
	return errStopped
}

// followLog takes in the log stream from the stored place until something fails.
func (m *mirror) followLog(ctx context.Context) error {
	if err := m.load(ctx); err != nil {
		return err
	}
	r, err := reader(ctx, m.conn, stream.Log, m.country, m.read.Sequence)
	if err != nil {
		return err
	}
	if err := m.proveLog(ctx, r); err != nil {
		return err
	}
	if err := m.ahead(ctx, r); err != nil {
		return err
	}
	// Before anything is cosigned: an alarm of before may have been settled.
	if err := m.compare(ctx); err != nil {
		return err
	}
	for {
		fetched, err := r.Fetch(ctx, logFetchLimit, logFetchWait)
		if err != nil {
			return &away{err}
		}
		for _, message := range fetched {
			if err := m.contiguous(ctx, message); err != nil {
				return err
			}
			if err := m.take(ctx, message); err != nil {
				return err
			}
		}
		// A message may have come after its leaf, under a label not of this country.
		if err := m.compare(ctx); err != nil {
			return err
		}
		if err := m.flush(ctx); err != nil {
			return err
		}
		if err := acknowledge(r, "log", m.at); err != nil {
			return err
		}
	}
}

// contiguous holds the log stream's sequences against the mirror's place. The
// mirror reads all of the stream, and nothing is ever deleted from it.
func (m *mirror) contiguous(ctx context.Context, message stream.Message) error {
	want := m.read.Sequence + 1
	if message.Sequence == want {
		m.doubted = 0
		return nil
	}
	if m.doubted++; m.doubted < doubts {
		return &away{fmt.Errorf("the hub sent sequence %d of the log stream, not %d", message.Sequence, want)}
	}
	return m.passOver(ctx, fmt.Errorf("sequence %d follows %d on the log stream", message.Sequence, want-1), message.Data)
}

// take takes in one message of the log stream.
func (m *mirror) take(ctx context.Context, message stream.Message) error {
	var err error
	switch {
	case message.Subject == stream.LeavesSubject:
		err = m.takeLeaves(ctx, message.Data)
	case strings.HasPrefix(message.Subject, stream.CosignPrefix):
		err = m.takeCosignature(ctx, message.Data)
	}
	if err != nil {
		return err
	}
	m.read = stream.MarkOf(message)
	if !m.follower.Rewound() { // else a restart has to begin with the first message again
		m.place.Sequence, m.place.Digest, m.dirty = m.read.Sequence, m.read.Digest, true
		return m.whole(ctx)
	}
	return nil
}

func (m *mirror) takeLeaves(ctx context.Context, data []byte) error {
	message := &logv1.Leaves{}
	if err := proto.Unmarshal(data, message); err != nil {
		return m.passOver(ctx, errors.New("not a message of the notary"), data)
	}
	if err := m.follower.Retrace(message); err != nil {
		return m.refuse(ctx, err, data)
	}
	news, before := translog.Since(message, m.follower.Size()), m.follower.Size()
	if err := m.turn(ctx, news); err != nil {
		return err
	}
	if err := m.await(ctx, news); err != nil {
		return err
	}
	if err := m.adopt(ctx); err != nil {
		return err
	}
	epoch := m.follower.Epoch()
	batch, err := m.follower.Leaves(message)
	if err != nil {
		return m.refuse(ctx, err, data)
	}
	if err := m.alarms.end(ctx, AlarmUnreadable, "What came next on the log stream could be read."); err != nil {
		return err
	}
	if m.follower.Epoch() != epoch {
		if err := m.restored(ctx, batch); err != nil {
			return err
		}
	}
	for i, hash := range batch.Hashes {
		m.leaves = append(m.leaves, journal.Leaf{Index: batch.Start + uint64(i), Hash: hash, Audience: batch.Labels[i]})
	}
	if batch.Checkpoint.Size > before {
		m.checkpoints = append(m.checkpoints, journal.Checkpoint{Size: batch.Checkpoint.Size, Note: message.GetCheckpoint()})
	}
	for _, refused := range batch.Refused {
		if err := m.refuseCosignature(ctx, refused); err != nil {
			return err
		}
	}
	return m.compare(ctx)
}

// refuse judges a message of the notary that the follower did not take in.
func (m *mirror) refuse(ctx context.Context, cause error, data []byte) error {
	if rollback, ok := errors.AsType[*translog.Rollback](cause); ok {
		return m.stop(ctx, AlarmRollback, new(rollback.Got.Checkpoint.Size), fmt.Sprintf("The notary has signed a log of %d events after one of %d: the log was rolled back.",
			rollback.Got.Checkpoint.Size, rollback.Have.Checkpoint.Size), string(rollback.Have.Note), string(rollback.Got.Note))
	}
	if fork, ok := errors.AsType[*translog.Fork](cause); ok {
		return m.stop(ctx, AlarmFork, lastOf(fork.Have.Checkpoint.Size), fmt.Sprintf("There are two signed checkpoints of the log's first %d events: somebody was shown another log.",
			fork.Have.Checkpoint.Size), string(fork.Have.Note), string(fork.Got.Note))
	}
	if other, ok := errors.AsType[*translog.Inconsistent](cause); ok {
		return m.stop(ctx, AlarmFork, lastOf(other.Have.Checkpoint.Size), fmt.Sprintf("The log of %d events that is shown now does not begin with the %d events of before: somebody is shown another log.",
			other.Got.Checkpoint.Size, other.Have.Checkpoint.Size), string(other.Have.Note), string(other.Got.Note))
	}
	if other, ok := errors.AsType[*translog.OtherRegistry](cause); ok {
		return m.otherRegistry(ctx, other)
	}
	if mismatch, ok := errors.AsType[*translog.Mismatch](cause); ok {
		return m.stop(ctx, AlarmMismatch, lastOf(mismatch.Got.Checkpoint.Size), fmt.Sprintf("The notary's signed root of %d events is not that of the leaves sent with it.",
			mismatch.Got.Checkpoint.Size), mismatch.Computed.String(), string(mismatch.Got.Note))
	}
	return m.passOver(ctx, cause, data)
}

// otherRegistry is for a signed checkpoint whose registry is not that of the updates
// in this desk's journal, which it keeps for ever: the alarm names the newest.
func (m *mirror) otherRegistry(ctx context.Context, other *translog.OtherRegistry) error {
	size := other.Got.Checkpoint.Size
	first, err := m.journal.Messages(ctx, 0, 1)
	if err != nil {
		return err
	}
	if len(first) > 0 && m.foreign(first[0]) {
		return m.stopForeign(ctx, first[0])
	}
	newest := "none"
	updates, err := m.journal.Registry(ctx, 0, size-1)
	if err != nil {
		return err
	}
	if n := len(updates); n > 0 {
		newest = fmt.Sprintf("index %d, %s, SHA-256 %s", updates[n-1].Index, updates[n-1].Subject, event.DigestOf(updates[n-1].Data))
	}
	return m.stop(ctx, AlarmRegistry, lastOf(size), fmt.Sprintf(
		"The notary has signed another registry for the log's first %d events than the updates make that this desk was sent: it counted otherwise, or an update was withheld from this desk.",
		size), fmt.Sprintf("registry %s below size %d\n%d messages on registry subjects, newest: %s\n", other.Want, size, len(updates), newest), string(other.Got.Note))
}

// passOver leaves out what proves nothing: anybody between notary and desk could
// have made it. The leaves in it are missed, and so nothing above is cosigned.
func (m *mirror) passOver(ctx context.Context, cause error, data []byte) error {
	m.log.Warn("passing over a message on the log stream", "error", cause)
	_, err := m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmUnreadable, What: "What came as the notary's cannot be used: " + cause.Error() + ".", Got: data[:min(len(data), mostUnreadable)],
	})
	return err
}
