// Package outbox is a publisher's durable memory: the one SQLite file in which
// a report stays until a quorum of countries has witnessed it in the log.
//
// Invariants:
//   - What Accept answered is on disk, in clear too, and leaves it only by PutLog, once witnessed.
//   - An envelope's key record is on disk before anybody sees the envelope.
//   - An event is signed once, and every publication of it is of the same bytes: until
//     a witnessed change of the registry makes it certain that no reader accepts them.
//     Only then is it a draft again, with the same identifier and content.
//   - Event identifiers strictly increase in the order of acceptance.
//   - A chain in which somebody else's event was accepted is not continued.
//   - Along one audience, the stream's sequences of what is stored strictly increase;
//     what is not found in the log is the end of it, under one key, to one address.
//   - One process has the outbox open.
//
// Every method that writes is one transaction that is on disk when it returns.
// A crash between two of them is a crash before the second, and each may be repeated.
package outbox

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/pkg/event"
)

//go:embed schema.sql
var schema string

// Owner is who speaks through an outbox, under which charter.
type Owner struct {
	Country, Agency string
	Charter         event.Digest
}

// Outbox is an open outbox. It is safe for concurrent use.
type Outbox struct {
	// Clock says when a report was accepted; time.Now where it is not set, which is
	// before the first Accept. Identifiers rise whatever it says, and nobody is judged by it.
	Clock func() time.Time

	db        *sql.DB // one connection: the only writer
	read      *sql.DB
	sweep     *sql.DB     // one connection: empties the write-ahead log, and is not patient
	scrap     atomic.Bool // there is something in the write-ahead log that was let go
	directory *os.File    // holds the lock
	requests  chan request
	stop      chan struct{}
	stopped   chan struct{}
}

// Open opens the outbox in a directory, or makes one. It refuses a directory
// that another process has open, and an outbox of another owner.
func Open(ctx context.Context, directory string, owner Owner) (*Outbox, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("opening the outbox: %w", err)
	}
	locked, err := daemon.Lock(directory) // two relays would sign two events with one counter
	if err != nil {
		return nil, fmt.Errorf("opening the outbox: %w", err)
	}
	o := &Outbox{
		Clock: time.Now, directory: locked, requests: make(chan request, maxGroup),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := o.open(ctx, filepath.Join(directory, "outbox.db"), owner); err != nil {
		return nil, fmt.Errorf("opening the outbox: %w", errors.Join(err, o.shut()))
	}
	go o.write()
	return o, nil
}

func (o *Outbox) open(ctx context.Context, path string, owner Owner) error {
	// SQLite gives its further files the mode of the first; they hold content of persons.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if o.db, err = connect(path, 1, false); err != nil {
		return err
	}
	if err := o.provide(ctx); err != nil {
		return err
	}
	if o.read, err = connect(path, 4, true); err != nil {
		return err
	}
	if o.sweep, err = connectPatient(path, 1, false, sweepPatience); err != nil {
		return err
	}
	o.scrap.Store(true)
	return o.claim(ctx, owner)
}

// version is that of schema.sql, as PRAGMA user_version.
const version = 4

// provide makes the tables and their version, all or none. An outbox of another version has no key records.
func (o *Outbox) provide(ctx context.Context) error {
	var found, tables int
	err := errors.Join(o.db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&found),
		o.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables))
	if err != nil {
		return fmt.Errorf("reading the version: %w", err)
	}
	if tables > 0 && found != version {
		return fmt.Errorf("it has version %d, and this program reads %d: let the program that made it publish what is in it, and begin a new one", found, version)
	}
	return o.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, schema+attachmentSchema+fmt.Sprintf("\nPRAGMA user_version = %d;", version)); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		return nil
	})
}

// connect opens a pool. synchronous FULL makes every commit an fsync of the
// write-ahead log; secure_delete overwrites content that is let go. What a query or a
// statement sets aside stays in memory (temp_store): a temporary file is not overwritten.
func connect(path string, connections int, readOnly bool) (*sql.DB, error) {
	return connectPatient(path, connections, readOnly, 10*time.Second)
}

// sweepPatience is for how long whoever empties the write-ahead log makes others wait.
const sweepPatience = 100 * time.Millisecond

// connectPatient waits so long for whoever else is at work.
func connectPatient(path string, connections int, readOnly bool, patience time.Duration) (*sql.DB, error) {
	wait := fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds())
	pragmas := url.Values{"_pragma": {
		wait, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)", "temp_store(MEMORY)",
	}, "_txlock": {"immediate"}}
	if readOnly {
		pragmas = url.Values{"_pragma": {wait, "query_only(ON)", "temp_store(MEMORY)"}}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	location := url.URL{Scheme: "file", Path: absolute, RawQuery: pragmas.Encode()}
	db, err := sql.Open("sqlite", location.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// claim writes the owner into a new outbox and compares it with that of an old one.
// An outbox under another charter would mix the chains of two logs.
func (o *Outbox) claim(ctx context.Context, owner Owner) error {
	var country, agency string
	var charter []byte
	row := o.db.QueryRowContext(ctx, `SELECT country, agency, charter FROM owner`)
	err := row.Scan(&country, &agency, &charter)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = o.db.ExecContext(ctx, `INSERT INTO owner VALUES (1, $1, $2, $3, $4)`,
			owner.Country, owner.Agency, owner.Charter[:], make([]byte, len(event.ID{})))
		return err
	case err != nil:
		return err
	case country != owner.Country || agency != owner.Agency:
		return fmt.Errorf("it belongs to %s/%s, not to %s/%s", country, agency, owner.Country, owner.Agency)
	case string(charter) != string(owner.Charter[:]):
		return errors.New("it was begun under another charter: its chains are those of another log")
	}
	return nil
}

// Close ends the writer and lets the directory go. What was not answered by then
// was not accepted.
func (o *Outbox) Close() error {
	close(o.stop)
	<-o.stopped
	return o.shut()
}

func (o *Outbox) shut() error {
	var errs []error
	for _, db := range []*sql.DB{o.read, o.sweep, o.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(append(errs, o.directory.Close())...)
}

// transact runs one transaction to its end on disk.
func (o *Outbox) transact(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
