package outbox

import (
	"database/sql"
	"testing"
)

// SQLite's temporary files would hold content in clear, and nothing overwrites them there.
func TestNothingIsSetAsideInFiles(t *testing.T) {
	o := open(t, t.TempDir())
	defer shut(t, o)
	const memory = 2
	for name, db := range map[string]*sql.DB{"writer": o.db, "readers": o.read, "sweep": o.sweep} {
		var store int
		if err := db.QueryRow(`PRAGMA temp_store`).Scan(&store); err != nil || store != memory {
			t.Errorf("%s: temp_store is %d (%v), want %d", name, store, err, memory)
		}
	}
}
