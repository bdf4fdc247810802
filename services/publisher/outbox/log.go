package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// Followed is how far the log was followed.
type Followed struct {
	Cursor   uint64 // sequence in the log stream
	Snapshot []byte // of the follower, after that message
	Founded  bool   // the charter's founding is in the log
}

// Followed reads what the last PutLog kept; ok is false before the first.
func (o *Outbox) Followed(ctx context.Context) (f Followed, ok bool, err error) {
	var cursor int64
	err = o.read.QueryRowContext(ctx, `SELECT cursor, snapshot, founded FROM log`).Scan(&cursor, &f.Snapshot, &f.Founded)
	if errors.Is(err, sql.ErrNoRows) {
		return Followed{}, false, nil
	}
	if err != nil {
		return Followed{}, false, fmt.Errorf("reading how far the log was followed: %w", err)
	}
	f.Cursor = uint64(cursor)
	return f, true, nil
}

// Found says where an envelope's leaf is.
type Found struct {
	Sequence int64 // the envelope's place in the outbox
	Index    uint64
}

// Lost says from which envelope on an audience's are not where the hub said. All
// that follow are lost with it: without their predecessor they were refused.
type Lost struct {
	Audience string
	Sequence int64
}

// News is what following the log has brought.
type News struct {
	Followed
	Found     []Found
	Lost      []Lost
	Witnessed uint64 // size of the newest witnessed checkpoint
}

// PutLog takes news in: lost envelopes are unsent again, found ones below the
// witnessed size are let go, content and all.
func (o *Outbox) PutLog(ctx context.Context, news News) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		for _, f := range news.Found {
			found, err := tx.Exec(`UPDATE envelopes SET log_index = $1 WHERE sequence = $2 AND cursor IS NOT NULL`, int64(f.Index), f.Sequence)
			if err := one(found, err, fmt.Sprintf("envelope %d is not stored", f.Sequence)); err != nil {
				return err
			}
		}
		for _, l := range news.Lost {
			_, err := tx.Exec(`UPDATE envelopes SET cursor = NULL, log_index = NULL, returned = returned + 1
				WHERE audience = $1 AND sequence >= $2 AND cursor IS NOT NULL`, l.Audience, l.Sequence)
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(`DELETE FROM envelopes WHERE log_index IS NOT NULL AND log_index < $1`, int64(min(news.Witnessed, math.MaxInt64)))
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT OR REPLACE INTO log VALUES (1, $1, $2, $3)`, int64(news.Cursor), news.Snapshot, news.Founded)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing news of the log: %w", err)
	}
	return nil
}

// Counts is how many reports there are, by how far they have come.
type Counts struct {
	Accepted  uint64 // since the outbox was created
	Waiting   uint64 // not stored by the hub
	Stored    uint64 // stored by the hub, not witnessed
	Witnessed uint64
	Returned  uint64 // of the waiting and stored: were not in the log where the hub said, at least once
}

// Count reads all counts at one moment.
func (o *Outbox) Count(ctx context.Context) (Counts, error) {
	var c Counts
	err := o.read.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(max(sequence), 0) FROM accepted),
		(SELECT count(*) FROM drafts) + (SELECT count(*) FROM envelopes WHERE cursor IS NULL),
		(SELECT count(*) FROM envelopes WHERE cursor IS NOT NULL AND log_index IS NULL) +
		(SELECT count(*) FROM envelopes WHERE log_index IS NOT NULL),
		(SELECT count(*) FROM envelopes WHERE returned > 0)`).Scan(&c.Accepted, &c.Waiting, &c.Stored, &c.Returned)
	if err != nil {
		return Counts{}, fmt.Errorf("counting reports: %w", err)
	}
	c.Witnessed = c.Accepted - c.Waiting - c.Stored
	return c, nil
}
