package keyring

import "testing"

// SQLite's temporary files would hold keys, and nothing overwrites them there.
func TestNothingIsSetAsideInFiles(t *testing.T) {
	w, directory := newWorld(t), t.TempDir()
	r := w.ring(directory)
	beside, err := Read(t.Context(), directory+"/keys.db", "XB")
	must(t, err)
	defer beside.Close()
	const memory = 2
	for name, ring := range map[string]*Ring{"desk": r, "beside": beside} {
		var store int
		must(t, ring.db.QueryRow("PRAGMA temp_store").Scan(&store))
		same(t, name+": temp_store", memory, store)
	}
}
