package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

// Erasure is one event whose keys are to be erased.
type Erasure struct {
	Sequence int64 // of its report
	ID       event.ID
	Audience string
	Reason   string
	Decided  time.Time // UTC, whole seconds
}

// Unerasable refuses a request to erase: nothing of it is decided.
type Unerasable struct {
	At  int    // the event's place in the request, from 0
	Why string // in plain words
}

func (e *Unerasable) Error() string { return fmt.Sprintf("event %d of the request %s", e.At, e.Why) }

// Erase decides that the keys of all these events are erased or, with an error, of none.
// Those on their way are erased once they are witnessed: they may have to be sealed
// again. repeated says of which it was decided before. Errors: *Unerasable, those of the disk.
func (o *Outbox) Erase(ctx context.Context, ids []event.ID, reason string) (repeated []bool, err error) {
	repeated = make([]bool, len(ids))
	err = o.transact(ctx, func(tx *sql.Tx) error {
		for i, id := range ids {
			var err error
			if repeated[i], err = o.decide(tx, i, id, reason); err != nil {
				return err
			}
		}
		return nil
	})
	if unerasable := (*Unerasable)(nil); err != nil && !errors.As(err, &unerasable) {
		err = fmt.Errorf("storing an erasure: %w", err)
	}
	return repeated, err
}

func (o *Outbox) decide(tx *sql.Tx, at int, id event.ID, reason string) (repeated bool, err error) {
	var sequence int64
	var waits, recorded bool
	err = tx.QueryRow(`SELECT sequence,
		EXISTS (SELECT 1 FROM erasures e WHERE e.sequence = a.sequence),
		EXISTS (SELECT 1 FROM bodies b WHERE b.sequence = a.sequence),
		EXISTS (SELECT 1 FROM records r WHERE r.audience = a.audience AND r.last >= a.sequence AND r.first <= a.sequence)
		FROM accepted a WHERE event_id = $1`, id[:]).Scan(&sequence, &repeated, &waits, &recorded)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, &Unerasable{at, "is not one that this publisher has accepted"}
	case err != nil || repeated:
		return repeated, err
	case !waits && !recorded:
		return false, &Unerasable{at, "has no keys here: they have expired, or another copy of this outbox has sealed it"}
	}
	_, err = tx.Exec(`INSERT INTO erasures (sequence, reason, decided) VALUES ($1, $2, $3)`, sequence, reason, o.Clock().Unix())
	return false, errors.Join(err, o.wipe(tx, sequence))
}

// Erasures are some of those that are not done, of events that are witnessed.
func (o *Outbox) Erasures(ctx context.Context, limit int) ([]Erasure, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT sequence, event_id, audience, reason, decided FROM erasures JOIN accepted USING (sequence)
		WHERE done = 0 AND sequence NOT IN (SELECT sequence FROM bodies) ORDER BY sequence LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading erasures: %w", err)
	}
	defer rows.Close()
	var all []Erasure
	for rows.Next() {
		var e Erasure
		var id []byte
		var decided int64
		if err := rows.Scan(&e.Sequence, &id, &e.Audience, &e.Reason, &decided); err != nil {
			return nil, fmt.Errorf("reading erasures: %w", err)
		}
		if copy(e.ID[:], id) != len(e.ID) {
			return nil, fmt.Errorf("reading erasures: an event id has %d bytes", len(id))
		}
		e.Decided = time.Unix(decided, 0).UTC()
		all = append(all, e)
	}
	return all, rows.Err()
}

// Undone is how many erasures are decided and not done.
func (o *Outbox) Undone(ctx context.Context) (n uint64, err error) {
	if err := o.read.QueryRowContext(ctx, `SELECT count(*) FROM erasures WHERE done = 0`).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting erasures: %w", err)
	}
	return n, nil
}

// RecordsOf are the records that have, or had, keys of a report: its batches' and releases'.
func (o *Outbox) RecordsOf(ctx context.Context, audience string, sequence int64) ([]Record, error) {
	return o.records(ctx, `WHERE audience = $1 AND last >= $2 AND first <= $2 ORDER BY subject`, audience, sequence)
}

// Withdrawals are the events whose entries records must lose, by the record's subject.
func (o *Outbox) Withdrawals(ctx context.Context) (map[string][]event.ID, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT record, event_id FROM withdrawals ORDER BY record, event_id`)
	if err != nil {
		return nil, fmt.Errorf("reading withdrawals: %w", err)
	}
	defer rows.Close()
	all := map[string][]event.ID{}
	for rows.Next() {
		var subject string
		var id []byte
		if err := rows.Scan(&subject, &id); err != nil {
			return nil, fmt.Errorf("reading withdrawals: %w", err)
		}
		if len(id) != len(event.ID{}) {
			return nil, fmt.Errorf("reading withdrawals: an event id has %d bytes", len(id))
		}
		all[subject] = append(all[subject], event.ID(id))
	}
	return all, rows.Err()
}

// Cut is a record without the entries that it is to lose. After is Before where it had none of them.
type Cut struct {
	Before, After Record
	Batch         event.Digest
	Withdrawn     []event.ID
	Erased        []int64 // reports
}

// PutCut puts a record's next revision in the place of the one before, whose bytes are gone
// with it. It refuses where that is not the newest.
func (o *Outbox) PutCut(ctx context.Context, c Cut) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		if c.After.Revision != c.Before.Revision {
			put, err := tx.Exec(`UPDATE records SET revision = $3, digest = $4, data = $5 WHERE subject = $1 AND revision = $2`,
				c.Before.Subject, int64(c.Before.Revision), int64(c.After.Revision), c.After.Digest[:], c.After.Data)
			if err := one(put, err, "it has another revision"); err != nil {
				return err
			}
			o.scrap.Store(true)
		}
		for _, id := range c.Withdrawn {
			if _, err := tx.Exec(`DELETE FROM withdrawals WHERE record = $1 AND event_id = $2`, c.Before.Subject, id[:]); err != nil {
				return err
			}
		}
		for _, sequence := range c.Erased {
			_, err := tx.Exec(`INSERT OR REPLACE INTO erased VALUES ($1, $2, $3, $4, $5)`,
				sequence, c.Before.Subject, c.Batch[:], int64(c.After.Revision), c.After.Digest[:])
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing what a key record has lost: %w", err)
	}
	return nil
}

// Erased is one revision of a record that erased an event.
type Erased struct {
	Batch    event.Digest
	Revision uint64
	Digest   event.Digest // of the record
}

// Erased lists the revisions that erased a report.
func (o *Outbox) Erased(ctx context.Context, sequence int64) ([]Erased, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT batch, revision, digest FROM erased WHERE sequence = $1 ORDER BY record`, sequence)
	if err != nil {
		return nil, fmt.Errorf("reading what was erased: %w", err)
	}
	defer rows.Close()
	var all []Erased
	for rows.Next() {
		var e Erased
		var revision int64
		var batch, digest []byte
		if err := rows.Scan(&batch, &revision, &digest); err != nil {
			return nil, fmt.Errorf("reading what was erased: %w", err)
		}
		if copy(e.Batch[:], batch) != len(e.Batch) || copy(e.Digest[:], digest) != len(e.Digest) {
			return nil, errors.New("reading what was erased: it is damaged")
		}
		e.Revision = uint64(revision)
		all = append(all, e)
	}
	return all, rows.Err()
}

// PutDone ends an erasure.
func (o *Outbox) PutDone(ctx context.Context, sequence int64) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE erasures SET done = 1 WHERE sequence = $1`, sequence)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing that an erasure is done: %w", err)
	}
	return nil
}
