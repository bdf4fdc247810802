package translog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// snapshotVersion begins every snapshot.
const snapshotVersion = 3

// Snapshot is all that the follower knows, to be stored in the transaction that
// stores the cursor of the log stream. Layout: a version byte; epoch and
// largest forgotten size as 8 bytes each; the frontier; the notes of the
// kept checkpoints, of the counted cosignatures and of the pending ones; the
// SHA-256 digest of all that. The terms are not in it. Integers are big-endian; lists and bytes have
// their count or length before them in 4 bytes.
func (f *Follower) Snapshot() []byte {
	out := []byte{snapshotVersion}
	for _, n := range []uint64{f.epoch, f.forgotten} {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	frontier, _ := f.frontier.MarshalBinary() // does not fail
	out = appendBytes(out, frontier)
	out = appendCount(out, len(f.kept))
	for _, signed := range f.kept {
		out = appendBytes(out, signed.Note)
	}
	out = appendCount(out, len(f.cosigned))
	for _, at := range slices.SortedFunc(maps.Keys(f.cosigned), seat.compare) {
		out = appendBytes(out, f.cosigned[at].signed.Note)
	}
	out = appendCount(out, len(f.pending))
	for _, country := range slices.Sorted(maps.Keys(f.pending)) {
		out = appendBytes(out, f.pending[country].signed.Note)
	}
	digest := sha256.Sum256(out)
	return append(out, digest[:]...)
}

func (s seat) compare(t seat) int {
	return cmp.Or(cmp.Compare(s.country, t.country), cmp.Compare(s.key, t.key))
}

func appendCount(out []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(out, uint32(n))
}

func appendBytes(out, data []byte) []byte {
	return append(appendCount(out, len(data)), data...)
}

// NewFollowerAt goes on from a snapshot. Every signature in it is verified again,
// under the policy for its size; the terms must reach as far as those that were
// adopted when it was taken. Cosignatures that these terms do not admit are left
// out, so that what was witnessed may not be so any more; a checkpoint that its
// notary did not sign under these terms, or of another registry, makes the snapshot unusable.
func NewFollowerAt(policies Policies, snapshot []byte) (*Follower, error) {
	f, err := NewFollower(policies)
	if err != nil {
		return nil, err
	}
	split := len(snapshot) - sha256.Size
	if split < 1 || snapshot[0] != snapshotVersion {
		return nil, malformed("not a snapshot of version %d", snapshotVersion)
	}
	digest := sha256.Sum256(snapshot[:split])
	if !bytes.Equal(digest[:], snapshot[split:]) {
		return nil, malformed("snapshot is damaged")
	}
	if err := f.restore(&snapshotReader{rest: snapshot[1:split]}); err != nil {
		return nil, fmt.Errorf("reading a snapshot: %w", err)
	}
	f.settle()
	return f, nil
}

func (f *Follower) restore(r *snapshotReader) error {
	f.epoch, f.forgotten = r.uint64(), r.uint64()
	if err := f.frontier.UnmarshalBinary(r.bytes()); err != nil {
		return err
	}
	for range r.count() {
		signed, err := f.policies.openCheckpoint(r.bytes())
		if err == nil {
			err = f.policies.At(signed.Checkpoint.Size).admits(signed)
		}
		if err != nil {
			return err
		}
		if newest, ok := f.Checkpoint(); ok && signed.Checkpoint.Size <= newest.Size {
			return malformed("checkpoints are not in order")
		}
		f.kept = append(f.kept, signed)
	}
	counted, err := f.restoreCosignatures(r)
	if err != nil {
		return err
	}
	for _, c := range counted {
		have, ok := f.find(c.signed.Checkpoint.Size)
		if !ok || have.Checkpoint != c.signed.Checkpoint {
			return malformed("cosignature is of another checkpoint")
		}
		f.take(c)
	}
	waiting, err := f.restoreCosignatures(r)
	if err != nil {
		return err
	}
	for _, c := range waiting {
		f.pending[c.country] = c
	}
	if r.failed || len(r.rest) > 0 {
		return malformed("wrong length")
	}
	newest, ok := f.Checkpoint()
	if !ok && f.Size() > 0 || ok && (newest.Size != f.Size() || newest.Root != f.frontier.Root()) {
		return malformed("the tree is not that of the newest checkpoint")
	}
	return nil
}

func (f *Follower) restoreCosignatures(r *snapshotReader) ([]cosignature, error) {
	var cosigns []cosignature
	for range r.count() {
		c, err := f.policies.openCosignature(r.bytes())
		if errors.Is(err, ErrUnknownWitness) && !r.failed {
			continue
		}
		if err != nil {
			return nil, err
		}
		cosigns = append(cosigns, c)
	}
	return cosigns, nil
}

// snapshotReader takes pieces off the front; once one is missing it yields only zeros.
type snapshotReader struct {
	rest   []byte
	failed bool
}

func (r *snapshotReader) take(n int) []byte {
	if r.failed || n > len(r.rest) {
		r.failed = true
		return nil
	}
	piece := r.rest[:n]
	r.rest = r.rest[n:]
	return piece
}

func (r *snapshotReader) uint64() uint64 {
	piece := r.take(8)
	if r.failed {
		return 0
	}
	return binary.BigEndian.Uint64(piece)
}

// count reads a number of things that each take up at least one byte.
func (r *snapshotReader) count() int {
	piece := r.take(4)
	if r.failed {
		return 0
	}
	n := binary.BigEndian.Uint32(piece)
	if uint64(n) > uint64(len(r.rest)) {
		r.failed = true
		return 0
	}
	return int(n)
}

func (r *snapshotReader) bytes() []byte { return r.take(r.count()) }
