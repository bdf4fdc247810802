package translog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// snapshotVersion begins every snapshot.
const snapshotVersion = 1

// Snapshot is all that the follower knows, to be stored in the transaction that
// stores the cursor of the log stream. Layout: a version byte; epoch, next
// sequence and largest forgotten size as 8 bytes each; the frontier; the kept
// checkpoints' notes, each with its cosignatures; the pending cosignatures; the
// SHA-256 digest of all that. Integers are big-endian; lists and bytes have
// their count or length before them in 4 bytes.
func (f *Follower) Snapshot() []byte {
	out := []byte{snapshotVersion}
	for _, n := range []uint64{f.epoch, f.next, f.forgotten} {
		out = binary.BigEndian.AppendUint64(out, n)
	}
	frontier, _ := f.frontier.MarshalBinary() // does not fail
	out = appendBytes(out, frontier)
	out = appendCount(out, len(f.kept))
	for _, k := range f.kept {
		out = appendBytes(out, k.signed.Note)
		out = appendCosignatures(out, k.cosigns)
	}
	out = appendCosignatures(out, f.pending)
	digest := sha256.Sum256(out)
	return append(out, digest[:]...)
}

func appendCosignatures(out []byte, cosigns map[string]cosignature) []byte {
	out = appendCount(out, len(cosigns))
	for _, country := range slices.Sorted(maps.Keys(cosigns)) {
		out = appendBytes(out, cosigns[country].signed.Note)
	}
	return out
}

func appendCount(out []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(out, uint32(n))
}

func appendBytes(out, data []byte) []byte {
	return append(appendCount(out, len(data)), data...)
}

// NewFollowerAt goes on from a snapshot. Every signature in it is verified again,
// under the policy given: this is also how a follower takes on a new policy. The
// cosignatures of mirrors that the policy does not have are left out, so that what
// was witnessed may not be so any more; a new notary's key makes the snapshot unusable.
func NewFollowerAt(policy Policy, snapshot []byte) (*Follower, error) {
	f, err := NewFollower(policy)
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
	f.epoch, f.next, f.forgotten = r.uint64(), r.uint64(), r.uint64()
	if err := f.frontier.UnmarshalBinary(r.bytes()); err != nil {
		return err
	}
	for range r.count() {
		signed, err := openCheckpoint(r.bytes(), f.policy.Origin, f.policy.Notary)
		if err != nil {
			return err
		}
		if newest, ok := f.Checkpoint(); ok && signed.Checkpoint.Size <= newest.Size {
			return malformed("checkpoints are not in order")
		}
		k := &kept{signed: signed}
		if k.cosigns, err = f.restoreCosignatures(r); err != nil {
			return err
		}
		for _, c := range k.cosigns {
			if c.signed.Checkpoint != signed.Checkpoint {
				return malformed("cosignature is of another checkpoint")
			}
		}
		f.kept = append(f.kept, k)
	}
	var err error
	if f.pending, err = f.restoreCosignatures(r); err != nil {
		return err
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

func (f *Follower) restoreCosignatures(r *snapshotReader) (map[string]cosignature, error) {
	cosigns := map[string]cosignature{}
	for range r.count() {
		c, err := f.policy.openCosignature(r.bytes())
		if errors.Is(err, ErrUnknownWitness) && !r.failed {
			continue
		}
		if err != nil {
			return nil, err
		}
		cosigns[c.country] = c
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
