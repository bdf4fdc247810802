package pilot_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/services/pilot"
)

// The power goes between acknowledgement and disk: what two agencies were told is
// stored is not there, or torn in the middle of a record, when the hub starts again.
// Nothing of it was signed. As others speak, it is published again; the audit is clean.
func TestAdversary_S06_TailVanishedInAPowerCut(t *testing.T) {
	t.Parallel()
	for name, torn := range map[string]int64{"at a record": 0, "in a record": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := played(t)
			messages := filepath.Join(streams(data), "jetstream", "*", "streams", "EVENTS", "msgs")
			blocks, err := filepath.Glob(filepath.Join(messages, "*.blk"))
			if err != nil || len(blocks) != 1 {
				t.Fatalf("%d blocks of the stream, error %v", len(blocks), err)
			}
			before, err := os.Stat(blocks[0])
			if err != nil {
				t.Fatal(err)
			}
			without(t, data, []string{"TH/immigration", "MM/border"}, func(ctx context.Context, h *house) {
				h.says(ctx, "TH/immigration", 0, "tail/1", "tail/2")
				h.says(ctx, "MM/border", 0, "tail/3")
			})
			if err := os.Truncate(blocks[0], before.Size()+torn); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(filepath.Dir(blocks[0]), "index.db")); err != nil {
				t.Fatal(err)
			}
			play(t, data, func(ctx context.Context, p *pilot.Pilot) {
				say(t, ctx, data, "CN/police", "after/1", "after/2", "after/3", "after/4")
				if err := p.Settle(ctx); err != nil {
					t.Fatal(err)
				}
				isSound(t, summaryOf(t, ctx, p), 0)
			})
			replayed, err := pilot.Audit(t.Context(), data, nil)
			if err != nil {
				t.Fatal(err)
			}
			isSound(t, replayed, 0)
			isStored(t, data, "tail/1", "tail/2", "tail/3", "after/1", "after/2", "after/3", "after/4")
		})
	}
}
