package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
)

// Unreleasable refuses a release: nothing of it is decided, or said.
type Unreleasable struct {
	ID  event.ID
	Why string // in plain words
}

func (e *Unreleasable) Error() string { return fmt.Sprintf("event %s %s", e.ID, e.Why) }

// releasable reads the report of an event, and refuses what is being erased or was
// recalled: whoever decides to release it and whoever says so ask in their own
// transaction, so that no release is said after what takes it back. sequence is 0
// where the event is not of this outbox.
func releasable(ctx context.Context, from rowReader, id event.ID) (sequence int64, err error) {
	if id == (event.ID{}) {
		return 0, nil // nothing is released
	}
	var erased, recalled bool
	err = from.QueryRowContext(ctx, `SELECT sequence, EXISTS (SELECT 1 FROM erasures e WHERE e.sequence = a.sequence),
		EXISTS (SELECT 1 FROM recalled r WHERE r.sequence = a.sequence) FROM accepted a WHERE event_id = $1`, id[:]).Scan(&sequence, &erased, &recalled)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("event %s: %w", id, err)
	case erased:
		return 0, &Unreleasable{id, "is erased, or will be: it is released to nobody"}
	case recalled:
		return 0, &Unreleasable{id, "was recalled: it is released to nobody"}
	}
	return sequence, nil
}

// rowReader is a transaction, or the database.
type rowReader interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Releasable refuses, by *Unreleasable, an event that is being erased or was recalled.
func (o *Outbox) Releasable(ctx context.Context, id event.ID) error {
	_, err := releasable(ctx, o.read, id)
	return err
}

// reach keeps to which audiences a release is said, and says a recall in all that its
// events were said or released to: in the transaction that accepts it. also are those
// that it was said in besides its own, sorted.
func (in *intake) reach(report Report) (also []string, err error) {
	if report.Releases != (event.ID{}) {
		_, err := in.tx.Exec(`INSERT OR IGNORE INTO released SELECT sequence, $2 FROM accepted WHERE event_id = $1`, report.Releases[:], report.Audience)
		return nil, err
	}
	elsewhere := map[string][]event.ID{}
	for _, id := range report.Recalls {
		if _, err := in.tx.Exec(`INSERT OR IGNORE INTO recalled SELECT sequence FROM accepted WHERE event_id = $1`, id[:]); err != nil {
			return nil, err
		}
		audiences, err := audiencesOf(in.tx, id)
		if err != nil {
			return nil, err
		}
		for _, audience := range audiences {
			if audience != report.Audience {
				elsewhere[audience] = append(elsewhere[audience], id)
			}
		}
	}
	for audience, ids := range elsewhere {
		again, ok, err := report.Elsewhere(audience, ids)
		if err != nil {
			return nil, err
		}
		if ok {
			also = append(also, audience)
			err = in.insertOnce(again)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(also)
	return also, nil
}

// insertOnce writes a report whose key was not used; it has no files and reaches nobody else.
func (in *intake) insertOnce(report Report) error {
	var digest, id []byte
	err := in.find.QueryRow(report.Key).Scan(&digest, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return in.insert(report)
	}
	return err
}

// audiencesOf are those to which an event of this outbox was said or released.
func audiencesOf(tx *sql.Tx, id event.ID) (audiences []string, err error) {
	rows, err := tx.Query(`SELECT audience FROM accepted WHERE event_id = $1
		UNION SELECT r.audience FROM released r JOIN accepted a ON a.sequence = r.sequence WHERE event_id = $1`, id[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var audience string
		if err := rows.Scan(&audience); err != nil {
			return nil, err
		}
		audiences = append(audiences, audience)
	}
	return audiences, rows.Err()
}

// ReleasedTo are the audiences in which a report's event was said to be released, sorted. Once
// its erasure is decided they do not change.
func (o *Outbox) ReleasedTo(ctx context.Context, sequence int64) (audiences []string, err error) {
	rows, err := o.read.QueryContext(ctx, `SELECT audience FROM released WHERE sequence = $1 ORDER BY audience`, sequence)
	if err != nil {
		return nil, fmt.Errorf("reading releases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var audience string
		if err := rows.Scan(&audience); err != nil {
			return nil, fmt.Errorf("reading releases: %w", err)
		}
		audiences = append(audiences, audience)
	}
	return audiences, rows.Err()
}
