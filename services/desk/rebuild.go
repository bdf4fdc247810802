package desk

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/view"
)

// recover brings the view up to the journal after a start. A view whose cursor
// is not in the journal is no fold of it, and is built again.
func (d *Desk) recover(ctx context.Context) error {
	at, err := d.shelf.Cursor(ctx)
	if err != nil {
		return err
	}
	known, err := d.knows(ctx, at)
	if err != nil {
		return err
	}
	stale, mark, err := d.ring.Stale(ctx)
	switch {
	case err != nil:
		return err
	case !known:
		d.log.Warn("the view is not one of this journal: it is built again", "sequence", at.Sequence)
		return d.Rebuild(ctx)
	case stale && at.Sequence > 0:
		d.log.Info("keys have changed since the view was folded: it is built again")
		return d.Rebuild(ctx)
	}
	d.folding.Lock()
	defer d.folding.Unlock()
	from := uint64(0)
	if at.Sequence > 0 {
		from = at.Index + 1
	}
	if _, err = d.catchUp(ctx, d.folder, from); err != nil {
		return err
	}
	if err := d.ring.Folded(ctx, mark); err != nil {
		return err
	}
	err = d.folded(ctx, d.folder)
	d.committed()
	return err
}

// knows reports whether a cursor points at a message of the journal.
func (d *Desk) knows(ctx context.Context, at view.Cursor) (bool, error) {
	if at.Sequence == 0 {
		return true, nil
	}
	m, ok, err := d.journal.At(ctx, at.Index)
	return ok && event.DigestOf(m.Data) == at.Digest, err
}

// catchUp folds the journal from a log index to its end, and returns the index
// after the last message.
func (d *Desk) catchUp(ctx context.Context, f *folder, from uint64) (next uint64, err error) {
	folded := 0
	for {
		messages, err := d.journal.Messages(ctx, from, foldAtOnce)
		if err != nil || len(messages) == 0 {
			return from, err
		}
		if err := f.take(ctx, messages); err != nil {
			return from, err
		}
		if err := d.folded(ctx, f); err != nil { // what is over is not shown until the end is reached
			return from, err
		}
		from = messages[len(messages)-1].Index + 1
		before := folded
		folded += len(messages)
		if folded/progressStep > before/progressStep {
			d.log.Info("folding the journal", "messages", folded, "index", from-1)
		}
	}
}

// Rebuild folds the whole journal into a new view beside the live one, which is
// read and written meanwhile, and swaps it in once it has caught up. If we crash
// on the way, the old view is still there.
func (d *Desk) Rebuild(ctx context.Context) error {
	d.rebuilding.Lock() // waits for one that is under way
	defer d.rebuilding.Unlock()
	return d.rebuildHeld(ctx)
}

// rebuildHeld is Rebuild for who holds rebuilding.
func (d *Desk) rebuildHeld(ctx context.Context) error {
	if err := d.rebuild(ctx); err != nil {
		return fmt.Errorf("rebuilding the view: %w", err)
	}
	d.log.Info("the view was built again from the journal")
	return nil
}

// mostFolds bounds how often a rebuild begins again.
const mostFolds = 3

// rebuild swaps in a view that knows of all that was erased or recalled before it: where that is
// heard on the way, and what came before it was folded with its content, the fold begins again.
func (d *Desk) rebuild(ctx context.Context) error {
	for fold := 1; ; fold++ {
		swapped, err := d.rebuildOnce(ctx, fold == mostFolds)
		if swapped || err != nil {
			return err
		}
	}
}

func (d *Desk) rebuildOnce(ctx context.Context, last bool) (swapped bool, err error) {
	_, mark, err := d.ring.Stale(ctx)
	if err != nil {
		return false, err
	}
	built, err := d.shelf.build(ctx)
	if err != nil {
		return false, err
	}
	f, err := d.newFolder(ctx, built, view.Cursor{})
	if err != nil {
		return false, errors.Join(err, built.Close())
	}
	next, err := d.catchUp(ctx, f, 0)
	if err != nil {
		return false, errors.Join(err, built.Close())
	}
	// What came meanwhile is folded while nobody folds into the live view.
	d.folding.Lock()
	defer d.folding.Unlock()
	if _, err = d.catchUp(ctx, f, next); err != nil {
		return false, errors.Join(err, built.Close())
	}
	_, now, err := d.ring.Stale(ctx)
	if err != nil || now != mark && !last {
		return false, errors.Join(err, d.folded(ctx, f), built.Close())
	}
	opened, err := d.shelf.swap(ctx, built)
	if opened == nil {
		return false, err
	}
	f.view, d.folder = opened, f
	return true, errors.Join(err, d.revealed(ctx, f, mark))
}

// revealed ends what was concealed, once a view was swapped in whose fold began at a mark.
func (d *Desk) revealed(ctx context.Context, f *folder, mark uint64) error {
	if err := d.ring.Folded(ctx, mark); err != nil {
		return err
	}
	d.shelf.reveal(mark)
	err := d.folded(ctx, f)
	d.committed()
	return err
}
