package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// takeCosignature counts a mirror's cosignature, this desk's own included. One by
// a key of this desk that its journal does not know of is an alarm. One by a key
// that it does not hold (any more) is not: who has lost the journal has the key
// revoked and enrols another.
func (m *mirror) takeCosignature(ctx context.Context, data []byte) error {
	_, cause := m.follower.Cosignature(data)
	country, c, signed, err := m.terms.OpenCosignature(data)
	own := err == nil && country == m.country && m.keys.at(m.terms.At(c.Size), country) != nil
	if own && m.unknown(c, signed, cause) {
		return m.stop(ctx, AlarmStateLost, lastOf(c.Size), fmt.Sprintf(
			"The log has a cosignature by this desk's key over %d events that its journal does not know; the newest that it knows is over %d: the journal was lost or set back, or somebody else has the key.",
			c.Size, m.cosigned.Size), string(m.cosigned.Note), string(data))
	}
	if cause != nil {
		return m.refuseCosignature(ctx, cause)
	}
	return nil
}

// unknown reports whether a cosignature by this desk's key, made at a time in seconds
// since 1970, was not made with this journal: above the newest that it has recorded,
// another one of that size, or over another root. Of older ones the journal does not
// keep the bytes. What was signed is compared, not how it came: the hub can add
// another's signature to a note.
func (m *mirror) unknown(c translog.Checkpoint, signed uint64, cause error) bool {
	if _, fork := errors.AsType[*translog.Fork](cause); fork || c.Size != m.cosigned.Size {
		return fork || c.Size > m.cosigned.Size
	}
	_, own, at, err := m.terms.OpenCosignature(m.cosigned.Note)
	return err != nil || own != c || at != signed
}

// refuseCosignature judges a cosignature that was not counted. One over another
// root or registry is kept as evidence and said on the console: that country was shown
// another log, or its key is misused. Without the notary's signature it is one
// mirror's word, so this mirror goes on: else each member could silence the rest.
// The rest harms nobody.
func (m *mirror) refuseCosignature(ctx context.Context, cause error) error {
	if fork, ok := errors.AsType[*translog.Fork](cause); ok {
		_, err := m.alarms.raise(ctx, journal.Alarm{
			Code: AlarmDissent, Index: lastOf(fork.Have.Checkpoint.Size),
			What: fmt.Sprintf("A country has cosigned another checkpoint of the log's first %d events: it was shown another log, or its key is misused.", fork.Have.Checkpoint.Size),
			Have: fork.Have.Note, Got: fork.Got.Note,
		})
		return err
	}
	m.log.Debug("a cosignature does not count", "error", cause)
	return nil
}

// flush stores what was taken in, then cosigns the newest checkpoint: the others
// of one fetch are covered by it.
func (m *mirror) flush(ctx context.Context) error {
	if err := m.store(ctx); err != nil {
		return err
	}
	if err := m.at("stored"); err != nil || m.read.Sequence < m.end {
		return err
	}
	if err := m.record(ctx); err != nil {
		return err
	}
	if m.published || len(m.cosigned.Note) == 0 || !m.active() {
		return nil
	}
	if err := m.at("publishing"); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	if _, err := m.conn.Publish(bounded, stream.CosignPrefix+m.country, m.cosigned.Note); err != nil {
		return &away{err}
	}
	m.published = true
	return m.at("published")
}

func (m *mirror) store(ctx context.Context) error {
	if !m.dirty {
		return nil
	}
	m.place.Snapshot = m.follower.Snapshot()
	err := m.journal.Mirror(ctx, m.leaves, m.checkpoints, m.place)
	if _, contrary := errors.AsType[*journal.Contrary](err); contrary {
		return &away{err} // it came just now: await says so
	}
	if err != nil {
		return err
	}
	m.dirty, m.leaves, m.checkpoints = false, nil, nil
	m.standing.log(m.follower)
	return nil
}

// active reports whether this country may cosign now. The hub takes nothing from
// one that is suspended, not even what it cosigned before.
func (m *mirror) active() bool {
	state, _ := m.book.known()
	if !state.Founded() {
		state = m.founded
	}
	member, _ := state.Member(m.country)
	return member.Status == registry.Active
}

// record signs the newest checkpoint and keeps the signature, where it is above
// all that were cosigned, and where the registry names a key that this desk holds.
// Status.Standing says why where it does not.
func (m *mirror) record(ctx context.Context) error {
	newest, _ := m.follower.Checkpoint()
	if newest.Size <= m.cosigned.Size || m.alarms.stopped() {
		return nil
	}
	signer := m.keys.at(m.terms.At(newest.Size), m.country)
	if signer == nil {
		return nil
	}
	note, err := signer.Cosign(newest, uint64(time.Now().Unix()))
	if err != nil {
		return err
	}
	cosigned := journal.Cosigned{Size: newest.Size, Root: newest.Root, Note: note}
	if err := m.journal.Cosign(ctx, cosigned); err != nil {
		return err
	}
	m.cosigned, m.published = cosigned, false
	return m.at("recorded")
}
