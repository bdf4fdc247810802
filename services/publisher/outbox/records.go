package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/seal"
)

// Record is one revision of a key record, as it is to lie in the stream of keys.
type Record struct {
	Subject  string
	Revision uint64
	Digest   event.Digest // of Data
	Data     []byte       // the exact bytes
	Expires  time.Time    // UTC, whole seconds
	Stored   uint64       // the revision that the hub has stored; 0: none
	Cursor   uint64       // where, in the stream of keys, by the hub's word; 0: unknown
}

// RecordOf is a record that lies on a subject, not stored by the hub yet.
func RecordOf(subject string, r seal.Record) Record {
	return Record{Subject: subject, Revision: r.Revision, Digest: r.Digest, Data: r.Data, Expires: r.Expires}
}

// putRecords keeps new records beside the envelopes of their batches.
func putRecords(tx *sql.Tx, records []Record, signed []Envelope) error {
	type span struct{ first, last int64 }
	spans := map[string]span{}
	for _, e := range signed {
		s, ok := spans[e.Record]
		if !ok {
			s.first = e.Sequence
		}
		s.last = e.Sequence
		spans[e.Record] = s
	}
	for _, r := range records {
		s, ok := spans[r.Subject]
		if !ok {
			return fmt.Errorf("the key record on %s is of no envelope", r.Subject)
		}
		if err := insertRecord(tx, r, s.first, s.last); err != nil {
			return err
		}
	}
	return nil
}

// insertRecord takes the audience of the reports that the record is of.
func insertRecord(tx *sql.Tx, r Record, first, last int64) error {
	_, err := tx.Exec(`INSERT INTO records (subject, audience, first, last, revision, digest, data, expires)
		VALUES ($1, (SELECT audience FROM accepted WHERE sequence = $2), $2, $3, $4, $5, $6, $7)`,
		r.Subject, first, last, int64(r.Revision), r.Digest[:], r.Data, r.Expires.Unix())
	if err != nil {
		return fmt.Errorf("the key record on %s: %w", r.Subject, err)
	}
	return nil
}

const recordColumns = `subject, revision, digest, data, expires, stored, cursor`

func scanRecord(row interface{ Scan(...any) error }) (Record, error) {
	var r Record
	var revision, expires, stored, cursor int64
	var digest []byte
	if err := row.Scan(&r.Subject, &revision, &digest, &r.Data, &expires, &stored, &cursor); err != nil {
		return Record{}, err
	}
	if copy(r.Digest[:], digest) != len(digest) || len(digest) != len(r.Digest) {
		return Record{}, fmt.Errorf("the key record on %s is damaged", r.Subject)
	}
	r.Revision, r.Stored, r.Cursor, r.Expires = uint64(revision), uint64(stored), uint64(cursor), time.Unix(expires, 0).UTC()
	return r, nil
}

// Record reads the newest revision on a subject; ok is false where there is none, or
// it has expired and is gone.
func (o *Outbox) Record(ctx context.Context, subject string) (r Record, ok bool, err error) {
	r, err = scanRecord(o.read.QueryRowContext(ctx, `SELECT `+recordColumns+` FROM records WHERE subject = $1`, subject))
	if errors.Is(err, sql.ErrNoRows) {
		return Record{}, false, nil
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("reading a key record: %w", err)
	}
	return r, true, nil
}

// UnsentRecords are some of the records of which the hub has not stored the newest revision,
// and which do not go out with envelopes.
func (o *Outbox) UnsentRecords(ctx context.Context, limit int) ([]Record, error) {
	return o.records(ctx, `WHERE stored < revision AND NOT EXISTS
		(SELECT 1 FROM envelopes e WHERE e.record = records.subject AND e.cursor IS NULL) ORDER BY subject LIMIT $1`, limit)
}

// records takes a constant piece of SQL.
func (o *Outbox) records(ctx context.Context, where string, arguments ...any) ([]Record, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT `+recordColumns+` FROM records `+where, arguments...)
	if err != nil {
		return nil, fmt.Errorf("reading key records: %w", err)
	}
	defer rows.Close()
	var all []Record
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, fmt.Errorf("reading key records: %w", err)
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// PutRecorded keeps the hub's word that it has stored a revision. A later one that was
// made meanwhile is still to be sent.
func (o *Outbox) PutRecorded(ctx context.Context, r Record, cursor uint64) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE records SET stored = $2, cursor = $3 WHERE subject = $1 AND revision >= $2`, r.Subject, int64(r.Revision), int64(cursor))
		return err
	})
	if err != nil {
		return fmt.Errorf("storing that a key record is stored: %w", err)
	}
	return nil
}

// ExpireRecords deletes what has expired at a time, and says how much that was.
func (o *Outbox) ExpireRecords(ctx context.Context, now time.Time) (expired int64, err error) {
	err = o.transact(ctx, func(tx *sql.Tx) error {
		gone, err := tx.Exec(`DELETE FROM records WHERE expires <= $1`, now.Unix())
		if err != nil {
			return err
		}
		if expired, err = gone.RowsAffected(); err != nil || expired == 0 {
			return err
		}
		o.scrap.Store(true)
		_, err = tx.Exec(`DELETE FROM withdrawals WHERE record NOT IN (SELECT subject FROM records)`)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("deleting expired key records: %w", err)
	}
	return expired, nil
}
