package translog

import (
	"crypto/sha256"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// emptyRoot is the root of a tree without leaves, RFC 6962 section 2.1.
var emptyRoot = Hash(sha256.Sum256(nil))

// ProveConsistency is the RFC 6962 proof that the tree of the first old leaves in r
// is a beginning of the tree of the first size: at most 49 hashes, none where old
// is 0 or size.
func ProveConsistency(old, size uint64, r tlog.HashReader) ([]Hash, error) {
	if err := checkGrowth(old, size); err != nil {
		return nil, err
	}
	if old == 0 || old == size {
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(size), int64(old), r)
	if err != nil {
		return nil, fmt.Errorf("proving that %d leaves begin %d: %w", old, size, err)
	}
	return proof, nil
}

// CheckConsistency returns nil when proof shows that the tree of old leaves under
// oldRoot is a beginning of the tree of size leaves under root. One proof is
// accepted for one pair of trees: none where old is 0 or size.
func CheckConsistency(proof []Hash, old, size uint64, oldRoot, root Hash) error {
	if err := checkGrowth(old, size); err != nil {
		return err
	}
	if old == 0 && oldRoot != emptyRoot || size == 0 && root != emptyRoot {
		return malformed("a tree without leaves has another root than that of nothing")
	}
	if old == 0 || old == size {
		if len(proof) > 0 {
			return malformed("%d hashes where nothing is to be proven", len(proof))
		}
		if old == size && oldRoot != root {
			return malformed("two roots for size %d", size)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, int64(size), root, int64(old), oldRoot); err != nil {
		return fmt.Errorf("checking that %d leaves begin %d: %w", old, size, err)
	}
	return nil
}

func checkGrowth(old, size uint64) error {
	if err := checkSize(old); err != nil {
		return err
	}
	if err := checkSize(size); err != nil {
		return err
	}
	if old > size {
		return malformed("a tree does not shrink from %d to %d", old, size)
	}
	return nil
}
