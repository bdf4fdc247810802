package keyring

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

// Receipt is the answer that this desk owes to a recall.
type Receipt struct {
	Country, Agency string // who recalled
	Recall          string // its identifier of the recall
	Audience        string // identifier of the audience to which it was said
	Retention       string // its retention class
	Purpose         string // what it is marked for
	Index           uint64 // its log index
	Deadline        string // RFC 3339, as stated
	Events          []event.ID
	Destroyed       time.Time // when the view without them stood; zero: not yet
	Refused         string    // why the publisher did not take it, in its words; empty: it has not said
}

// Owe notes a receipt. It is handed over once Destroyed was called, until Answered.
// One that is known changes nothing.
func (r *Ring) Owe(ctx context.Context, owed Receipt) error {
	var events []byte
	for _, id := range owed.Events {
		events = append(events, id[:]...)
	}
	err := r.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO receipts (recall, country, agency, audience, retention, purpose, idx, deadline, events, destroyed, accepted, refused)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, '') ON CONFLICT DO NOTHING`,
			owed.Recall, owed.Country, owed.Agency, owed.Audience, owed.Retention, owed.Purpose, int64(owed.Index), owed.Deadline, append([]byte{}, events...))
		return err
	})
	if err != nil {
		return fmt.Errorf("noting the receipt of recall at %d: %w", owed.Index, err)
	}
	return nil
}

// Destroyed notes that a view stands without anything that recalls up to a log index have closed.
func (r *Ring) Destroyed(ctx context.Context, now time.Time, upTo uint64) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE receipts SET destroyed = $1 WHERE destroyed = 0 AND idx <= $2", now.Unix(), int64(upTo))
		return err
	})
	if err != nil {
		return fmt.Errorf("noting what was destroyed: %w", err)
	}
	return nil
}

// Answered notes that the agency's publisher has accepted a receipt.
func (r *Ring) Answered(ctx context.Context, owed Receipt) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE receipts SET accepted = 1 WHERE country = $1 AND agency = $2 AND recall = $3 AND idx = $4", owed.Country, owed.Agency, owed.Recall, int64(owed.Index))
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that a receipt was handed over: %w", err)
	}
	return nil
}

// maxWords is how many bytes of a publisher's words are kept.
const maxWords = 500

// Refused notes why the agency's publisher does not take a receipt; empty: not any more known.
func (r *Ring) Refused(ctx context.Context, owed Receipt, why string) error {
	if why = strings.ToValidUTF8(why, "\uFFFD"); len(why) > maxWords {
		why = strings.ToValidUTF8(why[:maxWords], "")
	}
	if why == owed.Refused {
		return nil
	}
	err := r.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE receipts SET refused = $5 WHERE country = $1 AND agency = $2 AND recall = $3 AND idx = $4", owed.Country, owed.Agency, owed.Recall, int64(owed.Index), why)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting why a receipt was not taken: %w", err)
	}
	return nil
}

// Owed lists the receipts that were not handed over, in the order of the log.
func (r *Ring) Owed(ctx context.Context) ([]Receipt, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT recall, country, agency, audience, retention, purpose, idx, deadline, events, destroyed, refused FROM receipts WHERE accepted = 0 ORDER BY idx")
	if err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	defer rows.Close()
	var all []Receipt
	for rows.Next() {
		var owed Receipt
		var events []byte
		var destroyed int64
		if err := rows.Scan(&owed.Recall, &owed.Country, &owed.Agency, &owed.Audience, &owed.Retention, &owed.Purpose, &owed.Index, &owed.Deadline, &events, &destroyed, &owed.Refused); err != nil {
			return nil, fmt.Errorf("reading receipts: %w", err)
		}
		for id := range slices.Chunk(events, len(event.ID{})) {
			owed.Events = append(owed.Events, event.ID(id))
		}
		if destroyed > 0 {
			owed.Destroyed = time.Unix(destroyed, 0).UTC()
		}
		all = append(all, owed)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading receipts: %w", err)
	}
	return all, nil
}

// Export is a file that was made here with content of events: what a recall cannot take back.
type Export struct {
	Made   time.Time
	Person string // pseudonym
	Form   string // what kind of file
	Events []event.ID
}

// Exported notes a file that was made.
func (r *Ring) Exported(ctx context.Context, made Export) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "INSERT INTO exports (made, person, form) VALUES ($1, $2, $3)", made.Made.Unix(), made.Person, made.Form)
		if err != nil {
			return err
		}
		number, err := result.LastInsertId()
		if err != nil {
			return err
		}
		for _, id := range made.Events {
			if _, err := tx.ExecContext(ctx, "INSERT INTO exported (event, export) VALUES ($1, $2) ON CONFLICT DO NOTHING", id[:], number); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting an export: %w", err)
	}
	return nil
}

// Made lists the files that were made here, the newest last: at most limit of the newest.
func (r *Ring) Made(ctx context.Context, limit int) ([]Export, error) {
	rows, err := r.db.QueryContext(ctx, `
		SELECT number, made, person, form, event FROM (SELECT * FROM exports ORDER BY number DESC LIMIT $1) JOIN exported ON export = number
		ORDER BY number, event`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading exports: %w", err)
	}
	defer rows.Close()
	var all []Export
	for last := int64(0); rows.Next(); {
		var number, made int64
		var one Export
		var id []byte
		if err := rows.Scan(&number, &made, &one.Person, &one.Form, &id); err != nil {
			return nil, fmt.Errorf("reading exports: %w", err)
		}
		if number != last {
			one.Made = time.Unix(made, 0).UTC()
			all, last = append(all, one), number
		}
		all[len(all)-1].Events = append(all[len(all)-1].Events, event.ID(id))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading exports: %w", err)
	}
	return all, nil
}

// Exports counts the files that were made with any of these events.
func (r *Ring) Exports(ctx context.Context, events []event.ID) (files uint64, err error) {
	seen := map[int64]bool{}
	for _, id := range events {
		rows, err := r.db.QueryContext(ctx, "SELECT export FROM exported WHERE event = $1", id[:])
		if err != nil {
			return 0, fmt.Errorf("counting exports: %w", err)
		}
		for rows.Next() {
			var number int64
			if err := rows.Scan(&number); err != nil {
				rows.Close()
				return 0, fmt.Errorf("counting exports: %w", err)
			}
			seen[number] = true
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return 0, fmt.Errorf("counting exports: %w", err)
		}
	}
	return uint64(len(seen)), nil
}
