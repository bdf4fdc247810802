package outbox

import (
	"context"
	"database/sql"
	"fmt"
)

// Update is one message of the registry with its place in the log.
type Update struct {
	Index   uint64
	Subject string
	Data    []byte
}

// Registry reads the updates that PutLog kept, by rising index: the registry as
// of the snapshot that was kept with them.
func (o *Outbox) Registry(ctx context.Context) ([]Update, error) {
	return o.updates(ctx, `SELECT log_index, subject, data FROM registry ORDER BY log_index`)
}

func (o *Outbox) updates(ctx context.Context, query string) ([]Update, error) {
	rows, err := o.read.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("reading the registry: %w", err)
	}
	defer rows.Close()
	var all []Update
	for rows.Next() {
		var u Update
		var index int64
		if err := rows.Scan(&index, &u.Subject, &u.Data); err != nil {
			return nil, fmt.Errorf("reading the registry: %w", err)
		}
		u.Index = uint64(index)
		all = append(all, u)
	}
	return all, rows.Err()
}

func putUpdates(tx *sql.Tx, updates []Update) error {
	for _, u := range updates {
		if _, err := tx.Exec(`INSERT INTO registry VALUES ($1, $2, $3)`, int64(u.Index), u.Subject, u.Data); err != nil {
			return fmt.Errorf("registry update %d: %w", u.Index, err)
		}
	}
	return nil
}

// KeepContrary keeps the proof that the hub delivered, as the message at an index,
// another one than the log has there. It is kept once, for people to look at.
func (o *Outbox) KeepContrary(ctx context.Context, delivered Update, leaf, checkpoint []byte) error {
	err := o.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT OR IGNORE INTO contrary VALUES ($1, $2, $3, $4, $5)`,
			int64(delivered.Index), delivered.Subject, delivered.Data, leaf, checkpoint)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping the proof of another registry: %w", err)
	}
	return nil
}

// Contrary reads what KeepContrary kept.
func (o *Outbox) Contrary(ctx context.Context) ([]Update, error) {
	return o.updates(ctx, `SELECT log_index, subject, data FROM contrary ORDER BY log_index, subject, data`)
}
