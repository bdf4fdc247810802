package translog

import (
	"golang.org/x/mod/sumdb/tlog"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// Rewind lets the follower read the log stream again from its first message: where
// the stream is not the one that it was, because the hub had lost it, a place in it
// means nothing. Everything that is known stays known. The tree that is read must
// come to the one that was followed; nothing above that is taken in before.
func (f *Follower) Rewind() {
	if f.Size() > 0 {
		f.again = &Frontier{}
	}
}

// Rewound reports whether the log stream is read again and has not come to where
// the follower was. Until then its place there must not be remembered.
func (f *Follower) Rewound() bool { return f.again != nil }

// reread takes in a message that is read again, or the first of those that are not.
func (f *Follower) reread(batch Batch, got Signed) (Batch, error) {
	if known, ok := f.find(got.Checkpoint.Size); ok && known.Checkpoint.Root != got.Checkpoint.Root {
		return Batch{}, &Fork{Have: known, Got: got}
	}
	switch have := f.again.Size(); {
	case batch.Start > have:
		return Batch{}, &Gap{Have: have, Start: batch.Start}
	case batch.Start < have && len(batch.Hashes) > 0:
		return Batch{}, malformed("leaves begin at %d, but %d were read again", batch.Start, have)
	case batch.Start < have:
		return batch, nil // a repetition
	}
	rest := batch
	n := min(f.Size()-batch.Start, uint64(len(batch.Hashes)))
	rest.Start, rest.Hashes, rest.Labels = batch.Start+n, batch.Hashes[n:], batch.Labels[n:]
	again := f.again.Clone()
	for _, hash := range batch.Hashes[:n] {
		if err := again.Append(hash); err != nil {
			return Batch{}, err
		}
	}
	if again.Size() == f.Size() && again.Root() != f.frontier.Root() {
		return Batch{}, &Inconsistent{Have: f.kept[len(f.kept)-1], Got: got}
	}
	if err := again.grow(rest, got); err != nil {
		return Batch{}, err
	}
	switch {
	case again.Size() < f.Size():
		f.again = &again
	case again.Size() == f.Size():
		f.again = nil
	default:
		if err := f.goesOn(rest); err != nil {
			return Batch{}, err
		}
		f.again = nil
		f.advance(again, &rest, got)
	}
	return rest, nil
}

// Since is a message of the notary without the leaves below a size; the message
// itself where it has none. Nothing in it is judged here.
func Since(l *logv1.Leaves, size uint64) *logv1.Leaves {
	known := uint64(0)
	if size > l.GetStart() {
		known = min(size-l.GetStart(), uint64(len(l.GetHashes())/tlog.HashSize), uint64(len(l.GetLabels())))
	}
	if known == 0 {
		return l
	}
	return &logv1.Leaves{
		Epoch: l.GetEpoch(), Start: l.GetStart() + known, Hashes: l.GetHashes()[known*tlog.HashSize:],
		Audiences: l.GetAudiences(), Labels: l.GetLabels()[known:], Checkpoint: l.GetCheckpoint(),
	}
}
