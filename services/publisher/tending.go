package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/seal"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

// tendEvery is how often key records are looked at when nothing asks for it: some expire.
const tendEvery = 5 * time.Second

// tendAtOnce is how much of each kind is taken in hand at a time.
const tendAtOnce = 1000

// tender does with key records what is decided on disk: it deletes those that have expired, makes
// revisions without what is erased or withdrawn, publishes those and releases, and says
// so. Each step is one transaction and may be repeated, so that a crash between two is
// a crash before the second.
type tender struct {
	publisher *Publisher
	wake      chan struct{}
}

// signal says that there may be something to do.
func (t *tender) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run works until ctx ends. No fault ends it.
func (t *tender) run(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	wait := firstWait
	for ctx.Err() == nil {
		moved, err := t.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.publisher.troubles.note("key records", err.Error())
			pause(ctx, wait)
			wait = min(2*wait, longestWait)
			continue
		}
		wait = firstWait
		t.publisher.troubles.note("key records", "")
		if moved {
			continue
		}
		select {
		case <-t.wake:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// step does what can be done now, each kind whatever becomes of the others. What needs
// the hub or a signing key waits for it; follow signals when that changes.
func (t *tender) step(ctx context.Context) (moved bool, err error) {
	p := t.publisher
	view := p.log.Load()
	_, err = p.outbox.ExpireRecords(ctx, p.outbox.Clock())
	errs := []error{err}
	if p.ready(view) {
		for _, do := range []func(context.Context, *logView) (bool, error){t.cut, t.send, t.sayErased, t.sayReleased} {
			did, err := do(ctx, view)
			moved = moved || did
			errs = append(errs, err)
		}
	}
	return moved, errors.Join(append(errs, p.outbox.Scrap(ctx))...)
}

// due is what one record is to lose.
type due struct {
	record    outbox.Record
	withdrawn []event.ID
	erased    []outbox.Erasure
}

// cut makes the next revisions of records that have entries of what is erased or withdrawn.
func (t *tender) cut(ctx context.Context, view *logView) (moved bool, err error) {
	p := t.publisher
	all, err := t.due(ctx)
	if err != nil || len(all) == 0 {
		return false, err
	}
	key, err := p.signingKey(view)
	if err != nil {
		return false, nil // the status says so
	}
	for _, d := range all {
		did, err := t.cutOne(ctx, view, key, d)
		if err != nil {
			return moved, err
		}
		moved = moved || did
	}
	return moved, nil
}

func (t *tender) due(ctx context.Context) (map[string]*due, error) {
	o := t.publisher.outbox
	all := map[string]*due{}
	withdrawn, err := o.Withdrawals(ctx)
	if err != nil {
		return nil, err
	}
	for subject, ids := range withdrawn {
		record, ok, err := o.Record(ctx, subject)
		if err != nil {
			return nil, err
		}
		if ok {
			all[subject] = &due{record: record, withdrawn: ids}
		}
	}
	erasures, err := o.Erasures(ctx, tendAtOnce)
	if err != nil {
		return nil, err
	}
	for _, e := range erasures {
		records, err := o.RecordsOf(ctx, e.Audience, e.Sequence)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if all[r.Subject] == nil {
				all[r.Subject] = &due{record: r}
			}
			all[r.Subject].erased = append(all[r.Subject].erased, e)
		}
	}
	return all, nil
}

func (t *tender) cutOne(ctx context.Context, view *logView, key event.SigningKey, d *due) (moved bool, err error) {
	record, err := openRecord(view.state, d.record)
	if err != nil {
		return false, err
	}
	cut := outbox.Cut{Before: d.record, After: d.record, Batch: record.Batch, Withdrawn: d.withdrawn}
	var ids []event.ID
	lose := map[event.ID]bool{}
	for _, id := range d.withdrawn {
		if record.Has(id) && !lose[id] {
			ids, lose[id] = append(ids, id), true
		}
	}
	for _, e := range d.erased {
		if record.Has(e.ID) {
			cut.Erased = append(cut.Erased, e.Sequence)
			if !lose[e.ID] {
				ids, lose[e.ID] = append(ids, e.ID), true
			}
		}
	}
	if len(ids) == 0 && len(d.withdrawn) == 0 {
		return false, nil
	}
	if len(ids) > 0 {
		next, err := seal.Erase(key, record, ids...)
		if err != nil {
			return false, err
		}
		cut.After = outbox.RecordOf(d.record.Subject, next)
	}
	return true, t.publisher.outbox.PutCut(ctx, cut)
}

// openRecord reads a record that this outbox holds, under the key that signed it.
func openRecord(state registry.State, r outbox.Record) (seal.Record, error) {
	unverified, err := seal.Decode(r.Data)
	if err != nil {
		return seal.Record{}, fmt.Errorf("the key record on %s is damaged: %w", r.Subject, err)
	}
	key, ok := state.Key(unverified.KeyID())
	if !ok {
		return seal.Record{}, fmt.Errorf("the key record on %s: the registry does not have the key that signed it", r.Subject)
	}
	record, err := unverified.Verify(key)
	if err != nil {
		return seal.Record{}, fmt.Errorf("the key record on %s is damaged: %w", r.Subject, err)
	}
	return record, nil
}

// sendOne looks again at to whom a release is, of which nothing was said yet. All other
// records that no lane publishes were read before, or were cut since.
func (t *tender) sendOne(ctx context.Context, r outbox.Record) error {
	p := t.publisher
	unsaid, err := p.outbox.Unsaid(ctx, r.Subject)
	if err == nil && unsaid {
		r, err = p.narrowed(ctx, r, false)
	}
	if err != nil {
		return err
	}
	return p.putRecord(ctx, r)
}

// send publishes records that no lane does.
func (t *tender) send(ctx context.Context, _ *logView) (moved bool, err error) {
	p := t.publisher
	if p.hub.Away() != nil {
		return false, nil // the status says so; follow signals when it is back
	}
	records, err := p.outbox.UnsentRecords(ctx, tendAtOnce)
	if err != nil {
		return false, err
	}
	var unreadable []error // these hold up no other
	for _, r := range records {
		bounded, cancel := context.WithTimeout(ctx, 30*time.Second+time.Duration(len(r.Data)>>14)*time.Second)
		err := t.sendOne(bounded, r)
		cancel()
		if errors.Is(err, seal.ErrNobody) {
			unreadable = append(unreadable, err)
			continue
		}
		if err != nil {
			return moved, err
		}
		moved = true
	}
	return moved, errors.Join(unreadable...)
}
