package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/tripoint/tripoint/pkg/event"
)

// Followed is how far the log was followed.
type Followed struct {
	Cursor   uint64       // sequence of a message of the log stream
	Digest   event.Digest // of that message: the sequence alone proves nothing
	Snapshot []byte       // of the follower, after that message
}

// Followed reads what the last PutLog kept; ok is false before the first.
func (o *Outbox) Followed(ctx context.Context) (f Followed, ok bool, err error) {
	var cursor int64
	var digest []byte
	err = o.read.QueryRowContext(ctx, `SELECT cursor, digest, snapshot FROM log`).Scan(&cursor, &digest, &f.Snapshot)
	if errors.Is(err, sql.ErrNoRows) {
		return Followed{}, false, nil
	}
	if err == nil && copy(f.Digest[:], digest) != len(digest) {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return Followed{}, false, fmt.Errorf("reading how far the log was followed: %w", err)
	}
	f.Cursor = uint64(cursor)
	return f, true, nil
}

// Found says where a report was accepted by all readers.
type Found struct {
	Sequence int64     // its place in the outbox
	Cursor   uint64    // the stream's sequence
	Index    uint64    // the log's
	Draft    *Envelope // as which it lies there, where it is a draft here: an old copy of this outbox has signed it
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
	Registry  []Update // that applied since, by rising index
	Own       []Own    // by rising index
	Strange   []Strange
	Found     []Found
	Lost      []Lost
	Again     []string // audiences whose envelopes that are not found no reader will accept
	Restored  bool     // the hub has lost what it had, and says what it has again: all key records are unsent
	Witnessed uint64   // size of the newest witnessed checkpoint
}

// PutLog takes news in: lost envelopes are unsent again, those to be signed again
// are drafts, found ones below the witnessed size are let go, content and all.
//
// All of it is one transaction: were an envelope a draft again before the update
// that ended it is on disk, a restart could sign it once more as it was.
func (o *Outbox) PutLog(ctx context.Context, news News) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		if err := putUpdates(tx, news.Registry); err != nil {
			return err
		}
		if err := putOwn(tx, news.Own, news.Strange); err != nil {
			return err
		}
		for _, f := range news.Found {
			if err := f.put(tx); err != nil {
				return err
			}
		}
		if err := catchUpHeads(tx, news.Own); err != nil {
			return err
		}
		for _, l := range news.Lost {
			if err := unsend(tx, l.Audience, l.Sequence); err != nil {
				return err
			}
		}
		if news.Restored {
			if _, err := tx.Exec(`UPDATE records SET stored = 0, cursor = 0`); err != nil {
				return err
			}
		}
		for _, audience := range news.Again {
			if err := signAgain(tx, audience); err != nil {
				return err
			}
		}
		if err := o.letGo(tx, news.Witnessed); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT OR REPLACE INTO log VALUES (1, $1, $2, $3)`, int64(news.Cursor), news.Digest[:], news.Snapshot)
		return err
	})
	if err != nil {
		return fmt.Errorf("storing news of the log: %w", err)
	}
	return nil
}

// letGo deletes what is below the witnessed size.
func (o *Outbox) letGo(tx *sql.Tx, witnessed uint64) error {
	below := int64(min(witnessed, math.MaxInt64))
	gone, err := tx.Exec(`DELETE FROM bodies WHERE sequence IN (SELECT sequence FROM envelopes WHERE log_index IS NOT NULL AND log_index < $1)`, below)
	if err != nil {
		return err
	}
	if n, err := gone.RowsAffected(); err != nil || n == 0 {
		return err
	}
	o.scrap.Store(true)
	_, err = tx.Exec(`DELETE FROM envelopes WHERE log_index IS NOT NULL AND log_index < $1`, below)
	return err
}

func (f Found) put(tx *sql.Tx) error {
	if f.Draft != nil {
		taken, err := tx.Exec(`INSERT INTO envelopes (sequence, audience, address, renewal, key_id, subject, data)
			SELECT sequence, audience, $2, $3, $4, $5, $6 FROM drafts WHERE sequence = $1`,
			f.Sequence, f.Draft.Address, f.Draft.Renewal, f.Draft.Key[:], f.Draft.Subject, f.Draft.Data)
		if err := one(taken, err, fmt.Sprintf("report %d is no draft", f.Sequence)); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM drafts WHERE sequence = $1`, f.Sequence); err != nil {
			return err
		}
	}
	found, err := tx.Exec(`UPDATE envelopes SET cursor = $1, log_index = $2 WHERE sequence = $3 AND log_index IS NULL`,
		int64(f.Cursor), int64(f.Index), f.Sequence)
	return one(found, err, fmt.Sprintf("envelope %d is not looked for", f.Sequence))
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

// Waiting is how many reports are not found in the log, by audience.
func (o *Outbox) Waiting(ctx context.Context) (map[string]uint64, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT audience, count(*) FROM
		(SELECT audience FROM drafts UNION ALL SELECT audience FROM envelopes WHERE log_index IS NULL) GROUP BY audience`)
	if err != nil {
		return nil, fmt.Errorf("counting what waits: %w", err)
	}
	defer rows.Close()
	waiting := map[string]uint64{}
	for rows.Next() {
		var audience string
		var n uint64
		if err := rows.Scan(&audience, &n); err != nil {
			return nil, fmt.Errorf("counting what waits: %w", err)
		}
		waiting[audience] = n
	}
	return waiting, rows.Err()
}
