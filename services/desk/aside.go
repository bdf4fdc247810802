package desk

import (
	"context"
	"time"
)

// forget sets the journal's messages from a log index on aside, and goes back to
// what the registry and the view were before them. None of them has a leaf.
//
// If we crash after the first step, the next start finds that the view is not one
// of the journal, and builds it again.
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
	d.setAside.Add(1)
	d.book.forget(from)
	if err := d.at("set aside"); err != nil {
		return err
	}
	d.rebuilding.Lock() // one that is under way may have folded them
	defer d.rebuilding.Unlock()
	at, err := d.shelf.Cursor(ctx)
	if err != nil || at.Sequence <= from {
		return err
	}
	return d.rebuildHeld(ctx)
}
