package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
)

// ErrMisplaced says that the hub's word on where something lies contradicts what it
// said before. What is in doubt is unsent again, the same bytes.
var ErrMisplaced = errors.New("the hub gave a sequence that does not come after the last one")

// PutStored keeps the hub's word that an audience's envelopes lie at the
// sequences from first on. Where that is not after what was stored before, some
// of it is not where the hub said: all that is not found yet becomes unsent, in
// its order, and the error is ErrMisplaced.
func (o *Outbox) PutStored(ctx context.Context, audience string, envelopes []Envelope, first uint64) error {
	if len(envelopes) == 0 {
		return nil
	}
	if first == 0 || first > math.MaxInt64-uint64(len(envelopes)) {
		return fmt.Errorf("storing sequence %d: %w", first, ErrMisplaced)
	}
	misplaced := false
	err := o.transact(ctx, func(tx *sql.Tx) error {
		var last int64
		err := tx.QueryRow(`SELECT coalesce(max(cursor), 0) FROM envelopes
			WHERE audience = $1 AND cursor IS NOT NULL AND log_index IS NULL`, audience).Scan(&last)
		if err != nil {
			return err
		}
		if misplaced = uint64(last) >= first; misplaced {
			_, err := tx.Exec(`UPDATE envelopes SET cursor = NULL, returned = returned + 1
				WHERE audience = $1 AND cursor IS NOT NULL AND log_index IS NULL`, audience)
			return err
		}
		put, err := tx.Prepare(`UPDATE envelopes SET cursor = $1 WHERE sequence = $2 AND audience = $3 AND cursor IS NULL`)
		if err != nil {
			return err
		}
		defer put.Close()
		for i, e := range envelopes {
			stored, err := put.Exec(int64(first)+int64(i), e.Sequence, audience)
			if err := one(stored, err, fmt.Sprintf("envelope %d is not unsent", e.Sequence)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("storing the hub's sequences: %w", err)
	}
	if misplaced {
		return fmt.Errorf("storing sequence %d: %w", first, ErrMisplaced)
	}
	return nil
}

// Unfound is an envelope that the hub has stored and whose leaf was not seen yet.
type Unfound struct {
	Envelope
	Audience string
	Cursor   uint64 // the stream's sequence, by the hub's word
}

// EachUnfound shows the unfound envelopes whose cursor is below the bound, each
// audience's in its order.
func (o *Outbox) EachUnfound(ctx context.Context, below uint64, show func(Unfound) error) error {
	rows, err := o.read.QueryContext(ctx, `
		SELECT sequence, audience, subject, data, cursor FROM envelopes
		WHERE cursor IS NOT NULL AND log_index IS NULL AND cursor < $1 ORDER BY audience, sequence`,
		int64(min(below, math.MaxInt64)))
	if err != nil {
		return fmt.Errorf("reading stored envelopes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var u Unfound
		var cursor int64
		if err := rows.Scan(&u.Sequence, &u.Audience, &u.Subject, &u.Data, &cursor); err != nil {
			return fmt.Errorf("reading stored envelopes: %w", err)
		}
		u.Cursor = uint64(cursor)
		if err := show(u); err != nil {
			return err
		}
	}
	return rows.Err()
}
