package translog

import (
	"maps"
	"slices"
)

// maxKept is how many checkpoints that are not yet witnessed are kept, the
// newest of them; at five a second, more than three minutes of them.
const maxKept = 1024

// Follower is what publisher, desk and auditor know of the log. It takes in what
// the notary publishes and what mirrors cosign, in the order of the log stream,
// and recomputes every root. It is not safe for concurrent use.
//
// Invariants: the root of frontier is that of the newest kept checkpoint; kept is
// in ascending order of size; no two kept checkpoints have one size; nothing kept
// is unverified; memory is bounded whatever is sent.
type Follower struct {
	policy    Policy
	epoch     uint64 // of the newest leaf
	next      uint64 // stream sequence that the next leaf of this epoch must have
	frontier  Frontier
	kept      []*kept                // the newest witnessed one, if any, and those after it
	witnessed bool                   // kept[0] has a quorum
	forgotten uint64                 // the largest size that was kept once and is not any more
	pending   map[string]cosignature // by country: the newest of a size that is not here yet
}

// kept is one checkpoint of the notary with the cosignatures it has so far.
type kept struct {
	signed  Signed
	cosigns map[string]cosignature // by country
}

func (k *kept) countries() []string { return slices.Sorted(maps.Keys(k.cosigns)) }

// Batch is what one message of the notary added.
type Batch struct {
	Epoch         uint64
	Start         uint64   // log index of the first leaf
	FirstSequence uint64   // stream sequence of the first leaf; the others follow without a gap
	Hashes        []Hash   // leaf hashes; none when the message only repeats the newest checkpoint
	Labels        []string // for each leaf its audience as the notary states it; this is not signed
	Checkpoint    Checkpoint
	Counted       []Cosigned // cosignatures that were waiting for this checkpoint
	Refused       []error    // cosignatures that were waiting and do not fit: *Fork, ErrUnpublished
}

// Cosigned is one cosignature that was verified.
type Cosigned struct {
	Country    string
	Checkpoint Checkpoint
	Time       uint64 // seconds since 1970, by the mirror's clock
	Pending    bool   // the size is ahead of the follower: verified, and not counted yet
}

// NewFollower follows a log from its first leaf.
func NewFollower(policy Policy) (*Follower, error) {
	if err := policy.Validate(); err != nil {
		return nil, err
	}
	return &Follower{policy: policy.clone(), pending: map[string]cosignature{}}, nil
}

// Size is the number of leaves that the follower has.
func (f *Follower) Size() uint64 { return f.frontier.Size() }

// Checkpoint is the newest verified checkpoint; ok is false before the first.
func (f *Follower) Checkpoint() (c Checkpoint, ok bool) {
	if len(f.kept) == 0 {
		return Checkpoint{}, false
	}
	return f.kept[len(f.kept)-1].signed.Checkpoint, true
}

// Witnessed is the newest checkpoint with a quorum of cosignatures, and the
// countries that cosigned it, sorted; ok is false while there is none.
func (f *Follower) Witnessed() (c Checkpoint, countries []string, ok bool) {
	if !f.witnessed {
		return Checkpoint{}, nil, false
	}
	return f.kept[0].signed.Checkpoint, f.kept[0].countries(), true
}

// CosignedBy is the countries that cosigned the checkpoint of this size, sorted;
// none when the size is not kept (any more).
func (f *Follower) CosignedBy(size uint64) []string {
	if k := f.find(size); k != nil {
		return k.countries()
	}
	return nil
}

// find is the kept checkpoint of a size, or nil.
func (f *Follower) find(size uint64) *kept {
	i, ok := slices.BinarySearchFunc(f.kept, size, func(k *kept, size uint64) int {
		switch {
		case k.signed.Checkpoint.Size < size:
			return -1
		case k.signed.Checkpoint.Size > size:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return f.kept[i]
}

// settle moves the witnessed mark to the newest checkpoint with a quorum and
// forgets what is below it, or beyond the number that is kept.
func (f *Follower) settle() {
	for i, k := range slices.Backward(f.kept) {
		if len(k.cosigns) >= f.policy.Quorum {
			f.forget(0, i)
			f.witnessed = true
			break
		}
	}
	first := 0
	if f.witnessed {
		first = 1
	}
	if over := len(f.kept) - first - maxKept; over > 0 {
		f.forget(first, first+over)
	}
}

// forget drops kept[from:to].
func (f *Follower) forget(from, to int) {
	for _, k := range f.kept[from:to] {
		f.forgotten = max(f.forgotten, k.signed.Checkpoint.Size)
	}
	f.kept = slices.Delete(f.kept, from, to)
}
