package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// SQLite's temporary files would hold content in clear, in a directory that nobody sweeps.
func TestNothingIsSetAsideInFiles(t *testing.T) {
	v, err := Open(t.Context(), filepath.Join(t.TempDir(), "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const memory = 2
	for name, db := range map[string]*sql.DB{"writer": v.writer, "readers": v.readers} {
		var store int
		if err := db.QueryRow("PRAGMA temp_store").Scan(&store); err != nil || store != memory {
			t.Errorf("%s: temp_store is %d (%v), want %d", name, store, err, memory)
		}
	}
}
