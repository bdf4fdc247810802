package desk

import (
	"context"
	"sync"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

const (
	recordsAtOnce   = 32              // of up to 1 MiB each
	recordsPatience = 5 * time.Second // for one reading of KEYS; then what is here is folded with what is here
	leastPause      = time.Second     // after KEYS could not be read, and between two readings from its beginning
	longestPause    = 10 * time.Minute
)

// records is where this desk is in KEYS. One goroutine reads them.
//
// KEYS is no log, and nothing that the hub does with it can be proven. So this desk
// goes on from where it was, and reads all of KEYS again where that can bring something: once the
// registry has a key that it did not have, and, less and less often, while an event has no
// record. A hub that was restored may have records below the place.
type records struct {
	reader  *stream.Reader
	pause   time.Duration // after a failure
	again   time.Time     // not read before
	unknown uint64        // from here on records came under keys that the registry did not have; 0: none
	state   registry.State

	mu        sync.Mutex // missing is set by whoever folds
	missing   bool       // an event was folded without a record
	wholePace time.Duration
	whole     time.Time // KEYS is not read from its beginning before
}

// miss notes that an event was folded without a record.
func (r *records) miss() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missing = true
}

// from is the sequence to read from in place of the reader's own; 0: that is right.
func (r *records) from(state registry.State, now time.Time) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing && !now.Before(r.whole) {
		r.missing, r.unknown = false, 0
		r.wholePace = min(max(2*r.wholePace, leastPause), longestPause)
		r.whole = now.Add(r.wholePace)
		return 1
	}
	if r.unknown > 0 && state != r.state {
		from := r.unknown
		r.unknown = 0
		return from
	}
	return 0
}

// readRecords takes in what KEYS has, up to its end as of now. Where that cannot be
// read the desk goes on: sections say that they have no record, and are opened later. An
// error is a fault of this machine.
func (d *Desk) readRecords(ctx context.Context) error {
	now := time.Now()
	if now.Before(d.records.again) {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	hub, err := d.readKeys(bounded)
	if err != nil && ctx.Err() == nil {
		return err
	}
	if hub == nil {
		d.records.pause = 0
		return nil
	}
	d.records.reader = nil
	d.records.pause = min(max(2*d.records.pause, retryAfter), longestPause/10)
	d.records.again = time.Now().Add(d.records.pause)
	d.log.Debug("key records cannot be read", "error", hub)
	return nil
}

// readKeys tells the hub's faults from this machine's.
func (d *Desk) readKeys(ctx context.Context) (hub, err error) {
	state, next := d.book.known()
	from := d.records.from(state, time.Now())
	d.records.state = state
	if d.records.reader == nil {
		if hub, err = d.openRecords(ctx, from); hub != nil || err != nil {
			return hub, err
		}
	} else if from > 0 {
		if hub := d.records.reader.Reset(ctx, from); hub != nil {
			return hub, nil
		}
	}
	for ctx.Err() == nil {
		fetched, hub := d.records.reader.Poll(recordsAtOnce)
		if hub != nil || len(fetched) == 0 {
			return hub, nil
		}
		offered := make([]keyring.Offered, len(fetched))
		for i, m := range fetched {
			offered[i] = keyring.Offered{Sequence: m.Sequence, Subject: m.Subject, Data: m.Data}
		}
		taken, err := d.ring.Take(ctx, keyring.Known{State: state, Next: next, Now: d.now()}, offered)
		if err != nil {
			return nil, err
		}
		if d.records.unknown == 0 {
			d.records.unknown = taken.Unknown
		}
		if err := d.ringChanged(ctx, taken); err != nil {
			return nil, err
		}
		if hub := d.records.reader.Ack(); hub != nil {
			return hub, nil
		}
	}
	return ctx.Err(), nil
}

func (d *Desk) openRecords(ctx context.Context, from uint64) (hub, err error) {
	if from == 0 {
		place, err := d.ring.Place(ctx)
		if err != nil {
			return nil, err
		}
		from = place + 1
	}
	d.records.reader, hub = reader(ctx, d.conn, stream.Keys, d.config.Country, from)
	return hub, nil
}
