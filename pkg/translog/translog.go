// Package translog is the transparency log's arithmetic: leaves, the Merkle
// tree over them, the notary's checkpoints, the mirrors' cosignatures, and the
// quorum that makes a checkpoint witnessed, by the policy for its size. It holds no
// store and reads no clock.
//
// Trees are those of RFC 6962, computed with golang.org/x/mod/sumdb/tlog.
// Checkpoints and cosignatures are C2SP tlog-checkpoint and tlog-cosignature
// (version 1) in signed notes, read more strictly than C2SP asks: whatever has
// two spellings is refused, so that two verifiers cannot disagree.
package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// MaxSize is the largest tree, in leaves. It is far above any real log and far
// below 2^62, above which tlog's loops do not end. Every size is compared
// with it before tlog sees it.
const MaxSize = 1 << 48

// MaxNote is the longest signed note that is read, in bytes.
const MaxNote = 64 << 10

// Hash is a SHA-256 digest of a leaf, a node or a root.
type Hash = tlog.Hash

// checkSize refuses a tree size that tlog must not see.
func checkSize(size uint64) error {
	if size > MaxSize {
		return malformed("tree size %d is above 2^48", size)
	}
	return nil
}

// checkIndex refuses the index of a leaf that no tree can have.
func checkIndex(index uint64) error {
	if index >= MaxSize {
		return fmt.Errorf("leaf index %d is not below 2^48", index)
	}
	return nil
}
