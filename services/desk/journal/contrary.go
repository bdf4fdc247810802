package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Contrary is a message that is not the one of its leaf. The two never stand in the
// journal together, whichever came first.
type Contrary struct {
	Message Message
	Leaf    translog.Hash
}

func (c *Contrary) Error() string {
	return fmt.Sprintf("message %d is not that of its leaf", c.Message.Index)
}

func (m Message) fits(leaf translog.Hash) error {
	if translog.LeafHash(m.Index, m.Subject, m.Data) != leaf {
		return &Contrary{Message: m, Leaf: leaf}
	}
	return nil
}

// fitMessages holds new leaves against the messages that are there. The messages of a
// range are read one by one: they can be large.
func fitMessages(ctx context.Context, tx *sql.Tx, leaves []Leaf) error {
	if len(leaves) == 0 {
		return nil
	}
	first := leaves[0].Index
	rows, err := tx.QueryContext(ctx, "SELECT idx, subject, data FROM messages WHERE idx >= $1 AND idx < $2", int64(first), int64(first)+int64(len(leaves)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var m Message
		if err := rows.Scan(&m.Index, &m.Subject, &m.Data); err != nil {
			return err
		}
		if err := m.fits(leaves[m.Index-first].Hash); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fitLeaf holds a new message against its leaf, where that is there.
func fitLeaf(ctx context.Context, leaf *sql.Stmt, m Message) error {
	var hash []byte
	err := leaf.QueryRowContext(ctx, int64(m.Index)).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil || len(hash) != len(translog.Hash{}) {
		return errors.Join(err, fmt.Errorf("leaf %d cannot be read", m.Index))
	}
	return m.fits(translog.Hash(hash))
}
