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
		_, err := tx.ExecContext(ctx, `
			INSERT INTO unlogged (since, idx, subject, data) SELECT $1, idx, subject, data FROM messages WHERE idx >= $2 ORDER BY idx`,
			now.Unix(), int64(from))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM messages WHERE idx >= $1", int64(from))
		return err
	})
	if err != nil {
		return fmt.Errorf("setting messages from %d on aside: %w", from, err)
	}
	return nil
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
