package notary

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// verify reads the whole store and computes every inner hash from those below it.
// Nothing that is left of the right edge can have changed without it: an edge that
// has shows against a published root. It reads 64 bytes and hashes once a leaf.
func (s *store) verify() error {
	from := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, int64(s.held)*hashSize), 1<<20)
	var edge []translog.Hash // roots of the perfect subtrees, largest first
	for index := range s.size {
		var node translog.Hash
		if _, err := io.ReadFull(from, node[:]); err != nil {
			return fmt.Errorf("reading leaf %d: %w", index, err)
		}
		for level := range bits.TrailingZeros64(^index) {
			last := len(edge) - 1
			node, edge = tlog.NodeHash(edge[last], node), edge[:last]
			var stored translog.Hash
			if _, err := io.ReadFull(from, stored[:]); err != nil {
				return fmt.Errorf("reading the hashes of leaf %d: %w", index, err)
			}
			if stored != node {
				return fmt.Errorf("the hash of the %d leaves up to %d is not that of its halves", 2<<level, index)
			}
		}
		edge = append(edge, node)
	}
	return nil
}

// frontier is the right edge of the tree of size leaves, as the store has it.
func (s *store) frontier(size uint64) (translog.Frontier, error) {
	if size > s.size {
		return translog.Frontier{}, fmt.Errorf("a tree of %d leaves of %d", size, s.size)
	}
	var positions []int64
	for rest := size; rest > 0; {
		level := bits.Len64(rest) - 1
		positions = append(positions, tlog.StoredHashIndex(level, int64((size-rest)>>level)))
		rest &^= 1 << level
	}
	hashes, err := s.ReadHashes(positions)
	if err != nil {
		return translog.Frontier{}, err
	}
	data := binary.BigEndian.AppendUint64(nil, size)
	for _, hash := range hashes {
		data = append(data, hash[:]...)
	}
	var f translog.Frontier
	err = f.UnmarshalBinary(data)
	return f, err
}
