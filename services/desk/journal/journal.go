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
const version = 1

// Journal is an open journal. It is safe for concurrent use.
type Journal struct {
	writer  *sql.DB // one connection
	readers *sql.DB
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

func open(path string, connections int, options string) (*sql.DB, error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_busy_timeout=10000&" + options
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
	return j.write(ctx, func(tx *sql.Tx) error {
		var found int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		if found == version {
			return nil
		}
		if found != 0 {
			return fmt.Errorf("schema %d, this program knows %d: a journal is never thrown away", found, version)
		}
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", version)); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
		return nil
	})
}

// Close closes the file.
func (j *Journal) Close() error { return errors.Join(j.readers.Close(), j.writer.Close()) }

// write runs change in one transaction and returns once it is on disk.
func (j *Journal) write(ctx context.Context, change func(*sql.Tx) error) error {
	tx, err := j.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
