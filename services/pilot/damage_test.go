package pilot_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/services/pilot"
)

// TestAdversary_S01_FlippedBitIsFoundByTheAudit alters one bit of the hub's disk,
// in a record's header and in the middle of the file, and has a stopped pilot audited.
func TestAdversary_S01_FlippedBitIsFoundByTheAudit(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(size int) int{
		"the first record's header": func(int) int { return 2 },
		"the middle":                func(size int) int { return size / 2 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := played(t)
			blocks, err := filepath.Glob(filepath.Join(data, "hub", "streams", "jetstream", "*", "streams", "EVENTS", "msgs", "*.blk"))
			if err != nil || len(blocks) == 0 {
				t.Fatalf("%d blocks of the stream, error %v", len(blocks), err)
			}
			block, err := os.ReadFile(blocks[0])
			if err != nil {
				t.Fatal(err)
			}
			block[place(len(block))] ^= 1
			if err := os.WriteFile(blocks[0], block, 0o600); err != nil {
				t.Fatal(err)
			}
			summary, err := pilot.Audit(t.Context(), data, nil)
			if err != nil || len(summary.Findings) == 0 {
				t.Errorf("the audit says %d findings, error %v", len(summary.Findings), err)
			}
		})
	}
}
