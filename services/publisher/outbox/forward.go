package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Forward is a file that the hub has at one address and is to have at that of a release, too.
type Forward struct {
	ID      int64
	From    string // an address where the hub has all of it
	To      string
	Chunks  int
	Stored  int       // at To, from the first on
	Expires time.Time // when the release does; UTC, whole seconds
}

// forward enters the files of the sections that a release gives, but for those that are there.
func forward(tx *sql.Tx, r Release) error {
	for _, files := range r.Files {
		if _, err := tx.Exec(`INSERT OR REPLACE INTO forwards SELECT id, $3, $4, $5 FROM attachments a JOIN accepted USING (sequence)
			WHERE event_id = $1 AND compartment = $2 AND wiped = 0
			AND NOT EXISTS (SELECT 1 FROM shipped s WHERE s.attachment = id AND s.address = $3 AND s.chunks >= a.chunks)`,
			files.Event[:], int32(files.Compartment), r.Address, r.Record.Subject, r.Record.Expires.Unix()); err != nil {
			return err
		}
	}
	return nil
}

// Forward is the next file to be brought to a release's address. from and to are the addresses that
// can be read and written now; what needs another waits. ok is false where there is none.
func (o *Outbox) Forward(ctx context.Context, from, to map[string]bool) (f Forward, ok bool, err error) {
	rows, err := o.read.QueryContext(ctx, `SELECT f.attachment, s.address, f.address, a.chunks, f.expires FROM forwards f
		JOIN attachments a ON a.id = f.attachment JOIN shipped s ON s.attachment = f.attachment AND s.chunks >= a.chunks
		ORDER BY f.attachment, f.address, s.address`)
	if err != nil {
		return f, false, fmt.Errorf("reading files of releases: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var expires int64
		if err := rows.Scan(&f.ID, &f.From, &f.To, &f.Chunks, &expires); err != nil {
			return f, false, fmt.Errorf("reading files of releases: %w", err)
		}
		if from[f.From] && to[f.To] {
			f.Expires = time.Unix(expires, 0).UTC()
			f.Stored, err = o.ShippedTo(ctx, f.ID, f.To)
			return f, err == nil, err
		}
	}
	return f, false, rows.Err()
}

// PutForwarded says that a file is at an address, or cannot be brought there.
func (o *Outbox) PutForwarded(ctx context.Context, id int64, address string) error {
	_, err := o.db.ExecContext(ctx, `DELETE FROM forwards WHERE attachment = $1 AND address = $2`, id, address)
	if err != nil {
		return fmt.Errorf("keeping that a file of a release is there: %w", err)
	}
	return nil
}
