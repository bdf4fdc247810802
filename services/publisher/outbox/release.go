package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Release is a key record for one more country, and the reports that say so once it lies on the hub.
type Release struct {
	Key     string       // the caller's idempotency key
	Request event.Digest // of what was asked for
	Record  Record
	Events  []event.ID
	Files   []ReleasedFiles
	Address string // where its recipient finds these
	Reports []byte // a serialised publisher/v1 PublishRequest
}

// ReleasedFiles are those of one section.
type ReleasedFiles struct {
	Event       event.ID
	Compartment eventv1.Compartment
}

// ErrOverlap says that a release's record is not the next revision of it, or that one of its
// events is on its way again.
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
// Errors: *Unreleasable, ErrOverlap, those of the disk.
func (o *Outbox) PutRelease(ctx context.Context, r Release) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		first, last, err := span(ctx, tx, r.Events)
		if err != nil {
			return err
		}
		if err := replaceRecord(tx, r.Record, first, last); err != nil {
			return err
		}
		if err := forward(tx, r); err != nil {
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

// span is the reports of events, each of which may be released and is not on its way.
func span(ctx context.Context, tx *sql.Tx, ids []event.ID) (first, last int64, err error) {
	for _, id := range ids {
		sequence, err := releasable(ctx, tx, id)
		if err != nil {
			return 0, 0, err
		}
		var waits bool
		if err := tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM bodies WHERE sequence = $1)`, sequence).Scan(&waits); err != nil {
			return 0, 0, fmt.Errorf("event %s: %w", id, err)
		}
		if sequence == 0 || waits {
			return 0, 0, fmt.Errorf("event %s: %w", id, ErrOverlap)
		}
		if first == 0 || sequence < first {
			first = sequence
		}
		last = max(last, sequence)
	}
	return first, last, nil
}

// sameRelease finds the records of one batch's release to one country, at whichever
// addresses. Its parameter is releaseOf of one of their subjects.
const sameRelease = `subject IN (SELECT subject FROM records WHERE substr(subject, -length($1)) = $1)`

// releaseOf is what the subjects of one release have in common: all after the address.
func releaseOf(subject string) string {
	parts := strings.SplitN(subject, ".", 3)
	return "." + parts[len(parts)-1]
}

// ReleaseRecords are the records of the release that would lie on a subject, the newest first:
// more than one where the recipient has left an address.
func (o *Outbox) ReleaseRecords(ctx context.Context, subject string) ([]Record, error) {
	return o.records(ctx, `WHERE `+sameRelease+` ORDER BY revision DESC, subject`, releaseOf(subject))
}

// replaceRecord puts a record where there is none, or in the place of the revision before.
func replaceRecord(tx *sql.Tx, r Record, first, last int64) error {
	var newest int64
	if err := tx.QueryRow(`SELECT coalesce(max(revision), 0) FROM records WHERE `+sameRelease, releaseOf(r.Subject)).Scan(&newest); err != nil {
		return err
	}
	if newest+1 != int64(r.Revision) {
		return ErrOverlap
	}
	put, err := tx.Exec(`UPDATE records SET revision = $2, digest = $3, data = $4, expires = $5, first = min(first, $6), last = max(last, $7)
		WHERE subject = $1`, r.Subject, int64(r.Revision), r.Digest[:], r.Data, r.Expires.Unix(), first, last)
	if err != nil {
		return err
	}
	if n, err := put.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return insertRecord(tx, r, first, last)
}

// Unsaid is a release whose record and files lie on the hub, and of which nothing was said.
type Unsaid struct {
	Key     string
	Record  string // its subject
	Reports []byte
}

// UnsaidReleases are some of those.
func (o *Outbox) UnsaidReleases(ctx context.Context, limit int) ([]Unsaid, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT idempotency_key, record, reports FROM releases r
		WHERE said = 0 AND NOT EXISTS (SELECT 1 FROM records WHERE subject = r.record AND stored < r.revision)
		AND NOT EXISTS (SELECT 1 FROM forwards f WHERE f.record = r.record) ORDER BY idempotency_key LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading releases: %w", err)
	}
	defer rows.Close()
	var all []Unsaid
	for rows.Next() {
		var u Unsaid
		if err := rows.Scan(&u.Key, &u.Record, &u.Reports); err != nil {
			return nil, fmt.Errorf("reading releases: %w", err)
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// Unsaid reports whether a record is that of a release of which nothing was said yet.
func (o *Outbox) Unsaid(ctx context.Context, subject string) (unsaid bool, err error) {
	if err := o.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM releases WHERE record = $1 AND said = 0)`, subject).Scan(&unsaid); err != nil {
		return false, fmt.Errorf("reading releases: %w", err)
	}
	return unsaid, nil
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

// Withdraw has a release's record lose an event that was erased or recalled before anybody was told.
func (o *Outbox) Withdraw(ctx context.Context, record string, id event.ID) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR IGNORE INTO withdrawals SELECT subject, $2 FROM records WHERE subject = $1`, record, id[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("withdrawing a release: %w", err)
	}
	return nil
}
