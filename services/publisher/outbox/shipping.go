package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Shipment is a file that the hub does not have, or no more shall have, at an address.
type Shipment struct {
	ID        int64
	Audience  string
	Address   string
	Retention string
	Chunks    int
	Stored    int // chunks that the hub has stored, from the first on
}

// Shipments are the next files for the hub, at most so many: those that a report names first. addresses are
// the audiences' newest ones; what is for another is passed over.
func (o *Outbox) Shipments(ctx context.Context, addresses map[string]string, most int) (all []Shipment, err error) {
	to, err := json.Marshal(addresses)
	if err != nil {
		return nil, fmt.Errorf("reading files: %w", err)
	}
	rows, err := o.read.QueryContext(ctx, `SELECT a.id, a.audience, j.value, a.retention, a.chunks, coalesce(s.chunks, 0) FROM attachments a
		JOIN json_each($1) j ON j.key = a.audience
		LEFT JOIN shipped s ON s.attachment = a.id AND s.address = j.value
		WHERE a.sha256 IS NULL AND a.entry != x'' AND a.wiped = 0 AND coalesce(s.chunks, 0) < a.chunks
		AND NOT EXISTS (SELECT 1 FROM envelopes e WHERE e.sequence = a.sequence AND e.cursor IS NOT NULL)
		ORDER BY a.sequence IS NULL, a.sequence, a.id LIMIT $2`, string(to), most)
	if err != nil {
		return nil, fmt.Errorf("reading files: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Shipment
		if err := rows.Scan(&s.ID, &s.Audience, &s.Address, &s.Retention, &s.Chunks, &s.Stored); err != nil {
			return nil, fmt.Errorf("reading files: %w", err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading files: %w", err)
	}
	return all, nil
}

// ShippedTo is how many of a file's chunks the hub has stored at an address.
func (o *Outbox) ShippedTo(ctx context.Context, id int64, address string) (chunks int, err error) {
	err = o.read.QueryRowContext(ctx, `SELECT chunks FROM shipped WHERE attachment = $1 AND address = $2`, id, address).Scan(&chunks)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("reading how far a file has come: %w", err)
	}
	return chunks, nil
}

// PutShipped keeps the hub's word that it has stored a file's first chunks.
func (o *Outbox) PutShipped(ctx context.Context, id int64, address string, chunks int) error {
	_, err := o.db.ExecContext(ctx, `INSERT INTO shipped VALUES ($1, $2, $3)
		ON CONFLICT DO UPDATE SET chunks = excluded.chunks`, id, address, chunks)
	if err != nil {
		return fmt.Errorf("keeping how far a file has come: %w", err)
	}
	return nil
}

// Ready is the beginning of an audience's unsent envelopes whose files the hub has
// stored, all of them, where the envelope goes. The order of a chain stays: one that waits
// holds up those after it.
func (o *Outbox) Ready(ctx context.Context, audience string, envelopes []Envelope) ([]Envelope, error) {
	var waits int64
	err := o.read.QueryRowContext(ctx, `SELECT e.sequence FROM attachments a JOIN envelopes e ON e.sequence = a.sequence
		LEFT JOIN shipped s ON s.attachment = a.id AND s.address = e.address
		WHERE e.audience = $1 AND e.cursor IS NULL AND a.wiped = 0 AND a.entry != x'' AND coalesce(s.chunks, 0) < a.chunks
		ORDER BY e.sequence LIMIT 1`, audience).Scan(&waits)
	if errors.Is(err, sql.ErrNoRows) {
		return envelopes, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the files of envelopes: %w", err)
	}
	for i, e := range envelopes {
		if e.Sequence >= waits {
			return envelopes[:i], nil
		}
	}
	return envelopes, nil
}

// gone are files that no report named in time, and that the hub does not have.
const gone = `SELECT id FROM attachments a WHERE sequence IS NULL AND wiped = 1
	AND NOT EXISTS (SELECT 1 FROM shipped s WHERE s.attachment = a.id)`

// Settle lets go what is not needed here any more: ciphertext and key of files whose
// report is witnessed, and files that no report has named in time.
func (o *Outbox) Settle(ctx context.Context) error {
	late := o.Clock().Add(-Unnamed).Unix()
	err := o.transact(ctx, func(tx *sql.Tx) error {
		for _, statement := range []string{
			`UPDATE attachments SET wiped = 1 WHERE sequence IS NULL AND begun < $1 AND wiped = 0`,
			`UPDATE attachments SET entry = x'' WHERE entry != x'' AND $1 = $1 AND (wiped = 1 OR sequence IS NOT NULL
				AND NOT EXISTS (SELECT 1 FROM drafts d WHERE d.sequence = attachments.sequence)
				AND NOT EXISTS (SELECT 1 FROM envelopes e WHERE e.sequence = attachments.sequence))`,
			`UPDATE chunks SET data = NULL WHERE data IS NOT NULL AND $1 = $1 AND attachment IN (SELECT id FROM attachments WHERE entry = x'')`,
			`DELETE FROM chunks WHERE $1 = $1 AND attachment IN (` + gone + `)`,
			`DELETE FROM attachments WHERE $1 = $1 AND id IN (` + gone + `)`,
		} {
			done, err := tx.Exec(statement, late)
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err == nil && n > 0 {
				o.scrap.Store(true) // keys and names were in it
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("letting files go: %w", err)
	}
	return nil
}

// Unsettled reports whether Settle has something to do, or will have.
func (o *Outbox) Unsettled(ctx context.Context) (open bool, err error) {
	err = o.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attachments WHERE entry != x'')
		OR EXISTS (SELECT 1 FROM forwards) OR EXISTS (SELECT 1 FROM attachments a JOIN shipped s ON s.attachment = a.id WHERE wiped = 1)
		OR EXISTS (`+gone+`)`).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("reading files: %w", err)
	}
	return open, nil
}

// wipe lets go a report's files at once, and marks their chunks on the hub to be emptied.
func (o *Outbox) wipe(tx *sql.Tx, sequence int64) error {
	for _, statement := range []string{
		`UPDATE attachments SET wiped = 1, entry = x'' WHERE sequence = $1`,
		`UPDATE chunks SET data = NULL WHERE data IS NOT NULL AND attachment IN (SELECT id FROM attachments WHERE sequence = $1)`,
		`DELETE FROM forwards WHERE attachment IN (SELECT id FROM attachments WHERE sequence = $1)`,
	} {
		if _, err := tx.Exec(statement, sequence); err != nil {
			return err
		}
	}
	o.scrap.Store(true)
	return nil
}

// Wiping is the next file whose chunks are to be emptied at an address where the hub
// has some; ok is false where there is none.
func (o *Outbox) Wiping(ctx context.Context) (s Shipment, ok bool, err error) {
	err = o.read.QueryRowContext(ctx, `SELECT id, audience, s.address, retention, a.chunks, s.chunks FROM attachments a
		JOIN shipped s ON s.attachment = a.id WHERE wiped = 1 ORDER BY id, s.address LIMIT 1`).
		Scan(&s.ID, &s.Audience, &s.Address, &s.Retention, &s.Chunks, &s.Stored)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	if err != nil {
		return s, false, fmt.Errorf("reading what is to be wiped: %w", err)
	}
	return s, true, nil
}

// PutWiped says that the hub has none of a file's chunks at an address any more.
func (o *Outbox) PutWiped(ctx context.Context, id int64, address string) error {
	_, err := o.db.ExecContext(ctx, `DELETE FROM shipped WHERE attachment = $1 AND address = $2`, id, address)
	if err != nil {
		return fmt.Errorf("keeping that a file is wiped: %w", err)
	}
	return nil
}
