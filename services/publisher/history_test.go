package publisher

import (
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

func keyID(t testing.TB, owner string) event.KeyID {
	t.Helper()
	key, err := event.NewSigningKey(registrytest.Key(owner))
	if err != nil {
		t.Fatal(err)
	}
	return key.ID
}

// What a key signed to an address ends once, at the update that ended it, however
// much comes later.
func TestEnds(t *testing.T) {
	t.Parallel()
	log := registrytest.NewLog(t)
	known := history{{from: 1, state: log.State}}
	apply := func(change *registryv1.Update, signers ...string) {
		t.Helper()
		at := log.Apply(t, change, signers...)
		known = append(known, chapter{from: at + 1, state: log.State})
	}
	apply(registrytest.Join("pair", "XC"), roots...)                    // 1
	apply(registrytest.RevokeKey(police, 0), "root XA")                 // 2
	apply(registrytest.EnrolKey(police, "second"), "root XA", "second") // 3
	apply(registrytest.Suspend("XA"), roots...)                         // 4
	apply(registrytest.Reinstate("XA"), roots...)                       // 5
	apply(registrytest.Quit("pair", "XA"), "root XA")                   // 6
	apply(registrytest.Join("pair", "XA"), roots...)                    // 7
	apply(registrytest.Leave("XB"), "root XB")                          // 8
	apply(registrytest.Retire("XA", "police"), "root XA")               // 9
	border, first, second := keyID(t, "publisher XA/border"), keyID(t, "publisher XA/police"), keyID(t, "second")
	for _, c := range []struct {
		key     event.KeyID
		address string
		end     uint64 // index of the update; 0: none
	}{
		{first, "region", 2}, {first, "pair", 1}, {first, "pair_1", 2},
		{second, "region", 4}, {second, "pair_1", 4}, {second, "region_5", 9}, {second, "pair_5", 6}, {second, "pair_7", 9},
		{border, "region", 4}, {border, "region_5", 0}, {border, "pair_7", 0},
		{keyID(t, "nobody"), "region", 0},
	} {
		end, ok := known.ends(c.key, c.address)
		if ok != (c.end != 0) || ok && end != c.end+1 {
			t.Errorf("%s to %s ends at %d (%t), want after %d", c.key, c.address, end, ok, c.end)
			continue
		}
		for _, chapter := range known {
			if ended := chapter.ended(c.key, c.address) != nil; ended != (ok && chapter.from >= end) {
				t.Errorf("%s to %s has ended at %d: %t, want from %d on for good", c.key, c.address, chapter.from, ended, end)
			}
		}
	}
	for index := range uint64(12) {
		kept := known.since(index)
		for later := index; later < 12; later++ {
			if kept.at(later) != known.at(later) {
				t.Errorf("since %d, the state at %d is that from %d, want %d", index, later, kept.at(later).from, known.at(later).from)
			}
		}
	}
}
