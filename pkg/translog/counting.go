package translog

import (
	"fmt"
	"maps"
	"slices"
)

// Cosignature takes in one mirror's cosignature, under the policy for its size. A
// repeated one is counted once; one of a smaller size than its mirror has cosigned adds nothing.
// Errors: *Malformed, *BadSignature, *Fork, ErrUnknownWitness, ErrStale, ErrUnpublished;
// none of them changes the follower.
func (f *Follower) Cosignature(data []byte) (Cosigned, error) {
	c, err := f.policies.openCosignature(data)
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

// wait keeps a cosignature whose checkpoint is not here yet, the newest of its
// mirror. One under a key that is no longer its country's for that size is not in the way.
func (f *Follower) wait(c cosignature) error {
	if old, ok := f.pending[c.country]; ok && f.policies.admits(old) {
		have, got := old.signed.Checkpoint, c.signed.Checkpoint
		switch {
		case got.Size == have.Size && got != have:
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

// count takes in a cosignature of a checkpoint that should be here.
func (f *Follower) count(c cosignature) error {
	size := c.signed.Checkpoint.Size
	have, ok := f.find(size)
	switch {
	case !ok && size <= f.forgotten:
		return ErrStale
	case !ok:
		return ErrUnpublished
	case have.Checkpoint != c.signed.Checkpoint:
		return &Fork{Have: have, Got: c.signed}
	}
	f.take(c)
	f.settle()
	return nil
}

// countPending counts the cosignatures that waited for the newest checkpoint,
// where the terms adopted since still admit them. One that does not fit is its
// mirror's fault and must not stop the log: it is dropped and reported.
func (f *Follower) countPending(batch *Batch) {
	newest := f.kept[len(f.kept)-1]
	for _, country := range slices.Sorted(maps.Keys(f.pending)) {
		c := f.pending[country]
		size, at := c.signed.Checkpoint.Size, newest.Checkpoint
		if size > at.Size {
			continue
		}
		refuse := func(err error) {
			batch.Refused = append(batch.Refused, fmt.Errorf("mirror %q at size %d: %w", country, size, err))
		}
		switch {
		case !f.policies.admits(c):
			refuse(ErrUnknownWitness)
		case size < at.Size:
			refuse(ErrUnpublished)
		case c.signed.Checkpoint != at:
			batch.Refused = append(batch.Refused, &Fork{Have: newest, Got: c.signed})
		default:
			f.take(c)
			batch.Counted = append(batch.Counted, Cosigned{Country: country, Checkpoint: at, Time: c.time})
		}
		delete(f.pending, country)
	}
}

// seat is one mirror under one key. A country that changed its key has two.
type seat struct{ country, key string }

// take keeps a cosignature of a kept checkpoint if it is its mirror's newest: the
// one of the largest size, which states all smaller ones too, and of that size
// the latest, which says how fresh the view is.
func (f *Follower) take(c cosignature) {
	at := seat{c.country, string(c.key)}
	old, ok := f.cosigned[at]
	have, got := old.signed.Checkpoint.Size, c.signed.Checkpoint.Size
	if !ok || got > have || got == have && c.time > old.time {
		f.cosigned[at] = c
	}
}

// cosigners is the newest cosignatures, of this size or a larger one, by mirrors of
// the policy for this size, under the keys that they have there: a country with
// another key at the larger size is not counted by it. Sorted by country.
func (f *Follower) cosigners(size uint64) []cosignature {
	var by []cosignature
	mirrors := f.policies.At(size).Mirrors
	for _, country := range slices.Sorted(maps.Keys(mirrors)) {
		c, ok := f.cosigned[seat{country, string(mirrors[country])}]
		if ok && c.signed.Checkpoint.Size >= size {
			by = append(by, c)
		}
	}
	return by
}

// WitnessedTime is the latest time, in seconds since 1970, by which a quorum of the
// mirrors had signed the newest witnessed checkpoint or a larger one, by their own
// clocks; 0 while there is none. Nobody can show an older log than that as new: a
// single mirror's clock moves it no further than the others' do.
func (f *Follower) WitnessedTime() uint64 {
	if !f.witnessed {
		return 0
	}
	size := f.kept[0].Checkpoint.Size
	var times []uint64
	for _, c := range f.cosigners(size) {
		times = append(times, c.time)
	}
	quorum := f.policies.At(size).Quorum
	if len(times) < quorum {
		return 0
	}
	slices.Sort(times)
	return times[len(times)-quorum]
}

// reach is the largest size such that a quorum of the policy's mirrors cosigned it
// or larger ones.
func (f *Follower) reach(p Policy) (size uint64, ok bool) {
	var sizes []uint64
	for country, key := range p.Mirrors {
		if c, ok := f.cosigned[seat{country, string(key)}]; ok {
			sizes = append(sizes, c.signed.Checkpoint.Size)
		}
	}
	if len(sizes) < p.Quorum {
		return 0, false
	}
	slices.Sort(sizes)
	return sizes[len(sizes)-p.Quorum], true
}

// newestWitnessed is the place in kept of the newest checkpoint with a quorum, or -1.
// It goes from the newest term that a kept checkpoint falls under to the oldest:
// within one, the quorum reaches up to one size.
func (f *Follower) newestWitnessed() int {
	for end := len(f.kept); end > 0; {
		term := f.policies[f.policies.term(f.kept[end-1].Checkpoint.Size)]
		first := f.below(term.From)
		if size, ok := f.reach(term.Policy); ok {
			if i := min(f.below(size+1), end) - 1; i >= first {
				return i
			}
		}
		end = first
	}
	return -1
}

// settle moves the witnessed mark to the newest checkpoint with a quorum and
// forgets what is below it, or beyond the number that is kept.
func (f *Follower) settle() {
	if i := f.newestWitnessed(); i >= 0 {
		f.witnessed = true
		if i > 0 {
			size := f.kept[i].Checkpoint.Size
			f.forget(func(s Signed) bool { return s.Checkpoint.Size < size })
		}
	}
	over, needed := len(f.kept)-maxKept, map[uint64]bool{}
	if f.witnessed {
		over--
	}
	if over <= 0 {
		return
	}
	if f.witnessed {
		// It stays witnessed for as long as nothing newer is.
		size := f.kept[0].Checkpoint.Size
		needed[size] = true
		for _, c := range f.cosigners(size) {
			needed[c.signed.Checkpoint.Size] = true
		}
	}
	f.forget(func(s Signed) bool {
		if over == 0 || needed[s.Checkpoint.Size] {
			return false
		}
		over--
		return true
	})
}

// forget drops the kept checkpoints for which drop, asked in ascending order, is
// true, and their cosignatures.
func (f *Follower) forget(drop func(Signed) bool) {
	f.kept = slices.DeleteFunc(f.kept, func(s Signed) bool {
		if !drop(s) {
			return false
		}
		f.forgotten = max(f.forgotten, s.Checkpoint.Size)
		return true
	})
	maps.DeleteFunc(f.cosigned, func(_ seat, c cosignature) bool {
		_, ok := f.find(c.signed.Checkpoint.Size)
		return !ok
	})
}
