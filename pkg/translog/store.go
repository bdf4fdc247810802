package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// The functions here are tlog's over a store of hashes, with the size looked at first.

// StoredHashCount is the number of hashes that a store holds for a tree of size leaves.
func StoredHashCount(size uint64) (uint64, error) {
	if err := checkSize(size); err != nil {
		return 0, err
	}
	return uint64(tlog.StoredHashCount(int64(size))), nil
}

// StoredHashes returns the hashes to store for the leaf at index, in order, from
// position StoredHashCount(index) on: the leaf's own, then those of the subtrees that it completes.
func StoredHashes(index uint64, leaf Hash, r tlog.HashReader) ([]Hash, error) {
	if err := checkIndex(index); err != nil {
		return nil, err
	}
	hashes, err := tlog.StoredHashesForRecordHash(int64(index), leaf, r)
	if err != nil {
		return nil, fmt.Errorf("hashing leaf %d: %w", index, err)
	}
	return hashes, nil
}

// TreeRoot is the root of the tree of the first size leaves in r.
func TreeRoot(size uint64, r tlog.HashReader) (Hash, error) {
	if err := checkSize(size); err != nil {
		return Hash{}, err
	}
	root, err := tlog.TreeHash(int64(size), r)
	if err != nil {
		return Hash{}, fmt.Errorf("hashing the tree of %d leaves: %w", size, err)
	}
	return root, nil
}

// Prove is the RFC 6962 inclusion proof of the leaf at index in the tree of size leaves.
func Prove(index, size uint64, r tlog.HashReader) ([]Hash, error) {
	if err := checkInside(index, size); err != nil {
		return nil, err
	}
	proof, err := tlog.ProveRecord(int64(size), int64(index), r)
	if err != nil {
		return nil, fmt.Errorf("proving leaf %d in %d: %w", index, size, err)
	}
	return proof, nil
}

// CheckInclusion returns nil when proof shows that leaf stands at index in the
// tree of size leaves under root.
func CheckInclusion(proof []Hash, index, size uint64, root, leaf Hash) error {
	if err := checkInside(index, size); err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, int64(size), root, int64(index), leaf); err != nil {
		return fmt.Errorf("checking leaf %d in %d: %w", index, size, err)
	}
	return nil
}

func checkInside(index, size uint64) error {
	if err := checkSize(size); err != nil {
		return err
	}
	if index >= size {
		return malformed("leaf %d is outside a tree of %d", index, size)
	}
	return nil
}
