// Package keyring keeps what a desk may open content with: its portions of the key records
// that agencies publish. It is one SQLite file. Nothing in it is secret without the
// desk's private opening keys.
//
// Invariants:
//   - A record is taken from a publisher key of its origin alone, and never after a later revision.
//   - What ends (erased, recalled, expired) is deleted before anything else is done about it, and
//     its bytes are gone from the file and from the write-ahead log when the call returns.
//     After a crash between the two the next Open finishes it.
//   - What the log itself says was erased or recalled stays closed, whatever the hub shows.
//   - A change that concerns an event which was folded before is counted in the
//     same transaction, so that the view is folded again also after a crash (Stale).
//
// KEYS is no log: its sequences have holes, and the hub may withhold, repeat and
// reorder. All it can do by that is keep content closed. The file can be lost: it
// comes again from KEYS, and from the journal what was erased and recalled. Receipts
// that were not handed over, and the list of exports, do not.
package keyring

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver

	"github.com/tripoint/tripoint/pkg/event"
)

//go:embed schema.sql
var schema string

// version is that of schema.sql, as PRAGMA user_version.
const version = 2

// Ring is an open key ring. It is safe for concurrent use.
type Ring struct {
	db      *sql.DB // one connection, so that no reader of this process holds the write-ahead log
	country string
	writes  atomic.Uint64 // how often something was written
	ends    atomic.Uint64 // how often something was deleted
}

// Open opens the ring of a country's desk in a file, and makes an empty one where there is none.
func Open(ctx context.Context, path, country string) (*Ring, error) {
	r, err := connect(path, country, "_txlock=immediate&_journal_mode=WAL&_synchronous=FULL&_pragma=secure_delete(ON)")
	if err != nil {
		return nil, err
	}
	if err = r.provide(ctx); err == nil {
		err = r.scour(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening key ring %s: %w", path, err), r.Close())
	}
	return r, nil
}

// Read opens the ring in a file for reading alone, beside a desk that may have it open.
func Read(ctx context.Context, path, country string) (*Ring, error) {
	r, err := connect(path, country, "mode=ro&_query_only=1")
	if err != nil {
		return nil, err
	}
	var found int
	err = r.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found)
	if err == nil && found != version {
		err = otherSchema(found)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading key ring %s: %w", path, err), r.Close())
	}
	return r, nil
}

// connect keeps what a query or a statement sets aside in memory: SQLite's temporary files
// lie in another directory, and what ends here would not be overwritten there.
func connect(path, country, options string) (*Ring, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening key ring %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=10000&_pragma=temp_store(MEMORY)&"+options)
	if err != nil {
		return nil, fmt.Errorf("opening key ring %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return &Ring{db: db, country: country}, nil
}

func (r *Ring) provide(ctx context.Context) error {
	return r.write(ctx, func(tx *sql.Tx) error {
		var found int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		switch found {
		case version:
			return nil
		case 0:
		default:
			return otherSchema(found)
		}
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		return nil
	})
}

func otherSchema(found int) error {
	return fmt.Errorf("schema %d, this program knows %d: with the file taken away the keys come again from the hub; receipts that wait, and the list of exports, do not", found, version)
}

// Close closes the file.
func (r *Ring) Close() error { return r.db.Close() }

// write runs change in one transaction and returns once it is on disk.
func (r *Ring) write(ctx context.Context, change func(*sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	r.writes.Add(1) // before: whoever remembers rows asks for them again too early rather than too late
	err = tx.Commit()
	r.writes.Add(1)
	return err
}

// scour moves what is in the write-ahead log into the file, where what was deleted is
// overwritten, and empties the log. Somebody else who reads the file can keep it from
// that for as long as he does.
func (r *Ring) scour(ctx context.Context) error {
	r.ends.Add(1)
	var busy, frames, moved int
	if err := r.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("emptying the write-ahead log: %w", err)
	}
	if busy != 0 {
		return errors.New("emptying the write-ahead log: another process is reading the key ring")
	}
	return nil
}

// Place is the sequence up to which KEYS was looked at.
func (r *Ring) Place(ctx context.Context) (sequence uint64, err error) {
	if err := r.db.QueryRowContext(ctx, "SELECT sequence FROM place").Scan(&sequence); err != nil {
		return 0, fmt.Errorf("reading the key ring's place: %w", err)
	}
	return sequence, nil
}

// Stale reports whether the view has to be folded again from zero, and the mark to hand to Folded once
// a fold that began now stands.
func (r *Ring) Stale(ctx context.Context) (stale bool, mark uint64, err error) {
	var folded uint64
	if err := r.db.QueryRowContext(ctx, "SELECT changed, folded FROM place").Scan(&mark, &folded); err != nil {
		return false, 0, fmt.Errorf("reading the key ring's marks: %w", err)
	}
	return mark != folded, mark, nil
}

// Folded notes that the view is a fold of the ring as it was at a mark, or newer.
func (r *Ring) Folded(ctx context.Context, mark uint64) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE place SET folded = max(folded, $1)", int64(mark)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM concealed WHERE mark <= $1", int64(mark))
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that the view was folded again: %w", err)
	}
	return nil
}

// Concealed are the events that no page may show of a view which is not a fold of the ring as it is
// at the mark, or later. everything says that the ring does not know: it has seen no fold yet.
func (r *Ring) Concealed(ctx context.Context) (events []event.ID, mark uint64, everything bool, err error) {
	var folded uint64
	if err := r.db.QueryRowContext(ctx, "SELECT changed, folded FROM place").Scan(&mark, &folded); err != nil {
		return nil, 0, false, fmt.Errorf("reading the key ring's marks: %w", err)
	}
	rows, err := r.db.QueryContext(ctx, "SELECT event FROM concealed")
	if err == nil {
		events, err = idsIn(rows)
	}
	if err != nil {
		return nil, 0, false, fmt.Errorf("reading what is concealed: %w", err)
	}
	return events, mark, folded == 0, nil
}

// Await notes that a released event could not be held against its leaf yet.
func (r *Ring) Await(ctx context.Context, index uint64) error {
	err := r.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO awaited (idx) VALUES ($1) ON CONFLICT DO NOTHING", int64(index))
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that leaf %d is awaited: %w", index, err)
	}
	return nil
}

// Arrived makes the view stale where a leaf below size was awaited.
func (r *Ring) Arrived(ctx context.Context, size uint64) (stale bool, err error) {
	var waits bool
	if err := r.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM awaited WHERE idx < $1)", int64(size)).Scan(&waits); err != nil || !waits {
		return false, err
	}
	err = r.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM awaited WHERE idx < $1", int64(size)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE place SET changed = changed + 1")
		return err
	})
	if err != nil {
		return false, fmt.Errorf("noting that awaited leaves are here: %w", err)
	}
	return true, nil
}
