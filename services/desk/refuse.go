package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// refuse judges a message of the notary that the follower did not take in.
func (m *mirror) refuse(ctx context.Context, cause error, data []byte) error {
	if rollback, ok := errors.AsType[*translog.Rollback](cause); ok {
		return m.older(ctx, rollback)
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
		return m.doubt(ctx, cause, journal.Alarm{
			Code: AlarmMismatch, Index: lastOf(mismatch.Got.Checkpoint.Size),
			What: fmt.Sprintf("The notary's signed root of %d events is not that of the leaves sent with it.", mismatch.Got.Checkpoint.Size),
			Have: []byte(mismatch.Computed.String()), Got: mismatch.Got.Note,
		})
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
	return m.doubt(ctx, other, journal.Alarm{
		Code: AlarmRegistry, Index: lastOf(size),
		What: fmt.Sprintf("The notary has signed another registry for the log's first %d events than the updates make that this desk was sent: it counted otherwise, or an update was withheld from this desk.", size),
		Have: fmt.Appendf(nil, "registry %s below size %d\n%d messages on registry subjects, newest: %s\n", other.Want, size, len(updates), newest), Got: other.Got.Note,
	})
}

// older is for a checkpoint that is smaller than the newest one. Of another log than the
// one followed here, that is a contradiction of two signed notes. Of this one it says
// nothing new, and nothing of the notary either: the hub can send again what it once had.
func (m *mirror) older(ctx context.Context, rollback *translog.Rollback) error {
	have, got := rollback.Have.Checkpoint, rollback.Got.Checkpoint
	same, err := m.ours(ctx, got)
	if err != nil {
		return err
	}
	if !same {
		return m.stop(ctx, AlarmFork, lastOf(got.Size), fmt.Sprintf("The log of %d events that the notary has signed does not begin with the %d that it has signed also: somebody is shown another log.",
			have.Size, got.Size), string(rollback.Have.Note), string(rollback.Got.Note))
	}
	_, err = m.alarms.raise(ctx, journal.Alarm{
		Code: AlarmRollback, Index: new(got.Size),
		What: fmt.Sprintf("A log of %d events was sent as the newest, after one of %d: the hub shows what is old, or the notary was rolled back.", got.Size, have.Size),
		Have: rollback.Have.Note, Got: rollback.Got.Note,
	})
	return err
}

// ours reports whether a checkpoint of a smaller size is one of the log followed here.
func (m *mirror) ours(ctx context.Context, got translog.Checkpoint) (bool, error) {
	if note, ok, err := m.checkpoint(ctx, got.Size); err != nil || ok {
		known, bad := m.terms.OpenCheckpoint(note)
		return bad == nil && known == got, err
	}
	if err := m.store(ctx); err != nil {
		return false, err
	}
	tree, err := m.journal.Tree(ctx, got.Size)
	return tree.Size() == got.Size && tree.Root() == got.Root && m.terms.At(got.Size).Registry == got.Registry, err
}

// passOver leaves out what proves nothing: anybody between notary and desk could
// have made it. The leaves in it are missed, and so nothing above is cosigned.
func (m *mirror) passOver(ctx context.Context, cause error, data []byte) error {
	return m.doubt(ctx, cause, journal.Alarm{
		Code: AlarmUnreadable, What: "What came as the notary's cannot be used: " + cause.Error() + ".", Got: data[:min(len(data), mostUnreadable)],
	})
}

// doubt passes over a message for a reason that may lie on the way: leaves, labels and
// epochs are not signed, only the root is. The stored place stays before it until
// something sound has come, so that it is read again.
func (m *mirror) doubt(ctx context.Context, cause error, alarm journal.Alarm) error {
	m.log.Warn("passing over a message on the log stream", "error", cause)
	if m.fault == nil {
		m.fault = cause
		m.reread.after(time.Now())
	}
	_, err := m.alarms.raise(ctx, alarm)
	return err
}

// doubtful are the alarms of doubt, and that of older.
var doubtful = []string{AlarmUnreadable, AlarmMismatch, AlarmRegistry, AlarmMisplaced, AlarmRollback}

// sound ends what was in doubt: leaves came that lead on.
func (m *mirror) sound(ctx context.Context) error {
	m.fault, m.reread = nil, rereading{}
	for _, code := range doubtful {
		if err := m.alarms.end(ctx, code, "What came then on the log stream leads on."); err != nil {
			return err
		}
	}
	return nil
}

// rereading says when what was passed over is read again: soon, then less and less
// often, because all that came after it is read again too.
type rereading struct {
	wait time.Duration
	at   time.Time
}

const longestReread = time.Minute

// after sets the time for the next reading.
func (r *rereading) after(now time.Time) {
	r.wait = min(max(2*r.wait, retryAfter), longestReread)
	r.at = now.Add(r.wait)
}

func (r *rereading) due(now time.Time) bool { return !now.Before(r.at) }
