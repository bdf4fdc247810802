// Package sqlite keeps a read model in one SQLite file: one connection writes,
// a few others read, and neither waits for the other (WAL).
//
// Commits are not fsynced one by one (synchronous=NORMAL). After a power cut the
// file is whole, but the newest batches may be gone from it, together with their
// cursor: the owner has them in its journal, which is fsynced before anything is
// folded, and folds them again from the cursor on.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed" // for the schema
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/tripoint/tripoint/pkg/view"
)

//go:embed schema.sql
var schema string

// version is that of schema.sql, as PRAGMA user_version. It goes up with every
// change of the schema: a view is rebuilt and never migrated.
const version = 6

// ErrVersion says that the file was written with another schema. The owner
// rebuilds the view from its journal.
var ErrVersion = errors.New("the view has another schema than this program")

// readConnections is how many pages and feeds are read at once.
const readConnections = 4

// View is an open read model. It is safe for concurrent use.
type View struct {
	writer  *sql.DB // one connection
	readers *sql.DB
}

var (
	_ view.Reader = (*View)(nil)
	_ view.Writer = (*View)(nil)
)

// Open opens the view in a file, and makes an empty one where there is none.
func Open(ctx context.Context, path string) (*View, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening view %s: %w", path, err)
	}
	v := &View{}
	if v.writer, err = open(path, 1, "_txlock=immediate&_journal_mode=WAL&_synchronous=NORMAL"); err != nil {
		return nil, fmt.Errorf("opening view %s: %w", path, err)
	}
	if v.readers, err = open(path, readConnections, "_query_only=1"); err != nil {
		return nil, errors.Join(fmt.Errorf("opening view %s: %w", path, err), v.writer.Close())
	}
	if err := v.provide(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening view %s: %w", path, err), v.Close())
	}
	return v, nil
}

// open prepares a pool of connections; none is made yet. What a query or a statement sets
// aside stays in memory: SQLite's temporary files hold content, lie in another
// directory than the view's, and are not overwritten.
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
func (v *View) provide(ctx context.Context) error {
	tx, err := v.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit there is nothing to roll back
	var found int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found); err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	switch found {
	case version:
		return nil
	case 0:
	default:
		return fmt.Errorf("version %d, not %d: %w", found, version, ErrVersion)
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("making the tables: %w", err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return fmt.Errorf("writing the schema's version: %w", err)
	}
	return tx.Commit()
}

// Close closes the file. The writer goes last: it then folds the write-ahead log
// into the file and removes it.
func (v *View) Close() error {
	return errors.Join(v.readers.Close(), v.writer.Close())
}
