package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/view"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

const (
	ringInterval  = time.Second // between two looks at what has expired
	classInterval = time.Hour   // between two looks at what has outlived its class
	mostConcealed = 2000        // events; where more lose content, nothing is shown until the view is folded again
)

// refold lets go of what has expired, and folds the view again after whatever has changed what its
// sections open to: once for all that came, and then not before three times as long as
// it took, since anybody may erase often.
func (d *Desk) refold(ctx context.Context) error {
	select {
	case <-d.recovered:
	case <-ctx.Done():
		return nil
	}
	stale, cancel := d.stale.Subscribe()
	defer cancel()
	ticker := time.NewTicker(ringInterval)
	defer ticker.Stop()
	var days classes
	for next := time.Now(); ; {
		if err := d.expire(ctx, &days); err != nil {
			return err
		}
		if began := time.Now(); !began.Before(next) {
			if err := d.refoldOnce(ctx); err != nil {
				return err
			}
			next = time.Now().Add(3 * time.Since(began))
		}
		select {
		case <-stale:
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// classes are the days of each retention class, and when they were last held against what is here.
type classes struct {
	state  registry.State
	looked time.Time
}

// expire deletes what may not be opened any more.
func (d *Desk) expire(ctx context.Context, c *classes) error {
	var days map[string]uint32
	now, state := d.now(), d.registry()
	if state != c.state || now.Sub(c.looked) >= classInterval {
		days, c.state, c.looked = state.Retention(), state, now
	}
	taken, err := d.ring.Expire(ctx, now, days)
	if err != nil {
		return err
	}
	return d.ringChanged(ctx, taken)
}

func (d *Desk) refoldOnce(ctx context.Context) error {
	if _, err := d.ring.Arrived(ctx, d.standing.get().LogSize); err != nil {
		return err
	}
	d.rebuilding.Lock()
	defer d.rebuilding.Unlock()
	stale, _, err := d.ring.Stale(ctx)
	if err != nil || !stale {
		return err
	}
	return d.rebuildHeld(ctx)
}

// ringChanged hides at once what has no pieces any more, and has the view folded again.
func (d *Desk) ringChanged(ctx context.Context, taken keyring.Taken) error {
	if err := d.conceal(ctx, taken.Closed, taken.Mark); err != nil {
		return err
	}
	if len(taken.Closed) > 0 && d.files != nil { // nil at the start: it sweeps when it is opened
		if err := d.files.sweep(ctx); err != nil {
			return err
		}
	}
	if taken.Stale {
		d.stale.notify()
	}
	return nil
}

// folded is for what a folder has met since the last time.
func (d *Desk) folded(ctx context.Context, f *folder) error {
	if f.missing {
		d.records.miss()
	}
	taken := f.taken
	f.taken, f.missing = keyring.Taken{}, false
	return d.ringChanged(ctx, taken)
}

// conceal keeps from every page what the live view still holds of events, until it was
// folded without them.
func (d *Desk) conceal(ctx context.Context, ids []event.ID, mark uint64) error {
	if len(ids) > mostConcealed {
		d.shelf.conceal(concealment{mark: mark, all: true})
		return nil
	}
	for _, id := range ids {
		document, ok, err := d.shelf.documentOf(ctx, casework.Ref{Type: casework.TypeEvent, ID: id.String()})
		if err != nil {
			return err
		}
		if !ok {
			continue // never folded here
		}
		var known casework.Event
		if err := json.Unmarshal(document.Data, &known); err != nil {
			return fmt.Errorf("concealing event %s: %w", id, err)
		}
		for _, origin := range known.Origins {
			if err := d.concealAt(ctx, origin.Index, mark); err != nil {
				return err
			}
		}
	}
	return nil
}

// concealAtStart hides, before anything is served, what the view still holds of content that had
// gone when this desk ended: the view without it was not in yet, and is built before
// the desk follows on. What has expired meanwhile goes first.
func (d *Desk) concealAtStart(ctx context.Context) error {
	if err := d.expire(ctx, &classes{}); err != nil {
		return err
	}
	ids, mark, everything, err := d.ring.Concealed(ctx)
	if err != nil {
		return err
	}
	if everything {
		d.shelf.conceal(concealment{mark: mark, all: true})
		return nil
	}
	return d.conceal(ctx, ids, mark)
}

func (d *Desk) concealAt(ctx context.Context, index, mark uint64) error {
	entries, err := d.shelf.entries(ctx, view.Filter{After: index, Limit: 1})
	if err != nil || len(entries) == 0 || entries[0].Index != index {
		return err
	}
	d.shelf.conceal(concealment{mark: mark, index: index, refs: entries[0].Refs})
	return nil
}
