package translog

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Leaves takes in one message of the notary, wholly or, with an error, not at all.
// Of one that is read again after Rewind, the batch has what was not known before.
// Errors: *Malformed, *BadSignature, *Gap, *Rollback, *Fork, *Mismatch, *Inconsistent,
// *OtherRegistry.
func (f *Follower) Leaves(l *logv1.Leaves) (Batch, error) {
	batch, err := readLeaves(l)
	if err != nil {
		return Batch{}, err
	}
	signed, err := f.policies.openCheckpoint(l.GetCheckpoint())
	if err != nil {
		return Batch{}, err
	}
	batch.Checkpoint = signed.Checkpoint
	if n := uint64(len(batch.Hashes)); signed.Checkpoint.Size != batch.Start+n {
		return Batch{}, malformed("checkpoint of size %d over %d leaves from %d", signed.Checkpoint.Size, n, batch.Start)
	}
	if f.again != nil {
		return f.reread(batch, signed)
	}
	repeat, err := f.compare(batch, signed)
	if err != nil {
		return Batch{}, err
	}
	if repeat {
		return batch, nil
	}
	if err := f.goesOn(batch); err != nil {
		return Batch{}, err
	}
	frontier := f.frontier.Clone()
	if err := frontier.grow(batch, signed); err != nil {
		return Batch{}, err
	}
	if err := f.names(signed); err != nil {
		return Batch{}, err
	}
	f.advance(frontier, &batch, signed)
	return batch, nil
}

// Check judges a message as far as that can be done before the registry below it is
// known: its form, its signature, and that its leaves lead to the signed root. It is
// for who must gather something before Leaves, and shall not wait for what nobody has
// signed. signed is false, without an error, where the key that signs may be one that
// the registry names only further on. Neither labels nor the epoch are signed.
func (f *Follower) Check(l *logv1.Leaves) (signed bool, err error) {
	batch, err := readLeaves(l)
	if err != nil {
		return false, err
	}
	got, err := f.policies.openCheckpoint(l.GetCheckpoint())
	if err != nil { // the terms as known may go by updates that are in no tree
		got, err = f.policies.At(f.Size()).openCheckpoint(l.GetCheckpoint())
	}
	if err != nil {
		if _, formed := claimedSize(l.GetCheckpoint()); formed == nil {
			return false, nil
		}
		return false, err
	}
	if n := uint64(len(batch.Hashes)); got.Checkpoint.Size != batch.Start+n {
		return false, malformed("checkpoint of size %d over %d leaves from %d", got.Checkpoint.Size, n, batch.Start)
	}
	if f.again != nil {
		_, _, err = f.retrace(batch, got)
		return err == nil, err
	}
	if repeat, err := f.compare(batch, got); err != nil || repeat {
		return err == nil, err
	}
	frontier := f.frontier.Clone()
	err = frontier.grow(batch, got)
	return err == nil, err
}

// grow appends a batch's leaves, which must lead to the signed root.
func (f *Frontier) grow(batch Batch, signed Signed) error {
	for i, hash := range batch.Hashes {
		if err := f.Append(hash); err != nil {
			return fmt.Errorf("appending leaf %d: %w", batch.Start+uint64(i), err)
		}
	}
	if root := f.Root(); root != signed.Checkpoint.Root {
		return &Mismatch{Got: signed, Computed: root}
	}
	return nil
}

// names checks the registry in a checkpoint whose leaves were found to be the signed
// ones: the updates below a size are known to whoever knows all its leaves.
func (f *Follower) names(signed Signed) error {
	if f.anyhow {
		return nil
	}
	return f.policies.At(signed.Checkpoint.Size).admits(signed)
}

// advance takes a verified batch in. It does not fail.
func (f *Follower) advance(frontier Frontier, batch *Batch, signed Signed) {
	f.frontier = frontier
	if len(batch.Hashes) > 0 {
		f.epoch = batch.Epoch
	}
	f.kept = append(f.kept, signed)
	f.countPending(batch)
	f.settle()
}

// readLeaves checks the shape of a message and spells out its labels.
func readLeaves(l *logv1.Leaves) (Batch, error) {
	data, table, labels := l.GetHashes(), l.GetAudiences(), l.GetLabels()
	if len(data)%tlog.HashSize != 0 {
		return Batch{}, malformed("hashes of %d bytes are not whole", len(data))
	}
	n := len(data) / tlog.HashSize
	if len(labels) != n {
		return Batch{}, malformed("%d labels for %d leaves", len(labels), n)
	}
	if err := checkSize(l.GetStart()); err != nil {
		return Batch{}, err
	}
	if err := checkSize(l.GetStart() + uint64(n)); err != nil {
		return Batch{}, err
	}
	seen := make(map[string]bool, len(table))
	for _, audience := range table {
		if seen[audience] {
			return Batch{}, malformed("an audience stands twice in the table")
		}
		seen[audience] = true
	}
	batch := Batch{
		Epoch: l.GetEpoch(), Start: l.GetStart(),
		Hashes: splitHashes(data), Labels: make([]string, n),
	}
	for i, label := range labels {
		if uint64(label) >= uint64(len(table)) {
			return Batch{}, malformed("label %d of leaf %d is not in the table of %d", label, l.GetStart()+uint64(i), len(table))
		}
		batch.Labels[i] = table[label]
	}
	return batch, nil
}

// compare looks at a signed checkpoint against those seen. It reports a repetition
// of the newest one without leaves; nil and false mean that the message is news.
func (f *Follower) compare(batch Batch, got Signed) (repeat bool, err error) {
	have := f.Size()
	if batch.Start > have {
		return false, &Gap{Have: have, Start: batch.Start}
	}
	if size := got.Checkpoint.Size; size <= have && len(f.kept) > 0 {
		known, ok := f.find(size)
		switch {
		case ok && known.Checkpoint != got.Checkpoint:
			return false, &Fork{Have: known, Got: got}
		case size < have:
			return false, &Rollback{Have: f.kept[len(f.kept)-1], Got: got}
		case len(batch.Hashes) == 0:
			return true, nil
		}
	}
	if batch.Start < have {
		return false, malformed("leaves begin at %d, but %d are known", batch.Start, have)
	}
	return false, nil
}

// Turns reports whether the epoch of leaves, the next ones, is the one that their
// messages make: restored are the indices among them at which one is a Restoration. The
// epoch is not signed: who takes another one in could not go on with the right one.
func (f *Follower) Turns(l *logv1.Leaves, restored ...uint64) bool {
	switch len(restored) {
	case 0:
		return l.GetEpoch() == f.epoch
	case 1:
		return l.GetEpoch() == f.epoch+1 && restored[0] == l.GetStart()
	}
	return false
}

// goesOn checks that the batch is of the epoch as it is, or of the next one.
func (f *Follower) goesOn(batch Batch) error {
	switch {
	case len(batch.Hashes) == 0:
		return nil
	case batch.Epoch < f.epoch:
		return malformed("epoch went back from %d to %d", f.epoch, batch.Epoch)
	case batch.Epoch > f.epoch+1 || batch.Epoch > 0 && f.Size() == 0:
		return malformed("epoch %d follows %d", batch.Epoch, f.epoch)
	}
	return nil
}
