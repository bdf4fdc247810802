package sqlite

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/pkg/view/viewtest"
)

func TestContract(t *testing.T) {
	viewtest.Run(t, func(t *testing.T, directory string) viewtest.Store {
		// A path may have characters that mean something in a SQLite URI.
		v, err := Open(t.Context(), filepath.Join(directory, "view 100%?#.db"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
}

func TestAnotherSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "view.db")
	v, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.writer.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), path); !errors.Is(err, ErrVersion) {
		t.Errorf("Open of a file with schema 99: %v, want ErrVersion", err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	v, err := Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.readers.Exec("DELETE FROM entries"); err == nil {
		t.Error("a connection of the read pool deleted entries")
	}
}

// The headers of a chain must be found by their index, not by a walk over all entries.
func TestHeaderAtUsesItsIndex(t *testing.T) {
	v, err := Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	rows, err := v.readers.Query("EXPLAIN QUERY PLAN "+headerAt, "all", "AA", "police", 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if want := "SEARCH entries USING INDEX entries_header (audience=? AND country=? AND agency=? AND renewal=? AND counter=?)"; detail != want {
			t.Errorf("plan is %q, want %q", detail, want)
		}
	}
}
