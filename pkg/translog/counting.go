package translog

import "fmt"

// Cosignature takes in one mirror's cosignature. A repeated one is counted once.
// Errors: *Malformed, *BadSignature, *Fork, ErrUnknownWitness, ErrStale, ErrUnpublished;
// none of them changes the follower.
func (f *Follower) Cosignature(data []byte) (Cosigned, error) {
	c, err := f.policy.openCosignature(data)
	if err != nil {
		return Cosigned{}, err
	}
	ahead := len(f.kept) == 0 || c.signed.Checkpoint.Size > f.Size()
	if ahead {
		err = f.wait(c)
	} else {
		err = f.count(c)
	}
	if err != nil {
		return Cosigned{}, fmt.Errorf("mirror %q at size %d: %w", c.country, c.signed.Checkpoint.Size, err)
	}
	return Cosigned{Country: c.country, Checkpoint: c.signed.Checkpoint, Time: c.time, Pending: ahead}, nil
}

// wait keeps a cosignature whose checkpoint is not here yet, the newest of its mirror.
func (f *Follower) wait(c cosignature) error {
	if old, ok := f.pending[c.country]; ok {
		have, got := old.signed.Checkpoint, c.signed.Checkpoint
		switch {
		case got.Size == have.Size && got.Root != have.Root:
			return &Fork{Have: old.signed, Got: c.signed}
		case got.Size < have.Size:
			return ErrStale
		case got.Size == have.Size && c.time < old.time:
			return nil
		}
	}
	f.pending[c.country] = c
	return nil
}

// count adds a cosignature to the checkpoint that it is of.
func (f *Follower) count(c cosignature) error {
	size := c.signed.Checkpoint.Size
	k := f.find(size)
	switch {
	case k == nil && size <= f.forgotten:
		return ErrStale
	case k == nil:
		return ErrUnpublished
	case k.signed.Checkpoint.Root != c.signed.Checkpoint.Root:
		return &Fork{Have: k.signed, Got: c.signed}
	}
	// Of two by one mirror the later stays: it says how fresh the view is.
	if old, ok := k.cosigns[c.country]; !ok || c.time > old.time {
		k.cosigns[c.country] = c
	}
	f.settle()
	return nil
}
