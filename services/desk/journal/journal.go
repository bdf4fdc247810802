// Package journal is what a desk must not lose: the raw messages that it may
// read, the mirror of the log's tree, what it has cosigned, and the evidence of
// every alarm. All else at a desk is a fold of it.
//
// It is one SQLite file. Every write is one transaction that is on disk when the
// call returns (synchronous=FULL): a message is here before it is folded or
// acknowledged, a checkpoint before it is cosigned, a cosignature before it is
// published. After a crash a write is either wholly there or was never answered.
package journal

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

// version is that of schema.sql, as PRAGMA user_version.
const version = 3

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	writer  *sql.DB // one connection; nil: for reading alone
	readers *sql.DB

	// Fault is nil but in tests. It is asked just before and just after each commit:
	// an error of the first takes the commit's place, one of the second hides it.
	Fault func(step string) error
}

// Open opens the journal in a file, and makes an empty one where there is none.
// An empty journal where there was one before is a mirror that lost its state:
// it shows once the log stream carries a cosignature that is not in the journal.
func Open(ctx context.Context, path string) (*Journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening journal %s: %w", path, err)
	}
	j := &Journal{}
	if j.writer, err = open(path, 1, "_txlock=immediate&_journal_mode=WAL&_synchronous=FULL"); err != nil {
		return nil, fmt.Errorf("opening journal %s: %w", path, err)
	}
	if j.readers, err = open(path, 4, "_query_only=1"); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %s: %w", path, err), j.writer.Close())
	}
	if err := j.provide(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %s: %w", path, err), j.Close())
	}
	return j, nil
}

// Read opens the journal in a file for reading alone, beside a desk that may have
// it open.
func Read(ctx context.Context, path string) (*Journal, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading journal %s: %w", path, err)
	}
	j := &Journal{}
	if j.readers, err = open(path, 2, "mode=ro&_query_only=1"); err != nil {
		return nil, fmt.Errorf("reading journal %s: %w", path, err)
	}
	var found int
	err = j.readers.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found)
	if err == nil && found != version {
		err = otherSchema(found)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading journal %s: %w", path, err), j.Close())
	}
	return j, nil
}

// otherSchema refuses a file of another version: a journal is neither changed into
// something else nor thrown away.
func otherSchema(found int) error {
	made := "a later"
	switch {
	case found == 0:
		return fmt.Errorf("it holds no journal; this program knows schema %d", version)
	case found < version:
		made = "an earlier"
	}
	return fmt.Errorf("it has schema %d, of %s version of Tripoint, and this program knows schema %d: run the version that made it", found, made, version)
}

// Sound asks SQLite whether the file's pages fit each other; not whether their content
// is what was written. It reads all of the file.
func (j *Journal) Sound(ctx context.Context) error {
	var says string
	if err := j.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&says); err != nil {
		return fmt.Errorf("checking the journal: %w", err)
	}
	if says != "ok" {
		return fmt.Errorf("the journal's file is damaged: %s", says)
	}
	return nil
}

// open prepares a pool of connections. What a query or a statement sets aside stays in memory:
// SQLite's temporary files lie in another directory, and are not overwritten.
func open(path string, connections int, options string) (*sql.DB, error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_busy_timeout=10000&_pragma=temp_store(MEMORY)&" + options
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// provide makes the tables of a new file, all or none.
func (j *Journal) provide(ctx context.Context) error {
	return j.write(ctx, "schema", func(tx *sql.Tx) error {
		var found int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		if found == version {
			return nil
		}
		if found != 0 {
			return otherSchema(found)
		}
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		return nil
	})
}

// Close closes the file.
func (j *Journal) Close() error {
	if j.writer == nil {
		return j.readers.Close()
	}
	return errors.Join(j.readers.Close(), j.writer.Close())
}

// write runs change in one transaction and returns once it is on disk. what names
// it where a test has it fail.
func (j *Journal) write(ctx context.Context, what string, change func(*sql.Tx) error) error {
	if j.writer == nil {
		return errors.New("the journal is open for reading alone")
	}
	tx, err := j.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(change(tx), j.at("committing "+what)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return j.at("committed " + what)
}

func (j *Journal) at(step string) error {
	if j.Fault == nil {
		return nil
	}
	return j.Fault(step)
}
