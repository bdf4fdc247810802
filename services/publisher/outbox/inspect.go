package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Stored is what an outbox has of the events stream.
type Stored struct {
	Index   uint64 // log index; by the hub's word, where the leaf was not seen yet
	Known   bool   // Index is known
	Subject string
	Data    []byte
}

// Inspect shows what the outbox in a directory holds, beside a publisher that may
// have it open: first, by rising index, the registry's updates and the envelopes
// that the hub has answered for; then the others, in their order. It changes nothing.
// snapshot is the follower's, nil before the first.
func Inspect(ctx context.Context, directory string, owner Owner, show func(Stored) error) (snapshot []byte, err error) {
	path := filepath.Join(directory, "outbox.db")
	if _, err := os.Stat(path); err != nil { // SQLite would make it
		return nil, fmt.Errorf("inspecting the outbox: %w", err)
	}
	db, err := connect(path, 1, true)
	if err != nil {
		return nil, fmt.Errorf("inspecting the outbox: %w", err)
	}
	defer db.Close()
	if snapshot, err = inspect(ctx, db, owner, show); err != nil {
		return nil, fmt.Errorf("inspecting the outbox: %w", err)
	}
	return snapshot, nil
}

// inspect reads at one moment, and so in one transaction.
func inspect(ctx context.Context, db *sql.DB, owner Owner, show func(Stored) error) (snapshot []byte, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	var found int
	if err := tx.QueryRow(`PRAGMA user_version`).Scan(&found); err != nil {
		return nil, err
	}
	if found != version {
		return nil, fmt.Errorf("it has version %d, and this program reads %d", found, version)
	}
	var country, agency string
	var charter []byte
	if err := tx.QueryRow(`SELECT country, agency, charter FROM owner`).Scan(&country, &agency, &charter); err != nil {
		return nil, err
	}
	if country != owner.Country || agency != owner.Agency || string(charter) != string(owner.Charter[:]) {
		return nil, fmt.Errorf("it belongs to %s/%s, or to another log", country, agency)
	}
	if err := inspectStored(tx, show); err != nil {
		return nil, err
	}
	err = tx.QueryRow(`SELECT snapshot FROM log`).Scan(&snapshot)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return snapshot, err
}

// inspectStored treats a place that the hub has given out twice as unknown for the second.
func inspectStored(tx *sql.Tx, show func(Stored) error) error {
	rows, err := tx.Query(`
		SELECT at, sequence, subject, data FROM (
			SELECT log_index AS at, 0 AS sequence, subject, data FROM registry
			UNION ALL
			SELECT coalesce(log_index, cursor - 1), sequence, subject, data FROM envelopes
		) ORDER BY at IS NULL, at, sequence`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var again []Stored
	next := int64(0)
	for rows.Next() {
		var at sql.NullInt64
		var sequence int64
		var s Stored
		if err := rows.Scan(&at, &sequence, &s.Subject, &s.Data); err != nil {
			return err
		}
		if s.Known = at.Valid && at.Int64 >= next; s.Known {
			s.Index, next = uint64(at.Int64), at.Int64+1
		} else if at.Valid {
			again = append(again, s)
			continue
		}
		if err := show(s); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, s := range again {
		if err := show(s); err != nil {
			return err
		}
	}
	return nil
}
