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
			return unsend(tx, audience, 0)
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

// unsend makes what was stored of an audience, from a report on, unsent again, and the
// key records with it: a hub that has lost the one may have lost the other.
func unsend(tx *sql.Tx, audience string, from int64) error {
	_, err := tx.Exec(`UPDATE records SET stored = 0 WHERE subject IN (SELECT record FROM envelopes
		WHERE audience = $1 AND sequence >= $2 AND cursor IS NOT NULL AND log_index IS NULL)`, audience, from)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE envelopes SET cursor = NULL, returned = returned + 1
		WHERE audience = $1 AND sequence >= $2 AND cursor IS NOT NULL AND log_index IS NULL`, audience, from)
	return err
}

// Unfound is an envelope whose leaf was not seen yet.
type Unfound struct {
	Envelope
	Cursor uint64 // the stream's sequence, by the hub's word; 0: it has given none
}

// Unfound lists the audiences that have unfound envelopes, sorted.
func (o *Outbox) Unfound(ctx context.Context) ([]string, error) {
	rows, err := o.read.QueryContext(ctx, `SELECT DISTINCT audience FROM envelopes WHERE log_index IS NULL ORDER BY audience`)
	if err != nil {
		return nil, fmt.Errorf("reading envelopes: %w", err)
	}
	defer rows.Close()
	var audiences []string
	for rows.Next() {
		var audience string
		if err := rows.Scan(&audience); err != nil {
			return nil, fmt.Errorf("reading envelopes: %w", err)
		}
		audiences = append(audiences, audience)
	}
	return audiences, rows.Err()
}

// Oldest is the first unfound envelope of an audience; ok is false where there is none.
func (o *Outbox) Oldest(ctx context.Context, audience string) (oldest Unfound, ok bool, err error) {
	err = o.eachUnfound(ctx, "", audience, 1, func(u Unfound) (bool, error) {
		oldest, ok = u, true
		return false, nil
	})
	return oldest, ok, err
}

// EachUnfound shows the unfound envelopes of an audience in their order, while
// show asks for more.
func (o *Outbox) EachUnfound(ctx context.Context, audience string, show func(Unfound) (more bool, err error)) error {
	return o.eachUnfound(ctx, "", audience, math.MaxInt64, show)
}

// eachUnfound takes a constant piece of SQL as a further condition.
func (o *Outbox) eachUnfound(ctx context.Context, which, audience string, limit int, show func(Unfound) (more bool, err error)) error {
	rows, err := o.read.QueryContext(ctx, `SELECT sequence, address, renewal, key_id, subject, data, record, coalesce(cursor, 0) FROM envelopes
		WHERE `+which+`audience = $1 AND log_index IS NULL ORDER BY sequence LIMIT $2`, audience, limit)
	if err != nil {
		return fmt.Errorf("reading envelopes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var u Unfound
		var cursor int64
		var key []byte
		if err := rows.Scan(&u.Sequence, &u.Address, &u.Renewal, &key, &u.Subject, &u.Data, &u.Record, &cursor); err != nil {
			return fmt.Errorf("reading envelopes: %w", err)
		}
		if copy(u.Key[:], key) != len(key) || len(key) != len(u.Key) {
			return fmt.Errorf("reading envelopes: a key id has %d bytes", len(key))
		}
		u.Cursor = uint64(cursor)
		if more, err := show(u); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}
