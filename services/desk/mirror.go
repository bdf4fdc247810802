package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

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
	at        func(step string) error // see Desk.at
	seek      func(wanted)            // see Desk.fetchWanted

	doubted   int  // see doubts
	checked   bool // the stored leaves were seen to have the verified root
	follower  *translog.Follower
	terms     translog.Policies // those that follower has adopted
	read      stream.Mark       // the last message of the log stream that was looked at
	place     journal.Place     // runs ahead of the stored one
	cosigned  journal.Cosigned
	published bool   // the newest cosignature is on the log stream
	end       uint64 // where the log stream ended when this run began to follow it

	fault  error // of a message that was passed over: the stored place stays before it, see reread
	reread rereading

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
	m.dirty, m.leaves, m.checkpoints, m.published, m.fault = false, nil, nil, false, nil
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
	if n := len(terms); n == len(m.terms) && terms[n-1].From == m.terms[n-1].From && terms[n-1].Policy.Registry == m.terms[n-1].Policy.Registry {
		return nil // the head of a registry stands for all of it
	}
	if err := m.follower.Adopt(terms); err != nil {
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
	tree, err := m.journal.Tree(ctx, math.MaxInt64)
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
		if m.fault != nil && m.reread.due(time.Now()) {
			return &away{m.fault}
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
	if !m.follower.Rewound() && m.fault == nil { // else a restart has to read again what is before
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
	signed, err := m.follower.Check(message)
	if err != nil {
		return m.refuse(ctx, err, data)
	}
	news, before := translog.Since(message, m.follower.Size()), m.follower.Size()
	if err := m.await(ctx, news, signed); err != nil {
		return err
	}
	if turns, err := m.turns(ctx, news); err != nil || !turns {
		return err
	}
	if err := m.adopt(ctx); err != nil {
		return err
	}
	batch, err := m.follower.Leaves(message)
	if err != nil {
		return m.refuse(ctx, err, data)
	}
	if err := m.sound(ctx); err != nil {
		return err
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
