package desk

import (
	"context"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/desk/journal"
)

// wanted are leaves that the notary has signed, and a log index from which on the
// journal does not fit them: the hub has left a message out or has sent another one.
type wanted struct {
	from   uint64
	leaves *logv1.Leaves
}

// ask has the stream read again for what is wanted.
func (d *Desk) ask(w wanted) { d.wanted.Store(&w) }

// fetchWanted reads what is wanted, if anything is. Nothing that the journal has gives
// way before the hub has delivered the message of the leaf: so a hub that asks for
// other contents, and then sends nothing, takes nothing from anybody's sight.
func (d *Desk) fetchWanted(ctx context.Context, r *stream.Reader) error {
	w := d.wanted.Swap(nil)
	if w == nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, hubTimeout)
	defer cancel()
	if err := r.Reset(bounded, w.from+1); err != nil {
		return &away{err}
	}
	fetched, err := r.Fetch(ctx, fetchLimit, fetchWait)
	if err != nil {
		return &away{err}
	}
	if err := d.mend(ctx, w.leaves, fetched); err != nil {
		return err
	}
	return &away{fmt.Errorf("looked for message %d", w.from)}
}

// mend puts the messages that are those of the leaves in their places. Where one says
// that the stream was restored, all that the journal has from there on is set aside.
func (d *Desk) mend(ctx context.Context, leaves *logv1.Leaves, fetched []stream.Message) error {
	var fit []journal.Message
	for _, got := range fetched {
		at := got.Sequence - 1 - leaves.GetStart()
		if got.Sequence <= leaves.GetStart() || at >= uint64(len(leaves.GetLabels())) {
			continue
		}
		m := journal.Message{Index: got.Sequence - 1, Subject: got.Subject, Data: got.Data}
		leaf := translog.Hash(leaves.GetHashes()[at*uint64(len(translog.Hash{})):])
		if translog.LeafHash(m.Index, m.Subject, m.Data) != leaf {
			break // the rest does not come from this log either, or comes later
		}
		have, ok, err := d.journal.At(ctx, m.Index)
		if err != nil {
			return err
		}
		if ok && translog.LeafHash(have.Index, have.Subject, have.Data) == leaf {
			continue
		}
		if m.Subject == translog.RestoredSubject {
			if err := d.put(ctx, fit); err != nil {
				return err
			}
			return d.forget(ctx, m.Index)
		}
		fit = append(fit, m)
	}
	return d.put(ctx, fit)
}

func (d *Desk) put(ctx context.Context, fit []journal.Message) error {
	if len(fit) == 0 {
		return nil
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	d.log.Warn("the hub had left out messages, or sent others than the log has: they are put in their places", "from", fit[0].Index, "messages", len(fit))
	if err := d.journal.Mend(ctx, fit, time.Now()); err != nil {
		return err
	}
	return d.revised(ctx, fit[0].Index)
}

// forget sets the journal's messages from a log index on aside. None of them has a
// leaf: the hub has lost them.
func (d *Desk) forget(ctx context.Context, from uint64) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	last, any, err := d.journal.Last(ctx)
	if err != nil || !any || last.Index < from {
		return err
	}
	d.log.Warn("the hub has lost messages that this desk was sent, and the log has others in their place: they are set aside", "from", from, "to", last.Index)
	if err := d.journal.SetAside(ctx, from, time.Now()); err != nil {
		return err
	}
	return d.revised(ctx, from)
}

// revised goes back to what the registry and the view were before a log index, from
// which on the journal is another one. Whoever calls holds reading.
//
// If we crash before this, the next start finds that the view is not one of the
// journal, and builds it again.
func (d *Desk) revised(ctx context.Context, from uint64) error {
	d.revisions.Add(1)
	d.book.forget(from)
	if err := d.at("set aside"); err != nil {
		return err
	}
	d.rebuilding.Lock() // one that is under way may have folded what was there
	defer d.rebuilding.Unlock()
	at, err := d.shelf.Cursor(ctx)
	if err == nil && at.Sequence > from {
		if err = d.ring.Forget(ctx, from); err == nil {
			d.records.miss() // what was deleted for what is not in the log after all
			err = d.rebuildHeld(ctx)
		}
	}
	d.journaled.notify()
	return err
}
