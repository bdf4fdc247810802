package scrub

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// growth is the tree made anew out of its leaves, beside the stored one.
type growth struct {
	stored   tlog.HashReader
	frontier translog.Frontier
	peaks    []translog.Hash // as the frontier's, which does not show them
}

func (g *growth) size() uint64        { return g.frontier.Size() }
func (g *growth) root() translog.Hash { return g.frontier.Root() }

// leaf is the stored leaf hash at an index.
func (g *growth) leaf(index uint64) (translog.Hash, error) {
	hashes, err := g.stored.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
	if err != nil {
		return translog.Hash{}, err
	}
	return hashes[0], nil
}

// append adds a leaf, and reports whether the hashes of the subtrees that it
// completes are the stored ones.
func (g *growth) append(leaf translog.Hash) bool {
	index := g.size()
	completed := bits.TrailingZeros64(^index)
	node := leaf
	var made []translog.Hash
	var positions []int64
	for level := 1; level <= completed; level++ {
		last := len(g.peaks) - 1
		node = tlog.NodeHash(g.peaks[last], node)
		g.peaks = g.peaks[:last]
		made = append(made, node)
		positions = append(positions, tlog.StoredHashIndex(level, int64(index>>level)))
	}
	g.peaks = append(g.peaks, node)
	if err := g.frontier.Append(leaf); err != nil {
		return false
	}
	if len(made) == 0 {
		return true
	}
	stored, err := g.stored.ReadHashes(positions)
	if err != nil {
		return false
	}
	for i, hash := range made {
		if stored[i] != hash {
			return false
		}
	}
	return true
}
