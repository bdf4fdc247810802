package translog

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the right edge of a tree: all that is needed to append to it and
// to know its root, in at most 48 hashes. The zero Frontier is the empty tree.
// A plain copy shares memory with its original: use Clone.
type Frontier struct {
	size uint64
	// peaks are the roots of the perfect subtrees that size is the sum of,
	// largest first: one for each bit that is set in size.
	peaks []Hash
}

// Size is the number of leaves.
func (f *Frontier) Size() uint64 { return f.size }

// Append adds one leaf hash. It fails only on a tree of MaxSize leaves.
func (f *Frontier) Append(leaf Hash) error { return f.add(leaf, func(int, Hash) {}) }

// add is Append; it shows the perfect subtrees that the leaf completes, itself first.
func (f *Frontier) add(leaf Hash, show func(level int, node Hash)) error {
	if err := checkIndex(f.size); err != nil {
		return err
	}
	node := leaf
	show(0, node)
	for level := range bits.TrailingZeros64(^f.size) {
		last := len(f.peaks) - 1
		node = tlog.NodeHash(f.peaks[last], node)
		f.peaks = f.peaks[:last]
		show(level+1, node)
	}
	f.peaks = append(f.peaks, node)
	f.size++
	return nil
}

// Root is the tree's root; that of the empty tree is the digest of nothing (RFC 6962, 2.1).
func (f *Frontier) Root() Hash {
	if f.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(f.peaks) - 1
	root := f.peaks[last]
	for _, peak := range slices.Backward(f.peaks[:last]) {
		root = tlog.NodeHash(peak, root)
	}
	return root
}

// Clone is a copy that shares nothing with f.
func (f *Frontier) Clone() Frontier {
	return Frontier{size: f.size, peaks: slices.Clone(f.peaks)}
}

// MarshalBinary is the size as 8 bytes big-endian, then the peaks, 32 bytes
// each, the largest subtree first. It does not fail.
func (f Frontier) MarshalBinary() ([]byte, error) {
	out := binary.BigEndian.AppendUint64(nil, f.size)
	for _, peak := range f.peaks {
		out = append(out, peak[:]...)
	}
	return out, nil
}

// UnmarshalBinary reads what MarshalBinary writes and nothing else. On error f is unchanged.
func (f *Frontier) UnmarshalBinary(data []byte) error {
	if len(data) < 8 {
		return malformed("frontier of %d bytes", len(data))
	}
	size := binary.BigEndian.Uint64(data)
	if err := checkSize(size); err != nil {
		return fmt.Errorf("reading a frontier: %w", err)
	}
	data = data[8:]
	if want := tlog.HashSize * bits.OnesCount64(size); len(data) != want {
		return malformed("frontier of %d leaves has %d bytes of hashes, not %d", size, len(data), want)
	}
	*f = Frontier{size: size, peaks: splitHashes(data)}
	return nil
}

// splitHashes copies data, a whole number of hashes long, into hashes.
func splitHashes(data []byte) []Hash {
	hashes := make([]Hash, len(data)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes
}
