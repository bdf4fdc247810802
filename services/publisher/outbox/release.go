package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
)

// Release is a key record for one more country, and the reports that say so once it lies on the hub.
type Release struct {
	Key     string       // the caller's idempotency key
	Request event.Digest // of what was asked for
	Record  Record
	Events  []event.ID
	Reports []byte // a serialised publisher/v1 PublishRequest
}

// ErrOverlap says that a release's record is not the next revision on its subject, or
// that one of its events is being erased.
var ErrOverlap = errors.New("something else was decided about these events meanwhile")

// Released reports whether a release was decided under a key; it is *KeyUsed where that
// stands for another.
func (o *Outbox) Released(ctx context.Context, key string, request event.Digest) (bool, error) {
	var digest []byte
	err := o.read.QueryRowContext(ctx, `SELECT request FROM releases WHERE idempotency_key = $1`, key).Scan(&digest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading a release: %w", err)
	case string(digest) != string(request[:]):
		return false, &KeyUsed{}
	}
	return true, nil
}

// PutRelease decides a release. Its events are witnessed reports of this outbox.
func (o *Outbox) PutRelease(ctx context.Context, r Release) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		first, last, err := span(tx, r.Events)
		if err != nil {
			return err
		}
		if err := replaceRecord(tx, r.Record, first, last); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO releases (idempotency_key, request, record, revision, reports) VALUES ($1, $2, $3, $4, $5)`,
			r.Key, r.Request[:], r.Record.Subject, int64(r.Record.Revision), r.Reports)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing a release: %w", err)
	}
	o.scrap.Store(true)
	return nil
}

// span is the reports of events, none of which is being erased or on its way.
func span(tx *sql.Tx, ids []event.ID) (first, last int64, err error) {
	for _, id := range ids {
		var sequence int64
		var erased, waits bool
		err := tx.QueryRow(`SELECT sequence, EXISTS (SELECT 1 FROM erasures e WHERE e.sequence = a.sequence),
			EXISTS (SELECT 1 FROM bodies b WHERE b.sequence = a.sequence) FROM accepted a WHERE event_id = $1`, id[:]).Scan(&sequence, &erased, &waits)
		if err != nil {
			return 0, 0, fmt.Errorf("event %s: %w", id, err)
		}
		if erased || waits {
			return 0, 0, fmt.Errorf("event %s: %w", id, ErrOverlap)
		}
		if first == 0 || sequence < first {
			first = sequence
		}
		last = max(last, sequence)
	}
	return first, last, nil
}

// replaceRecord puts a record where there is none, or in the place of the revision before.
func replaceRecord(tx *sql.Tx, r Record, first, last int64) error {
	if r.Revision == 1 {
		return insertRecord(tx, r, first, last)
	}
	put, err := tx.Exec(`UPDATE records SET revision = $2, digest = $3, data = $4, expires = $5, first = min(first, $6), last = max(last, $7)
		WHERE subject = $1 AND revision = $2 - 1`, r.Subject, int64(r.Revision), r.Digest[:], r.Data, r.Expires.Unix(), first, last)
	if err != nil {
		return err
	}
	if n, err := put.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrOverlap)
	}
	return nil
}

// Unsaid is a release whose record lies on the hub, and of which nothing was said.
type Unsaid struct {
	Key     string
	Reports []byte
}

// UnsaidReleases are some of those.
func (o *Outbox) UnsaidReleases(ctx context.Context, limit int) ([]Unsaid, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT idempotency_key, reports FROM releases r
		WHERE said = 0 AND NOT EXISTS (SELECT 1 FROM records WHERE subject = r.record AND stored < r.revision) ORDER BY idempotency_key LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading releases: %w", err)
	}
	defer rows.Close()
	var all []Unsaid
	for rows.Next() {
		var u Unsaid
		if err := rows.Scan(&u.Key, &u.Reports); err != nil {
			return nil, fmt.Errorf("reading releases: %w", err)
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// PutSaid ends a release.
func (o *Outbox) PutSaid(ctx context.Context, key string) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE releases SET said = 1, reports = x'' WHERE idempotency_key = $1`, key)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing that a release is said: %w", err)
	}
	return nil
}
