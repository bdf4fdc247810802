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

// retrace is the tree after a message that is read again, and what is new in it.
func (f *Follower) retrace(batch Batch, got Signed) (again Frontier, rest Batch, err error) {
	if known, ok := f.find(got.Checkpoint.Size); ok && known.Checkpoint != got.Checkpoint {
		return again, rest, &Fork{Have: known, Got: got}
	}
	switch have := f.again.Size(); {
	case batch.Start > have:
		return again, rest, &Gap{Have: have, Start: batch.Start}
	case batch.Start < have && len(batch.Hashes) > 0:
		return again, rest, malformed("leaves begin at %d, but %d were read again", batch.Start, have)
	}
	n := min(f.Size()-f.again.Size(), uint64(len(batch.Hashes)))
	rest = batch
	rest.Start, rest.Hashes, rest.Labels = batch.Start+n, batch.Hashes[n:], batch.Labels[n:]
	again = f.again.Clone()
	for _, hash := range batch.Hashes[:n] {
		if err := again.Append(hash); err != nil {
			return again, rest, err
		}
	}
	same := again.Size() < f.Size() || again.Root() == f.frontier.Root()
	if len(batch.Hashes) > 0 {
		if err := again.grow(rest, got); err != nil {
			return again, rest, err
		}
	}
	if !same { // and the leaves are those that were signed
		return again, rest, &Inconsistent{Have: f.kept[len(f.kept)-1], Got: got}
	}
	return again, rest, nil
}

// reread takes in a message that is read again, or the first of those that are not.
func (f *Follower) reread(batch Batch, got Signed) (Batch, error) {
	again, rest, err := f.retrace(batch, got)
	if err == nil {
		err = f.names(got)
	}
	if err != nil {
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
