package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// turn is for leaves of a new epoch: the stream was restored after it had lost
// messages, and what this desk was sent from there on may be in no tree. Unless the
// journal has the very message with which the epoch begins, it is set aside and read
// again. What the log has comes again; what it has not was never signed by anybody.
func (m *mirror) turn(ctx context.Context, leaves *logv1.Leaves) error {
	start := leaves.GetStart()
	if leaves.GetEpoch() <= m.follower.Epoch() || start != m.follower.Size() || len(leaves.GetHashes()) < len(translog.Hash{}) {
		return nil
	}
	if !m.signed(leaves.GetCheckpoint(), start) {
		return nil // anybody can say so: nothing is set aside for it
	}
	have, ok, err := m.journal.At(ctx, start)
	if err != nil || ok && translog.LeafHash(start, have.Subject, have.Data) == translog.Hash(leaves.GetHashes()) {
		return err
	}
	if err := m.store(ctx); err != nil { // what has a leaf is not set aside
		return err
	}
	m.terms = nil
	return m.setAside(ctx, start)
}

// signed reports whether the notary has signed a note, by the registry as it is
// journaled, or as it was at a size: what came after that may be what is set aside.
func (m *mirror) signed(note []byte, size uint64) bool {
	_, err := m.terms.OpenCheckpoint(note)
	if _, ok := errors.AsType[*translog.OtherRegistry](err); ok || err == nil {
		return true
	}
	before := m.terms.At(size)
	_, err = before.OpenSigned(note)
	return err == nil
}

// restored checks that the first message of a new epoch says so: else the hub could
// excuse any other content with a restoration that nobody hears of.
func (m *mirror) restored(ctx context.Context, batch translog.Batch) error {
	first, ok, err := m.journal.At(ctx, batch.Start)
	if err != nil {
		return err
	}
	if ok && first.Subject == translog.RestoredSubject {
		if restoration, err := translog.ParseRestoration(first.Data); err == nil {
			m.log.Warn("the hub has restored the stream", "index", batch.Start, "recovered", restoration.Recovered, "lost", len(restoration.Lost))
			return nil
		}
	}
	return m.stop(ctx, AlarmMisplaced, new(batch.Start), fmt.Sprintf(
		"The notary says that the stream was restored at index %d of the log, and the message there does not say so.", batch.Start), string(first.Data), "")
}
