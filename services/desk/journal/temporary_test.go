package journal

import (
	"database/sql"
	"testing"
)

// SQLite's temporary files would hold messages, in a directory that nobody sweeps: an older
// or foreign one may be in clear.
func TestNothingIsSetAsideInFiles(t *testing.T) {
	j, path := fresh(t)
	beside, err := Read(t.Context(), path)
	must(t, err)
	defer beside.Close()
	const memory = 2
	for name, db := range map[string]*sql.DB{"writer": j.writer, "readers": j.readers, "beside": beside.readers} {
		var store int
		must(t, db.QueryRow("PRAGMA temp_store").Scan(&store))
		if store != memory {
			t.Errorf("%s: temp_store is %d, want %d", name, store, memory)
		}
	}
}
