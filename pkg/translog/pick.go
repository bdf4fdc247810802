package translog

import (
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// Pick reads, of a tree whose leaves come one by one, the few hashes that some
// proofs need, so that nobody has to hold the tree. Proofs are made twice with it:
// before Fill it notes what they ask for, and answers with zeros; after it, truly.
type Pick struct {
	hashes map[int64]Hash // by tlog's storage position
	filled bool
}

// ReadHashes makes a Pick a tlog.HashReader.
func (p *Pick) ReadHashes(positions []int64) ([]Hash, error) {
	found := make([]Hash, len(positions))
	if p.hashes == nil {
		p.hashes = map[int64]Hash{}
	}
	for i, position := range positions {
		hash, noted := p.hashes[position]
		if p.filled && !noted {
			return nil, fmt.Errorf("hash %d of the tree was not asked for before", position)
		}
		p.hashes[position], found[i] = hash, hash
	}
	return found, nil
}

// Fill takes in the leaves from the first one on. An error of theirs ends it.
func (p *Pick) Fill(leaves iter.Seq2[Hash, error]) error {
	var tree Frontier
	for leaf, err := range leaves {
		if err != nil {
			return fmt.Errorf("reading leaf %d: %w", tree.Size(), err)
		}
		index := int64(tree.Size())
		err = tree.add(leaf, func(level int, node Hash) {
			position := tlog.StoredHashIndex(level, index>>level)
			if _, noted := p.hashes[position]; noted {
				p.hashes[position] = node
			}
		})
		if err != nil {
			return err
		}
	}
	p.filled = true
	return nil
}
