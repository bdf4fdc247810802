package notary_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tripoint/tripoint/services/notary/scrub"
)

// damage is done to the hub's blocks, and takes what it returns from the stream.
type damage struct {
	name string
	do   func(t *testing.T, blocks []block) (from, to uint64)

	// The broker's index of its blocks is gone as well, as after a power cut: the
	// server reads the blocks, and ends each at the first record that it cannot read.
	unindexed bool
}

func flipPayload(t *testing.T, blocks []block) (from, to uint64) {
	r := blocks[1].records[3]
	blocks[1].flip(t, r.end-100)
	return r.index, r.index + 1
}

func flipSequence(t *testing.T, blocks []block) (from, to uint64) {
	r := blocks[1].records[3]
	blocks[1].flip(t, r.start+5)
	return r.index, blocks[1].next()
}

func flipLength(t *testing.T, blocks []block) (from, to uint64) {
	r := blocks[1].records[3]
	blocks[1].flip(t, r.start+1)
	return r.index, blocks[1].next()
}

func truncateBlock(t *testing.T, blocks []block) (from, to uint64) {
	r := blocks[1].records[3]
	must(t, os.Truncate(blocks[1].path, r.start+10))
	return r.index, blocks[1].next()
}

func deleteBlock(t *testing.T, blocks []block) (from, to uint64) {
	must(t, os.Remove(blocks[1].path))
	return blocks[1].first(), blocks[1].next()
}

func restOfBlock(do func(*testing.T, []block) (from, to uint64)) func(*testing.T, []block) (from, to uint64) {
	return func(t *testing.T, blocks []block) (uint64, uint64) {
		from, _ := do(t, blocks)
		return from, blocks[1].next()
	}
}

// suffers damages a stream of several blocks, under the running hub and under one
// that is stopped meanwhile. The scrubber names what is lost, exactly; the notary
// goes on, and signs nothing but what was published.
func suffers(t *testing.T, live bool, d damage) {
	t.Parallel()
	h := keepHouse(t)
	h.notarise()
	h.say(68, 250<<10, "sound")
	h.signed(69)
	blocks := h.blocks()
	if len(blocks) < 3 {
		t.Fatalf("the stream has %d blocks, want 3", len(blocks))
	}
	if !live {
		h.stopHub()
	}
	from, to := d.do(t, blocks)
	if d.unindexed {
		must(t, os.Remove(filepath.Join(h.events(), "msgs", "index.db")))
	}
	if !live {
		h.startHub()
	}
	h.finds(lost(from, to))
	h.say(5, 100, "afterwards")
	h.signed(74)
	h.finds(lost(from, to))
	if err := h.stop(); err != nil {
		t.Errorf("the notary ended with %v", err)
	}
	h.notarise()
	h.say(1, 100, "after the notary's restart")
	h.signed(75)
	h.finds(lost(from, to))
}

func TestAdversary_S01_FlippedBitIsNamedByTheScrubber(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		for _, d := range []damage{{name: "payload", do: flipPayload}, {name: "sequence", do: flipSequence}} {
			t.Run(when(live)+d.name, func(t *testing.T) { suffers(t, live, d) })
		}
	}
	for _, d := range []damage{
		{name: "payload", do: restOfBlock(flipPayload), unindexed: true},
		{name: "length", do: flipLength, unindexed: true},
	} {
		t.Run("power cut, "+d.name, func(t *testing.T) { suffers(t, false, d) })
	}
}

func TestAdversary_S02_BlockTruncatedOrDeleted(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		for _, d := range []damage{
			{name: "truncated", do: truncateBlock},
			{name: "deleted", do: deleteBlock},
		} {
			t.Run(when(live)+d.name, func(t *testing.T) { suffers(t, live, d) })
		}
	}
	t.Run("power cut, truncated", func(t *testing.T) { suffers(t, false, damage{do: truncateBlock, unindexed: true}) })
}

func when(live bool) string {
	if live {
		return "live, "
	}
	return "after a restart, "
}

func regressed(from, to uint64) scrub.Finding {
	return scrub.Finding{Code: scrub.Regressed, From: from, To: to}
}

func regrown(from, to uint64) scrub.Finding {
	return scrub.Finding{Code: scrub.Regrown, From: from, To: to}
}
