package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// SetAside takes the messages from a log index on out of the journal and keeps them
// apart: the hub had delivered them before the notary signed them, then lost them, and
// the log has others there. Those below the mirror's size are never set aside.
func (j *Journal) SetAside(ctx context.Context, from uint64, now time.Time) error {
	err := j.write(ctx, "setting aside", func(tx *sql.Tx) error {
		return setAside(ctx, tx, now, "idx >= $1", from)
	})
	if err != nil {
		return fmt.Errorf("setting messages from %d on aside: %w", from, err)
	}
	return nil
}

// Mend puts in messages that were left out, or that are in the log where the journal
// has others, which it sets aside. It leaves those below the mirror's size as they are.
func (j *Journal) Mend(ctx context.Context, messages []Message, now time.Time) error {
	err := j.write(ctx, "mending", func(tx *sql.Tx) error {
		var size uint64
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(idx) + 1, 0) FROM leaves").Scan(&size); err != nil {
			return err
		}
		insert, err := tx.PrepareContext(ctx, insertMessage)
		if err != nil {
			return err
		}
		defer insert.Close()
		for _, m := range messages {
			if m.Index < size {
				continue
			}
			if err := setAside(ctx, tx, now, "idx = $1", m.Index); err != nil {
				return err
			}
			if err := m.put(ctx, insert); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mending %d messages: %w", len(messages), err)
	}
	return nil
}

func setAside(ctx context.Context, tx *sql.Tx, now time.Time, which string, index uint64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO unlogged (since, idx, subject, data) SELECT $2, idx, subject, data FROM messages WHERE "+which+" ORDER BY idx",
		int64(index), now.Unix())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM messages WHERE "+which, int64(index))
	return err
}

// Unlogged lists the messages that were set aside, in the order in which they were.
func (j *Journal) Unlogged(ctx context.Context) ([]Message, error) {
	var all []Message
	for rows, err := range j.query(ctx, "SELECT idx, subject, data FROM unlogged ORDER BY number") {
		var m Message
		if err == nil {
			err = rows.Scan(&m.Index, &m.Subject, &m.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("reading what was set aside: %w", err)
		}
		all = append(all, m)
	}
	return all, nil
}
