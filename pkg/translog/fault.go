package translog

import (
	"errors"
	"fmt"
)

// Signed is a checkpoint with the note that proves who signed it.
type Signed struct {
	Checkpoint Checkpoint
	Note       []byte // text and the one signature that was verified
}

// Malformed is input that is not in the one accepted form. It proves nothing about anyone.
type Malformed struct{ Reason string }

func (e *Malformed) Error() string { return e.Reason }

func malformed(format string, args ...any) error {
	return &Malformed{Reason: fmt.Sprintf(format, args...)}
}

// BadSignature is a note without a valid signature that it must have; a notary's
// second one has its name too.
type BadSignature struct {
	Name string // the key name whose signature is absent or wrong
}

func (e *BadSignature) Error() string {
	return fmt.Sprintf("no valid signature of %q", e.Name)
}

// Gap is a message whose leaves begin above what the follower has.
type Gap struct {
	Have  uint64 // leaves that the follower has
	Start uint64 // first index offered
}

func (e *Gap) Error() string {
	return fmt.Sprintf("leaves begin at %d, but only %d are known", e.Start, e.Have)
}

// Rollback is a correctly signed checkpoint of a smaller tree than one seen before.
type Rollback struct{ Have, Got Signed }

func (e *Rollback) Error() string {
	return fmt.Sprintf("the log went back from size %d to %d", e.Have.Checkpoint.Size, e.Got.Checkpoint.Size)
}

// Fork is one size with two roots, or with two registries, each of them signed.
// Have.Note and Got.Note together prove it to anyone who has the keys.
type Fork struct{ Have, Got Signed }

func (e *Fork) Error() string {
	if e.Have.Checkpoint.Root == e.Got.Checkpoint.Root {
		return fmt.Sprintf("two registries for size %d: %s and %s", e.Have.Checkpoint.Size, e.Have.Checkpoint.Registry, e.Got.Checkpoint.Registry)
	}
	return fmt.Sprintf("two roots for size %d: %s and %s", e.Have.Checkpoint.Size, e.Have.Checkpoint.Root, e.Got.Checkpoint.Root)
}

// Mismatch is a correctly signed checkpoint whose root is not that of the leaves
// sent with it: the notary miscounted, or the hub altered the leaves on the way
// (they are not signed, only the root is).
type Mismatch struct {
	Got      Signed
	Computed Hash
}

func (e *Mismatch) Error() string {
	return fmt.Sprintf("the leaves up to %d have root %s, the checkpoint says %s", e.Got.Checkpoint.Size, e.Computed, e.Got.Checkpoint.Root)
}

// Inconsistent is a signed checkpoint over leaves that do not begin with those of one
// that was signed before: two logs under one name. With the leaves it proves it.
type Inconsistent struct{ Have, Got Signed }

func (e *Inconsistent) Error() string {
	return fmt.Sprintf("the log of %d leaves does not begin with the %d leaves that it had before", e.Got.Checkpoint.Size, e.Have.Checkpoint.Size)
}

// OtherRegistry is a correctly signed checkpoint that names another registry than
// the updates known below its size make: its signer counted wrong, or an update
// was withheld from the reader, its leaf under another label.
type OtherRegistry struct {
	Got  Signed
	Want Hash
}

func (e *OtherRegistry) Error() string {
	return fmt.Sprintf("the updates known below %d make registry %s, the checkpoint says %s", e.Got.Checkpoint.Size, e.Want, e.Got.Checkpoint.Registry)
}

// Where a caller branches and no evidence travels.
var (
	// ErrUnknownWitness: no signature on the note is of a mirror in the policy for its size.
	ErrUnknownWitness = errors.New("no mirror of the policy signed this")
	// ErrStale: the cosignature is of a size that is no longer kept, because a larger one is
	// witnessed, or pending from the same mirror, or too many came since. It is harmless.
	ErrStale = errors.New("cosignature of a size that is no longer kept")
	// ErrUnpublished: a mirror cosigned a size for which the notary published no checkpoint here.
	ErrUnpublished = errors.New("cosignature of a size that the notary did not publish")
	// ErrRewritten: new terms would judge anew what was judged already. A log lays terms
	// down for sizes to come only, so somebody changed its past, or a change came too late.
	ErrRewritten = errors.New("the policies of a size already followed were changed")
)
