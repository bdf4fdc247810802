package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/stream"
)

// storesRaw stores messages with headers of the member's own until one is refused, and says how many were stored.
func storesRaw(t *testing.T, w *world, prefix string, headers func(n int) []string) (stored int) {
	t.Helper()
	police := w.attack(stream.PublisherUser("XA", "police"))
	for n := range 40 {
		m := request(fmt.Sprint(prefix, ".region.XA.police.", n), string(planted(100<<10)), headers(n)...)
		police.ask(t, m)
		got := police.answers(m)
		if len(got) != 1 || strings.Contains(string(got[0].Data), `"error"`) {
			return stored
		}
		stored++
	}
	return stored
}

// A chunk that says, in the header of key records, that its time is over is counted as long as it lies there:
// of chunks the server's time to live alone ends them.
func TestAdversary_T08_ChunksThatSayTheyAreOver(t *testing.T) {
	t.Parallel()
	h, _ := shared(t, t.TempDir(), small)
	w := &world{Hub: h, t: t}
	stored := storesRaw(t, w, "file", func(int) []string { return []string{stream.Until, "2001-01-01T00:00:00Z"} })
	if stored > 12 {
		t.Errorf("%d chunks of 100 KiB are stored in a share of 1 MiB", stored)
	}
}

// Batches are for events. What is staged of one lies on the hub's disk, and is counted nowhere until it is whole.
func TestAdversary_T08_BatchesThatStageMoreThanTheShare(t *testing.T) {
	t.Parallel()
	h, _ := shared(t, t.TempDir(), small)
	w := &world{Hub: h, t: t}
	stored := storesRaw(t, w, "key", func(n int) []string {
		return []string{"Nats-Batch-Id", "one", "Nats-Batch-Sequence", fmt.Sprint(n + 1)}
	})
	if stored > 12 {
		t.Errorf("%d records of 100 KiB are staged in a share of 1 MiB", stored)
	}
}
